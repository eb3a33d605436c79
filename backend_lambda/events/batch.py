"""A batch of SQS messages, each handled for itself: those that fail come again, and end in the dead-letter queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backend_lambda import wiring


class ComesAgain(Exception):
    """Nothing went wrong with the message: it stays in the queue and is received once more."""


def handle_batch(event: dict[str, Any], context: Any, handle: Callable[[str], None]) -> dict[str, Any]:
    """Call `handle` with every message's body. Answers the ids of those for which it raised (`batchItemFailures`)."""
    return handle_records(event, context, lambda record: handle(record.body))


def handle_records(event: dict[str, Any], context: Any, handle: Callable[[SQSRecord], None]) -> dict[str, Any]:
    """As `handle_batch`, with whole records."""
    log = wiring.logger()

    def handle_one(record: SQSRecord) -> None:
        log.clear_state()
        log.append_keys(message_id=record.message_id, request_id=getattr(context, "aws_request_id", None))
        try:
            handle(record)
        except ComesAgain:
            raise
        except Exception:
            receives = record.attributes.approximate_receive_count
            log.exception("message could not be handled", extra={"receives": receives})
            raise

    answer: dict[str, Any] = process_partial_response(  # type: ignore[assignment]
        event=event,
        record_handler=handle_one,
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )
    return answer
