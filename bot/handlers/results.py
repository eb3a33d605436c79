"""Lambda on the results queue: the backend's events."""

from __future__ import annotations

from functools import cache
from typing import Any

from bot.handlers.sqs_batch import handle_batch
from bot.logs import configure_logs
from bot.results.events import handle_event, read_event
from bot.wiring import ResultsFunction, wire_results


@cache
def _function() -> ResultsFunction:
    configure_logs()
    return wire_results()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle a batch of events."""
    function = _function()

    def handle(body: str, message_id: str, is_last_try: bool) -> None:
        job_event = read_event(body)
        if job_event is not None:
            handle_event(function.ports, job_event, message_id, is_last_try)

    return handle_batch(event, handle, function.settings.max_receives, function.retries)
