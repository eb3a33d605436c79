"""The deployed install pages, with IAM enforcement on: the first admin, where tokens are, the way out and in again."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from backend_lambda.contract.access import Effect
from deploy.access import Operator
from deploy.local.install_app import install_app
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import jobs

pytestmark = pytest.mark.stack


def items(stack: LocalStack, table: str) -> list[Any]:
    found: list[Any] = stack.session().client("dynamodb").scan(TableName=stack.outputs[table])["Items"]
    return found


def installed(stack: LocalStack) -> list[Any]:
    return [one for one in items(stack, "InstallationsTableName") if one["pk"]["S"].startswith("installation#")]


def test_the_app_was_installed_through_the_pages_and_its_installer_is_admin(stack: LocalStack) -> None:
    team_id = stack.slack.settings.team_id
    operator = Operator.of(stack.session(), stack.outputs)
    ada = stack.slack.workspace.member("ada").id
    [admin] = [entry for entry in operator.grants(team_id) if entry.role == "admin"]
    assert (admin.effect, admin.id, admin.made_by) == (Effect.GRANT, ada, ada)

    secret = stack.session().client("secretsmanager").get_secret_value(SecretId=stack.outputs["SlackSecretArn"])
    assert set(json.loads(secret["SecretString"])) == {"signing_secret", "client_id", "client_secret"}
    stored = {one["pk"]["S"]: one for one in installed(stack)}
    assert set(stored) == {f"installation#none#{one.settings.team_id}" for one in stack.slack.workspaces}
    for item in stored.values():
        content = b"".join(value.get("B", b"") + str(value.get("S", "")).encode() for value in item.values())
        assert b"xox" not in content
    assert stored[f"installation#none#{team_id}"]["installer"] == {"S": ada}


def test_a_return_without_a_beginning_installs_nothing(stack: LocalStack) -> None:
    page = httpx.get(f"{stack.api_url}/slack/oauth_redirect?code=c&state=s", trust_env=False)
    assert page.status_code == 400 and "did not begin in this browser" in page.text
    begun = httpx.get(f"{stack.api_url}/slack/install", trust_env=False)
    assert begun.status_code == 302 and begun.headers["location"].startswith(f"{stack.slack.url}/oauth/v2/authorize?")
    for path in ("install", "oauth_redirect"):
        assert httpx.post(f"{stack.api_url}/slack/{path}", trust_env=False).status_code == 403


def test_out_and_in_again(stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember) -> None:
    before = [entry for entry in items(stack, "GrantsTableName") if entry["entry"]["S"] != "meta"]

    workspace.uninstall_app()
    deadline = time.monotonic() + 60
    while len(installed(stack)) == 2:
        assert time.monotonic() < deadline, "the tokens are still there"
        time.sleep(0.2)
    assert ada.run_command("#general", "/imagine a red boat").error == "unknown_command"

    install_app(f"{stack.api_url}/slack/install", workspace.url, "ada")
    assert len(installed(stack)) == 2
    assert [one for one in items(stack, "GrantsTableName") if one["entry"]["S"] != "meta"] == before
    assert ada.run_command("#general", "/imagine a small red boat --seed 3 --steps 4").ok
    painted = ada.wait_for_message(
        "#general", lambda message: bool(message.pictures) and message.says("a small red boat"), timeout=90
    )
    assert painted.is_from_app


def test_two_workspaces_paint_side_by_side_and_see_nothing_of_each_other(
    stack: LocalStack, workspace: LocalWorkspace
) -> None:
    with LocalWorkspace(stack.slack.urls[1]) as other:
        for place, prompt in ((workspace, "a small green circle"), (other, "a large yellow square")):
            assert place.as_member("ada").run_command("#random", f"/imagine {prompt} --steps 4").ok
        for place, ours, theirs in (
            (workspace, "a small green circle", "a large yellow square"),
            (other, "a large yellow square", "a small green circle"),
        ):
            grace = place.as_member("grace")
            grace.wait_for_message(
                "#random", lambda message, ours=ours: bool(message.pictures) and message.says(ours), timeout=120
            )
            assert not any(message.says(theirs) for message in grace.messages("#random"))
    first, second = (one.settings.team_id for one in stack.slack.workspaces)
    for prompt, tenant in (("a small green circle", first), ("a large yellow square", second)):
        assert {job["tenant"] for job in jobs(stack) if prompt in str(job)} == {tenant}
