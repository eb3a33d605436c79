"""Grants, denies, blocked words and the audit trail in DynamoDB.

Grants table: hash key `tenant`, range key `entry`. A tenant's items are together:

- `grant#<kind>#<id>`, `deny#<kind>#<id>`: `document`, an `Entry` as JSON; `expires_at` (TTL) where it has an end.
- `words`: `document`, `BlockedWords` as JSON.
- `meta`: `version`, the number of changes so far; of the last one `changed` (its key), `is_removal` and `changed_at`;
  `done`, the idempotency keys of the latest changes that had one.

Every item but `meta` has the `version` that wrote it. A role of the customer's own has items under the hash key
`role#<account>#<name>`: `tenant#<tenant>` for each that has granted it, with `ends_at` where it speaks no longer.

Audit table: hash key `tenant`, range key `at` (time and id): `document`, an `AuditEntry` as JSON; `member`, `subject`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from backend_lambda.access_ports import AccessChange, AccessOvertaken, AuditPage, OwnRole, TenantAccess
from backend_lambda.aws.clients import Client
from backend_lambda.aws.job_item import written_time
from backend_lambda.callers import RoleStanding
from backend_lambda.contract.access import AuditEntry, BlockedWords, Entry
from backend_lambda.contract.subjects import SubjectKind

KEPT = timedelta(days=30)
"""So long what has ended is still listed."""
_SETTLING = timedelta(minutes=1)
"""A transaction's items become visible one after the other, within moments; after this they surely are."""
_META, _WORDS = "meta", "words"
_ENTRIES = ("grant#", "deny#")
_MOST_QUERIES = 8
_LOST = {"TransactionCanceledException", "TransactionInProgressException", "TransactionConflictException"}
_REASONS = {"None", "ConditionalCheckFailed", "TransactionConflict"}

Item = Mapping[str, Mapping[str, Any]]


class DynamoAccessStore:
    """`AccessStore` on two DynamoDB tables."""

    def __init__(self, client: Client, grants_table: str, audit_table: str) -> None:
        self._client = client
        self._grants = grants_table
        self._audit = audit_table

    def read(self, tenant: str) -> TenantAccess:
        # The version first: what is changed after that makes a later write fail, whether or not the query sees it.
        answer = self._client().get_item(TableName=self._grants, Key=_key(tenant, _META), ConsistentRead=True)
        meta: Item = answer.get("Item", {})
        items = {item["entry"]["S"]: item for item in self._items(tenant)}
        words = items.get(_WORDS)
        return TenantAccess(
            entries=tuple(
                Entry.model_validate_json(item["document"]["S"])
                for key, item in items.items()
                if key.startswith(_ENTRIES)
            ),
            words=BlockedWords.model_validate_json(words["document"]["S"]) if words else BlockedWords(words=[]),
            version=_version(meta),
            is_settled=_is_settled(meta, items),
            done=tuple(key["S"] for key in meta["done"]["L"]) if "done" in meta else (),
        )

    def write(self, tenant: str, change: AccessChange, *, version: int) -> None:
        try:
            self._client().transact_write_items(TransactItems=self._writes(tenant, change, version))
        except ClientError as error:
            if error.response["Error"]["Code"] not in _LOST:
                raise
            reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
            if not reasons <= _REASONS:
                raise
            raise AccessOvertaken from error

    def standing(self, role: OwnRole, tenant: str, now: datetime) -> RoleStanding:
        partition = _role_partition(role)
        answer = self._client().get_item(
            TableName=self._grants, Key=_key(partition, f"tenant#{tenant}"), ConsistentRead=True
        )
        if "Item" in answer:
            ends_at = answer["Item"].get("ends_at")
            is_over = ends_at is not None and datetime.fromisoformat(ends_at["S"]) <= now
            return RoleStanding.SILENT if is_over else RoleStanding.SPEAKS
        others = self._client().query(
            TableName=self._grants,
            KeyConditionExpression="tenant = :role",
            ExpressionAttributeValues={":role": {"S": partition}},
            ConsistentRead=True,
            Limit=1,
        )
        return RoleStanding.SILENT if others["Items"] else RoleStanding.UNKNOWN

    def audit(self, tenant: str, *, limit: int, after: str | None, member: str | None) -> AuditPage:
        values: dict[str, Any] = {":tenant": {"S": tenant}}
        query: dict[str, Any] = {
            "TableName": self._audit,
            "KeyConditionExpression": "tenant = :tenant",
            "ExpressionAttributeValues": values,
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        if member is not None:
            query["FilterExpression"] = "#member = :member OR #subject = :subject"
            query["ExpressionAttributeNames"] = {"#member": "member", "#subject": "subject"}
            values |= {":member": {"S": member}, ":subject": {"S": f"{SubjectKind.MEMBER.value}#{member}"}}
        found: list[tuple[str, AuditEntry]] = []
        for _ in range(_MOST_QUERIES):
            if after is not None:
                query["ExclusiveStartKey"] = {"tenant": {"S": tenant}, "at": {"S": after}}
            # Without a filter, what is read is what is returned; with one, read ahead.
            query["Limit"] = limit + 1 - len(found) if member is None else 100
            answer = self._client().query(**query)
            found += [
                (item["at"]["S"], AuditEntry.model_validate_json(item["document"]["S"])) for item in answer["Items"]
            ]
            if len(found) > limit:
                return AuditPage([entry for _, entry in found[:limit]], found[limit - 1][0])
            last = answer.get("LastEvaluatedKey")
            after = last["at"]["S"] if last is not None else None
            if after is None:
                break
        return AuditPage([entry for _, entry in found], after)

    def _items(self, tenant: str) -> list[Item]:
        pages = (
            self._client()
            .get_paginator("query")
            .paginate(
                TableName=self._grants,
                KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
                ConsistentRead=True,
            )
        )
        return [item for page in pages for item in page["Items"]]

    def _writes(self, tenant: str, change: AccessChange, version: int) -> list[dict[str, Any]]:
        """The change, its record, and the next version, if the version is still this one."""
        stamp = {"version": {"N": str(version + 1)}}
        writes: list[dict[str, Any]] = []
        if change.put is not None:
            changed = change.put.key
            item = _key(tenant, changed) | stamp | {"document": {"S": change.put.model_dump_json()}}
            # What binds has no end: only the role goes, for every reader alike.
            writes.append(self._put(item | _expiry(None if change.put.binds else change.put.ends_at)))
        elif change.words is not None:
            changed = _WORDS
            writes.append(
                self._put(_key(tenant, changed) | stamp | {"document": {"S": change.words.model_dump_json()}})
            )
        else:
            assert change.removed is not None
            changed = change.removed
            writes.append({"Delete": {"TableName": self._grants, "Key": _key(tenant, changed)}})
        for role, ends_at in change.speaking:
            ends = {"ends_at": {"S": written_time(ends_at)}} if ends_at is not None else {}
            writes.append(self._put(_key(_role_partition(role), f"tenant#{tenant}") | ends | _expiry(ends_at)))
        values: dict[str, Any] = {
            ":next": stamp["version"],
            ":changed": {"S": changed},
            ":at": {"S": written_time(change.record.at)},
        }
        values[":done"] = {"L": [{"S": key} for key in change.done]}
        values[":is_removal"] = {"BOOL": change.removed is not None}
        meta: dict[str, Any] = {
            "TableName": self._grants,
            "Key": _key(tenant, _META),
            "UpdateExpression": (
                "SET version = :next, changed = :changed, changed_at = :at, is_removal = :is_removal, done = :done"
            ),
            "ConditionExpression": "attribute_not_exists(version)" if version == 0 else "version = :version",
            "ExpressionAttributeValues": values if version == 0 else values | {":version": {"N": str(version)}},
        }
        record = change.record
        audit = {
            "tenant": {"S": tenant},
            "at": {"S": f"{written_time(record.at)}#{record.id}"},
            "member": {"S": record.member},
            "subject": {"S": record.subject},
            "document": {"S": record.model_dump_json()},
        }
        writes.append({"Update": meta})
        # A record is written once and never changed.
        writes.append(
            {"Put": {"TableName": self._audit, "Item": audit, "ConditionExpression": "attribute_not_exists(tenant)"}}
        )
        return writes

    def _put(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"Put": {"TableName": self._grants, "Item": item}}


def _is_settled(meta: Item, items: Mapping[str, Item]) -> bool:
    """Whether the change that made this version is in the items: a query may see a transaction in part. One that was
    made a while ago is surely there, whatever has been done to its item since (an end's expiry takes it away).
    """
    if not meta:
        return True
    if datetime.now(UTC) - datetime.fromisoformat(meta["changed_at"]["S"]) > _SETTLING:
        return True
    changed = items.get(meta["changed"]["S"])
    if changed is None:
        return bool(meta["is_removal"]["BOOL"])
    return _version(changed) >= _version(meta)


def _version(item: Item) -> int:
    return int(item["version"]["N"]) if "version" in item else 0


def _expiry(ends_at: datetime | None) -> dict[str, dict[str, str]]:
    """DynamoDB removes it a month after it has ended."""
    return {"expires_at": {"N": str(int((ends_at + KEPT).timestamp()))}} if ends_at is not None else {}


def _role_partition(role: OwnRole) -> str:
    # No tenant is called so: a tenant has no "#".
    return f"role#{role.account}#{role.name}"


def _key(tenant: str, entry: str) -> dict[str, dict[str, str]]:
    return {"tenant": {"S": tenant}, "entry": {"S": entry}}
