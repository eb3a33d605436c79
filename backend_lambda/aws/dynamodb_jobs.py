"""Jobs in DynamoDB.

Table: hash key `job_id`. Index `by_tenant` (all attributes): `tenant`, `created_order`. Index `unsettled` (keys only,
sparse): `unsettled`, `due_at`; an item is in it as long as its record is unsettled. Times are ISO 8601 in UTC with
microseconds, so that they sort as text.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.aws.job_item import from_item, to_attributes, to_item, written_time
from backend_lambda.contract.job_state import JobState
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.ports import JobPage, Overtaken

_BY_TENANT = "by_tenant"
_UNSETTLED = "unsettled"
_MOST_QUERIES = 8
"""A filtered page looks this many queries far before it hands back what it has."""


class DynamoJobStore:
    """`JobStore` on a DynamoDB table."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def create(self, record: JobRecord) -> JobRecord | None:
        try:
            self._client().put_item(
                TableName=self._table,
                Item=to_item(record),
                ConditionExpression="attribute_not_exists(job_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            existing = _item_of(error)
            return existing if existing is not None else self.get(record.job_id)
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
        try:
            answer = self._client().update_item(
                TableName=self._table,
                Key={"job_id": {"S": job_id}},
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise
            raise Overtaken(_item_of(error) or self.get(job_id)) from None
        return from_item(answer["Attributes"])

    def page(
        self, tenant: str, *, limit: int, after: str | None, state: JobState | None, member: str | None
    ) -> JobPage:
        names = {"#tenant": "tenant"}
        values = {":tenant": {"S": tenant}}
        filters = []
        for name, wanted in (("state", state and state.value), ("member", member)):
            if wanted is not None:
                names[f"#{name}"] = name
                values[f":{name}"] = {"S": wanted}
                filters.append(f"#{name} = :{name}")
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": _BY_TENANT,
            "KeyConditionExpression": "#tenant = :tenant",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": False,
        }
        if filters:
            query["FilterExpression"] = " AND ".join(filters)
        found: list[JobRecord] = []
        for _ in range(_MOST_QUERIES):
            if after is not None:
                query["ExclusiveStartKey"] = {
                    "job_id": {"S": after.partition("#")[2]},
                    "tenant": {"S": tenant},
                    "created_order": {"S": after},
                }
            # Without a filter, what is read is what is returned; with one, read ahead.
            query["Limit"] = limit + 1 - len(found) if not filters else 100
            answer = self._client().query(**query)
            found += [from_item(item) for item in answer["Items"]]
            if len(found) > limit:
                return JobPage(found[:limit], found[limit - 1].order)
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return JobPage(found, None)
            after = last["created_order"]["S"]
        return JobPage(found, after)

    def due(self, now: datetime, limit: int) -> list[str]:
        answer = self._client().query(
            TableName=self._table,
            IndexName=_UNSETTLED,
            KeyConditionExpression="unsettled = :yes AND due_at <= :now",
            ExpressionAttributeValues={":yes": {"S": "yes"}, ":now": {"S": written_time(now.astimezone(UTC))}},
            Limit=limit,
        )
        return [item["job_id"]["S"] for item in answer["Items"]]


def _condition_failed(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == "ConditionalCheckFailedException")


def _item_of(error: ClientError) -> JobRecord | None:
    item = error.response.get("Item")
    return from_item(item) if item else None
