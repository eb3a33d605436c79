"""`/imagine` through the real Bolt app in a local Slack workspace, up to the posted picture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.ports.backend import ApiRefused
from tests.fakes.bot_workspace import BotInWorkspace


@pytest.fixture(scope="module")
def running() -> Iterator[BotInWorkspace]:
    bot = BotInWorkspace()
    yield bot
    bot.stop()


@pytest.fixture
def bot(running: BotInWorkspace) -> BotInWorkspace:
    """A fresh channel would cost more than forgetting: what a test looks at is what came since its start."""
    running.workspace.clear_faults()
    running.api.refusal = None
    running.queue.is_down = False
    running.queue.sent.clear()
    running._worked = 0
    running.workspace.clear_log()
    return running


def test_a_command_becomes_a_placeholder_and_then_the_picture(bot: BotInWorkspace) -> None:
    outcome = bot.ada.run_command("#design", "/imagine a red boat --n 2 —seed 7")
    assert outcome.ok and not outcome.text
    bot.work()

    placeholder = bot.ada.messages("#design")[-1]
    assert placeholder.is_from_app and placeholder.says("a red boat") and placeholder.says("Waiting for the GPU")
    assert placeholder.buttons == ["Cancel"]

    job_id = bot.announce("JobProgressed", step=4, steps=10)
    assert bot.ada.messages("#design")[-1].says("40 %")
    bot.announce("JobSucceeded", job_id)

    result = bot.ada.messages("#design")[-1]
    assert result.ts == placeholder.ts
    assert len(result.pictures) == 1 and result.pictures[0]["type"] == "image"
    assert result.says("`7`") and result.says("`8`") and result.says("tiny-world")
    assert result.buttons == ["1", "2", "Redo", "Edit", "Delete"]
    content = bot.workspace.download(result.pictures[0]["slack_file"]["id"])
    assert f"jobs/{job_id}/grid.png".encode() in content, "the PNG arrives with its metadata"


def test_every_button_of_a_result_works(bot: BotInWorkspace) -> None:
    bot.ada.run_command("#design", "/imagine a red boat --n 2 --seed 7")
    bot.work()
    bot.announce("JobSucceeded")
    result = bot.ada.messages("#design")[-1]

    assert bot.grace.press(result, "2").ok
    bot.work()
    single = bot.ada.messages("#design", thread_ts=result.ts)[-1]
    assert single.pictures and single.says("Picture 2") and single.says("`8`")

    assert bot.grace.press(result, "Redo").ok
    bot.work()
    bot.announce("JobSucceeded")
    redone = bot.ada.messages("#design", thread_ts=result.ts)[-1]
    assert redone.pictures and not redone.says("`7`")

    assert bot.grace.press(result, "Delete").ok
    bot.work()
    assert any(message.says("who asked for it") for message in bot.grace.ephemerals("#design"))
    assert bot.ada.press(result, "Delete").ok
    bot.work()
    [root, *_] = bot.ada.messages("#design", thread_ts=result.ts)
    assert root.says("Deleted by") and not root.pictures and not root.says("boat")


def test_a_mistake_is_answered_at_once_to_the_person_alone(bot: BotInWorkspace) -> None:
    before = len(bot.ada.messages("#design"))
    assert bot.ada.run_command("#design", "/imagine a red boat --stepz 20").ok

    answer = bot.ada.ephemerals("#design")[-1]
    assert "`--stepz` is not an option of /imagine. Did you mean `--steps`?" in answer.text
    assert bot.queue.sent == [] and len(bot.grace.messages("#design")) <= before


def test_help_is_shown_to_the_person_alone(bot: BotInWorkspace) -> None:
    assert bot.ada.run_command("#design", "/imagine help").ok

    answer = bot.ada.ephemerals("#design")[-1]
    assert answer.says("In threads") and answer.says("--steps") and answer.says("can't") is False
    assert bot.queue.sent == []


def test_slack_delivering_a_command_three_times_makes_one_job(bot: BotInWorkspace) -> None:
    jobs, messages = len(bot.api.jobs), len(bot.grace.messages("#random"))
    bot.workspace.repeat_deliveries(times=3, kind="command")
    bot.ada.run_command("#random", "/imagine a blue star")
    bot.workspace.wait_for(lambda: len(bot.queue.sent) == 3, what="three deliveries")
    bot.work()

    assert len(bot.api.jobs) == jobs + 1 and len(bot.grace.messages("#random")) == messages + 1


def test_the_form_has_the_same_options_and_says_what_is_wrong_beside_the_field(bot: BotInWorkspace) -> None:
    bot.store.items.pop(f"models#{bot.server.workspace.settings.team_id}", None)
    bot.ada.run_command("#design", "/imagine")
    [view] = bot.ada.views()
    assert view.title == "Imagine"
    assert [option["value"] for option in bot.ada.suggestions(view, "model", "")] == ["tiny"]
    bot.work()
    assert [option["value"] for option in bot.ada.suggestions(view, "model", "LAR")] == ["large"]

    outcome = bot.ada.fill_and_submit(view, {"prompt": "a green fish", "seed": "99999999999"})
    assert "seed" in outcome.errors and "4294967295" in outcome.errors["seed"]

    values = {"prompt": "a green fish", "seed": "5", "cfg": "7.5", "ar": "3:2", "n": "2", "no": "bubbles"}
    outcome = bot.ada.fill_and_submit(view, values)
    assert outcome.ok and not outcome.errors and bot.ada.views() == []
    bot.work()
    body = bot.api.jobs[list(bot.api.jobs)[-1]]["body"]
    wanted = {"prompt": "a green fish", "seed": 5, "guidance_scale": 7.5, "aspect_ratio": "3:2", "pictures": 2}
    assert {**body, **wanted, "negative_prompt": "bubbles"} == body


def test_edit_opens_the_form_filled_in_and_paints_in_the_thread(bot: BotInWorkspace) -> None:
    bot.ada.run_command("#design", "/imagine a house --seed 3 --steps 9 --no trees")
    bot.work()
    bot.announce("JobSucceeded")
    result = bot.ada.messages("#design")[-1]

    assert bot.grace.press(result, "Edit").ok
    [view] = bot.grace.views()
    assert view.says("a house") or "a house" in str(view.raw)
    assert bot.grace.fill_and_submit(view, {"steps": "11"}).ok
    bot.work()

    body = bot.api.jobs[list(bot.api.jobs)[-1]]["body"]
    assert (body["prompt"], body["seed"], body["steps"], body["negative_prompt"]) == ("a house", 3, 11, "trees")
    assert bot.ada.messages("#design", thread_ts=result.ts)[-1].says("a house")


def test_where_the_bot_is_no_member_the_person_reads_what_to_do(bot: BotInWorkspace) -> None:
    bot.workspace.add_channel("elsewhere", members=["ada"])
    assert bot.ada.run_command("#elsewhere", "/imagine a red boat").ok
    bot.work()

    assert bot.ada.ephemerals("#elsewhere")[-1].says("/invite @easel")


def test_a_queue_that_is_down_is_told_with_a_reference_and_nothing_is_started(bot: BotInWorkspace) -> None:
    bot.queue.is_down = True
    assert bot.ada.run_command("#design", "/imagine a red boat").ok

    answer = bot.ada.ephemerals("#design")[-1]
    assert answer.says("could not take that") and answer.says("Reference") and bot.queue.sent == []


def test_a_refusal_shows_a_sentence_and_try_again_paints_it(bot: BotInWorkspace) -> None:
    bot.api.refusal = ApiRefused(503, {"code": "endpoint_unavailable", "message": "x"})
    bot.ada.run_command("#design", "/imagine a red heart")
    bot.work()
    failed = bot.ada.messages("#design")[-1]
    assert failed.says("takes no work") and failed.buttons == ["Try again"]

    bot.api.refusal = None
    bot.ada.press(failed, "Try again")
    bot.work()
    bot.announce("JobSucceeded")
    assert bot.ada.messages("#design")[-1].pictures


def test_a_lost_answer_to_the_placeholder_does_not_make_a_second_one(bot: BotInWorkspace) -> None:
    before = len(bot.grace.messages("#random"))
    bot.workspace.answer_status("chat.postMessage", status=500, is_applied=True)
    bot.ada.run_command("#random", "/imagine a yellow moon")
    bot.work()

    assert len(bot.grace.messages("#random")) == before + 1
    assert bot.grace.messages("#random")[-1].says("Waiting for the GPU")


def test_rate_limits_are_waited_out(bot: BotInWorkspace) -> None:
    bot.workspace.answer_status("chat.update", status=429, retry_after=1, count=1)
    bot.ada.run_command("#random", "/imagine a pink ring")
    bot.work()
    bot.workspace.answer_status("chat.update", status=429, retry_after=1, count=2)
    bot.announce("JobSucceeded")

    assert bot.grace.messages("#random")[-1].pictures


def test_a_prompt_full_of_markup_does_no_harm(bot: BotInWorkspace) -> None:
    prompt = "<!channel> *bold* `code` & <@U0EASELBOT> <https://example.com|click> \u202eevil 🚣 سفينة"
    bot.ada.run_command("#design", f"/imagine {prompt}")
    bot.work()
    bot.announce("JobSucceeded")

    result = bot.ada.messages("#design")[-1]
    assert result.pictures and "<!channel>" not in str(result.blocks[2:]) and "\u202e" not in str(result.blocks)
    assert "سفينة" in result.blocks[0]["text"]["text"] and "🚣" in result.blocks[0]["text"]["text"]


def test_a_prompt_of_two_thousand_characters_is_painted_and_a_longer_one_refused(bot: BotInWorkspace) -> None:
    bot.ada.run_command("#design", f"/imagine {'é' * 2000}")
    bot.work()
    bot.announce("JobSucceeded")
    assert bot.ada.messages("#design")[-1].pictures

    bot.ada.run_command("#design", f"/imagine {'x' * 10_000}")
    assert "10,000 characters" in bot.ada.ephemerals("#design")[-1].text


def test_no_token_signature_or_whole_prompt_is_logged(bot: BotInWorkspace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    prompt = "a very particular boat that nobody else would think of"
    bot.ada.run_command("#design", f"/imagine {prompt}")
    bot.work()
    bot.announce("JobSucceeded")
    bot.ada.press(bot.ada.messages("#design")[-1], "Redo")
    bot.work()

    lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name.startswith("easel")]
    assert lines
    for line in lines:
        assert "xoxb-" not in line and "v0=" not in line and prompt not in line
