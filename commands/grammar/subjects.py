"""Whom something is about, as Slack writes it into a command: `<@U1>`, `<#C1>`, `<!subteam^S1>`, or `workspace`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend_lambda.contract.subjects import Subject, SubjectKind
from commands.grammar.options import Value

WORKSPACE = "workspace"
MENTION = re.compile(r"<(?:@(?P<member>[UW][A-Z0-9]{1,30})|#(?P<channel>[CG][A-Z0-9]{1,30})"
                     r"|!subteam\^(?P<usergroup>S[A-Z0-9]{1,30}))>")  # fmt: skip
SAID = {
    SubjectKind.MEMBER: "a @member",
    SubjectKind.CHANNEL: "a #channel",
    SubjectKind.USERGROUP: "a @usergroup",
    SubjectKind.WORKSPACE: "the word workspace",
}


@dataclass(frozen=True)
class SubjectOption:
    """A subject of one of these kinds. Its value is Slack's mention, or `workspace`."""

    name: str
    summary: str
    kinds: tuple[SubjectKind, ...]
    hint: str
    aliases: tuple[str, ...] = ()
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)

    @property
    def names(self) -> tuple[str, ...]:
        """`workspace`, where it takes it."""
        return (WORKSPACE,) if SubjectKind.WORKSPACE in self.kinds else ()

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        said = [SAID[kind] for kind in self.kinds]
        kinds = " or ".join(filter(None, (", ".join(said[:-1]), said[-1])))
        return f"{kinds}, chosen from the list that Slack shows while you type"

    def read(self, text: str) -> str | None:
        """The mention, or None; commas and full stops behind it don't count."""
        text = text.strip(",.;:")
        if text.lower() == WORKSPACE:
            return WORKSPACE if SubjectKind.WORKSPACE in self.kinds else None
        kind = _kind_of(text)
        return text if kind in self.kinds else None

    def write(self, value: Value) -> str:
        """The mention."""
        return str(value)


def subject_of(value: Value, workspace: str) -> Subject:
    """The subject that a `SubjectOption` has read, in this workspace. Raises `ValueError` for anything else."""
    if value == WORKSPACE:
        return Subject(SubjectKind.WORKSPACE, workspace)
    match = MENTION.fullmatch(str(value))
    if match is None:
        raise ValueError("not a mention")
    kind = str(match.lastgroup)
    return Subject(SubjectKind(kind), match[kind])


def mention(kind: str, subject_id: str) -> str | None:
    """Slack's way to write a member, a channel or a user group; None for other subjects and for ids not of Slack's."""
    text = {
        SubjectKind.MEMBER: f"<@{subject_id}>",
        SubjectKind.CHANNEL: f"<#{subject_id}>",
        SubjectKind.USERGROUP: f"<!subteam^{subject_id}>",
    }.get(SubjectKind(kind), "")
    return text if _kind_of(text) == kind else None


def _kind_of(text: str) -> SubjectKind | None:
    match = MENTION.fullmatch(text)
    return SubjectKind(str(match.lastgroup)) if match else None
