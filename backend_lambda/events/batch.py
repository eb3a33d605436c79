"""A batch of SQS messages, each handled for itself: those that fail come again, and end in the dead-letter queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backend_lambda import wiring


def handle_batch(event: dict[str, Any], context: Any, handle: Callable[[str], None]) -> dict[str, Any]:
    """Call `handle` with every message's body. Answers the ids of those for which it raised (`batchItemFailures`)."""
    log = wiring.logger()

    def handle_one(record: SQSRecord) -> None:
        log.clear_state()
        log.append_keys(message_id=record.message_id, request_id=getattr(context, "aws_request_id", None))
        try:
            handle(record.body)
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
