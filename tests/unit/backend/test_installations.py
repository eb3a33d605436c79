"""Workspaces that have installed Easel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from backend_lambda.contract.access import Effect
from backend_lambda.events.batch import handle_batch
from backend_lambda.events.installations import handle_message
from tests.fakes.backend import FakeBackend
from tests.fakes.backend_access import STACK_ROLES
from tests.fakes.backend_events import sqs_batch

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:easel-WorkspacesFunction-1:live"


def installed(tenant: str = "T0EASEL", member: str = "U0ADA", **more: Any) -> str:
    """EventBridge's event about an installation."""
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "WorkspaceInstalled",
            "source": "easel.bot",
            "account": "123456789012",
            "time": "2026-11-23T12:00:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail": {"version": 1, "tenant": tenant, "member": member, "at": "2026-11-23T12:00:00Z"} | more,
        }
    )


def handle(backend: FakeBackend, *bodies: str) -> list[str]:
    """Ids of the messages that failed."""
    answer = handle_batch(
        sqs_batch(*bodies), None, lambda body: handle_message(body, FUNCTION, STACK_ROLES, backend.access_ports)
    )
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_whoever_installed_is_the_first_admin_however_often_it_is_told() -> None:
    backend = FakeBackend()
    bodies = [installed(), installed(), installed(member="U0EVE"), installed("E0ORG", "U0BOB", channel="C1"), "no"]
    assert handle(backend, *bodies) == ["message-4"]
    for tenant, member in (("T0EASEL", "U0ADA"), ("E0ORG", "U0BOB")):
        [entry] = backend.access.read(tenant).entries
        assert (entry.effect, entry.id, entry.role, entry.role_arn) == (
            Effect.GRANT,
            member,
            "admin",
            STACK_ROLES["admin"],
        )
        [record] = backend.access.records[tenant]
        assert (record.member, record.principal, record.action) == (member, FUNCTION, "put_grant")


def test_who_installs_in_one_workspace_is_no_admin_over_the_organisations() -> None:
    backend = FakeBackend()
    assert handle(backend, installed("E0ORG", "U0BOB"), installed("T0EASEL", "U0EVE", organisation="E0ORG")) == []
    assert backend.access.read("T0EASEL").entries == ()
    [entry] = backend.access.read("E0ORG").entries
    assert entry.id == "U0BOB"


def test_where_the_organisation_has_no_admin_the_workspaces_installer_is_its_first() -> None:
    backend = FakeBackend()
    assert handle(backend, installed("T0EASEL", "U0ADA", organisation="E0ORG")) == []
    assert handle(backend, installed("E0ORG", "U0BOB")) == []
    assert [entry.id for entry in backend.access.read("T0EASEL").entries] == ["U0ADA"]
    assert [entry.id for entry in backend.access.read("E0ORG").entries] == ["U0BOB"]


@pytest.mark.parametrize(
    "wrong",
    [{"organisation": "iam-1-ci"}, {"tenant": "iam-1-ci"}, {"tenant": "T1#meta"}, {"member": ""}, {"member": "u1"}],
)
def test_ids_that_are_not_slacks_are_no_installation(wrong: dict[str, str]) -> None:
    backend = FakeBackend()
    assert handle(backend, installed(**wrong)) == ["message-0"]
    assert backend.access.tenants == {}


@settings(deadline=None)
@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    backend = FakeBackend()
    with pytest.raises(ValidationError):
        handle_message(text, FUNCTION, STACK_ROLES, backend.access_ports)
    assert backend.access.tenants == {}
