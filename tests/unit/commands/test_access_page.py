"""docs/access.md says what can be said: every command in it is understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from commands.command import Refuse, ShowHelp
from commands.imagine_admin import NAME, plan

PAGE = (Path(__file__).parents[3] / "docs" / "access.md").read_text(encoding="utf-8")
GROUPS = ("designers", "interns")


def as_slack_escapes(line: str) -> str:
    """Mentions as ids: groups are those named above, everybody else is a member."""

    def mention(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!subteam^S1|@{name}>" if name in GROUPS else f"<@U1|{name}>"

    return re.sub(r"#(\w+)", r"<#C1|\1>", re.sub(r"@(\w+)", mention, line))


COMMANDS = [line.removeprefix(f"{NAME} ") for line in PAGE.splitlines() if line.startswith(f"{NAME} ")]


@pytest.mark.parametrize("text", COMMANDS)
def test_every_command_of_the_page_is_understood(text: str) -> None:
    assert not isinstance(plan(as_slack_escapes(text)), Refuse | ShowHelp)


def test_the_page_names_all_roles_and_actions() -> None:
    assert len(COMMANDS) > 8
    assert all(f"| `{role}` |" in PAGE for role in ROLE_ACTIONS)
    assert all(f"`{action.value}`" in PAGE for action in Action)
