"""What went wrong, as facts, and how text that people wrote is quoted when they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.grammar.clean import escape, shorten


@dataclass(frozen=True)
class Trouble:
    """Something went wrong: one sentence, what the person can do, and a reference where it is our fault."""

    sentence: str
    next_step: str = ""
    reference: str | None = None
    can_retry: bool = True


@dataclass(frozen=True)
class ApiRefusal:
    """An answer of the backend that is not 2xx; `code` is one of its error codes."""

    code: str
    message: str = ""
    field: str | None = None
    given: str | None = None
    allowed: str | None = None
    available: Sequence[str] = ()
    reference: str | None = None
    limit: Mapping[str, Any] | None = None


def code(text: str) -> str:
    """Text in Slack's code style; backticks can't be in it."""
    return f"`{escape(shorten(clean_for_code(text), 120))}`"


def clean_for_code(text: str) -> str:
    """One line without backticks; never empty."""
    return " ".join(text.replace("`", "'").split()) or " "


def trouble_text(trouble: Trouble) -> str:
    """The whole of it as one mrkdwn text."""
    reference = f" Reference {code(trouble.reference)}." if trouble.reference else ""
    return " ".join(part for part in (trouble.sentence, trouble.next_step) if part) + reference
