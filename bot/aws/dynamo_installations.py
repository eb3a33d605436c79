"""Installations on DynamoDB, their tokens sealed for the workspace (or organisation) that they belong to.

Signed requests instead of a client, as in the rest of the acknowledging function: it looks for a token when it opens a
form. A write whose answer was lost is sent again and then meets its own effect: what is stored tells.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from bot.aws.kms_envelope import CannotOpen, DataKey, KmsEnvelope, Sealed
from bot.aws.signed_json import AwsCallFailed, SignedJson
from bot.installation import BotToken, Installation
from bot.ports.installations import InstallationsUnavailable, Lease, Stored

CONDITION_FAILED = "ConditionalCheckFailedException"
READ_TRIES = 3

Item = dict[str, dict[str, Any]]


class DynamoInstallations:
    """Implements `bot.ports.installations.InstallationStore`: one item a key (`pk`)."""

    def __init__(self, table: str, envelope: KmsEnvelope) -> None:
        self._dynamodb = SignedJson("dynamodb", "DYNAMODB", "DynamoDB_20120810")
        self._table = table
        self._envelope = envelope

    def find(self, team: str, enterprise: str) -> Stored | None:
        """The workspace's own installation, else its organisation's, else None."""
        # A workspace that has joined an organisation since keeps the installation from before.
        keys = [_key(team, enterprise), _key(team, ""), _key("", enterprise)]
        keys = [key for key in dict.fromkeys(keys) if key != _key("", "")]
        items = self._read(keys)
        return next((self._stored(items[key]) for key in keys if key in items), None)

    def save(self, installation: Installation) -> bool:
        """Store it in place of an earlier one; False where a later one is stored."""
        revision = secrets.token_hex(8)
        item: Item = {
            "pk": {"S": _key(installation.team, installation.enterprise)},
            "team": {"S": installation.team},
            "enterprise": {"S": installation.enterprise},
            "name": {"S": installation.name},
            "app_id": {"S": installation.app_id},
            "bot_user_id": {"S": installation.bot_user_id},
            "scopes": {"S": ",".join(installation.scopes)},
            "installer": {"S": installation.installer},
            "installed_at": _number(installation.installed_at),
            "revision": {"S": revision},
            **_seal(self._data_key(installation.id), installation.bot),
        }
        request = {
            "Item": item,
            "ConditionExpression": "attribute_not_exists(pk) OR installed_at <= :installed_at",
            "ExpressionAttributeValues": {":installed_at": item["installed_at"]},
        }
        return self._write("PutItem", request, item["pk"]["S"], {"revision": revision})

    def lease(self, stored: Stored, owner: str, until: float, now: float) -> Lease | None:
        """Take the right to renew the token."""
        key = self._data_key(stored.installation.id)
        request = {
            "UpdateExpression": "SET lease_owner = :owner, lease_until = :until",
            "ConditionExpression": (
                "revision = :revision AND (attribute_not_exists(lease_until) OR lease_until <= :now)"
            ),
            "ExpressionAttributeValues": {
                ":owner": {"S": owner},
                ":until": _number(until),
                ":revision": {"S": stored.revision},
                ":now": _number(now),
            },
        }
        effect = {"lease_owner": owner, "revision": stored.revision}
        return Lease(stored, owner, key) if self._write("UpdateItem", request, _key_of(stored), effect) else None

    def renew(self, lease: Lease, bot: BotToken) -> bool:
        """Replace the token, with the lease that the owner holds."""
        revision = secrets.token_hex(8)
        changes = {"revision": {"S": revision}, **_seal(lease.key, bot)}
        assignments = ", ".join(f"{name} = :new_{name}" for name in changes)
        request = {
            "UpdateExpression": f"SET {assignments} REMOVE lease_owner, lease_until",
            "ConditionExpression": "revision = :revision AND lease_owner = :owner",
            "ExpressionAttributeValues": {
                ":revision": {"S": lease.stored.revision},
                ":owner": {"S": lease.owner},
                **{f":new_{name}": value for name, value in changes.items()},
            },
        }
        return self._write("UpdateItem", request, _key_of(lease.stored), {"revision": revision})

    def release(self, lease: Lease) -> None:
        """Give the lease back without a new token."""
        request = {
            "UpdateExpression": "REMOVE lease_owner, lease_until",
            "ConditionExpression": "revision = :revision AND lease_owner = :owner",
            "ExpressionAttributeValues": {":revision": {"S": lease.stored.revision}, ":owner": {"S": lease.owner}},
        }
        self._write("UpdateItem", request, _key_of(lease.stored), None)

    def remove(self, stored: Stored) -> bool:
        """Delete it with its tokens, unless it is another by now."""
        request = {
            "ConditionExpression": "attribute_not_exists(pk) OR revision = :revision",
            "ExpressionAttributeValues": {":revision": {"S": stored.revision}},
        }
        return self._write("DeleteItem", request, _key_of(stored), None)

    def _write(self, operation: str, request: dict[str, Any], key: str, effect: dict[str, str] | None) -> bool:
        """Whether the write has taken effect; `effect` are attributes that only this very write stores."""
        place = {} if operation == "PutItem" else {"Key": {"pk": {"S": key}}}
        try:
            self._dynamodb.call(operation, {"TableName": self._table, **place, **request})
        except AwsCallFailed as error:
            if error.code != CONDITION_FAILED:
                raise InstallationsUnavailable(error.code) from error
            item = self._read([key]).get(key, {}) if effect else {}
            return bool(effect) and all(item.get(name) == {"S": value} for name, value in (effect or {}).items())
        return True

    def _read(self, keys: list[str]) -> dict[str, Item]:
        wanted = [{"pk": {"S": key}} for key in keys]
        found: dict[str, Item] = {}
        for _ in range(READ_TRIES):
            if not wanted:
                return found
            request = {"RequestItems": {self._table: {"Keys": wanted, "ConsistentRead": True}}}
            try:
                answer = self._dynamodb.call("BatchGetItem", request)
            except AwsCallFailed as error:
                raise InstallationsUnavailable(error.code) from error
            found |= {item["pk"]["S"]: item for item in answer.get("Responses", {}).get(self._table, [])}
            wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        if wanted:
            raise InstallationsUnavailable("UnprocessedKeys")
        return found

    def _data_key(self, workspace: str) -> DataKey:
        try:
            return self._envelope.data_key(workspace)
        except AwsCallFailed as error:
            raise InstallationsUnavailable(error.code) from error

    def _stored(self, item: Item) -> Stored:
        team, enterprise = item["team"]["S"], item["enterprise"]["S"]
        sealed = Sealed(item["data_key"]["B"], item["nonce"]["B"], item["sealed"]["B"])
        try:
            document = json.loads(self._envelope.open(team or enterprise, sealed))
        except (AwsCallFailed, CannotOpen) as error:
            raise InstallationsUnavailable(str(error)) from error
        installation = Installation(
            team=team,
            enterprise=enterprise,
            name=item["name"]["S"],
            app_id=item["app_id"]["S"],
            bot_user_id=item["bot_user_id"]["S"],
            scopes=tuple(item["scopes"]["S"].split(",")),
            installer=item["installer"]["S"],
            installed_at=float(item["installed_at"]["N"]),
            bot=BotToken(document["token"], document["refresh_token"], document["expires_at"]),
        )
        return Stored(installation, item["revision"]["S"], float(item.get("lease_until", {}).get("N", 0.0)))


def _seal(key: DataKey, bot: BotToken) -> Item:
    document = {"token": bot.token, "refresh_token": bot.refresh_token, "expires_at": bot.expires_at}
    sealed = KmsEnvelope.seal(key, json.dumps(document).encode())
    return {
        "data_key": {"B": sealed.data_key},
        "nonce": {"B": sealed.nonce},
        "sealed": {"B": sealed.ciphertext},
        # For whoever looks at the table; the bot reads the one that is sealed.
        "token_ends_at": {"NULL": True} if bot.expires_at is None else _number(bot.expires_at),
    }


def _key(team: str, enterprise: str) -> str:
    return f"installation#{enterprise or 'none'}#{team or 'none'}"


def _key_of(stored: Stored) -> str:
    return _key(stored.installation.team, stored.installation.enterprise)


def _number(value: float) -> dict[str, str]:
    # Microseconds: DynamoDB compares numbers of 38 digits, and reads no exponents of ours.
    return {"N": f"{value:.6f}"}
