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

pytestmark = pytest.mark.stack


def items(stack: LocalStack, table: str) -> list[Any]:
    found: list[Any] = stack.session().client("dynamodb").scan(TableName=stack.outputs[table])["Items"]
    return found


def test_the_app_was_installed_through_the_pages_and_its_installer_is_admin(stack: LocalStack) -> None:
    team_id = stack.slack.settings.team_id
    operator = Operator.of(stack.session(), stack.outputs)
    ada = stack.slack.workspace.member("ada").id
    [admin] = [entry for entry in operator.grants(team_id) if entry.role == "admin"]
    assert (admin.effect, admin.id, admin.made_by) == (Effect.GRANT, ada, ada)

    secret = stack.session().client("secretsmanager").get_secret_value(SecretId=stack.outputs["SlackSecretArn"])
    assert set(json.loads(secret["SecretString"])) == {"signing_secret", "client_id", "client_secret"}
    stored = [item for item in items(stack, "InstallationsTableName") if item["pk"]["S"].startswith("installation#")]
    assert [item["pk"]["S"] for item in stored] == [f"installation#none#{team_id}"]
    content = b"".join(value.get("B", b"") + str(value.get("S", "")).encode() for value in stored[0].values())
    assert b"xox" not in content and stored[0]["installer"] == {"S": ada}


def test_a_return_without_a_beginning_installs_nothing(stack: LocalStack) -> None:
    page = httpx.get(f"{stack.api_url}/slack/oauth_redirect?code=c&state=s", trust_env=False)
    assert page.status_code == 400 and "did not begin in this browser" in page.text
    begun = httpx.get(f"{stack.api_url}/slack/install", trust_env=False)
    assert begun.status_code == 302 and begun.headers["location"].startswith(f"{stack.slack.url}/oauth/v2/authorize?")
    for path in ("install", "oauth_redirect"):
        assert httpx.post(f"{stack.api_url}/slack/{path}", trust_env=False).status_code == 403


def test_out_and_in_again(stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember) -> None:
    before = [entry for entry in items(stack, "GrantsTableName") if entry["entry"]["S"] != "meta"]

    def installed() -> list[Any]:
        return [one for one in items(stack, "InstallationsTableName") if one["pk"]["S"].startswith("installation#")]

    workspace.uninstall_app()
    deadline = time.monotonic() + 30
    while installed():
        assert time.monotonic() < deadline, "the tokens are still there"
        time.sleep(0.2)
    assert ada.run_command("#general", "/imagine a red boat").error == "unknown_command"

    install_app(f"{stack.api_url}/slack/install", workspace.url, "ada")
    assert len(installed()) == 1
    assert [one for one in items(stack, "GrantsTableName") if one["entry"]["S"] != "meta"] == before
    assert ada.run_command("#general", "/imagine a small red boat --seed 3 --steps 4").ok
    painted = ada.wait_for_message(
        "#general", lambda message: bool(message.pictures) and message.says("a small red boat"), timeout=90
    )
    assert painted.is_from_app
