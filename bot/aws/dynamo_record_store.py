"""The bot's table on DynamoDB."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from bot.aws.clients import AwsClients, error_code
from bot.ports.records import Json, Record


class DynamoRecordStore:
    """Implements `bot.ports.records.RecordStore`: one item a key (`pk`), the object as JSON, a TTL."""

    def __init__(self, clients: AwsClients, table: str, read_timeout_seconds: float = 10.0) -> None:
        self._dynamodb = clients.get("dynamodb", read_timeout_seconds=read_timeout_seconds)
        self._table = table

    def get(self, key: str) -> Record | None:
        """The newest version, or None."""
        answer = self._dynamodb.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        item = answer.get("Item")
        return Record(json.loads(item["data"]["S"]), int(item["version"]["N"])) if item else None

    def create(self, key: str, data: Json, expires_at: int) -> bool:
        """Store version 1; False where the key exists."""
        return self._put(key, data, 1, expires_at, {"ConditionExpression": "attribute_not_exists(pk)"})

    def replace(self, key: str, data: Json, version: int, expires_at: int) -> bool:
        """Store `version + 1` in place of `version`; False where another version is stored."""
        condition = {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }
        return self._put(key, data, version + 1, expires_at, condition)

    def _put(self, key: str, data: Json, version: int, expires_at: int, condition: dict[str, Any]) -> bool:
        item = {
            "pk": {"S": key},
            "data": {"S": json.dumps(data, ensure_ascii=False)},
            "version": {"N": str(version)},
            "expires_at": {"N": str(expires_at)},
        }
        try:
            self._dynamodb.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            # botocore repeats a put whose answer was lost; the repetition then meets what the first one wrote.
            stored = self.get(key)
            return stored is not None and stored.version == version and stored.data == json.loads(json.dumps(data))
        return True
