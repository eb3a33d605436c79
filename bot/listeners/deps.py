"""What the listeners work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.invocation import Invocation
from bot.logs import log, new_reference
from bot.origin import team_of
from bot.ports.clock import Clock
from bot.ports.queue import InvocationQueue, QueueUnavailable
from bot.ports.records import RecordStore
from commands.sentences import Trouble, not_queued

Body = dict[str, Any]


@dataclass(frozen=True)
class ListenerDeps:
    """The ports, and the endpoint that paints when none is named."""

    queue: InvocationQueue
    store: RecordStore
    clock: Clock
    default_endpoint: str

    def enqueue(self, invocation: Invocation) -> Trouble | None:
        """Put an invocation on the queue; where that fails, what to tell the person."""
        try:
            self.queue.send(invocation)
        except QueueUnavailable:
            reference = new_reference()
            log.error("not queued", extra={"request_key": invocation.request_key, "reference": reference})
            return not_queued(reference)
        log.info("queued", extra={"request_key": invocation.request_key, "kind": invocation.kind.value})
        return None


def is_external(body: Body) -> bool:
    """Whether somebody of another workspace is at it, in a shared channel. Where that can't be known: yes."""
    event = body.get("event")
    if isinstance(event, dict):
        theirs = event.get("user_team") or event.get("team")
        return bool(body.get("is_ext_shared_channel")) if theirs is None else theirs != team_of(body)
    user = body.get("user")
    return isinstance(user, dict) and user.get("team_id", team_of(body)) != team_of(body)
