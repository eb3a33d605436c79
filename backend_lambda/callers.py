"""Who signed a request: the only source of identity. Nothing in a header or a body is ever asked."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

# IAM's own alphabets: account ids, role and user names, session names; https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_PRINCIPAL = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+){0,3}):(?P<service>iam|sts)::(?P<account>[0-9]{12}):(?P<kind>[a-z-]+)(?P<path>(?:/[\x21-\x2e\x30-\x7e]+)*)"
)
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
_MAPPED_SESSION = re.compile(r"(?P<workspace>[A-Za-z0-9]{1,31})\.(?P<member>[A-Za-z0-9]{1,31})")
_ROLE_ARN = re.compile(
    r"arn:aws(?:-[a-z]+){0,3}:iam::(?P<account>[0-9]{12}):role/(?:.*/)?(?P<name>[A-Za-z0-9_+=,.@-]{1,64})"
)


class UnknownCaller(ValueError):
    """The principal is none that Easel can tell apart from others."""


@dataclass(frozen=True)
class Caller:
    """`tenant` is the isolation boundary, `member` the person or client inside it, `arn` the principal as IAM names it.

    A tenant consists of letters, digits and `.:=-`, so that it fits into an S3 key and never contains a slash.
    """

    tenant: str
    member: str
    arn: str


@dataclass(frozen=True)
class MappedRoles:
    """The roles whose sessions are named `<workspace>.<member>` by the bot that assumed them, as (account, name)."""

    roles: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, entries: Collection[str], own_account: str) -> MappedRoles:
        """From role names (of `own_account`) and role ARNs (of any account). Raises ValueError for anything else."""
        roles = set()
        for entry in entries:
            if arn := _ROLE_ARN.fullmatch(entry):
                roles.add((arn["account"], arn["name"]))
            elif _NAME.fullmatch(entry):
                roles.add((own_account, entry))
            else:
                raise ValueError(f"{entry!r} is neither a role's name nor its ARN")
        return cls(frozenset(roles))


def read_caller(user_arn: str, mapped: MappedRoles) -> Caller:
    """The caller behind `requestContext.identity.userArn`. Raises `UnknownCaller` where there is any doubt.

    A mapped role's session `T1.U2` is member U2 of tenant T1. Any other principal is a tenant of its own:
    `iam-<account>-<role>` with the session as member, `iam-<account>-user:<name>`, `iam-<account>-federated:<name>`,
    `iam-<account>-account:root`. No two principals of different roles, users or accounts share a tenant, and none of
    them can be a workspace, whose ids have no hyphen.
    """
    principal = _PRINCIPAL.fullmatch(user_arn)
    if principal is None:
        raise UnknownCaller("not the ARN of a principal")
    account, names = principal["account"], principal["path"].split("/")[1:]
    match principal["service"], principal["kind"], names:
        case "sts", "assumed-role", [role, session] if _NAME.fullmatch(role) and _NAME.fullmatch(session):
            if (account, role) in mapped.roles:
                return _mapped(session, user_arn)
            return Caller(f"iam-{account}-{_key_safe(role)}", session, user_arn)
        case "sts", "federated-user", [name] if _NAME.fullmatch(name):
            return Caller(f"iam-{account}-federated:{_key_safe(name)}", name, user_arn)
        case "iam", "user", [*_, name] if _NAME.fullmatch(name):
            return Caller(f"iam-{account}-user:{_key_safe(name)}", name, user_arn)
        case "iam", "root", []:
            return Caller(f"iam-{account}-account:root", "root", user_arn)
        case _:
            raise UnknownCaller("not a principal that may call")


def _mapped(session: str, user_arn: str) -> Caller:
    name = _MAPPED_SESSION.fullmatch(session)
    if name is None:
        raise UnknownCaller("a mapped role's session is named <workspace>.<member>")
    return Caller(name["workspace"], name["member"], user_arn)


def _key_safe(name: str) -> str:
    """`name` in the alphabet of a job's S3 prefix; different names stay different."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"={ord(found[0]):02X}", name)
