"""Jobs in DynamoDB.

Table: hash key `job_id`. Index `by_tenant` (all attributes): `tenant`, `created_order`. Index `unsettled` (keys only,
sparse): `unsettled`, `due_at`; an item is in it as long as its record is unsettled. Times are ISO 8601 in UTC with
microseconds, so that they sort as text. The limits' counters are in a table of their own (`usage_item`) and change in
the same transaction as the job; a job that holds nothing of them is written alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.aws.job_item import from_item, to_attributes, to_item, written_time
from backend_lambda.aws.patience import CONDITION_FAILED, Patience, code_of, reasons_of
from backend_lambda.aws.tenant_page import query_tenant_page
from backend_lambda.aws.usage_item import count_updates, read_usage, reservation_updates
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.ports import JobPage, OverLimit, Overtaken
from backend_lambda.usage import Count, Reservation, Usage

logger = logging.getLogger(__name__)

_UNSETTLED = "unsettled"
_CONDITION_FAILED_ALONE = "ConditionalCheckFailedException"


class DynamoJobStore:
    """`JobStore` on a DynamoDB table, its counters on another."""

    def __init__(self, client: Client, table: str, usage_table: str, patience: Patience | None = None) -> None:
        self._client = client
        self._table = table
        self._usage_table = usage_table
        self._patience = patience or Patience()

    def create(self, record: JobRecord, reservations: Sequence[Reservation] = ()) -> JobRecord | None:
        put = {
            "TableName": self._table,
            "Item": to_item(record),
            "ConditionExpression": "attribute_not_exists(job_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if reservations:
            return self._create_and_reserve(record.job_id, put, reservations)
        try:
            self._patience(lambda: self._client().put_item(**put))
        except ClientError as error:
            if code_of(error) != _CONDITION_FAILED_ALONE:
                raise
            return _record_in(error.response) or self.get(record.job_id)
        return None

    def _create_and_reserve(
        self, job_id: str, put: Mapping[str, Any], reservations: Sequence[Reservation]
    ) -> JobRecord | None:
        updates = reservation_updates(self._usage_table, reservations)
        try:
            self._write_together([{"Put": put}, *(update for _, update in updates)])
        except ClientError as error:
            of_job, *of_counters = _failed_conditions(error, 1 + len(updates))
            # A job that is there is the answer, whatever the counters say by now. Once more, for what the reason of the
            # first does not say.
            existing = _record_in(of_job or {}) or self.get(job_id)
            if existing is not None:
                return existing
            failed = [
                (reservation, read_usage(reason.get("Item") or {}).get(reservation.count.measure, 0))
                for (group, _), reason in zip(updates, of_counters, strict=True)
                if reason is not None
                for reservation in group
            ]
            reached = [(reservation, used) for reservation, used in failed if not reservation.fits(used)] or failed
            raise OverLimit(reached) from None
        return None

    def get(self, job_id: str) -> JobRecord | None:
        if not job_id:
            return None
        answer = self._client().get_item(TableName=self._table, Key={"job_id": {"S": job_id}}, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def update(
        self,
        job_id: str,
        changes: JobChanges,
        *,
        when: Collection[JobState],
        attempts: int | None = None,
        step_below: int | None = None,
        counts: Sequence[Count] = (),
    ) -> JobRecord:
        attributes = to_attributes(changes)
        names = {"#state": "state"}
        values: dict[str, Any] = {f":when{index}": {"S": state.value} for index, state in enumerate(sorted(when))}
        conditions = [f"#state IN ({', '.join(values)})"]
        if attempts is not None:
            conditions.append("attempts = :attempts_before")
            values[":attempts_before"] = {"N": str(attempts)}
        if step_below is not None:
            conditions.append("step < :step_below")
            values[":step_below"] = {"N": str(step_below)}
        sets, removes = [], []
        for index, (name, value) in enumerate(attributes.items()):
            names[f"#n{index}"] = name
            if value is None:
                removes.append(f"#n{index}")
            else:
                values[f":v{index}"] = value
                sets.append(f"#n{index} = :v{index}")
        expression = " ".join(
            [f"SET {', '.join(sets)}" if sets else "", f"REMOVE {', '.join(removes)}" if removes else ""]
        ).strip()
        update = {
            "TableName": self._table,
            "Key": {"job_id": {"S": job_id}},
            "UpdateExpression": expression,
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if counts:
            self._update_and_count(job_id, update, counts)
            # A transaction returns nothing. What was changed is as it was changed, even if it has changed once more.
            current = self.get(job_id)
            if current is None:
                raise Overtaken(None)
            return replace(current, **changes)
        try:
            answer = self._patience(lambda: self._client().update_item(**update, ReturnValues="ALL_NEW"))
        except ClientError as error:
            if code_of(error) != _CONDITION_FAILED_ALONE:
                raise
            raise Overtaken(_record_in(error.response) or self.get(job_id)) from None
        return from_item(answer["Attributes"])

    def _update_and_count(self, job_id: str, update: Mapping[str, Any], counts: Sequence[Count]) -> None:
        counting = count_updates(self._usage_table, counts)
        while True:
            try:
                self._write_together([{"Update": update}, *counting])
                return
            except ClientError as error:
                of_job, *of_counters = _failed_conditions(error, 1 + len(counting))
                if of_job is not None:
                    raise Overtaken(_record_in(of_job) or self.get(job_id)) from None
                # The counter has expired, or somebody has tampered with it: the job must not hang on that.
                logger.error("a counter is gone or too low", extra={"job_id": job_id})
                counting = [each for each, reason in zip(counting, of_counters, strict=True) if reason is None]

    def _write_together(self, items: Sequence[Any]) -> None:
        self._patience(lambda: self._client().transact_write_items(TransactItems=list(items)))

    def usage(self, counters: Collection[str]) -> Usage:
        found: dict[str, Any] = {}
        keys = [{"counter": {"S": counter}} for counter in dict.fromkeys(counters)]
        while keys:
            # A hundred keys at once are allowed.
            asked, keys = keys[:100], keys[100:]
            answer = self._patience(
                lambda asked=asked: self._client().batch_get_item(  # type: ignore[misc]
                    RequestItems={self._usage_table: {"Keys": asked, "ConsistentRead": True}}
                )
            )
            for item in answer["Responses"].get(self._usage_table, []):
                found[item["counter"]["S"]] = read_usage(item)
            keys += answer.get("UnprocessedKeys", {}).get(self._usage_table, {}).get("Keys", [])
        return found

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: JobState | None, member: str | None
    ) -> JobPage:
        found, position = query_tenant_page(
            self._client,
            self._table,
            tenant,
            key="job_id",
            limit=limit,
            after=after,
            filters={"state": state and state.value, "member": member},
            read=from_item,
            order_of=lambda record: record.order,
        )
        return JobPage(found, position)

    def due(self, now: datetime, limit: int) -> list[str]:
        answer = self._client().query(
            TableName=self._table,
            IndexName=_UNSETTLED,
            KeyConditionExpression="unsettled = :yes AND due_at <= :now",
            ExpressionAttributeValues={":yes": {"S": "yes"}, ":now": {"S": written_time(now.astimezone(UTC))}},
            Limit=limit,
        )
        return [item["job_id"]["S"] for item in answer["Items"]]


def _failed_conditions(error: ClientError, items: int) -> list[Any | None]:
    """Which of a transaction's items had a condition that does not hold: its reason, or None. Raises the error where
    that is not why it was cancelled.
    """
    reasons = [reason if reason.get("Code") == CONDITION_FAILED else None for reason in reasons_of(error)]
    if len(reasons) != items or not any(reasons):
        raise error
    return reasons


def _record_in(found: Mapping[str, Any]) -> JobRecord | None:
    item = found.get("Item")
    return from_item(item) if item else None
