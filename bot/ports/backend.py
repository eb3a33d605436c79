"""Identity, the backend and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.ports.records import Json


@dataclass(frozen=True)
class Grant:
    """The IAM role that someone may act under, and the session policy that bounds it (JSON; empty: none)."""

    role_arn: str
    external_id: str
    policy: str = ""


@dataclass(frozen=True)
class Caller:
    """The person for whom a call is made, and where; `usergroup` is the one whose grant or limits hold, or empty."""

    team: str
    channel: str
    member: str
    usergroup: str = ""


@dataclass(frozen=True)
class Credentials:
    """Temporary AWS credentials; never logged."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float


class RoleRefused(Exception):
    """AWS does not let the role be assumed."""


class Sessions(Protocol):
    """Assumed roles that carry the caller's identity."""

    def assume(self, grant: Grant, caller: Caller) -> Credentials:
        """Credentials that are good for at least some minutes; raises `RoleRefused`."""
        ...


class ApiRefused(Exception):
    """The backend answered with a typed error that trying again would not change."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {body.get('code')}")
        self.status = status
        self.body = dict(body)


class ApiUnavailable(Exception):
    """The backend did not answer, or only with 429 or a server error, several times."""


@dataclass(frozen=True)
class AcceptedJob:
    """What the bot needs of a job that the backend has recorded. `settings` is the contract's `Settings` as JSON."""

    job_id: str
    state: str
    endpoint: str
    model: str
    settings: Json


@dataclass(frozen=True)
class Model:
    """A model that can be asked to paint."""

    name: str
    title: str
    instances: int


class BackendApi(Protocol):
    """The backend's REST API, called as someone. Raises `ApiRefused` and `ApiUnavailable`."""

    def submit_job(self, credentials: Credentials, endpoint: str, body: Json) -> AcceptedJob:
        """Record and start a job; the same idempotency key gives the same job."""
        ...

    def cancel_job(self, credentials: Credentials, job_id: str) -> bool:
        """Cancel an open job and say whether it is cancelled; a finished one stays as it is, with its pictures."""
        ...

    def delete_job(self, credentials: Credentials, job_id: str) -> None:
        """Cancel an open job, or delete a finished one's pictures."""
        ...

    def see_job(self, credentials: Credentials, job_id: str) -> None:
        """Return if the caller may see the job; raises `ApiRefused` if IAM says no, or there is none for them."""
        ...

    def list_models(self, credentials: Credentials) -> list[Model]:
        """All that there are."""
        ...


class PictureGone(Exception):
    """The object is not (or no longer) there."""


class Pictures(Protocol):
    """The finished pictures."""

    def read(self, bucket: str, key: str) -> bytes:
        """The PNG, unchanged; raises `PictureGone`."""
        ...
