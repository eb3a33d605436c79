"""The invocations queue on SQS."""

from __future__ import annotations

from bot.aws.signed_json import AwsCallFailed, SignedJson
from bot.invocation import Invocation
from bot.logs import log
from bot.ports.queue import QueueUnavailable


class SqsInvocationQueue:
    """Implements `bot.ports.queue.InvocationQueue`."""

    def __init__(self, queue_url: str) -> None:
        self._sqs = SignedJson("sqs", "SQS", "AmazonSQS")
        self._queue_url = queue_url

    def send(self, invocation: Invocation) -> None:
        """Returns once the queue has it. It may have it twice: the request's key tells."""
        try:
            self._sqs.call("SendMessage", {"QueueUrl": self._queue_url, "MessageBody": invocation.to_json()})
        except AwsCallFailed as error:
            log.warning("queue refused", extra={"request_key": invocation.request_key, "code": error.code})
            raise QueueUnavailable(error.code) from error
