"""Who may do what: the grants themselves, and the backend's API for changing and explaining them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from backend_lambda.contract.access import AllowanceList, AuditEntry, Entry
from backend_lambda.contract.subjects import Subject
from bot.ports.backend import Caller, Credentials
from bot.ports.records import Json


class Grants(Protocol):
    """The grants, denies and limits of workspaces."""

    def entries(self, team: str, enterprise: str) -> Sequence[Entry]:
        """All of a workspace and of its organisation (empty: none), as they are now, also those that have ended."""
        ...


class AccessApi(Protocol):
    """Grants, audit, words and limits in the backend's REST API, called as someone.

    Raises `ApiRefused` and `ApiUnavailable`. `once` is an idempotency key: a change that comes again changes nothing.
    """

    def list_grants(self, credentials: Credentials) -> Sequence[Entry]:
        """The caller's workspace's grants and denies."""
        ...

    def put_grant(self, credentials: Credentials, subject: Subject, body: Json, once: str) -> Entry:
        """Replace what is granted to a subject by `PutGrant` as JSON; the grant as it stands then."""
        ...

    def remove_grant(self, credentials: Credentials, subject: Subject, once: str) -> bool:
        """Take back what is granted to a subject; whether there was anything."""
        ...

    def put_deny(self, credentials: Credentials, subject: Subject, body: Json, once: str) -> Entry:
        """Deny a subject by `PutDeny` as JSON; the deny as it stands then."""
        ...

    def remove_deny(self, credentials: Credentials, subject: Subject, once: str) -> bool:
        """Lift a deny; whether there was one."""
        ...

    def list_audit(self, credentials: Credentials, member: str | None, limit: int) -> Sequence[AuditEntry]:
        """The latest changes, newest first; with `member` those by or about them."""
        ...

    def read_words(self, credentials: Credentials) -> Sequence[str]:
        """The blocked words."""
        ...

    def put_words(self, credentials: Credentials, words: Sequence[str], was: Sequence[str]) -> Sequence[str]:
        """Replace the blocked words; those that are blocked then. Refused (`access_conflict`) where they are not
        `was` any more.
        """
        ...

    def read_limits(self, credentials: Credentials) -> AllowanceList:
        """What the caller may still use where they are."""
        ...


class SimulationUnavailable(Exception):
    """IAM could not be asked about that role: it is another account's, or it does not exist, or IAM did not answer."""


class Answer(StrEnum):
    """IAM's word for what would happen."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


@dataclass(frozen=True)
class Tagged:
    """The session that is asked about: its caller's ids become the tags that policies may ask for."""

    role_arn: str
    caller: Caller


class PolicySimulator(Protocol):
    """What IAM would say, without doing it. Raises `SimulationUnavailable`."""

    def ask_role(self, session: Tagged, resources: Sequence[str]) -> Mapping[str, Answer]:
        """Whether the role's own policies allow `execute-api:Invoke` on each of these ARNs."""
        ...

    def ask_policy(self, policy: str, resources: Sequence[str]) -> Mapping[str, Answer]:
        """Whether this policy does, by itself."""
        ...
