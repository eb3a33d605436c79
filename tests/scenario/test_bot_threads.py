"""Mentions in channels, threads and direct messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.bot_workspace import BotInWorkspace


@pytest.fixture(scope="module")
def bot() -> Iterator[BotInWorkspace]:
    bot = BotInWorkspace()
    yield bot
    bot.stop()


def _wait_until_queued(bot: BotInWorkspace, count: int) -> None:
    bot.workspace.wait_for(lambda: len(bot.queue.sent) >= count, what=f"{count} queued invocations")


def test_a_results_thread_goes_on_from_its_latest_job(bot: BotInWorkspace) -> None:
    bot.ada.run_command("#design", "/imagine a red boat on a white background --seed 7")
    bot.work()
    bot.announce("JobSucceeded")
    root = bot.ada.messages("#design")[-1]

    for text, wanted in (
        ("make it green", ("a green boat on a white background", 7, 1)),
        ("--seed 5 —n 2", ("a green boat on a white background", 5, 2)),
        ("make the background yellow", ("a green boat on a yellow background", 5, 2)),
        ("a blue house", ("a blue house", 5, 2)),
    ):
        queued = len(bot.queue.sent)
        bot.grace.mention(root, text)
        _wait_until_queued(bot, queued + 1)
        bot.work()
        bot.announce("JobSucceeded")
        body = bot.api.jobs[list(bot.api.jobs)[-1]]["body"]
        assert (body["prompt"], body["seed"], body["pictures"]) == wanted
        reply = bot.ada.messages("#design", thread_ts=root.ts)[-1]
        assert reply.pictures and reply.says(wanted[0])


def test_a_mention_in_a_channel_is_answered_in_its_thread(bot: BotInWorkspace) -> None:
    queued = len(bot.queue.sent)
    mention = bot.ada.mention("#random", "a yellow star & a moon --n 2")
    _wait_until_queued(bot, queued + 1)
    bot.work()
    bot.announce("JobSucceeded")

    reply = bot.ada.messages("#random", thread_ts=mention.ts)[-1]
    assert reply.pictures and reply.blocks[0]["text"]["text"] == "a yellow star & a moon"


def test_a_direct_message_needs_no_mention(bot: BotInWorkspace) -> None:
    queued = len(bot.queue.sent)
    bot.ada.post("@easel", "a purple heart")
    _wait_until_queued(bot, queued + 1)
    bot.work()
    bot.announce("JobSucceeded")
    assert bot.ada.messages("@easel")[-1].pictures
    assert len(bot.queue.sent) == queued + 1, "its own messages say nothing to it"


@pytest.mark.parametrize("text", ["", "help"])
def test_a_bare_mention_and_help_are_answered_with_help(bot: BotInWorkspace, text: str) -> None:
    before = len(bot.ada.ephemerals("#random"))
    bot.ada.mention("#random", text)
    bot.workspace.wait_for(lambda: len(bot.ada.ephemerals("#random")) > before, what="the help")
    assert bot.ada.ephemerals("#random")[-1].says("In threads")


def test_a_mistake_in_a_thread_is_shown_there_to_the_person_alone(bot: BotInWorkspace) -> None:
    root = bot.ada.post("#random", "look at this")
    before = len(bot.ada.ephemerals("#random"))
    bot.ada.mention(root, "--seed nine")
    bot.workspace.wait_for(lambda: len(bot.ada.ephemerals("#random")) > before, what="the sentence")
    answer = bot.ada.ephemerals("#random")[-1]
    assert "`--seed` can't be `nine`" in answer.text and answer.thread_ts == root.ts


def test_an_event_that_slack_delivers_again_makes_one_job(bot: BotInWorkspace) -> None:
    jobs, queued = len(bot.api.jobs), len(bot.queue.sent)
    bot.workspace.repeat_deliveries(times=3, kind="event")
    mention = bot.ada.mention("#random", "a cyan diamond")
    _wait_until_queued(bot, queued + 3)
    bot.work()

    assert len(bot.api.jobs) == jobs + 1
    assert len(bot.ada.messages("#random", thread_ts=mention.ts)) == 2
