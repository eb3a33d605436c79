"""What the acknowledging function puts on the queue for the worker: one JSON document per accepted invocation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from enum import StrEnum
from typing import Any

VERSION = 1


class Kind(StrEnum):
    """What is to be done."""

    PAINT = "paint"
    """`order` is complete (a command or a form)."""
    SAY = "say"
    """`said` is a mention; the worker finds what it starts from."""
    REDO = "redo"
    RETRY = "retry"
    DELETE = "delete"
    CANCEL = "cancel"
    PICTURE = "picture"
    """Post picture `number` (from 1) in full."""
    REFRESH_MODELS = "refresh_models"
    LIMITS = "limits"
    """Show the person what they may still use."""
    ADMIN = "admin"
    """Answer the admin's question in `command`; nothing changes."""
    ADMIN_CONFIRMED = "admin_confirmed"
    """Make the change in `command`, for which Confirm was pressed in `message_ts`."""
    REFRESH_TRAINABLES = "refresh_trainables"
    TRAINING_FORM = "training_form"
    """Fill the modal `view_id` with the form in `training`, as far as it is."""
    TRAINING_PICTURES = "training_pictures"
    """Check the pictures of the form in `training`."""
    TRAINING_ASK = "training_ask"
    """Submit the draft of the form in `training`, with its captions."""
    TRAINING_APPROVE = "training_approve"
    TRAINING_DENY = "training_deny"
    """`training` has the reason."""
    TRAINING_SELF_APPROVE = "training_self_approve"
    TRAINING_CANCEL = "training_cancel"
    FINETUNE = "finetune"
    """Look up or change LoRAs and trainings as `command` says."""
    FINETUNE_PAGE = "finetune_page"
    """Another page, shown in place of the message whose button was pressed; `command` changes nothing."""
    FINETUNE_CONFIRMED = "finetune_confirmed"
    """Delete what `command` says, for which Delete was pressed in `message_ts`."""
    IMPORT_LORA = "import_lora"
    """Bring in the file that `fields` says."""
    UNINSTALLED = "uninstalled"
    """Slack says that the app was taken out of the workspace, or of its organisation."""
    TOKENS_REVOKED = "tokens_revoked"
    """Slack says that the bot's tokens were revoked there."""


class MalformedInvocation(Exception):
    """The queue's message is none of ours, or of a version that this code does not know."""


@dataclass(frozen=True)
class Invocation:
    """One accepted invocation.

    `request_key` is derived from what Slack delivers, so that a repeated delivery has the same one. `team` is the
    workspace whose installation was asked, `enterprise` its organisation or empty, `actor_team` the workspace (or
    organisation) that the member belongs to, empty where that is unknown. `message_ts` is the message whose button was
    pressed and `value` what the button carries, `fields` what a form says. `view_id` is the modal that is to show the
    outcome. `at` is when Slack asked, in Unix seconds.
    """

    kind: Kind
    request_key: str
    team: str
    channel: str
    member: str
    at: float
    thread_ts: str | None = None
    message_ts: str | None = None
    value: str = ""
    number: int = 0
    order: dict[str, Any] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    response_url: str | None = field(default=None, repr=False)
    enterprise: str = ""
    actor_team: str = ""
    command: str = ""
    view_id: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    @property
    def is_external(self) -> bool:
        """Whether the member needs a grant by name: whoever belongs to another company, or it is not known to which."""
        return not self.actor_team or self.actor_team != self.team

    def to_json(self) -> str:
        """The queue message's body."""
        always = ("kind", "request_key", "team", "channel", "member", "at", "version")
        document = {key: value for key, value in asdict(self).items() if value or key in always}
        return json.dumps(document, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Invocation:
        """Read a body; raises `MalformedInvocation`. Fields of a later revision are ignored."""
        try:
            document = json.loads(text)
            if document["version"] != VERSION:
                raise MalformedInvocation("unknown version")
            known = {one.name for one in dataclass_fields(cls)}
            document = {key: value for key, value in document.items() if key in known}
            return cls(**{**document, "kind": Kind(document["kind"])})
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedInvocation("not an invocation") from error


def request_key(kind: str, *parts: str) -> str:
    """A key of at most 64 letters, digits and hyphens; the same parts always give the same key, others another."""
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"{kind}-{digest[:32]}"
