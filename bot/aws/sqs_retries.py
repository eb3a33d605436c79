"""When SQS delivers a message again that failed."""

from __future__ import annotations

from bot.aws.clients import AWS_ERRORS, AwsClients, error_code
from bot.logs import log


class SqsRetries:
    """Shortens the wait before a failed message comes again, from the queue's own visibility timeout."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients

    def come_again(self, queue_arn: str, receipt_handle: str, seconds: int) -> None:
        """Deliver the message again after about `seconds`; when that fails, it comes when the queue says."""
        _, _, _, region, account, name = queue_arn.split(":")
        queue_url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
        try:
            self._clients.get("sqs").change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except AWS_ERRORS as error:
            log.info("visibility not changed", extra={"code": error_code(error)})
