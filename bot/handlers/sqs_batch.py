"""SQS batches with partial failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bot.logs import log

FIRST_RETRY_SECONDS = 5
LAST_RETRY_SECONDS = 300


class Retries(Protocol):
    """Says when a failed message comes again."""

    def come_again(self, queue_arn: str, receipt_handle: str, seconds: int) -> None:
        """After about so many seconds."""
        ...


def handle_batch(
    event: dict[str, Any],
    handle: Callable[[str, str, bool], None],
    max_receives: int,
    retries: Retries,
) -> dict[str, Any]:
    """Call `handle(body, message_id, is_last_try)` for each message; those that raise are delivered again.

    The wait grows with each try, from some seconds to minutes. After the last try the message goes to the queue's
    dead-letter queue.
    """
    failures = []
    for record in event.get("Records", []):
        message_id = record["messageId"]
        receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
        try:
            handle(record["body"], message_id, receives >= max_receives)
        except Exception:
            log.exception("message failed", extra={"sqs_message_id": message_id, "receives": receives})
            failures.append({"itemIdentifier": message_id})
            wait_seconds = min(FIRST_RETRY_SECONDS * 3 ** min(receives - 1, 6), LAST_RETRY_SECONDS)
            retries.come_again(record.get("eventSourceARN", ""), record.get("receiptHandle", ""), wait_seconds)
    return {"batchItemFailures": failures}
