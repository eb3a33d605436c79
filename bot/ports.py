"""What the bot's use cases need of the outside, by role. `bot.aws` and `bot.slack_*` are the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.invocation import Invocation
from commands.views.blocks import Message

Json = dict[str, Any]


# ------------------------------------------------------------------ time


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


# ------------------------------------------------------------------ queue


class QueueUnavailable(Exception):
    """The queue did not take the message."""


class InvocationQueue(Protocol):
    """Where accepted invocations go."""

    def send(self, invocation: Invocation) -> None:
        """Returns once the queue has it; raises `QueueUnavailable`."""
        ...


# ------------------------------------------------------------------ records


@dataclass(frozen=True)
class Record:
    """A stored JSON object; `version` grows by one with every change."""

    data: Json
    version: int


class RecordStore(Protocol):
    """JSON objects under text keys, changed one at a time: a write on an outdated version does nothing.

    `expires_at` is in Unix seconds; some time after it the record may be gone.
    """

    def get(self, key: str) -> Record | None:
        """The newest version, or None."""
        ...

    def create(self, key: str, data: Json, expires_at: int) -> bool:
        """Store version 1; False (and nothing happens) where the key exists."""
        ...

    def replace(self, key: str, data: Json, version: int, expires_at: int) -> bool:
        """Store `version + 1` in place of `version`; False (and nothing happens) where another version is stored."""
        ...


# ------------------------------------------------------------------ Slack


class SlackRefused(Exception):
    """Slack answered `ok: false`; `code` is its error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SlackUnavailable(Exception):
    """Slack did not answer, or only with a server error or a rate limit: whether it did anything is unknown."""


@dataclass(frozen=True)
class UploadTicket:
    """A file that Slack expects: its id and where its bytes go. The URL is a secret of its own."""

    file_id: str
    url: str = field(repr=False)


class SlackMessages(Protocol):
    """Posting. Every method raises `SlackRefused` or `SlackUnavailable`."""

    def post(self, channel: str, thread_ts: str | None, message: Message, request_key: str) -> str:
        """Post and return the message's ts; `request_key` goes into its metadata. Never sent twice by itself."""
        ...

    def find(self, channel: str, thread_ts: str | None, request_key: str, since: float) -> str | None:
        """The ts of the message posted with this key after `since` (Unix seconds), or None."""
        ...

    def update(self, channel: str, ts: str, message: Message, is_urgent: bool = True) -> None:
        """Replace what a message shows. What is not urgent is given up at the first rate limit."""
        ...

    def tell(self, channel: str, thread_ts: str | None, member: str, message: Message) -> None:
        """Show something to one member alone, in a channel that the bot is in."""
        ...

    def respond(self, response_url: str, message: Message) -> None:
        """Show something to whoever used the command or button that came with this URL (30 minutes, five times)."""
        ...

    def write_to(self, member: str, message: Message) -> None:
        """A direct message."""
        ...


class SlackFiles(Protocol):
    """Uploading. Every method raises `SlackRefused` or `SlackUnavailable`."""

    def reserve(self, name: str, size_bytes: int, alt_text: str) -> UploadTicket:
        """Announce a file."""
        ...

    def send(self, ticket: UploadTicket, name: str, content: bytes) -> None:
        """Send its bytes."""
        ...

    def complete(self, file_id: str, title: str, channel: str | None = None, thread_ts: str | None = None) -> None:
        """Finish it; with a channel it is shared there."""
        ...

    def is_ready(self, file_id: str) -> bool:
        """Whether Slack has processed it, so that a block may show it."""
        ...

    def is_shared(self, file_id: str) -> bool:
        """Whether it has been shared anywhere."""
        ...

    def delete(self, file_id: str) -> None:
        """Delete it; a file that does not exist is no error."""
        ...


class Slack(SlackMessages, SlackFiles, Protocol):
    """All of Slack that the worker and the results function use."""


# ------------------------------------------------------------------ identity and the backend


@dataclass(frozen=True)
class Grant:
    """The IAM role that someone may act under."""

    role_arn: str
    external_id: str


class Grants(Protocol):
    """Who may act under which role."""

    def find(self, team: str, channel: str, member: str) -> Grant | None:
        """The grant that decides, or None: refused."""
        ...


@dataclass(frozen=True)
class Caller:
    """The person for whom a call is made, and where."""

    team: str
    channel: str
    member: str


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

    def delete_job(self, credentials: Credentials, job_id: str) -> None:
        """Cancel an open job, or delete a finished one's pictures."""
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
