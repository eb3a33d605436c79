"""The limits' counters as DynamoDB items, written in the same transaction as the job that holds something of them.

Table: hash key `counter`; a number for each `Measure`; `expires_at`, for the counters of a day (the table's TTL).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from backend_lambda.usage import Count, Measure, Reservation


def reservation_updates(table: str, reservations: Sequence[Reservation]) -> list[tuple[list[Reservation], Any]]:
    """One `Update` of a transaction for each counter, with the reservations that it makes: all of them, if they fit."""
    found = []
    for counter, group in _by_counter(reservations, lambda reservation: reservation.count.counter):
        adds, conditions, names, values = [], [], {}, {}
        for index, reservation in enumerate(group):
            name, room = f"#m{index}", reservation.most - reservation.count.amount
            names[name] = reservation.count.measure.value
            values[f":amount{index}"] = {"N": str(reservation.count.amount)}
            values[f":room{index}"] = {"N": str(room)}
            adds.append(f"{name} :amount{index}")
            fits = f"{name} <= :room{index}"
            # Nothing was counted yet: it fits if it fits alone. (A counter is never below zero.)
            conditions.append(f"(attribute_not_exists({name}) OR {fits})" if room >= 0 else fits)
        update: dict[str, Any] = {
            "TableName": table,
            "Key": {"counter": {"S": counter}},
            "UpdateExpression": f"ADD {', '.join(adds)}",
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        expires_at = group[0].expires_at
        if expires_at is not None:
            update["UpdateExpression"] += " SET expires_at = :expires_at"
            values[":expires_at"] = {"N": str(int(expires_at.timestamp()))}
        found.append((group, {"Update": update}))
    return found


def count_updates(table: str, counts: Sequence[Count]) -> list[Any]:
    """One `Update` of a transaction for each counter. It fails where one is gone, or has less than is to be taken."""
    found = []
    for counter, group in _by_counter(counts, lambda count: count.counter):
        adds, conditions, names, values = [], ["attribute_exists(#counter)"], {"#counter": "counter"}, {}
        for index, count in enumerate(group):
            name = f"#m{index}"
            names[name] = count.measure.value
            values[f":amount{index}"] = {"N": str(count.amount)}
            adds.append(f"{name} :amount{index}")
            if count.amount < 0:
                values[f":taken{index}"] = {"N": str(-count.amount)}
                conditions.append(f"{name} >= :taken{index}")
        update = {
            "TableName": table,
            "Key": {"counter": {"S": counter}},
            "UpdateExpression": f"ADD {', '.join(adds)}",
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        found.append({"Update": update})
    return found


def read_usage(item: Mapping[str, Any]) -> dict[Measure, int]:
    """What a counter's item holds."""
    return {measure: int(item[measure.value]["N"]) for measure in Measure if measure.value in item}


def _by_counter(things: Sequence[Any], counter: Any) -> Iterable[tuple[str, list[Any]]]:
    for key, group in groupby(sorted(things, key=counter), key=counter):
        yield key, list(group)
