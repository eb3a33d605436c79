"""One-time states of installations under way, in the installations table."""

from __future__ import annotations

import hashlib

from bot.aws.signed_json import AwsCallFailed, SignedJson
from bot.ports.installations import InstallationsUnavailable


class DynamoInstallStates:
    """Implements `bot.ports.installations.InstallStates`. The table holds digests: reading it gives no state away."""

    def __init__(self, table: str) -> None:
        self._dynamodb = SignedJson("dynamodb", "DYNAMODB", "DynamoDB_20120810")
        self._table = table

    def issue(self, state: str, expires_at: float) -> None:
        """Remember a state; DynamoDB removes it some time after its end."""
        item = {"pk": {"S": _key(state)}, "expires_at": {"N": str(int(expires_at))}}
        try:
            self._dynamodb.call("PutItem", {"TableName": self._table, "Item": item})
        except AwsCallFailed as error:
            raise InstallationsUnavailable(error.code) from error

    def consume(self, state: str, now: float) -> bool:
        """Forget it; whether it was there and not too old."""
        request = {
            "TableName": self._table,
            "Key": {"pk": {"S": _key(state)}},
            "ConditionExpression": "expires_at > :now",
            "ExpressionAttributeValues": {":now": {"N": str(int(now))}},
        }
        try:
            self._dynamodb.call("DeleteItem", request)
        except AwsCallFailed as error:
            # Also where the answer was lost and the request sent again: then the person begins anew.
            if error.code == "ConditionalCheckFailedException":
                return False
            raise InstallationsUnavailable(error.code) from error
        return True


def _key(state: str) -> str:
    return f"state#{hashlib.sha256(state.encode()).hexdigest()}"
