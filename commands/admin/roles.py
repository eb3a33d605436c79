"""The role that someone acts under: one of the stack's own, or the customer's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend_lambda.contract.actions import ROLE_ACTIONS
from commands.grammar.options import Value

OWN_ROLE = re.compile(r"arn:aws(?:-[a-z]+){0,3}:iam::[0-9]{12}:role/easel/[A-Za-z0-9_+=,.@/-]{1,120}")

EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,200}")


@dataclass(frozen=True)
class RoleOption:
    """`artist`, `trainer`, `operator`, `admin`, or the ARN of a role below the path `/easel/`, of any account."""

    name: str
    summary: str
    hint: str = "role"
    aliases: tuple[str, ...] = ()
    names: tuple[str, ...] = tuple(ROLE_ACTIONS)
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return f"{', '.join(self.names)}, or the ARN of a role of your own below /easel/"

    def read(self, text: str) -> str | None:
        """The name in lower case, or the ARN; else None."""
        if text.lower() in self.names:
            return text.lower()
        return text if OWN_ROLE.fullmatch(text) else None

    def write(self, value: Value) -> str:
        """The name or the ARN."""
        return str(value)


@dataclass(frozen=True)
class ExternalIdOption:
    """What the trust policy of a role of the customer's own asks for, as IAM takes it."""

    name: str
    summary: str
    hint: str = "X"
    aliases: tuple[str, ...] = ()
    allowed: str = "2 to 200 letters, digits and any of _+=,.@:/-"
    names: tuple[str, ...] = field(default=(), init=False)
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)

    def read(self, text: str) -> str | None:
        """The text itself, or None."""
        return text if EXTERNAL_ID.fullmatch(text) else None

    def write(self, value: Value) -> str:
        """The text in quotes: it may look like an option."""
        return f'"{value}"'


def is_own_role(role: str) -> bool:
    """Whether it is a role of the customer's own."""
    return role.startswith("arn:")


def role_name(role_arn: str) -> str:
    """The last part of a role's ARN."""
    return role_arn.rpartition("/")[2]
