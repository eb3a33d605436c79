"""The queue of events and deliveries in SQS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from backend_lambda.aws.clients import Client
from backend_lambda.webhooks.record import Delivery

_MOST_ENTRIES = 10
_LONGEST_SECONDS = 43_200


class NotQueued(Exception):
    """SQS took the call but not every message."""


class SqsDeliveryQueue:
    """`DeliveryQueue` on an SQS queue. The tenant is the message group: of a standard queue that makes a fair one,
    where a tenant with much that waits, or with receivers that are slow, does not hold up the others.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """

    def __init__(self, client: Client, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, deliveries: Sequence[Delivery]) -> None:
        for start in range(0, len(deliveries), _MOST_ENTRIES):
            answer = self._client().send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(index), "MessageBody": delivery.model_dump_json(), "MessageGroupId": delivery.tenant}
                    for index, delivery in enumerate(deliveries[start : start + _MOST_ENTRIES])
                ],
            )
            if failed := answer.get("Failed"):
                raise NotQueued(", ".join(sorted({entry["Code"] for entry in failed})))

    def postpone(self, receipt: str, wait: timedelta) -> None:
        self._client().change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=receipt,
            VisibilityTimeout=min(round(wait.total_seconds()), _LONGEST_SECONDS),
        )
