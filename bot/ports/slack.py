"""Slack, as the worker and the results function use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from commands.views.blocks import Message


class SlackRefused(Exception):
    """Slack answered `ok: false`; `code` is its error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotInstalled(SlackRefused):
    """The app is not installed there, or no longer: Slack takes no token. Trying again changes nothing."""


class SlackUnavailable(Exception):
    """Slack did not answer, or only with a server error or a rate limit: whether it did anything is unknown."""


class FileTooLarge(Exception):
    """The file has more bytes than were asked for."""


@dataclass(frozen=True)
class SlackFile:
    """A file that somebody has uploaded. Its URL needs a token; sizes as Slack says, which is not to be relied on."""

    file_id: str
    name: str
    mimetype: str
    size_bytes: int
    url: str = field(repr=False)
    is_deleted: bool = False


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

    def respond(self, response_url: str, message: Message, replaces: bool = False) -> None:
        """Show something to whoever used the command or button that came with this URL (30 minutes, five times).

        With `replaces`, in place of the message whose button was pressed.
        """
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


class SlackPictures(Protocol):
    """What people have uploaded. Every method raises `SlackRefused` or `SlackUnavailable`."""

    def look_at(self, file_id: str) -> SlackFile:
        """A file's facts."""
        ...

    def download(self, file: SlackFile, most_bytes: int) -> bytes:
        """Its bytes; raises `FileTooLarge` where there are more."""
        ...

    def pictures_in_thread(self, channel: str, root_ts: str) -> Sequence[SlackFile]:
        """The pictures that people have posted in a thread, its root included, oldest first."""
        ...


class SlackViews(Protocol):
    """Modals. Every method raises `SlackRefused` or `SlackUnavailable`."""

    def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Replace what a modal shows; one that was closed is refused as `not_found`."""
        ...


class SlackPeople(Protocol):
    """Who is who. Every method raises `SlackRefused` or `SlackUnavailable`."""

    def list_usergroups(self) -> Mapping[str, frozenset[str]]:
        """The members' ids of each user group, by its id; groups that are switched off are not among them."""
        ...


class Slack(SlackMessages, SlackFiles, SlackPictures, SlackViews, SlackPeople, Protocol):
    """All of Slack that the worker and the results function use, in one workspace."""


class Workspaces(Protocol):
    """Slack, by workspace."""

    def slack_for(self, team: str, enterprise: str) -> Slack:
        """Slack in one workspace; `enterprise` is its organisation's id, or empty. Makes no call.

        Whether the app is installed there shows at the first call, which raises `NotInstalled`.
        """
        ...
