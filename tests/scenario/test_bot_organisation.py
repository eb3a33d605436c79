"""An organisation's installation: Slack sends `team: null`. Which workspace is asked, Easel's own words tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from bot.invocation import Kind
from commands.views.action_ids import ADMIN_CONFIRM, DELETE, EDIT, REDO
from deploy.local.slack.client import LocalWorkspace
from deploy.local.slack.client_types import Message
from tests.fakes.bot_settings import ACME, GLOBEX, ORGANISATION
from tests.fakes.bot_workspace import BotInWorkspace
from tests.scenario.signed_interactions import press_payload, send_signed

E = ORGANISATION["enterprise_id"]
OURS, THEIRS, STRANGERS = "T0EASEL01", "T0EASEL02", "T0OTHER001"


@pytest.fixture
def bot() -> Iterator[BotInWorkspace]:
    """Two workspaces of one organisation, the app installed for all of it."""
    bot = BotInWorkspace(beside=[GLOBEX | ORGANISATION], **ACME, **ORGANISATION)
    assert bot.install(bot.workspace, is_org_wide=True).status_code == 200
    yield bot
    bot.stop()


def paint(bot: BotInWorkspace, workspace: LocalWorkspace) -> Message:
    assert workspace.as_member("ada").run_command("#design", "/imagine a red boat").ok
    bot.work()
    bot.announce("JobSucceeded")
    return workspace.as_member("ada").messages("#design")[-1]


def teams_in(workspace: LocalWorkspace) -> list[Any]:
    """What Slack said of the workspace in each interaction."""
    return [json.loads(parse_qs(one.body)["payload"][0])["team"] for one in workspace.deliveries("interaction")]


def pressed_by(bot: BotInWorkspace, shown: Message, action_id: str, user: Any, **facts: Any) -> None:
    """Press a button below a message as Slack tells it of an organisation's installation."""
    payload = press_payload(shown, action_id, list(bot.api.jobs)[-1], None, user, enterprise={"id": E}, **facts)
    assert send_signed(bot, payload)["statusCode"] == 200


def test_buttons_forms_and_confirmations_are_for_the_workspace_that_they_are_in(bot: BotInWorkspace) -> None:
    globex = bot.workspaces[1]
    ada = globex.as_member("ada")
    bot.access.grant(THEIRS, "member", ada.id, "admin")
    shown = paint(bot, globex)
    assert ada.press(shown, "Redo").ok
    assert ada.press(shown, "Edit").ok
    assert ada.fill_and_submit(ada.wait_for_view(), {"prompt": "a green tree"}).ok
    assert ada.run_command("#design", "/imagine-admin access grant @linus trainer").ok
    assert ada.press(ada.ephemerals("#design")[-1], "Confirm").ok
    worked = [one for one in bot.work() if one.kind is not Kind.REFRESH_MODELS]
    assert [one.kind for one in worked] == [Kind.REDO, Kind.PAINT, Kind.ADMIN_CONFIRMED]
    assert {(one.team, one.enterprise, one.actor_team) for one in worked} == {(THEIRS, E, THEIRS)}
    assert len(bot.api.jobs) == 3 and {job["tenant"] for job in bot.api.jobs.values()} == {THEIRS}
    assert [tenant for tenant, _ in bot.access.audit] == [THEIRS]
    assert teams_in(globex) == [None] * 4


@pytest.mark.parametrize("action_id", [REDO, DELETE, EDIT, ADMIN_CONFIRM])
def test_a_member_of_another_company_is_none_of_ours(bot: BotInWorkspace, action_id: str) -> None:
    """In a shared channel. Their own company's id in `user` is no word about whose installation is asked."""
    shown, zoe = paint(bot, bot.workspace), {"id": "U0ZOE", "team_id": STRANGERS}
    bot.access.grant(STRANGERS, "workspace", STRANGERS, "artist")
    jobs, sent = len(bot.api.jobs), len(bot.queue.sent)
    pressed_by(bot, shown, action_id, zoe)
    assert len(bot.queue.sent) == sent, "nobody says which workspace is asked"

    # The message says it, and it is one of ours: then they need a grant by name.
    pressed_by(bot, shown, action_id, zoe, message={"ts": shown.ts, "team": OURS})
    assert all((one.team, one.actor_team, one.is_external) == (OURS, STRANGERS, True) for one in bot.work())
    assert len(bot.api.jobs) == jobs and shown in bot.ada.messages("#design") and bot.access.audit == []


def test_a_message_that_is_none_of_ours_names_no_workspace(bot: BotInWorkspace) -> None:
    shown, sent = paint(bot, bot.workspace), len(bot.queue.sent)
    pressed_by(bot, shown, REDO, {"id": "U0ZOE", "team_id": STRANGERS}, message={"ts": shown.ts, "team": STRANGERS})
    pressed_by(bot, shown, REDO, {"id": "U0EVE", "team_id": THEIRS}, message={"ts": shown.ts, "team": THEIRS})
    assert len(bot.queue.sent) == sent
    pressed_by(bot, shown, REDO, {"id": bot.ada.id, "team_id": OURS})
    assert bot.work()[-1].team == OURS
