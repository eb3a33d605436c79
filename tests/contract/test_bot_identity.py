"""Grants, sessions and the policy simulator on MiniStack, with IAM enforcement on."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.access import Effect, Entry
from backend_lambda.contract.actions import ROLE_ACTIONS, Action, resources
from backend_lambda.contract.guardrails import session_policy
from backend_lambda.contract.subjects import SubjectKind
from bot.aws.clients import AwsClients
from bot.aws.dynamo_grants import DynamoGrants
from bot.aws.iam_simulator import IamSimulator
from bot.aws.sts_sessions import MAX_CACHED, StsSessions, encode_id, session_name, source_identity
from bot.invocation import Invocation, Kind
from bot.ports.access import Answer, PolicySimulator, SimulationUnavailable, Tagged
from bot.ports.backend import Caller, Grant, RoleRefused
from bot.system_clock import SystemClock
from bot.wiring import wire_worker
from tests.contract.test_bot_store import bot_clients  # noqa: F401 - a fixture
from tests.fakes.bot import FakeClock
from tests.fakes.bot_access import API_ARN, FakeIam, role_arn

WORKER_VARIABLES = (
    "SLACK_SECRET_ARN", "INSTALLATIONS_TABLE", "TOKENS_KEY_ARN", "BOT_TABLE", "GRANTS_TABLE", "API_URL", "API_ARN",
    "DEFAULT_ENDPOINT", "PICTURES_BUCKET", "ADMITTED_WORKSPACES",
)  # fmt: skip


@pytest.fixture(scope="module")
def clients(bot_clients: AwsClients) -> AwsClients:  # noqa: F811
    return bot_clients


# ---------------------------------------------------------------- grants


def _entry(kind: SubjectKind, subject_id: str, **facts: Any) -> Entry:
    given = {"effect": Effect.GRANT, "kind": kind, "id": subject_id, "made_at": "2026-11-25T12:00:00Z", **facts}
    return Entry.model_validate(given)


@pytest.fixture(scope="module")
def grants_table(clients: AwsClients) -> str:
    table = f"grants-{uuid.uuid4().hex[:8]}"
    clients.get("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("tenant", "entry")],
        KeySchema=[{"AttributeName": "tenant", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
    )
    return table


def _put(clients: AwsClients, table: str, tenant: str, entry: str, **attributes: Any) -> None:
    item = {"tenant": {"S": tenant}, "entry": {"S": entry}, **attributes}
    clients.get("dynamodb").put_item(TableName=table, Item=item)


def test_a_tenants_entries_and_its_organisations_are_read_and_nobody_elses(
    clients: AwsClients, grants_table: str
) -> None:
    expected = [
        ("T1", _entry(SubjectKind.MEMBER, "U1", role="artist", role_arn=role_arn("artist"))),
        ("T1", _entry(SubjectKind.CHANNEL, "C1", effect=Effect.DENY, reason="spam", ends_at="2026-11-26T00:00:00Z")),
        ("E1", _entry(SubjectKind.ORG, "E1", role="artist", role_arn=role_arn("artist"))),
    ]
    for tenant, entry in [*expected, ("T2", _entry(SubjectKind.MEMBER, "U2", role="admin"))]:
        _put(clients, grants_table, tenant, entry.key, document={"S": entry.model_dump_json()})
    _put(clients, grants_table, "T1", "words", document={"S": '{"words": ["gore"]}'})
    _put(clients, grants_table, "T1", "meta", version={"N": "3"})
    grants = DynamoGrants(clients, grants_table)

    found = grants.entries("T1", "E1")
    assert len(found) == len(expected)
    assert {entry.key: entry for entry in found} == {entry.key: entry for _, entry in expected}
    assert {entry.key for entry in grants.entries("T1", "")} == {entry.key for of, entry in expected if of == "T1"}
    assert grants.entries("T9", "") == []


def test_an_entry_that_cant_be_read_is_no_missing_entry(clients: AwsClients, grants_table: str) -> None:
    _put(clients, grants_table, "T7", "deny#member#U1", document={"S": '{"effect": "forbid"}'})
    with pytest.raises(ValueError):
        DynamoGrants(clients, grants_table).entries("T7", "")


def test_more_than_a_page_of_entries_is_read(clients: AwsClients, grants_table: str) -> None:
    # DynamoDB answers at most 1 MB at once.
    for index in range(30):
        entry = _entry(SubjectKind.USERGROUP, f"S{index}", effect=Effect.DENY, reaches=["U" * 11] * 3_500)
        _put(clients, grants_table, "T8", entry.key, document={"S": entry.model_dump_json()})
    assert len(DynamoGrants(clients, grants_table).entries("T8", "")) == 30


# ---------------------------------------------------------------- sessions

API = "arn:aws:execute-api:us-east-1:000000000000:abcdefghij/v1"


@pytest.fixture(scope="module")
def role(clients: AwsClients) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": "T1"}},
    }
    return _make_role(clients, "artist", trust, list(ROLE_ACTIONS["artist"]))


def _make_role(clients: AwsClients, name: str, trust: dict[str, Any], actions: list[Action], path: str = "/") -> str:
    iam = clients._session.create_client("iam")
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=_policy([trust]))["Role"]["Arn"]
    allowed = [f"{API}/{route}" for action in actions for route in resources(action)]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": allowed}
    iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=_policy([statement]))
    return str(arn)


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_session_carries_the_caller_and_the_place_and_is_kept(clients: AwsClients, role: str) -> None:
    sessions = StsSessions(clients, SystemClock())
    grant, caller = Grant(role, "T1"), Caller("T1", "C1", "U1")
    ada = sessions.assume(grant, caller)
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1")) is ada
    policy = session_policy([Action.SEE], [], API)
    for other_grant, other_caller in (
        (grant, Caller("T1", "C1", "U2")),
        (grant, Caller("T1", "C2", "U1")),
        (grant, Caller("T1", "C1", "U1", "S1")),
        (Grant(role, "T1", policy), caller),
    ):
        other = sessions.assume(other_grant, other_caller)
        assert other is not ada and sessions.assume(other_grant, other_caller) is other
    assert time.time() + 3_000 < ada.expires_at <= time.time() + 3_600
    assert ada.secret_key not in repr(ada) and ada.session_token not in repr(ada)
    assert _arn_of(clients, ada).endswith("/T1.U1.C1")
    assert _arn_of(clients, sessions.assume(grant, Caller("T1", "C1", "U1", "S1"))).endswith("/T1.U1.C1.S1")


def _arn_of(clients: AwsClients, credentials: Any) -> str:
    sts = clients._session.create_client(
        "sts",
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
    )
    return str(sts.get_caller_identity()["Arn"])


def test_sessions_near_their_end_are_renewed(clients: AwsClients, role: str) -> None:
    clock = FakeClock()
    clock.time = time.time()
    sessions = StsSessions(clients, clock)
    first = sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1"))
    clock.sleep(3_000)
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1")) is first
    clock.sleep(400)
    assert sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1")) is not first


def test_so_many_are_kept_and_no_more(clients: AwsClients, role: str) -> None:
    sessions = StsSessions(clients, SystemClock())
    first = sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U1"))
    for index in range(MAX_CACHED):
        sessions._kept[Grant(role, "T1"), Caller("T1", "C1", f"X{index}")] = first
    sessions.assume(Grant(role, "T1"), Caller("T1", "C1", "U2"))
    assert len(sessions._kept) == MAX_CACHED


def test_a_wrong_external_id_is_refused(clients: AwsClients, role: str) -> None:
    with pytest.raises(RoleRefused):
        StsSessions(clients, SystemClock()).assume(Grant(role, "T2"), Caller("T2", "C1", "U1"))


IDS = st.text(max_size=30)
CALLERS = st.builds(Caller, IDS.filter(bool), IDS, IDS.filter(bool), IDS)


@settings(deadline=None)
@given(a=CALLERS, b=CALLERS)
def test_session_names_are_taken_by_sts_and_never_collide(a: Caller, b: Caller) -> None:
    for name in (session_name(a), session_name(b), source_identity(a)):
        assert 2 <= len(name) <= 64 and all(char.isascii() and (char.isalnum() or char in "=.") for char in name)
    assert (session_name(a) == session_name(b)) == (a == b)
    assert (source_identity(a) == source_identity(b)) == ((a.team, a.member) == (b.team, b.member))


def test_slacks_own_ids_stay_readable() -> None:
    caller = Caller("T0EASEL01", "C0EA000001", "U0EA000001")
    assert session_name(caller) == "T0EASEL01.U0EA000001.C0EA000001"
    assert source_identity(caller) == "T0EASEL01.U0EA000001"
    longest = Caller("T" * 15, "C" * 15, "U" * 15, "S" * 15)
    assert session_name(longest) == ".".join(("T" * 15, "U" * 15, "C" * 15, "S" * 15))
    assert session_name(Caller("T1", "", "U1")) == "T1.U1"
    assert session_name(Caller("T1", "", "U1", "S1")) == "T1.U1..S1"
    assert encode_id("a.b") == "a=2Eb"


# ---------------------------------------------------------------- the simulator


@pytest.fixture(scope="module", params=["fake", "IAM"])
def asked(request: pytest.FixtureRequest, clients: AwsClients, role: str) -> tuple[PolicySimulator, str, str]:
    """A simulator, an artist's role, and the API's ARN."""
    if request.param == "fake":
        return FakeIam(), role_arn("artist"), API_ARN
    return IamSimulator(clients), role, API


def test_a_role_is_asked_for_each_route(asked: tuple[PolicySimulator, str, str]) -> None:
    simulator, artist, api = asked
    arns = {
        f"{api}/POST/endpoints/tiny/jobs": Answer.ALLOWED,
        f"{api}/DELETE/jobs/job-1": Answer.ALLOWED,
        f"{api}/PUT/grants/member/U1": Answer.IMPLICIT_DENY,
        f"{api}/POST/trainings": Answer.IMPLICIT_DENY,
    }
    found = simulator.ask_role(Tagged(artist, Caller("T1", "C1", "U1")), list(arns))
    assert dict(found) == arns


def test_a_guardrail_is_asked_by_itself(asked: tuple[PolicySimulator, str, str]) -> None:
    simulator, _, api = asked
    policy = session_policy([Action.SEE, Action.PAINT], ["tiny"], api)
    arns = {
        f"{api}/GET/jobs/any": Answer.ALLOWED,
        f"{api}/POST/endpoints/tiny/jobs": Answer.ALLOWED,
        f"{api}/POST/endpoints/large/jobs": Answer.IMPLICIT_DENY,
        f"{api}/DELETE/jobs/any": Answer.IMPLICIT_DENY,
    }
    assert dict(simulator.ask_policy(policy, list(arns))) == arns


def test_an_explicit_deny_of_the_role_is_told_apart(clients: AwsClients, role: str) -> None:
    iam = clients._session.create_client("iam")
    name = role.rpartition("/")[2]
    deny = {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": f"{API}/DELETE/*"}
    iam.put_role_policy(RoleName=name, PolicyName="deny", PolicyDocument=_policy([deny]))
    try:
        answers = IamSimulator(clients).ask_role(
            Tagged(role, Caller("T1", "C1", "U1")), [f"{API}/DELETE/jobs/x", f"{API}/GET/jobs"]
        )
        assert list(answers.values()) == [Answer.EXPLICIT_DENY, Answer.ALLOWED]
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="deny")


class AnsweringIam:
    """IAM's client as AWS documents it: all resources in one result, perhaps in pages."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def simulate_custom_policy(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        pages = [call["ResourceArns"][:1], call["ResourceArns"][1:]]
        at = int(call.get("Marker", 0))
        each = [{"EvalResourceName": arn, "EvalResourceDecision": "explicitDeny"} for arn in pages[at]]
        result = {"EvalActionName": "x", "EvalResourceName": "*", "EvalDecision": "explicitDeny"}
        more: dict[str, Any] = {"IsTruncated": True, "Marker": "1"} if at == 0 else {"IsTruncated": False}
        return {"EvaluationResults": [{**result, "ResourceSpecificResults": each}], **more}


class SomeClients:
    """Hands out one client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, service: str) -> Any:
        """Whatever is asked for."""
        return self._client


def test_answers_for_each_resource_are_read_from_one_call() -> None:
    iam = AnsweringIam()
    simulator = IamSimulator(SomeClients(iam))  # type: ignore[arg-type]
    assert simulator.ask_policy("{}", ["a", "b", "c"]) == dict.fromkeys("abc", Answer.EXPLICIT_DENY)
    assert [call.get("Marker") for call in iam.calls] == [None, "1"]


def test_a_role_that_iam_cant_be_asked_about_is_unavailable(clients: AwsClients) -> None:
    class Refusing:
        def simulate_principal_policy(self, **call: Any) -> dict[str, Any]:
            return clients.get("iam").get_role(RoleName="nobody-has-this-one")  # type: ignore[no-any-return]

    simulator = IamSimulator(SomeClients(Refusing()))  # type: ignore[arg-type]
    with pytest.raises(SimulationUnavailable, match="NoSuchEntity"):
        simulator.ask_role(Tagged("arn:aws:iam::1:role/x", Caller("T1", "C1", "U1")), ["a"])


# ---------------------------------------------------------------- the whole of it


def test_the_worker_is_wired_with_all_of_them(clients: AwsClients) -> None:
    secrets = clients.get("secretsmanager")
    document = json.dumps({"signing_secret": "s1", "bot_token": "xoxb-1", "team_id": "T1"})
    arn = secrets.create_secret(Name=f"slack-{uuid.uuid4().hex[:8]}", SecretString=document)["ARN"]
    given = dict.fromkeys(WORKER_VARIABLES, "some-name")
    function = wire_worker({**given, "SLACK_SECRET_ARN": arn, "API_URL": "https://a.example/v1", "API_ARN": API})
    deps = function.deps_for(Invocation(Kind.ADMIN, "k", "T1", "C1", "U1", 1.0))
    assert isinstance(deps.simulator, IamSimulator) and isinstance(deps.authority.grants, DynamoGrants)
    assert deps.authority.api_arn == API
    assert function.deps_for(Invocation(Kind.ADMIN, "k", "T2", "C1", "U1", 1.0)).authority is deps.authority
