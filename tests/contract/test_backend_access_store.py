"""The contract of `AccessStore`, over the fake and over DynamoDB."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from backend_lambda.access_ports import AccessChange, AccessOvertaken, AccessPorts, AccessStore, OwnRole
from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.callers import Caller, RoleStanding
from backend_lambda.contract.access import (
    AuditEntry,
    BlockedWords,
    Effect,
    Entry,
    Guardrail,
    Limits,
    PutGrant,
)
from backend_lambda.contract.actions import Action
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.admins import admins
from backend_lambda.usecases.first_admin import ensure_first_admin
from backend_lambda.usecases.put_grant import put_grant
from backend_lambda.usecases.refusals import LastAdmin
from backend_lambda.usecases.remove_entry import remove_entry
from backend_lambda.wiring import SystemClock
from tests.contract.conftest import make_access_tables
from tests.fakes.backend import NOON
from tests.fakes.backend_access import API_ARN, STACK_ROLES, FakeAccessStore

OWN = OwnRole("210987654321", "painters")


@pytest.fixture(scope="module")
def tables(aws: Clients) -> tuple[str, str]:
    return make_access_tables(aws)


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> AccessStore:
    if request.param == "fake":
        return FakeAccessStore()
    aws: Clients = request.getfixturevalue("aws")
    return DynamoAccessStore(aws.of("dynamodb"), *request.getfixturevalue("tables"))


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses: the tables are shared."""
    return f"T{uuid.uuid4().hex[:10].upper()}"


def entry(name: str = "U0ADA", effect: Effect = Effect.GRANT, **more: Any) -> Entry:
    return Entry(effect=effect, kind=SubjectKind.MEMBER, id=name, made_by="U0BOB", made_at=NOON, **more)


def record(number: int = 0, **more: Any) -> AuditEntry:
    given = {"member": "U0BOB", "principal": "arn", "action": "put_grant", "subject": "member#U0ADA"} | more
    return AuditEntry(id=f"audit-{number:016x}", at=NOON + timedelta(seconds=number // 2), **given)


def put(store: AccessStore, tenant: str, new: Entry, version: int) -> None:
    store.write(tenant, AccessChange(record(version), put=new), version=version)


def test_a_tenant_without_anything(store: AccessStore, tenant: str) -> None:
    found = store.read(tenant)
    assert (found.entries, found.words, found.version, found.is_settled) == ((), BlockedWords(words=[]), 0, True)
    assert store.audit(tenant, limit=5, after=None, member=None).records == []


def test_what_was_written_is_read_back_whole(store: AccessStore, tenant: str) -> None:
    whole = Entry(
        effect=Effect.GRANT,
        kind=SubjectKind.CHANNEL,
        id="C1",
        role_arn="arn:aws:iam::210987654321:role/easel/painters",
        external_id=f"{tenant}:1",
        limits=Limits(images_per_day=5, models=["tiny"], each_member=True),
        guardrail=Guardrail(actions=[Action.SEE], models=["tiny"]),
        ends_at=datetime.now(UTC) + timedelta(days=1),
        reason="für den Ausflug 🎈",
        made_by="U0BOB",
        made_at=NOON,
    )
    deny = entry("U0EVE", Effect.DENY, reaches=["U1", "U2"])
    put(store, tenant, whole, 0)
    put(store, tenant, deny, 1)
    words = BlockedWords(words=["boat", "ünï"])
    store.write(tenant, AccessChange(record(2), words=words), version=2)
    found = store.read(tenant)
    assert {one.key: one for one in found.entries} == {whole.key: whole, deny.key: deny}
    assert (found.words, found.version) == (words, 3)
    assert found.entry("grant#channel#C1") == whole
    assert found.entry("deny#channel#C1") is None


def test_a_write_replaces_and_removes(store: AccessStore, tenant: str) -> None:
    put(store, tenant, entry(reason="one"), 0)
    put(store, tenant, entry(reason="two"), 1)
    assert store.read(tenant).entries == (entry(reason="two"),)
    store.write(tenant, AccessChange(record(2), removed=entry().key), version=2)
    assert store.read(tenant).entries == ()
    store.write(tenant, AccessChange(record(3), removed=entry().key), version=3)
    assert (store.read(tenant).version, store.read(tenant).is_settled) == (4, True)


def test_a_write_to_another_version_changes_nothing_at_all(store: AccessStore, tenant: str) -> None:
    for version in (1, 7):
        with pytest.raises(AccessOvertaken):
            put(store, tenant, entry(), version)
    put(store, tenant, entry(reason="one"), 0)
    for version in (0, 2):
        with pytest.raises(AccessOvertaken):
            change = AccessChange(record(9), put=entry("U0EVE"), speaking=((OwnRole("1" * 12, tenant), None),))
            store.write(tenant, change, version=version)
    assert store.read(tenant).entries == (entry(reason="one"),)
    assert len(store.audit(tenant, limit=9, after=None, member=None).records) == 1
    assert store.standing(OwnRole("1" * 12, tenant), tenant, NOON) is RoleStanding.UNKNOWN


def test_of_eight_writes_at_once_one_wins(store: AccessStore, tenant: str) -> None:
    together = Barrier(8)

    def write(number: int) -> bool:
        together.wait()
        try:
            store.write(tenant, AccessChange(record(number), put=entry(f"U{number}")), version=0)
        except AccessOvertaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert won.count(True) == 1
    assert [one.id for one in store.read(tenant).entries] == [f"U{won.index(True)}"]
    assert len(store.audit(tenant, limit=9, after=None, member=None).records) == 1


def test_tenants_see_nothing_of_one_another(store: AccessStore, tenant: str) -> None:
    put(store, tenant, entry(), 0)
    for other in (tenant + "X", tenant[:-1], f"iam-{tenant}"):
        assert store.read(other).entries == ()
        assert store.audit(other, limit=9, after=None, member=None).records == []


def test_a_role_speaks_for_whom_it_was_written_until_its_end(store: AccessStore, tenant: str) -> None:
    role = OwnRole("210987654321", f"painters-{tenant}")
    other = tenant + "X"

    def speak(until: datetime | None) -> None:
        version = store.read(tenant).version
        store.write(tenant, AccessChange(record(version), put=entry(), speaking=((role, until),)), version=version)

    assert store.standing(role, tenant, NOON) is RoleStanding.UNKNOWN
    speak(NOON + timedelta(hours=1))
    assert store.standing(role, tenant, NOON) is RoleStanding.SPEAKS
    # What spoke once stays silent afterwards: its sessions outlive it.
    assert store.standing(role, tenant, NOON + timedelta(hours=1)) is RoleStanding.SILENT
    assert store.standing(role, other, NOON) is RoleStanding.SILENT
    assert store.standing(OwnRole("1" * 12, role.name), tenant, NOON) is RoleStanding.UNKNOWN
    speak(None)
    assert store.standing(role, tenant, NOON + timedelta(days=900)) is RoleStanding.SPEAKS
    speak(NOON)
    assert store.standing(role, tenant, NOON) is RoleStanding.SILENT


def test_the_audit_trail_comes_in_pages_newest_first(store: AccessStore, tenant: str) -> None:
    for number in range(5):
        change = AccessChange(record(number, before={"a": [1]}, place="C1"), put=entry(f"U{number}"))
        store.write(tenant, change, version=number)
    found, after = [], None
    for _ in range(3):
        page = store.audit(tenant, limit=2, after=after, member=None)
        found += page.records
        after = page.after
    assert after is None
    assert found == [record(number, before={"a": [1]}, place="C1") for number in reversed(range(5))]


def test_the_audit_trail_of_a_member_is_what_they_did_and_what_was_done_about_them(
    store: AccessStore, tenant: str
) -> None:
    for number, (member, subject) in enumerate(
        [("U1", "member#U2"), ("U2", "channel#U1"), ("U3", "member#U1"), ("U1", "words"), ("U3", "member#U11")]
    ):
        change = AccessChange(record(number, member=member, subject=subject), put=entry())
        store.write(tenant, change, version=number)

    def ids(limit: int) -> list[str]:
        found, after = [], None
        while True:
            page = store.audit(tenant, limit=limit, after=after, member="U1")
            found += [one.id[-1] for one in page.records]
            if (after := page.after) is None:
                return found

    assert ids(9) == ids(1) == ["3", "2", "0"]


# Use cases over the stores: what must hold when several people change grants at the same time.


@pytest.fixture
def ports(store: AccessStore) -> AccessPorts:
    # It waits for real: threads are to get out of one another's way.
    return AccessPorts(store, SystemClock(), time.sleep)


def grant(ports: AccessPorts, caller: Caller, kind: SubjectKind, name: str, role: str) -> Entry:
    return put_grant(caller, kind, name, PutGrant(role=role), stack_roles=STACK_ROLES, api_arn=API_ARN, ports=ports)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """All of them in threads of their own, started together; what each returned or raised."""
    together = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        together.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_admins_who_revoke_one_another_leave_one(ports: AccessPorts, tenant: str) -> None:
    people = {name: Caller(tenant, name, f"arn:{name}") for name in ("U1", "U2")}
    for name in people:
        grant(ports, people["U1"], SubjectKind.MEMBER, name, "admin")
    for _ in range(5):
        results = at_once(
            partial(remove_entry, people["U1"], Effect.GRANT, SubjectKind.MEMBER, "U2", ports),
            partial(remove_entry, people["U2"], Effect.GRANT, SubjectKind.MEMBER, "U1", ports),
        )
        assert {type(result) for result in results} == {Entry, LastAdmin}
        left = admins(ports.store.read(tenant).entries, datetime.now(UTC))
        [removed] = [result.id for result in results if isinstance(result, Entry)]
        assert left == set(people) - {removed}
        grant(ports, people[left.pop()], SubjectKind.MEMBER, removed, "admin")


def test_of_many_who_install_at_once_one_is_the_first_admin(ports: AccessPorts, tenant: str) -> None:
    people = [Caller(tenant, f"U{number}", "arn") for number in range(6)]
    results = at_once(*(partial(ensure_first_admin, one, stack_roles=STACK_ROLES, ports=ports) for one in people))
    assert sorted(results, key=str) == [False] * 5 + [True]
    assert admins(ports.store.read(tenant).entries, datetime.now(UTC)) == {f"U{results.index(True)}"}
    assert len(ports.store.audit(tenant, limit=9, after=None, member=None).records) == 1


def test_no_change_of_many_at_once_is_lost(ports: AccessPorts, tenant: str) -> None:
    ada = Caller(tenant, "U0ADA", "arn")
    calls = [partial(grant, ports, ada, SubjectKind.CHANNEL, f"C{number}", "artist") for number in range(5)]
    results = at_once(*calls)
    assert [type(result) for result in results] == [Entry] * 5, results
    current = ports.store.read(tenant)
    assert {one.id for one in current.entries} == {f"C{number}" for number in range(5)}
    assert current.version == 5
    assert len(ports.store.audit(tenant, limit=9, after=None, member=None).records) == 5


def test_a_reader_notices_that_it_sees_only_a_part_of_a_change(
    aws: Clients, tables: tuple[str, str], tenant: str
) -> None:
    store = DynamoAccessStore(aws.of("dynamodb"), *tables)
    now = datetime.now(UTC)
    fresh = record(0).model_copy(update={"at": now})
    store.write(tenant, AccessChange(fresh, put=entry()), version=0)
    assert store.read(tenant).is_settled
    key = {"tenant": {"S": tenant}, "entry": {"S": entry().key}}
    item = aws("dynamodb").get_item(TableName=tables[0], Key=key)["Item"]
    aws("dynamodb").delete_item(TableName=tables[0], Key=key)
    assert not store.read(tenant).is_settled
    aws("dynamodb").put_item(TableName=tables[0], Item=item)
    gone = record(1).model_copy(update={"at": now})
    store.write(tenant, AccessChange(gone, removed=entry().key), version=1)
    assert store.read(tenant).is_settled
    aws("dynamodb").put_item(TableName=tables[0], Item=item)
    assert not store.read(tenant).is_settled


def test_what_has_an_end_is_kept_for_a_month_after_it(aws: Clients, tables: tuple[str, str], tenant: str) -> None:
    store = DynamoAccessStore(aws.of("dynamodb"), *tables)
    ending = entry(ends_at=NOON)
    store.write(tenant, AccessChange(record(0), put=ending, speaking=((OWN, NOON),)), version=0)
    put(store, tenant, entry("U2"), 1)
    items = aws("dynamodb").query(
        TableName=tables[0],
        KeyConditionExpression="tenant = :tenant",
        ExpressionAttributeValues={":tenant": {"S": tenant}},
    )["Items"]
    expiries = {item["entry"]["S"]: item.get("expires_at", {}).get("N") for item in items}
    month_later = str(int((NOON + timedelta(days=30)).timestamp()))
    assert expiries == {"grant#member#U0ADA": month_later, "grant#member#U2": None, "meta": None}
    role = {"tenant": {"S": f"role#{OWN.account}#{OWN.name}"}, "entry": {"S": f"tenant#{tenant}"}}
    assert aws("dynamodb").get_item(TableName=tables[0], Key=role)["Item"]["expires_at"]["N"] == month_later
