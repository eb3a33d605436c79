"""The operator's commands about grants, against MiniStack's tables."""

from __future__ import annotations

import sys
from typing import Any

import boto3
import pytest

from backend_lambda.access_ports import AccessPorts
from backend_lambda.aws.clients import Clients
from backend_lambda.callers import Caller
from backend_lambda.contract.access import PutGrant
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.list_audit import list_audit
from backend_lambda.usecases.put_grant import put_grant
from deploy import __main__ as command
from deploy.access import Operator
from tests.contract.conftest import make_access_tables
from tests.fakes.backend_access import API_ARN

TEAM = "T0123ABCD"


class Session:
    """The part of a boto3 session that the deploy steps use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = boto3.Session("test", "test", region_name="us-east-1")

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._url)


@pytest.fixture
def session(ministack_url: str) -> Session:
    return Session(ministack_url)


@pytest.fixture
def outputs(aws: Clients) -> dict[str, str]:
    grants, audit = make_access_tables(aws)
    roles = {
        f"{name.title()}RoleArn": f"arn:aws:iam::000000000000:role/easel-{name}"
        for name in ("artist", "trainer", "operator", "admin")
    }
    return {"GrantsTableName": grants, "AuditTableName": audit, **roles}


@pytest.fixture
def run(session: Session, outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """Runs `python -m deploy …`; answers the exit status and what was printed."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(command, "stack_outputs", lambda session, stack: outputs)
        monkeypatch.setattr(sys, "argv", ["deploy", *arguments])
        status = command.main(session)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


@pytest.fixture
def ports(session: Session, outputs: dict[str, str]) -> AccessPorts:
    return Operator.of(session, outputs).ports


def test_grants_are_written_as_the_api_writes_them(run: Any, ports: AccessPorts) -> None:
    assert run("grant-workspace", TEAM)[0] == 0
    assert run("grant-admin", TEAM, "U0123ABCD")[0] == 0
    workspace, member = sorted(ports.store.read(TEAM).entries, key=lambda entry: entry.kind.specificity)
    assert (workspace.key, workspace.role, workspace.role_arn) == (
        f"grant#workspace#{TEAM}",
        "artist",
        "arn:aws:iam::000000000000:role/easel-artist",
    )
    assert (member.key, member.role, member.ends_at) == ("grant#member#U0123ABCD", "admin", None)
    ada = Caller(TEAM, "U0ADA", "arn")
    records = list_audit(ada, ports, limit=9, position=None, member=None).entries
    assert [record.action for record in records] == ["put_grant", "put_grant"]
    assert {record.principal for record in records} == {"arn:aws:iam::000000000000:root"}
    assert {record.member for record in records} == {"operator:root"}
    status, printed = run("grants", TEAM)
    assert status == 0
    assert [line.split("  ")[:2] for line in printed.splitlines()] == [
        [f"grant workspace {TEAM}", "artist"],
        ["grant member U0123ABCD", "admin"],
    ]


def test_a_role_of_ones_own_and_its_external_id(run: Any, ports: AccessPorts) -> None:
    arn = "arn:aws:iam::210987654321:role/easel/painters"
    assert run("grant-workspace", TEAM, "--role", arn, "--external-id", f"{TEAM}:7f3a")[0] == 0
    [entry] = ports.store.read(TEAM).entries
    assert (entry.role, entry.role_arn, entry.external_id) == (None, arn, f"{TEAM}:7f3a")
    for wrong in ("arn:aws:iam::210987654321:role/painters", "king"):
        status, printed = run("grant-workspace", TEAM, "--role", wrong)
        assert status == 1
        assert "below the path /easel/" in printed


def test_an_organisation_gets_one_of_the_stacks_roles(run: Any, ports: AccessPorts) -> None:
    assert run("grant-org", "E0123ABCD", "--role", "artist")[0] == 0
    [entry] = ports.store.read("E0123ABCD").entries
    assert (entry.kind, entry.id, entry.role) == (SubjectKind.ORG, "E0123ABCD", "artist")
    status, printed = run("grant-org", "E0123ABCD", "--role", "arn:aws:iam::210987654321:role/easel/painters")
    assert (status, printed) == (1, "Not done: There is no such role. Allowed: artist, trainer, operator, admin.\n")
    assert run("revoke", "E0123ABCD", "org", "E0123ABCD")[0] == 0
    assert run("grants", "E0123ABCD") == (0, "There is none.\n")


def test_limits_outlast_a_new_role_and_the_last_admin_stays(run: Any, ports: AccessPorts, outputs: Any) -> None:
    run("grant-admin", TEAM, "U0123ABCD")
    roles = {"artist": outputs["ArtistRoleArn"]}
    ada = Caller(TEAM, "U0123ABCD", "arn")
    limited = PutGrant(role="artist", limits={"images_per_day": 5})
    put_grant(ada, SubjectKind.WORKSPACE, TEAM, limited, stack_roles=roles, api_arn=API_ARN, ports=ports)
    assert run("grant-workspace", TEAM, "--role", "trainer")[0] == 0
    entry = ports.store.read(TEAM).entry(f"grant#workspace#{TEAM}")
    assert entry is not None
    assert (entry.role, entry.limits.images_per_day) == ("trainer", 5)
    status, printed = run("revoke", TEAM, "member", "U0123ABCD")
    assert status == 1
    assert "nobody who may grant" in printed
    assert run("revoke", TEAM, "member", "U0EVE") == (0, "There is none.\n")


@pytest.mark.parametrize("wrong", ["t0123abcd", "acme", "T", "U0123ABCD", "T0123ABCD\n"])
def test_what_is_no_workspace_is_not_asked_about(run: Any, wrong: str) -> None:
    with pytest.raises(SystemExit):
        run("grants", wrong)


def test_a_workspace_is_no_organisation(run: Any) -> None:
    for arguments in (("grant-workspace", "E1"), ("grant-org", "T1", "--role", "artist")):
        with pytest.raises(SystemExit):
            run(*arguments)


def test_an_operator_limits_an_iam_principal_as_a_whole_and_takes_it_back(run: Any) -> None:
    farm = "iam-111122223333-render-farm"
    status, printed = run("limit", farm, "--images", "40", "--jobs", "2")
    assert status == 0 and "images_per_day=40" in printed and "jobs_at_once=2" in printed
    assert run("limit", farm, "--member", "i-1", "--gpu-seconds", "90")[0] == 1, "a session's name is anybody's"
    assert "images_per_day=40" in run("grants", farm)[1] and "i-1" not in run("grants", farm)[1]
    assert run("revoke", farm, "workspace", farm)[0] == 0
    assert "There is none" in run("grants", farm)[1]


def test_an_operator_denies_a_whole_organisation_and_lifts_it(run: Any) -> None:
    status, printed = run("deny", "E0ACME", "org", "E0ACME", "--reason", "contract ended")
    assert status == 0 and "deny org E0ACME" in printed and "(contract ended)" in printed
    assert run("revoke", "E0ACME", "org", "E0ACME", "--deny")[0] == 0
    assert "There is none" in run("grants", "E0ACME")[1]


def test_limiting_a_workspace_keeps_its_role_and_nothing_is_limited_by_nothing(run: Any) -> None:
    assert run("grant-workspace", TEAM)[0] == 0
    status, printed = run("limit", TEAM, "--images", "40")
    assert status == 0 and "artist" in printed and "images_per_day=40" in printed
