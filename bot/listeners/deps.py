"""What the listeners work with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.invocation import Invocation
from bot.logs import log, new_reference
from bot.origin import Body as Body
from bot.ports.clock import Clock
from bot.ports.queue import InvocationQueue, QueueUnavailable
from bot.ports.records import RecordStore
from commands.sentences import Trouble, not_queued


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
