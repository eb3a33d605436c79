"""Webhooks in DynamoDB.

Table: hash key `tenant`, range key `webhook`: a webhook's id, or `#count` for the item that counts the tenant's
webhooks (`number`), which changes in one transaction with them. Times are ISO 8601 in UTC with microseconds.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.aws.job_item import written_time
from backend_lambda.contract.webhooks import DisabledBecause, EventName, Trouble
from backend_lambda.webhooks.ports import TooManyWebhooks
from backend_lambda.webhooks.record import PreviousSecret, WebhookRecord

_COUNT = "#count"
_IDS = "wh-"
"""What every webhook's id begins with."""
_MOST_TRIES = 8
Item = dict[str, dict[str, Any]]


class DynamoWebhookStore:
    """`WebhookStore` on a DynamoDB table."""

    def __init__(self, client: Client, table: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._pause = pause

    def create(self, record: WebhookRecord, most: int) -> bool:
        put = {
            "TableName": self._table,
            "Item": _to_item(record),
            "ConditionExpression": "attribute_not_exists(webhook)",
        }
        failed = self._transact({"Put": put}, {"Update": self._count(record.tenant, 1, below=most)})
        if failed == {1}:
            raise TooManyWebhooks(record.tenant)
        return not failed

    def replace(self, record: WebhookRecord, before: WebhookRecord) -> bool:
        try:
            self._client().put_item(
                TableName=self._table,
                Item=_to_item(record),
                ConditionExpression="registration = :registration",
                ExpressionAttributeValues={":registration": {"S": before.registration}},
            )
        except ClientError as error:
            return _unless_condition_failed(error)
        return True

    def get(self, tenant: str, webhook_id: str) -> WebhookRecord | None:
        if not webhook_id.startswith(_IDS):
            return None
        answer = self._client().get_item(TableName=self._table, Key=_key(tenant, webhook_id), ConsistentRead=True)
        return _from_item(answer["Item"]) if "Item" in answer else None

    def of_tenant(self, tenant: str) -> list[WebhookRecord]:
        # A handful: always one page.
        answer = self._client().query(
            TableName=self._table,
            KeyConditionExpression="tenant = :tenant AND begins_with(webhook, :ids)",
            ExpressionAttributeValues={":tenant": {"S": tenant}, ":ids": {"S": _IDS}},
            ConsistentRead=True,
        )
        found = [_from_item(item) for item in answer["Items"]]
        return sorted(found, key=lambda record: (record.registered_at, record.webhook_id))

    def delete(self, tenant: str, webhook_id: str) -> WebhookRecord | None:
        for _ in range(_MOST_TRIES):
            record = self.get(tenant, webhook_id)
            if record is None:
                return None
            delete = {
                "TableName": self._table,
                "Key": _key(tenant, webhook_id),
                "ConditionExpression": "registration = :registration",
                "ExpressionAttributeValues": {":registration": {"S": record.registration}},
            }
            if not self._transact({"Delete": delete}, {"Update": self._count(tenant, -1)}):
                return record
        raise RuntimeError("the webhook is registered again and again while it is deleted")

    def delivered(self, record: WebhookRecord, at: datetime) -> None:
        self._update(
            record,
            "SET delivered_at = :at, failures = :none REMOVE trouble",
            {":at": _time(at), ":none": {"N": "0"}},
        )

    def failed(self, record: WebhookRecord, trouble: Trouble) -> None:
        self._update(
            record,
            "SET trouble = :trouble, failures = failures + :one",
            {":trouble": {"S": trouble.model_dump_json()}, ":one": {"N": "1"}},
        )

    def disable(
        self, record: WebhookRecord, because: DisabledBecause, at: datetime, *, unless_delivered_since: datetime | None
    ) -> bool:
        condition, values = (
            " AND attribute_not_exists(disabled_at)",
            {":at": _time(at), ":because": {"S": because.value}},
        )
        if unless_delivered_since is not None:
            condition += " AND (attribute_not_exists(delivered_at) OR delivered_at < :since)"
            values[":since"] = _time(unless_delivered_since)
        return self._update(record, "SET disabled_at = :at, disabled_because = :because", values, condition)

    def _update(self, record: WebhookRecord, change: str, values: Item, condition: str = "") -> bool:
        try:
            self._client().update_item(
                TableName=self._table,
                Key=_key(record.tenant, record.webhook_id),
                UpdateExpression=change,
                ConditionExpression=f"registration = :registration{condition}",
                ExpressionAttributeValues={**values, ":registration": {"S": record.registration}},
            )
        except ClientError as error:
            return _unless_condition_failed(error)
        return True

    def _count(self, tenant: str, change: int, *, below: int | None = None) -> dict[str, Any]:
        """Part of a transaction: one more or one less."""
        values: Item = {":change": {"N": str(change)}, ":none": {"N": "0"}}
        update: dict[str, Any] = {
            "TableName": self._table,
            "Key": _key(tenant, _COUNT),
            "UpdateExpression": "SET #number = if_not_exists(#number, :none) + :change",
            "ExpressionAttributeNames": {"#number": "number"},
            "ExpressionAttributeValues": values,
        }
        if below is not None:
            update["ConditionExpression"] = "attribute_not_exists(#number) OR #number < :below"
            values[":below"] = {"N": str(below)}
        return update

    def _transact(self, *changes: dict[str, Any]) -> set[int]:
        """Do all or nothing. The positions whose conditions did not hold; none where it was done. The first of them
        alone where several did not, since a webhook that exists needs no place.
        """
        for tried in range(_MOST_TRIES):
            try:
                self._client().transact_write_items(TransactItems=list(changes))
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                failed = [index for index, code in enumerate(codes) if code == "ConditionalCheckFailed"]
                if failed:
                    return {failed[0]}
                if "TransactionConflict" not in codes:
                    raise
                # Somebody else is at the same items: a short while later they are done.
                self._pause(random.uniform(0.01, 0.05) * 2**tried)
            else:
                return set()
        raise RuntimeError("other changes of the same webhooks did not end")


def _key(tenant: str, webhook: str) -> Item:
    return {"tenant": {"S": tenant}, "webhook": {"S": webhook}}


def _time(at: datetime) -> dict[str, Any]:
    return {"S": written_time(at.astimezone(UTC))}


def _unless_condition_failed(error: ClientError) -> bool:
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise error
    return False


def _to_item(record: WebhookRecord) -> Item:
    item: Item = {
        **_key(record.tenant, record.webhook_id),
        "registration": {"S": record.registration},
        "url": {"S": record.url},
        "events": {"S": json.dumps(record.events)},
        "secret": {"B": record.secret},
        "registered_at": _time(record.registered_at),
        "registered_by": {"S": record.registered_by},
        "failures": {"N": str(record.failures)},
    }
    if record.previous:
        previous = [{"M": {"secret": {"B": one.secret}, "until": _time(one.until)}} for one in record.previous]
        item["previous"] = {"L": previous}
    if record.delivered_at is not None:
        item["delivered_at"] = _time(record.delivered_at)
    if record.trouble is not None:
        item["trouble"] = {"S": record.trouble.model_dump_json()}
    if record.disabled_at is not None and record.disabled_because is not None:
        item |= {"disabled_at": _time(record.disabled_at), "disabled_because": {"S": record.disabled_because.value}}
    return item


def _from_item(item: Mapping[str, Any]) -> WebhookRecord:
    def time_of(name: str) -> datetime | None:
        return datetime.fromisoformat(item[name]["S"]) if name in item else None

    trouble, because = item.get("trouble"), item.get("disabled_because")
    previous = [one["M"] for one in item.get("previous", {"L": []})["L"]]
    return WebhookRecord(
        tenant=item["tenant"]["S"],
        webhook_id=item["webhook"]["S"],
        registration=item["registration"]["S"],
        url=item["url"]["S"],
        events=tuple(EventName(name) for name in json.loads(item["events"]["S"])),
        secret=bytes(item["secret"]["B"]),
        registered_at=datetime.fromisoformat(item["registered_at"]["S"]),
        registered_by=item["registered_by"]["S"],
        previous=tuple(
            PreviousSecret(bytes(one["secret"]["B"]), datetime.fromisoformat(one["until"]["S"])) for one in previous
        ),
        failures=int(item["failures"]["N"]),
        delivered_at=time_of("delivered_at"),
        trouble=Trouble.model_validate_json(trouble["S"]) if trouble else None,
        disabled_at=time_of("disabled_at"),
        disabled_because=DisabledBecause(because["S"]) if because else None,
    )
