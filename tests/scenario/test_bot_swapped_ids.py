"""Ids of one workspace in what another one's members send: whatever is swapped in, nothing happens, and it is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from commands.sentences import stale_button
from commands.views.action_ids import CANCEL, DELETE, EDIT, PICTURE, QUEUED_ACTIONS, REDO, RETRY
from deploy.local.slack.client_types import Message
from tests.fakes.bot_settings import ACME, GLOBEX
from tests.fakes.bot_workspace import BotInWorkspace
from tests.scenario.signed_interactions import press_payload, send_signed, submit_payload

OURS, THEIRS = "T0EASEL01", "T0EASEL02"
QUEUED = [REDO, RETRY, DELETE, CANCEL, f"{PICTURE}1"]


@pytest.fixture
def bot() -> Iterator[BotInWorkspace]:
    """Two workspaces with the app, and a picture in the first."""
    bot = BotInWorkspace(beside=[GLOBEX], **ACME)
    for workspace in bot.workspaces:
        assert bot.install(workspace).status_code == 200
    assert bot.ada.run_command("#design", "/imagine a red boat").ok
    bot.work()
    bot.announce("JobSucceeded")
    yield bot
    bot.stop()


def picture(bot: BotInWorkspace) -> Message:
    [shown] = [message for message in bot.ada.messages("#design") if message.pictures]
    return shown


def seen(bot: BotInWorkspace) -> list[Any]:
    """Everything that a press in the first workspace can change."""
    messages = [message for message in bot.ada.messages("#design") if message.user != bot.ada.id]
    threads = [bot.ada.messages("#design", one.ts) for one in messages if not one.is_ephemeral]
    return [messages, threads, len(bot.api.jobs), len(bot.workspace.api_calls("views.open"))]


def test_every_button_that_is_queued_is_tried() -> None:
    assert set(QUEUED) == {*QUEUED_ACTIONS, f"{PICTURE}1"}


@pytest.mark.parametrize("action_id", QUEUED)
def test_a_button_of_one_workspace_does_nothing_in_the_other(bot: BotInWorkspace, action_id: str) -> None:
    shown, [job_id] = picture(bot), list(bot.api.jobs)
    ada_there = bot.workspaces[1].as_member("ada")
    before = seen(bot)
    assert send_signed(bot, press_payload(shown, action_id, job_id, THEIRS, ada_there.id))["statusCode"] == 200
    [pressed] = bot.work()
    assert (pressed.team, pressed.value, pressed.message_ts) == (THEIRS, job_id, shown.ts)
    assert seen(bot) == before and bot.api.jobs[job_id]["tenant"] == OURS
    assert ada_there.messages("@easel")[-1].says(stale_button().sentence)

    # The very same in the workspace that it is from is not for nothing.
    assert send_signed(bot, press_payload(shown, action_id, job_id, OURS, bot.ada.id))["statusCode"] == 200
    assert len(bot.work()) == 1 and seen(bot) != before


def test_edit_of_one_workspaces_picture_opens_no_form_in_the_other(bot: BotInWorkspace) -> None:
    shown, [job_id] = picture(bot), list(bot.api.jobs)
    ada_there = bot.workspaces[1].as_member("ada")
    before = seen(bot)
    assert send_signed(bot, press_payload(shown, EDIT, job_id, THEIRS, ada_there.id))["statusCode"] == 200
    assert seen(bot) == before and bot.workspaces[1].api_calls("views.open") == [] and ada_there.views() == []
    assert send_signed(bot, press_payload(shown, EDIT, job_id, OURS, bot.ada.id))["statusCode"] == 200
    assert seen(bot) != before


def test_a_form_with_the_metadata_of_another_workspaces_form_is_refused(bot: BotInWorkspace) -> None:
    ada_there = bot.workspaces[1].as_member("ada")
    metadata = {"channel": picture(bot).channel, "thread_ts": picture(bot).ts, "response_url": None, "team": OURS}
    before = seen(bot)
    answer = send_signed(bot, submit_payload(THEIRS, ada_there.id, metadata, "a blue house"))
    assert answer["statusCode"] == 200 and "errors" in answer["body"]
    assert bot.work() == [] and seen(bot) == before
    # In its own workspace it paints.
    answer = send_signed(bot, submit_payload(OURS, bot.ada.id, metadata, "a blue house"))
    assert answer["body"] == "" and len(bot.work()) == 1 and len(bot.api.jobs) == 2


def test_a_form_that_names_another_workspaces_channel_paints_nowhere(bot: BotInWorkspace) -> None:
    ada_there = bot.workspaces[1].as_member("ada")
    metadata = {"channel": picture(bot).channel, "thread_ts": None, "response_url": None, "team": THEIRS}
    before = seen(bot)
    assert send_signed(bot, submit_payload(THEIRS, ada_there.id, metadata, "a blue house"))["body"] == ""
    assert len(bot.work()) == 1 and seen(bot) == before
    assert ada_there.messages("@easel"), "they are told"
