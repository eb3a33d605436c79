"""The grants, denies and limits of a workspace; its audit record; its blocked words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backend_lambda.contract.subjects import Subject, SubjectKind
from commands.grammar.clean import escape
from commands.trouble import code
from commands.views.access_words import entry_line, entry_phrases, member_text, subject_text
from commands.views.blocks import Block, Message, context, message, section
from commands.views.moments import moment

if TYPE_CHECKING:
    from backend_lambda.contract.access import AuditEntry, Entry

# Slack takes 50 blocks of 3,000 characters, but refuses messages that are long altogether.
PART_CHARS = 2_500
ALL_CHARS = 9_000
HEADINGS = {
    SubjectKind.ORG: "Organisation",
    SubjectKind.WORKSPACE: "Workspace",
    SubjectKind.CHANNEL: "Channels",
    SubjectKind.USERGROUP: "User groups",
    SubjectKind.MEMBER: "Members",
}


def access_list(entries: Iterable[Entry], now: datetime) -> Message:
    """What counts now, by kind; what does not fit is counted."""
    from backend_lambda.contract.access import standing

    counting = standing(entries, now)
    groups = [(HEADINGS[kind], [entry_line(entry) for entry in counting if entry.kind == kind]) for kind in SubjectKind]
    blocks, left_out = _parts([(heading, lines) for heading, lines in groups if lines])
    if not blocks:
        blocks = [section("Nothing is granted, denied or limited in this workspace.")]
    hint = f"The more specific grant decides, any deny wins. {code('/imagine-admin access why @somebody')} explains."
    more = f"{left_out} more are not shown here; {code('GET /grants')} answers all." if left_out else ""
    return message("Who may do what in this workspace", [*blocks, context(hint, more)])


def audit_list(records: Sequence[AuditEntry]) -> Message:
    """The latest changes, newest first; at most 20 are shown."""
    blocks, left_out = _parts([("Latest changes", [audit_line(record) for record in records[:20]])])
    if not records:
        blocks = [section("Nothing has been changed yet.")]
    more = f"{left_out} older ones are not shown." if left_out else ""
    return message("Latest changes of who may do what", [*blocks, context(more)])


def audit_line(record: AuditEntry) -> str:
    """Who, what, where, before and after, in a few lines."""
    where = f" in {subject_text(SubjectKind.CHANNEL, record.place)}" if record.place else ""
    who = member_text(record.member)
    head = f"{moment(record.at)} · {who}{where}: {escape(record.action)} {_audited_subject(record.subject)}"
    return f"{head}\n> before: {_state(record.before)}\n> after: {_state(record.after)}"


def words_list(words: Sequence[str]) -> Message:
    """The blocked words."""
    if not words:
        text = f"No words are blocked. {code('/imagine-admin words add something')} blocks some."
        return message(text, [section(text)])
    blocks, left_out = _parts([("Blocked in prompts", [code(word) for word in sorted(words, key=str.casefold)])], ", ")
    more = f"{left_out} more are not shown here; {code('GET /words')} answers all." if left_out else ""
    return message(f"{len(words)} blocked words", [*blocks, context(more)])


def _parts(groups: Sequence[tuple[str, Sequence[str]]], separator: str = "\n") -> tuple[list[Block], int]:
    """Sections of whole lines below their headings, and how many lines did not fit."""
    blocks: list[Block] = []
    used = left_out = 0
    for heading, lines in groups:
        part = f"*{escape(heading)}*\n"
        is_first = True
        for line in lines:
            if used + len(line) > ALL_CHARS:
                left_out += 1
                continue
            if len(part) + len(line) > PART_CHARS:
                blocks.append(section(part))
                part, is_first = "", True
            part += line if is_first else f"{separator}{line}"
            used += len(line)
            is_first = False
        if not is_first:
            blocks.append(section(part))
    return blocks, left_out


def _audited_subject(subject: str) -> str:
    try:
        found = Subject.of_key(subject)
    except ValueError:
        return code(subject)
    return subject_text(found.kind, found.id)


def _state(state: dict[str, Any] | None) -> str:
    """A changed thing in words: an entry, a list of words, or nothing."""
    if state is None:
        return "nothing"
    from backend_lambda.contract.access import Entry

    if isinstance(state.get("words"), list):
        return f"{len(state['words'])} blocked words"
    try:
        entry = Entry.model_validate(state)
    except ValueError:
        return code(", ".join(sorted(map(str, state))))
    return " · ".join(entry_phrases(entry)) or ("kept out" if entry.effect == "deny" else "nothing")
