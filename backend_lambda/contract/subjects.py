"""Whom a grant, a deny or a limit is about. Plain Python: the grammar imports it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class SubjectKind(StrEnum):
    """From the least to the most specific; of several grants the most specific one decides."""

    ORG = "org"
    WORKSPACE = "workspace"
    CHANNEL = "channel"
    USERGROUP = "usergroup"
    MEMBER = "member"

    @property
    def specificity(self) -> int:
        """Larger is more specific."""
        return list(SubjectKind).index(self)


_ID = re.compile(r"[A-Za-z0-9._:=@+,-]{1,64}")


@dataclass(frozen=True, order=True)
class Subject:
    """One of them. `id` is opaque: a client's own name for it (Slack's ids, an IAM session's name)."""

    kind: SubjectKind
    id: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not the id of a {self.kind.value}")

    @property
    def key(self) -> str:
        """`member#U1`; no two subjects have the same."""
        return f"{self.kind.value}#{self.id}"

    @classmethod
    def of_key(cls, key: str) -> Subject:
        """The reverse of `key`. Raises ValueError."""
        kind, _, name = key.partition("#")
        return cls(SubjectKind(kind), name)
