"""The grants table: who may act under which role, who may not, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend_lambda.contract.access import Entry
from bot.aws.clients import AwsClients

KINDS_OF_ENTRIES = ("grant#", "deny#")
"""Beside them a tenant has its blocked words and a version in the table."""


class DynamoGrants:
    """Implements `bot.ports.access.Grants`: one strongly consistent query a tenant, since a deny counts at once."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._dynamodb = clients.get("dynamodb")
        self._table = table

    def entries(self, team: str, enterprise: str) -> Sequence[Entry]:
        """All of a workspace and of its organisation. An entry that can't be read is an error: it may be a deny."""
        return [entry for tenant in (team, enterprise) if tenant for entry in self._of(tenant)]

    def _of(self, tenant: str) -> list[Entry]:
        entries: list[Entry] = []
        start: dict[str, Any] = {}
        while True:
            answer = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
                ConsistentRead=True,
                **start,
            )
            entries += [
                Entry.model_validate_json(item["document"]["S"])
                for item in answer["Items"]
                if item["entry"]["S"].startswith(KINDS_OF_ENTRIES)
            ]
            if not answer.get("LastEvaluatedKey"):
                return entries
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
