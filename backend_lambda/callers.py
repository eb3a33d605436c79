"""Who signed a request: the only source of identity. Nothing in a header or a body is ever asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

# IAM's own alphabets: account ids, role and user names, session names; https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_PRINCIPAL = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+){0,3}):(?P<service>iam|sts)::(?P<account>[0-9]{12}):(?P<kind>[a-z-]+)(?P<path>(?:/[\x21-\x2e\x30-\x7e]+)*)"
)
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
# A member's session may name where they are, and the user group whose limits hold: T1.U2, T1.U2.C3, T1.U2.C3.S4, and
# T1.U2..S4 where there is no channel.
_MAPPED_SESSION = re.compile(
    r"(?P<workspace>[A-Za-z0-9]{1,31})\.(?P<member>[A-Za-z0-9]{1,31})"
    r"(?:\.(?P<channel>[A-Za-z0-9]{1,31}|(?=\.))(?:\.(?P<usergroup>[A-Za-z0-9]{1,31}))?)?"
)
_ROLE_ARN = re.compile(
    r"arn:aws(?:-[a-z]+){0,3}:iam::(?P<account>[0-9]{12}):role/(?:.*/)?(?P<name>[A-Za-z0-9_+=,.@-]{1,64})"
)


class UnknownCaller(ValueError):
    """The principal is none that Easel can tell apart from others."""


class RoleStanding(Enum):
    """What a role of the customer's own is to a tenant."""

    SPEAKS = "speaks"
    """The tenant has granted it: its sessions are named for the tenant's members."""
    SILENT = "silent"
    """Other tenants have granted it, or this one had: a session named for this tenant's members is refused."""
    UNKNOWN = "unknown"
    """Nobody has granted it: it is a tenant of its own, whatever its sessions are called."""


Standing = Callable[[str, str, str], RoleStanding]
"""Answers for an account, a role's name, a tenant."""


def no_own_roles(account: str, role: str, tenant: str) -> RoleStanding:
    """`Standing` where only the stack's own roles speak for workspaces."""
    return RoleStanding.UNKNOWN


@dataclass(frozen=True)
class Caller:
    """`tenant` is the isolation boundary, `member` the person or client inside it, `arn` the principal as IAM names it.
    `channel` and `usergroup` are where the member is and whose limits hold too; empty where the session says none.
    `is_operator`: whoever deploys Easel, with rights to its tables; never a caller of the API.

    A tenant consists of letters, digits and `.:=-`, so that it fits into an S3 key and never contains a slash.
    """

    tenant: str
    member: str
    arn: str
    channel: str = ""
    usergroup: str = ""
    is_operator: bool = False

    @property
    def is_of_workspace(self) -> bool:
        """Whether the tenant is a workspace, and not an IAM principal by itself."""
        return self.tenant.isalnum()


@dataclass(frozen=True)
class MappedRoles:
    """The roles that speak for any workspace: their sessions are named `<workspace>.<member>[.<channel>[.<usergroup>]]`
    by the bot that assumed them. As (account, name).
    """

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


def read_caller(user_arn: str, mapped: MappedRoles, standing: Standing = no_own_roles) -> Caller:
    """The caller behind `requestContext.identity.userArn`. Raises `UnknownCaller` where there is any doubt.

    A mapped role's session `T1.U2.C3` is member U2 of tenant T1 in channel C3; so is one of a role of the customer's
    own that T1 has granted (`standing` is asked where a session has such a name). Any other principal is a tenant of
    its own:
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
            if named := _MAPPED_SESSION.fullmatch(session):
                match standing(account, role, named["workspace"]):
                    case RoleStanding.SPEAKS:
                        return _mapped(session, user_arn)
                    case RoleStanding.SILENT:
                        raise UnknownCaller("the session is named for a workspace that has not granted its role")
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
        raise UnknownCaller("a mapped role's session is named <workspace>.<member>[.<channel>[.<usergroup>]]")
    return Caller(name["workspace"], name["member"], user_arn, name["channel"] or "", name["usergroup"] or "")


def _key_safe(name: str) -> str:
    """`name` in the alphabet of a job's S3 prefix; different names stay different."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"={ord(found[0]):02X}", name)
