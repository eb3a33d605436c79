"""Lambda on the invocations queue."""

from __future__ import annotations

from functools import cache
from typing import Any

from bot.handlers.sqs_batch import handle_batch
from bot.invocation import Invocation, MalformedInvocation
from bot.logs import configure_logs, log
from bot.wiring import WorkerFunction, wire_worker
from bot.worker.installations import LIFECYCLE, end_installation
from bot.worker.work import work_on


@cache
def _function() -> WorkerFunction:
    configure_logs()
    return wire_worker()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle a batch of invocations."""
    function = _function()

    def handle(body: str, message_id: str, is_last_try: bool) -> None:
        try:
            invocation = Invocation.from_json(body)
        except MalformedInvocation:
            # Trying again would not help; the dead-letter queue and its alarm are for this.
            log.error("malformed invocation", extra={"sqs_message_id": message_id})
            raise
        if invocation.kind in LIFECYCLE:
            end_installation(function.installations, invocation)
        else:
            work_on(function.deps_for(invocation), invocation, message_id, is_last_try)

    return handle_batch(event, handle, function.settings.max_receives, function.retries)
