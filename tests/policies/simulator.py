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
    """One node process for as long as the context lasts. It keeps policies by name, so that a question is short."""

    def __init__(self) -> None:
        assert NODE is not None, WITHOUT_NODE
        self._documents: dict[str, Any] = {}
        self._untold: dict[str, Any] = {}
        self._node = subprocess.Popen(
            [NODE, "simulate.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *raised: object) -> None:
        self._node.communicate(timeout=20)

    def keep(self, name: str, document: dict[str, Any]) -> str:
        """Remember a policy under a name; the same name always means the same document."""
        if name not in self._documents:
            self._documents[name] = self._untold[name] = document
        assert self._documents[name] == document, name
        return name

    def allows(self, questions: Sequence[Question]) -> list[bool]:
        """One answer each, in their order. AssertionError where the simulator finds the question itself wrong."""
        asked = {"documents": self._untold, "questions": [vars(question) for question in questions]}
        assert self._node.stdin is not None and self._node.stdout is not None
        try:
            self._node.stdin.write(json.dumps(asked) + "\n")
            self._node.stdin.flush()
            answered = self._node.stdout.readline()
        except BrokenPipeError:
            answered = ""
        assert answered, "the policy simulator ended. Was it installed? make simulator"
        self._untold = {}
        answers = json.loads(answered)
        assert len(answers) == len(questions)
        for question, answer in zip(questions, answers, strict=True):
            assert "error" not in answer, (question, answer)
        return [answer["result"] == "Allowed" for answer in answers]
