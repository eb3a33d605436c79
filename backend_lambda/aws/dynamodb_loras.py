"""LoRAs in DynamoDB.

Table: hash key `tenant`, range key `entry`. A tenant's items are together:

- `name#<name>`: `document`, a `LoraRecord` as JSON, and its `revision`. It stays when the name becomes free.
- `training#<training_id>`: `number`, the version that the training's LoRA was listed as.
- `doomed#<id>`: `keys`, a list of objects to delete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from backend_lambda.aws.clients import Client
from backend_lambda.aws.patience import CONDITION_FAILED, Patience, reasons_of
from backend_lambda.lora_record import DoomedFiles, LoraRecord, Registration
from backend_lambda.lora_store import LoraOvertaken, LoraPage

_RECORD = TypeAdapter(LoraRecord)
_NAME, _TRAINING, _DOOMED = "name#", "training#", "doomed#"
Item = Mapping[str, Mapping[str, Any]]


class DynamoLoraStore:
    """`LoraStore` on a DynamoDB table."""

    def __init__(self, client: Client, table: str, patience: Patience | None = None) -> None:
        self._client = client
        self._table = table
        self._patience = patience or Patience()

    def get(self, tenant: str, name: str) -> LoraRecord:
        item = self._item(tenant, _NAME + name)
        return _read(item) if item is not None else LoraRecord(tenant, name)

    def write(
        self, *records: LoraRecord, registration: Registration | None = None, doomed: DoomedFiles | None = None
    ) -> None:
        puts = [self._put_record(record) for record in records]
        if registration is not None:
            item = {"number": {"N": str(registration.number)}}
            puts.append(
                self._put(
                    registration.tenant, _TRAINING + registration.training_id, item, "attribute_not_exists(tenant)"
                )
            )
        if doomed is not None:
            puts.append(self._put(doomed.tenant, _DOOMED + doomed.id, {"keys": {"S": json.dumps(doomed.keys)}}))
        try:
            self._patience(lambda: self._client().transact_write_items(TransactItems=puts))
        except ClientError as error:
            if CONDITION_FAILED in {reason.get("Code") for reason in reasons_of(error)}:
                raise LoraOvertaken from None
            raise

    def _put_record(self, record: LoraRecord) -> dict[str, Any]:
        written = replace(record, revision=record.revision + 1)
        item = {"document": {"S": _RECORD.dump_json(written).decode()}, "revision": {"N": str(written.revision)}}
        if record.revision == 0:
            return self._put(record.tenant, _NAME + record.name, item, "attribute_not_exists(tenant)")
        values = {":revision": {"N": str(record.revision)}}
        return self._put(record.tenant, _NAME + record.name, item, "revision = :revision", values)

    def _put(
        self,
        tenant: str,
        entry: str,
        item: dict[str, Any],
        condition: str | None = None,
        values: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": {**_key(tenant, entry), **item}}
        if condition is not None:
            put["ConditionExpression"] = condition
        if values is not None:
            put["ExpressionAttributeValues"] = values
        return {"Put": put}

    def registered(self, tenant: str, training_id: str) -> Registration | None:
        item = self._item(tenant, _TRAINING + training_id)
        return Registration(tenant, training_id, int(item["number"]["N"])) if item is not None else None

    def page(self, tenant: str, *, limit: int, after: str | None) -> LoraPage:
        # "!" comes before all that a name has, and "~" behind it.
        first = _NAME if after is None else f"{_NAME}{after}!"
        answer = self._query(tenant, first, f"{_NAME}~", limit)
        records = [record for item in answer["Items"] if (record := _read(item)).is_listed]
        last = answer.get("LastEvaluatedKey")
        return LoraPage(records, last["entry"]["S"].removeprefix(_NAME) if last else None)

    def doomed(self, tenant: str) -> list[DoomedFiles]:
        answer = self._query(tenant, _DOOMED, f"{_DOOMED}~", 100)
        return [
            DoomedFiles(tenant, item["entry"]["S"].removeprefix(_DOOMED), tuple(json.loads(item["keys"]["S"])))
            for item in answer["Items"]
        ]

    def forget(self, doomed: DoomedFiles) -> None:
        self._client().delete_item(TableName=self._table, Key=_key(doomed.tenant, _DOOMED + doomed.id))

    def _item(self, tenant: str, entry: str) -> Item | None:
        answer = self._client().get_item(TableName=self._table, Key=_key(tenant, entry), ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found

    def _query(self, tenant: str, first: str, last: str, limit: int) -> Any:
        return self._client().query(
            TableName=self._table,
            KeyConditionExpression="tenant = :tenant AND #entry BETWEEN :first AND :last",
            ExpressionAttributeNames={"#entry": "entry"},
            ExpressionAttributeValues={":tenant": {"S": tenant}, ":first": {"S": first}, ":last": {"S": last}},
            ConsistentRead=True,
            Limit=limit,
        )


def _read(item: Item) -> LoraRecord:
    return _RECORD.validate_json(item["document"]["S"])


def _key(tenant: str, entry: str) -> dict[str, Any]:
    return {"tenant": {"S": tenant}, "entry": {"S": entry}}
