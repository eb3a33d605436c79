"""A page of a tenant's records from the index `by_tenant` of a table, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from backend_lambda.aws.clients import Client

_BY_TENANT = "by_tenant"
_MOST_QUERIES = 8
"""A filtered page looks this many queries far before it hands back what it has."""

Record = TypeVar("Record")


def query_tenant_page(
    client: Client,
    table: str,
    tenant: str,
    *,
    key: str,
    limit: int,
    after: str | None,
    filters: Mapping[str, str | None],
    read: Callable[[Mapping[str, Any]], Record],
    order_of: Callable[[Record], str],
) -> tuple[list[Record], str | None]:
    """At most `limit` records behind the position `after`, and the position behind them; None where no more follow.

    `key` is the table's hash key, which ends every position (`<time>#<key>`). `filters` are attributes that must have
    these values, where one is given.
    """
    names = {"#tenant": "tenant"}
    values = {":tenant": {"S": tenant}}
    conditions = []
    for name, wanted in filters.items():
        if wanted is not None:
            names[f"#{name}"] = name
            values[f":{name}"] = {"S": wanted}
            conditions.append(f"#{name} = :{name}")
    query: dict[str, Any] = {
        "TableName": table,
        "IndexName": _BY_TENANT,
        "KeyConditionExpression": "#tenant = :tenant",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": False,
    }
    if conditions:
        query["FilterExpression"] = " AND ".join(conditions)
    found: list[Record] = []
    for _ in range(_MOST_QUERIES):
        if after is not None:
            query["ExclusiveStartKey"] = {
                key: {"S": after.partition("#")[2]},
                "tenant": {"S": tenant},
                "created_order": {"S": after},
            }
        # Without a filter, what is read is what is returned; with one, read ahead.
        query["Limit"] = limit + 1 - len(found) if not conditions else 100
        answer = client().query(**query)
        found += [read(item) for item in answer["Items"]]
        if len(found) > limit:
            return found[:limit], order_of(found[limit - 1])
        last = answer.get("LastEvaluatedKey")
        if last is None:
            return found, None
        after = last["created_order"]["S"]
    return found, after
