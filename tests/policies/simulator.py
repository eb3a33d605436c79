"""Asks the policy simulator (`@cloud-copilot/iam-simulate`) what AWS would answer. A node process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NODE = shutil.which("node")
WITHOUT_NODE = "there is no node, so nothing was proved with the policy simulator: apt-get install nodejs npm"


@dataclass(frozen=True)
class Question:
    """May `principal` (an ARN; None: anyone, unsigned) do `action` on `resource`, which belongs to account `owner`?

    `identity` are the principal's own policies, `session` the policy that its session was given, `resource_policy` the
    resource's (a role's trust policy). `context`: condition keys; those that an action doesn't have are not seen.
    """

    principal: str | None
    action: str
    resource: str
    owner: str
    identity: tuple[str, ...] = ()
    session: str | None = None
    resource_policy: str | None = None
    context: dict[str, str | list[str]] = field(default_factory=dict)


class Simulator:
    """Keeps documents by name, so that a question is short, and answers many questions in one process."""

    def __init__(self) -> None:
        self._documents: dict[str, Any] = {}

    def keep(self, name: str, document: dict[str, Any]) -> str:
        """Remember a policy under a name; the same name always means the same document."""
        assert self._documents.setdefault(name, document) == document, name
        return name

    def allows(self, questions: Sequence[Question]) -> list[bool]:
        """One answer each, in their order. AssertionError where the simulator finds the question itself wrong."""
        asked = {"documents": self._documents, "questions": [vars(question) for question in questions]}
        assert NODE is not None, WITHOUT_NODE
        run = subprocess.run(
            [NODE, "simulate.mjs"], cwd=FOLDER, input=json.dumps(asked), capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"{run.stderr[-2000:]}\nWas the simulator installed? make simulator"
        answers = json.loads(run.stdout)
        assert len(answers) == len(questions)
        for question, answer in zip(questions, answers, strict=True):
            assert "error" not in answer, (question, answer)
        return [answer["result"] == "Allowed" for answer in answers]
