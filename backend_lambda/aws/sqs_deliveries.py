"""The queue of events and deliveries in SQS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from backend_lambda.aws.clients import Client
from backend_lambda.webhooks.record import Delivery

_LONGEST_SECONDS = 43_200


class SqsDeliveryQueue:
    """`DeliveryQueue` on an SQS queue. The tenant is the message group: of a standard queue that makes a fair one,
    where a tenant with much that waits, or with receivers that are slow, does not hold up the others.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """

    def __init__(self, client: Client, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, deliveries: Sequence[Delivery]) -> None:
        # A handful: one call each, whose failure is an error and not an entry in an answer.
        for delivery in deliveries:
            self._client().send_message(
                QueueUrl=self._queue_url, MessageBody=delivery.model_dump_json(), MessageGroupId=delivery.tenant
            )

    def postpone(self, receipt: str, wait: timedelta) -> None:
        self._client().change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=receipt,
            VisibilityTimeout=min(round(wait.total_seconds()), _LONGEST_SECONDS),
        )
