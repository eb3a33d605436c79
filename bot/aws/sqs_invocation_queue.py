"""The invocations queue on SQS."""

from __future__ import annotations

from bot.aws.clients import AWS_ERRORS, AwsClients, error_code
from bot.invocation import Invocation
from bot.logs import log
from bot.ports.queue import QueueUnavailable


class SqsInvocationQueue:
    """Implements `bot.ports.queue.InvocationQueue`."""

    def __init__(self, clients: AwsClients, queue_url: str) -> None:
        # Slack waits three seconds for everything together.
        self._sqs = clients.get("sqs", read_timeout_seconds=1.0, tries=2)
        self._queue_url = queue_url

    def send(self, invocation: Invocation) -> None:
        """Returns once the queue has it."""
        try:
            self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=invocation.to_json())
        except AWS_ERRORS as error:
            log.warning("queue refused", extra={"request_key": invocation.request_key, "code": error_code(error)})
            raise QueueUnavailable(error_code(error)) from error
