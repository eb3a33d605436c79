"""Installations: one suite over the fake and over DynamoDB and KMS on MiniStack; and what only the real one keeps."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.aws.clients import AwsClients
from bot.aws.dynamo_install_states import DynamoInstallStates
from bot.aws.dynamo_installations import DynamoInstallations
from bot.aws.kms_envelope import CannotOpen, KmsEnvelope, Sealed
from bot.installation import BotToken
from bot.ports.installations import InstallationStore, InstallationsUnavailable, InstallStates, Lease
from tests.contract.test_bot_store import bot_clients  # noqa: F401 - a fixture
from tests.fakes.bot_installations import FakeInstallationStore, FakeInstallStates, installation

BOT = BotToken("xoxe.xoxb-1", "xoxe-1", 43_200.5)
NOW = 2_000.0


@pytest.fixture(scope="module")
def clients(bot_clients: AwsClients) -> AwsClients:  # noqa: F811
    return bot_clients


@pytest.fixture(scope="module")
def table(clients: AwsClients) -> str:
    name = f"installations-{uuid.uuid4().hex[:8]}"
    clients.get("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return name


@pytest.fixture(scope="module")
def key_arn(clients: AwsClients) -> str:
    return str(clients._session.create_client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def dynamo_store(table: str, key_arn: str) -> DynamoInstallations:
    return DynamoInstallations(table, KmsEnvelope(key_arn))


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> InstallationStore:
    return FakeInstallationStore() if request.param == "fake" else request.getfixturevalue("dynamo_store")


@pytest.fixture
def team() -> str:
    """A workspace of one test's own."""
    return f"T{uuid.uuid4().hex[:9].upper()}"


@pytest.fixture
def enterprise() -> str:
    return f"E{uuid.uuid4().hex[:9].upper()}"


def test_an_installation_comes_back_as_it_was(store: InstallationStore, team: str) -> None:
    assert store.find(team, "") is None
    kept = installation(team, bot=BOT, name="Acme & Söhne 👩‍🚀", installed_at=1_764_000_000.123456)
    assert store.save(kept)
    stored = store.find(team, "")
    assert stored is not None and stored.installation == kept and stored.lease_until == 0.0
    forever = installation(team, bot=BotToken("xoxb-1"), installed_at=1_764_000_001.0)
    assert store.save(forever)
    again = store.find(team, "")
    assert again is not None and again.installation == forever and again.revision != stored.revision


def test_an_organisations_installation_serves_all_its_workspaces(
    store: InstallationStore, team: str, enterprise: str
) -> None:
    everywhere = installation("", enterprise)
    store.save(everywhere)
    for asked in (team, f"{team}2", ""):
        found = store.find(asked, enterprise)
        assert found is not None and found.installation == everywhere and found.installation.is_org_wide
    assert store.find(team, "") is None and store.find(team, f"{enterprise}2") is None

    own = installation(team, enterprise)
    store.save(own)
    found, other = store.find(team, enterprise), store.find(f"{team}2", enterprise)
    assert found is not None and found.installation == own
    assert other is not None and other.installation == everywhere


def test_a_workspace_that_joined_an_organisation_keeps_its_installation(
    store: InstallationStore, team: str, enterprise: str
) -> None:
    store.save(installation(team))
    found = store.find(team, enterprise)
    assert found is not None and found.installation.team == team


def test_an_older_installation_does_not_replace_a_newer_one(store: InstallationStore, team: str) -> None:
    assert store.save(installation(team, installed_at=2_000.0))
    assert not store.save(installation(team, installed_at=1_999.999999, bot=BOT))
    assert store.save(installation(team, installed_at=2_000.0, bot=BOT))
    found = store.find(team, "")
    assert found is not None and found.installation.bot == BOT


def test_a_lease_is_held_by_one_until_it_ends(store: InstallationStore, team: str) -> None:
    store.save(installation(team, bot=BOT))
    stored = store.find(team, "")
    assert stored is not None
    first = store.lease(stored, "first", NOW + 30, NOW)
    assert first is not None
    assert not store.lease(stored, "second", NOW + 40, NOW + 29.9)
    held = store.find(team, "")
    assert held is not None and held.lease_until == NOW + 30 and held.revision == stored.revision
    second = store.lease(stored, "second", NOW + 60, NOW + 30)
    assert second is not None

    fresh = BotToken("xoxe.xoxb-2", "xoxe-2", 90_000.0)
    assert not store.renew(first, fresh), "the lease is somebody else's by now"
    assert store.renew(second, fresh)
    found = store.find(team, "")
    assert found is not None and found.installation.bot == fresh and found.lease_until == 0.0
    assert not store.renew(second, BOT), "the revision is another"
    assert not store.lease(stored, "third", NOW + 90, NOW + 60)


def test_a_lease_that_is_given_back_is_free_at_once(store: InstallationStore, team: str) -> None:
    store.save(installation(team, bot=BOT))
    stored = store.find(team, "")
    assert stored is not None
    first = store.lease(stored, "first", NOW + 30, NOW)
    assert first is not None
    store.release(first)
    found = store.find(team, "")
    assert found is not None and found.lease_until == 0.0 and found.revision == stored.revision
    second = store.lease(stored, "second", NOW + 31, NOW + 1)
    assert second is not None
    store.release(first)
    assert not store.renew(first, BOT) and store.lease(stored, "third", NOW + 32, NOW + 2) is None
    assert store.renew(second, BOT)


def test_of_many_at_once_one_gets_the_lease(store: InstallationStore, team: str) -> None:
    store.save(installation(team, bot=BOT))
    stored = store.find(team, "")
    assert stored is not None
    won: list[Lease] = []
    start = threading.Barrier(6)

    def race(owner: str) -> None:
        start.wait()
        lease = store.lease(stored, owner, NOW + 30, NOW)
        if lease is not None:
            won.append(lease)

    threads = [threading.Thread(target=race, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and store.renew(won[0], BOT)


def test_what_was_installed_anew_is_not_removed(store: InstallationStore, team: str) -> None:
    store.save(installation(team))
    old = store.find(team, "")
    store.save(installation(team, installed_at=5_000.0))
    assert old is not None and not store.remove(old)
    new = store.find(team, "")
    assert new is not None
    lease = store.lease(new, "early", NOW + 30, NOW)
    assert lease is not None and store.remove(new)
    assert store.find(team, "") is None
    assert store.remove(new), "what is gone already is as it should be"
    assert not store.lease(new, "late", NOW + 30, NOW) and not store.renew(lease, BOT)
    assert store.find(team, "") is None


@pytest.fixture(params=["fake", "dynamodb"])
def states(request: pytest.FixtureRequest) -> InstallStates:
    return FakeInstallStates() if request.param == "fake" else DynamoInstallStates(request.getfixturevalue("table"))


def test_a_state_works_once_and_not_for_long(states: InstallStates) -> None:
    state, late = uuid.uuid4().hex, uuid.uuid4().hex
    states.issue(state, NOW + 600)
    states.issue(late, NOW + 600)
    assert not states.consume("another", NOW)
    assert states.consume(state, NOW + 599)
    assert not states.consume(state, NOW + 599)
    assert not states.consume(late, NOW + 600)


# ---------------------------------------------------------------- what the table holds


@pytest.fixture
def items(clients: AwsClients, table: str) -> Iterator[Any]:
    """Reads and writes whole items."""
    dynamodb = clients.get("dynamodb")

    class Items:
        def read(self, key: str) -> Any:
            return dynamodb.get_item(TableName=table, Key={"pk": {"S": key}}, ConsistentRead=True)["Item"]

        def write(self, item: Any) -> None:
            dynamodb.put_item(TableName=table, Item=item)

    yield Items()


def test_the_table_holds_no_token_in_any_form(dynamo_store: DynamoInstallations, items: Any, team: str) -> None:
    dynamo_store.save(installation(team, bot=BOT))
    item = items.read(f"installation#none#{team}")
    content = b"".join(value.get("B", b"") + str(value.get("S", "")).encode() for value in item.values())
    for secret in (b"xoxe", b"xoxb", base64.b64encode(b"xoxe.xoxb-1")[:12]):
        assert secret not in content
    assert item["token_ends_at"] == {"N": "43200.5"}


def test_nothing_of_a_workspace_can_be_decrypted_as_anothers(
    dynamo_store: DynamoInstallations, items: Any, team: str
) -> None:
    mine, theirs = f"installation#none#{team}", f"installation#none#{team}X"
    dynamo_store.save(installation(team, bot=BOT))
    dynamo_store.save(installation(f"{team}X", bot=BotToken("xoxb-theirs")))
    first, second = items.read(mine), items.read(theirs)
    sealed = ("data_key", "nonce", "sealed")
    items.write({**first, **{name: second[name] for name in sealed}})
    items.write({**second, **{name: first[name] for name in sealed}})
    for asked in (team, f"{team}X"):
        with pytest.raises(InstallationsUnavailable, match="InvalidCiphertext"):
            dynamo_store.find(asked, "")
    # With the data key of one's own and the other's ciphertext, the cipher refuses.
    items.write({**first, "nonce": second["nonce"], "sealed": second["sealed"]})
    with pytest.raises(InstallationsUnavailable, match="changed"):
        dynamo_store.find(team, "")


@pytest.mark.parametrize("attribute", ["data_key", "nonce", "sealed"])
def test_a_changed_byte_is_noticed(dynamo_store: DynamoInstallations, items: Any, team: str, attribute: str) -> None:
    dynamo_store.save(installation(team, bot=BOT))
    item = items.read(f"installation#none#{team}")
    content = bytearray(item[attribute]["B"])
    content[-1] ^= 1
    items.write({**item, attribute: {"B": bytes(content)}})
    with pytest.raises(InstallationsUnavailable) as refused:
        dynamo_store.find(team, "")
    assert "xox" not in str(refused.value)


def test_the_cipher_itself_is_bound_to_the_workspace(clients: AwsClients, key_arn: str) -> None:
    sealed = KmsEnvelope.seal(KmsEnvelope(key_arn).data_key("T1"), b"a secret")
    data_key, nonce, ciphertext = (base64.b64decode(part) for part in sealed)
    kms = clients._session.create_client("kms")
    key = kms.decrypt(CiphertextBlob=data_key, EncryptionContext={"workspace": "T1"})["Plaintext"]
    assert AESGCM(key).decrypt(nonce, ciphertext, b"T1") == b"a secret"
    for other in (b"T2", b"", None):
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(nonce, ciphertext, other)


def test_an_envelope_opens_for_its_workspace_alone(dynamo_store: DynamoInstallations, key_arn: str) -> None:
    envelope = KmsEnvelope(key_arn)
    key = envelope.data_key("T1")
    sealed = envelope.seal(key, b"a secret")
    assert envelope.open("T1", sealed) == b"a secret"
    assert envelope.data_key("T1").encrypted != sealed.data_key and envelope.seal(key, b"a secret") != sealed
    assert str(key.plaintext) not in repr(key)
    with pytest.raises(CannotOpen):
        envelope.open("T2", sealed)
    with pytest.raises(CannotOpen):
        envelope.open("T1", Sealed(sealed.data_key, sealed.nonce, base64.b64encode(b"short").decode()))


def test_a_table_or_key_that_is_not_there_is_unavailable(table: str, key_arn: str, team: str) -> None:
    with pytest.raises(InstallationsUnavailable, match="ResourceNotFoundException"):
        DynamoInstallations("nowhere", KmsEnvelope(key_arn)).find(team, "")
    with pytest.raises(InstallationsUnavailable, match="NotFoundException"):
        DynamoInstallations(table, KmsEnvelope(key_arn[:-12] + "000000000000")).save(installation(team))
    with pytest.raises(InstallationsUnavailable):
        DynamoInstallStates("nowhere").issue("state", NOW)


def test_no_token_is_in_any_repr(dynamo_store: DynamoInstallations, team: str) -> None:
    dynamo_store.save(installation(team, bot=BOT))
    assert "xox" not in repr(dynamo_store.find(team, "")) and "xox" not in repr(BOT)
