"""Trainings in DynamoDB.

Table: hash key `training_id`. Of a training: `document`, a `TrainingRecord` as JSON without its pictures; `pictures`,
those as JSON; `version`, and what the indexes and conditions ask for. Index `by_tenant` (`tenant`, `created_order`; all
but the pictures). Index `unsettled` (keys only, sparse): `unsettled`, `due_at`.

Beside them, of a tenant: `open#<tenant>` with the set `ids` of its trainings in open states, changed in the same
transaction as those, and `policy#<tenant>` with `document`, a `TrainingPolicy`. No training is called so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.aws.job_item import written_time
from backend_lambda.aws.patience import CONDITION_FAILED, Patience, code_of, reasons_of
from backend_lambda.aws.tenant_page import query_tenant_page
from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.training_state import OPEN_TRAININGS, TrainingState
from backend_lambda.contract.trainings import TrainingPolicy
from backend_lambda.training_ports import TooManyTrainings, TrainingOvertaken, TrainingPage
from backend_lambda.training_record import TrainingRecord

_UNSETTLED = "unsettled"
_CONDITION_FAILED_ALONE = "ConditionalCheckFailedException"


class DynamoTrainingStore:
    """`TrainingStore` on a DynamoDB table; audit records go to another."""

    def __init__(self, client: Client, table: str, audit_table: str, patience: Patience | None = None) -> None:
        self._client = client
        self._table = table
        self._audit_table = audit_table
        self._patience = patience or Patience()

    def create(self, record: TrainingRecord, *, most_open: int) -> TrainingRecord | None:
        opened = self._open_set(record, "ADD")
        opened["ConditionExpression"] = "attribute_not_exists(ids) OR size(ids) < :most"
        opened["ExpressionAttributeValues"][":most"] = {"N": str(most_open)}
        put = {
            "TableName": self._table,
            "Item": _to_item(record),
            "ConditionExpression": "attribute_not_exists(training_id)",
        }
        try:
            self._write_together({"Put": put}, {"Update": opened})
        except ClientError as error:
            failed = _failed_conditions(error)
            # One that is there is the answer, however many are open by now.
            existing = self.get(record.training_id)
            if existing is not None:
                return existing
            if failed:
                raise TooManyTrainings from None
            raise
        return None

    def get(self, training_id: str) -> TrainingRecord | None:
        # What is kept beside the trainings is none.
        if not training_id.startswith("trn-"):
            return None
        key = {"training_id": {"S": training_id}}
        answer = self._client().get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _from_item(answer["Item"]) if "Item" in answer else None

    def save(self, record: TrainingRecord, audit: AuditEntry | None = None) -> TrainingRecord:
        saved = record.model_copy(update={"version": record.version + 1})
        put = {
            "TableName": self._table,
            "Item": _to_item(saved),
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"N": str(record.version)}},
        }
        more: list[dict[str, Any]] = []
        if record.state not in OPEN_TRAININGS:
            # It may have left with this very write; a set loses nothing twice.
            more.append({"Update": self._open_set(record, "DELETE")})
        if audit is not None:
            more.append({"Put": self._audit_put(record.owner.tenant, audit)})
        try:
            if more:
                self._write_together({"Put": put}, *more)
            else:
                self._patience(lambda: self._client().put_item(**put))
        except ClientError as error:
            if code_of(error) != _CONDITION_FAILED_ALONE and 0 not in _failed_conditions(error):
                raise
            raise TrainingOvertaken(self.get(record.training_id)) from None
        return saved

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: TrainingState | None, member: str | None
    ) -> TrainingPage:
        found, position = query_tenant_page(
            self._client,
            self._table,
            tenant,
            key="training_id",
            limit=limit,
            after=after,
            filters={"state": state and state.value, "member": member},
            read=_without_pictures,
            order_of=lambda record: record.order,
        )
        return TrainingPage(found, position)

    def due(self, now: datetime, limit: int) -> list[str]:
        answer = self._client().query(
            TableName=self._table,
            IndexName=_UNSETTLED,
            KeyConditionExpression="unsettled = :yes AND due_at <= :now",
            ExpressionAttributeValues={":yes": {"S": "yes"}, ":now": {"S": written_time(now.astimezone(UTC))}},
            Limit=limit,
        )
        return [item["training_id"]["S"] for item in answer["Items"]]

    def policy(self, tenant: str) -> TrainingPolicy:
        answer = self._client().get_item(TableName=self._table, Key=_policy_key(tenant), ConsistentRead=True)
        return (
            TrainingPolicy.model_validate_json(answer["Item"]["document"]["S"])
            if "Item" in answer
            else TrainingPolicy()
        )

    def put_policy(self, tenant: str, policy: TrainingPolicy, audit: AuditEntry) -> None:
        item = _policy_key(tenant) | {"document": {"S": policy.model_dump_json()}}
        self._write_together({"Put": {"TableName": self._table, "Item": item}}, {"Put": self._audit_put(tenant, audit)})

    def _open_set(self, record: TrainingRecord, what: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": {"training_id": {"S": f"open#{record.owner.tenant}"}},
            "UpdateExpression": f"{what} ids :ids",
            "ExpressionAttributeValues": {":ids": {"SS": [record.training_id]}},
        }

    def _audit_put(self, tenant: str, audit: AuditEntry) -> dict[str, Any]:
        """As `dynamodb_access` writes them: once, and never changed."""
        return {
            "TableName": self._audit_table,
            "Item": {
                "tenant": {"S": tenant},
                "at": {"S": f"{written_time(audit.at)}#{audit.id}"},
                "member": {"S": audit.member},
                "subject": {"S": audit.subject},
                "document": {"S": audit.model_dump_json()},
            },
            "ConditionExpression": "attribute_not_exists(tenant)",
        }

    def _write_together(self, *items: dict[str, Any]) -> None:
        self._patience(lambda: self._client().transact_write_items(TransactItems=list(items)))


def _failed_conditions(error: ClientError) -> list[int]:
    """Which of a transaction's items had a condition that does not hold; empty for any other error."""
    return [index for index, reason in enumerate(reasons_of(error)) if reason.get("Code") == CONDITION_FAILED]


def _to_item(record: TrainingRecord) -> dict[str, Any]:
    item: dict[str, Any] = {
        "training_id": {"S": record.training_id},
        "tenant": {"S": record.owner.tenant},
        "created_order": {"S": record.order},
        "member": {"S": record.owner.member},
        "state": {"S": record.state.value},
        "version": {"N": str(record.version)},
        "document": {"S": record.model_dump_json(exclude={"pictures"})},
        "pictures": {"S": json.dumps([picture.model_dump(mode="json") for picture in record.pictures])},
    }
    if record.due_at is not None:
        item |= {"unsettled": {"S": "yes"}, "due_at": {"S": written_time(record.due_at)}}
    return item


def _from_item(item: Mapping[str, Any]) -> TrainingRecord:
    document = json.loads(item["document"]["S"])
    return TrainingRecord.model_validate_json(json.dumps(document | {"pictures": json.loads(item["pictures"]["S"])}))


def _without_pictures(item: Mapping[str, Any]) -> TrainingRecord:
    return TrainingRecord.model_validate_json(item["document"]["S"])


def _policy_key(tenant: str) -> dict[str, Any]:
    return {"training_id": {"S": f"policy#{tenant}"}}
