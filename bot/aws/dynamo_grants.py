"""The grants table: which IAM role a workspace's members act under."""

from __future__ import annotations

from bot.aws.clients import AwsClients
from bot.ports.backend import Grant


class DynamoGrants:
    """Implements `bot.ports.backend.Grants`. The workspace's default decides for everyone in it."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._dynamodb = clients.get("dynamodb")
        self._table = table

    def find(self, team: str, channel: str, member: str) -> Grant | None:
        """The grant that decides, or None: refused."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"subject": {"S": f"workspace#{team}"}}, ConsistentRead=True
        )
        item = answer.get("Item")
        if not item:
            return None
        return Grant(item["role_arn"]["S"], item.get("external_id", {}).get("S") or team)
