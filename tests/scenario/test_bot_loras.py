"""LoRAs through the real Bolt app in a local workspace: painted with, looked after, brought in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend_lambda.contract.loras import LoraScope
from backend_lambda.contract.training_state import TrainingState
from bot.invocation import Kind
from commands.views.action_ids import LORA_SELECT
from deploy.local.slack.acting_member import ActingMember
from deploy.local.slack.client_types import Message
from tests.fakes.bot_workspace import BotInWorkspace
from tests.scenario.signed_interactions import press_signed, send_signed

SAFETENSORS = (2).to_bytes(8, "little") + b"{}"


@pytest.fixture(scope="module")
def running() -> Iterator[BotInWorkspace]:
    bot = BotInWorkspace()
    yield bot
    bot.stop()


@pytest.fixture
def bot(running: BotInWorkspace) -> BotInWorkspace:
    """Grace is a trainer and has made `mascot`; ada is an admin; linus paints."""
    running.workspace.clear_faults()
    running.queue.is_down = False
    running.queue.sent.clear()
    running._worked = 0
    running.store.items.clear()
    running.grant_as_at_the_start()
    running.access.grant(running.team, "member", running.grace.id, "trainer")
    running.registry.loras.clear()
    running.registry.trainings.clear()
    running.registry.policies.clear()
    running.registry.uploaded.clear()
    training = running.registry.add_training(running.team, "mascot", TrainingState.SUCCEEDED, running.grace.id)
    for _ in range(2):
        running.registry.add_lora(running.team, "mascot", running.grace.id, training_id=training.training_id)
    for member in (running.ada, running.grace):
        for view in member.views()[-1:]:
            member.close_view(view, is_all=True)
    return running


@pytest.fixture
def linus(bot: BotInWorkspace) -> ActingMember:
    return bot.workspace.as_member("linus")


def ask(bot: BotInWorkspace, member: ActingMember, command: str, channel: str = "#design") -> Message:
    """Type a command; the answer."""
    before = len(member.ephemerals(channel))
    assert member.run_command(channel, command).ok
    bot.work()
    answers = member.ephemerals(channel)
    assert len(answers) == before + 1, [answer.block_texts for answer in answers[before:]]
    return answers[-1]


def latest_body(bot: BotInWorkspace) -> dict[str, Any]:
    """What the backend was last asked to paint."""
    return dict(bot.api.jobs[list(bot.api.jobs)[-1]]["body"])


# ---------------------------------------------------------------- painting


def test_painted_with_two_then_refined_in_the_thread_and_redone(bot: BotInWorkspace) -> None:
    bot.registry.add_lora(bot.team, "ink")
    assert bot.ada.run_command("#design", "/imagine a zblx —lora mascot:0,8 --lora ink --seed 7").ok
    bot.work()
    bot.announce("JobSucceeded")
    picture = bot.ada.messages("#design")[-1]
    assert picture.says("mascot@2 0.8, ink@1 1") and picture.pictures

    bot.registry.add_lora(bot.team, "mascot", bot.grace.id)
    for text, wanted in (
        ("make it green", [("mascot", 2, 0.8), ("ink", 1, 1.0)]),
        ("--lora mascot:0.5", [("mascot", 2, 0.5)]),
        ("--lora mascot@3", [("mascot", 3, 1.0)]),
        ("--lora none", None),
    ):
        queued = len(bot.queue.sent)
        bot.grace.mention(picture, text)
        bot.workspace.wait_for(lambda queued=queued: len(bot.queue.sent) > queued, what="the mention")
        bot.work()
        bot.announce("JobSucceeded")
        loras = latest_body(bot).get("loras")
        assert (loras and [(one["name"], one["version"], one["weight"]) for one in loras]) == wanted
        assert latest_body(bot)["seed"] == 7

    assert bot.ada.press(picture, "Redo").ok
    bot.work()
    assert [one["version"] for one in latest_body(bot)["loras"]] == [2, 1]


def test_a_mistake_is_answered_at_once(bot: BotInWorkspace) -> None:
    assert bot.ada.run_command("#design", "/imagine a zblx --lora mascot:9").ok
    assert bot.ada.ephemerals("#design")[-1].says("weights from -2 to 2; or none.")
    assert bot.queue.sent == []


def test_a_name_that_is_not_there_is_answered_with_the_nearest(bot: BotInWorkspace) -> None:
    assert bot.ada.run_command("#design", "/imagine a zblx --lora masct").ok
    bot.work()
    failed = bot.ada.messages("#design")[-1]
    assert failed.says("Did you mean `mascot`?") and failed.says("`/finetune list`") and failed.buttons == []


def test_the_form_offers_what_the_member_may_use_and_keeps_versions_in_edit(
    bot: BotInWorkspace, linus: ActingMember
) -> None:
    bot.registry.add_lora(bot.team, "secret", bot.grace.id, scope=LoraScope.MEMBER)
    bot.ada.run_command("#design", "/imagine")
    [view] = bot.ada.views()
    assert bot.ada.suggestions(view, "lora", "") == []
    bot.work()
    assert [one["value"] for one in bot.ada.suggestions(view, "lora", "")] == ["mascot"]
    [option] = bot.ada.suggestions(view, "lora", "ZBL")
    assert option["text"]["text"] == "mascot · say zblx · tiny-world"

    wrong = {"prompt": "a zblx", "lora": [option], "lora_weight": "much"}
    assert "a number from -2 to 2" in bot.ada.fill_and_submit(view, wrong).errors["lora_weight"]
    assert bot.ada.fill_and_submit(view, {"prompt": "a zblx", "lora": [option], "lora_weight": "0,8"}).ok
    bot.work()
    assert latest_body(bot)["loras"] == [{"name": "mascot", "weight": 0.8}]
    bot.announce("JobSucceeded")

    bot.registry.add_lora(bot.team, "mascot", bot.grace.id)
    picture = bot.ada.messages("#design")[-1]
    assert bot.grace.press(picture, "Edit").ok
    [edit] = bot.grace.views()
    assert bot.grace.fill_and_submit(edit, {"seed": "3"}).ok
    bot.work()
    assert latest_body(bot)["loras"] == [{"name": "mascot", "version": 2, "weight": 0.8}]
    bot.grace.run_command("#design", "/imagine")
    bot.work()
    [own] = bot.grace.views()
    assert [one["value"] for one in bot.grace.suggestions(own, "lora", "")] == ["mascot", "secret"]


@pytest.mark.parametrize("view", [None, {}, {"private_metadata": ""}, {"private_metadata": "[]"}])
def test_a_type_ahead_without_a_place_offers_nothing(bot: BotInWorkspace, view: dict[str, Any] | None) -> None:
    payload = {
        "type": "block_suggestion",
        "team": {"id": bot.team},
        "user": {"id": bot.ada.id, "team_id": bot.team},
        "action_id": LORA_SELECT,
        "block_id": "lora",
        "value": "",
        **({"view": view} if view is not None else {}),
    }
    answer = send_signed(bot, payload)
    assert answer["statusCode"] == 200 and json.loads(answer["body"]) == {"options": []}


# ---------------------------------------------------------------- looking after them


def test_lists_cards_and_status_are_for_whoever_asks_alone(bot: BotInWorkspace, linus: ActingMember) -> None:
    for at in range(20):
        bot.registry.add_lora(bot.team, f"lora-{at:02d}", bot.ada.id)
    bot.registry.add_training(bot.team, "hero", TrainingState.RUNNING, bot.ada.id)
    seen = len(bot.ada.messages("#design"))
    listed = ask(bot, linus, "/finetune list")
    assert listed.says("*hero* · running") and listed.says("Page 1 of 2") and listed.buttons == ["Next page"]
    assert linus.press(listed, "Next page").ok
    bot.work()
    turned = linus.ephemerals("#design")[-1]
    assert turned.ts == listed.ts and turned.says("*mascot@2*") and turned.buttons == ["Previous page"]

    card = ask(bot, linus, "/finetune card mascot")
    assert card.says("400 steps, rank 8") and card.pictures and card.says("mascot@1 · by")
    status = ask(bot, linus, "/finetune status hero")
    assert status.says("running") and status.says("/finetune cancel hero")
    own = ask(bot, bot.grace, "/finetune list —mine")
    assert own.says("*mascot@2*") and not own.says("lora-01")
    assert len(bot.ada.messages("#design")) == seen, "nobody else sees any of it"


def test_its_owner_shares_renames_notes_and_retires(bot: BotInWorkspace, linus: ActingMember) -> None:
    assert ask(bot, bot.grace, "/finetune share mascot here").says("for everybody in <#C")
    assert bot.ada.run_command("#random", "/imagine a zblx --lora mascot").ok
    bot.work()
    assert bot.ada.messages("#random")[-1].says("There is no LoRA `mascot`")
    assert ask(bot, bot.grace, "/finetune share mascot with workspace").says("for everybody now")
    assert ask(bot, bot.grace, "/finetune rename mascot to Hero").says("`mascot` is called `hero` now")
    assert ask(bot, bot.grace, "/finetune note hero “our own mug”").says("Noted about `hero`: our own mug")
    assert ask(bot, linus, "/finetune card hero").says("Note: our own mug")
    assert ask(bot, bot.grace, "/finetune retire hero").says("no longer offered")
    assert ask(bot, linus, "/finetune list").says("Retired LoRAs")
    assert ask(bot, linus, "/finetune restore hero").says(f"Your IAM role does not allow that. <@{bot.ada.id}>")
    assert ask(bot, bot.ada, "/finetune restore hero").says("is offered again")


def test_a_deletion_is_shown_confirmed_and_takes_the_pictures_too(bot: BotInWorkspace, linus: ActingMember) -> None:
    assert bot.grace.run_command("#design", "/finetune delete mascot").ok
    shown = bot.grace.ephemerals("#design")[-1]
    assert shown.buttons == ["Delete", "Keep"] and shown.says("the pictures that it was trained on")
    assert bot.queue.sent == []
    assert bot.grace.press(shown, "Keep").ok
    assert bot.grace.ephemerals("#design")[-1].says("Nothing was deleted.")

    assert bot.grace.run_command("#design", "/finetune delete mascot").ok
    shown = bot.grace.ephemerals("#design")[-1]
    bot.workspace.repeat_deliveries(times=3, kind="interaction")
    bot.grace.press(shown, "Delete")
    bot.workspace.wait_for(lambda: len(bot.queue.sent) == 3, what="three deliveries")
    bot.work()
    done = bot.grace.ephemerals("#design")[-1]
    assert done.ts == shown.ts and done.says("and so are the pictures that it was trained on") and done.buttons == []
    assert bot.registry.loras[bot.team] == {}
    assert [one.state for one in bot.registry.trainings.values()] == [TrainingState.DELETED]


def test_a_press_is_authorized_again(bot: BotInWorkspace, linus: ActingMember) -> None:
    assert linus.run_command("#design", "/finetune delete mascot").ok
    shown = linus.ephemerals("#design")[-1]
    assert linus.press(shown, "Delete").ok
    bot.work()
    assert linus.ephemerals("#design")[-1].says("Your IAM role does not allow that")
    assert bot.grace.run_command("#design", "/finetune delete mascot").ok
    shown = bot.grace.ephemerals("#design")[-1]
    bot.access.deny(bot.team, "member", bot.grace.id)
    assert bot.grace.press(shown, "Delete").ok
    bot.work()
    assert bot.grace.ephemerals("#design")[-1].says("A deny keeps you out")
    assert len(bot.registry.loras[bot.team]["mascot"]) == 2


def test_a_deletion_is_no_change_of_grants(bot: BotInWorkspace) -> None:
    """What one Confirm carries does nothing behind another."""
    assert bot.ada.run_command("#design", "/finetune delete mascot").ok
    shown = bot.ada.ephemerals("#design")[-1]
    assert press_signed(bot, shown, bot.ada, "delete mascot")["statusCode"] == 200
    bot.work()
    assert any(message.says("can't be confirmed") for message in bot.ada.ephemerals("#design"))
    assert len(bot.registry.loras[bot.team]["mascot"]) == 2


def test_cancel_help_and_mistakes(bot: BotInWorkspace) -> None:
    bot.registry.add_training(bot.team, "hero", TrainingState.AWAITING_APPROVAL, bot.grace.id)
    assert ask(bot, bot.grace, "/finetune cancel hero").says("The training of `hero` is cancelled")
    assert ask(bot, bot.grace, "/finetune cancel hero").says("is not under way any more: cancelled.")
    queued = len(bot.queue.sent)
    assert ask(bot, bot.grace, "/finetune help").says("/finetune share name with workspace|here|me")
    assert ask(bot, bot.grace, "/finetune shar mascot").says("Did you mean `share`?")
    bot.queue.is_down = True
    assert ask(bot, bot.grace, "/finetune list").says("could not take that")
    assert len(bot.queue.sent) == queued


# ---------------------------------------------------------------- bringing one in


def test_a_file_is_imported_by_the_form(bot: BotInWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "ink.safetensors"
    path.write_bytes(SAFETENSORS)
    assert bot.grace.run_command("#design", "/finetune import Ink").ok
    [view] = bot.grace.views()
    assert view.title == "Import a LoRA"
    bot.work()
    assert [one["value"] for one in bot.grace.suggestions(view, "model", "")] == ["tiny", "large"]

    wrong = tmp_path / "ink.ckpt"
    wrong.write_bytes(b"x")
    outcome = bot.grace.fill_and_submit(view, {"file": [bot.grace.upload(wrong)["id"]], "trigger": "two words"})
    assert "can carry programs" in outcome.errors["file"] and "one word" in outcome.errors["trigger"]

    before = len(bot.grace.ephemerals("#design"))
    values = {"file": [bot.grace.upload(path)["id"]], "trigger": "qrx", "note": "made by our press"}
    outcome = bot.grace.fill_and_submit(view, values)
    assert outcome.ok and not outcome.errors and bot.grace.views() == []
    assert bot.queue.sent[-1].kind is Kind.IMPORT_LORA
    bot.work()
    [answer] = bot.grace.ephemerals("#design")[before:]
    assert answer.says("Imported as `ink@1`") and answer.says("for <@") and answer.says("alone")
    assert list(bot.registry.uploaded.values()) == [SAFETENSORS]
    assert bot.registry.loras[bot.team]["ink"][0].licence_note == "made by our press"
    assert "xox" not in json.dumps([invocation.to_json() for invocation in bot.queue.sent])


def test_a_pickle_is_refused_with_the_reason(bot: BotInWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "ink.safetensors"
    path.write_bytes(b"\x80\x04" + b"pickled" * 9)
    bot.grace.run_command("#design", "/finetune import ink")
    [view] = bot.grace.views()
    assert bot.grace.fill_and_submit(view, {"file": [bot.grace.upload(path)["id"]]}).ok
    bot.work()
    assert bot.grace.ephemerals("#design")[-1].says("This is a pickle, which can carry programs.")
    assert "ink" not in bot.registry.loras[bot.team]


def test_a_queue_that_is_down_keeps_the_form_filled(bot: BotInWorkspace, tmp_path: Path) -> None:
    path = tmp_path / "ink.safetensors"
    path.write_bytes(SAFETENSORS)
    bot.grace.run_command("#design", "/finetune import ink")
    [view] = bot.grace.views()
    bot.queue.is_down = True
    outcome = bot.grace.fill_and_submit(view, {"file": [bot.grace.upload(path)["id"]]})
    assert "could not take that" in outcome.errors["file"] and len(bot.grace.views()) == 1


# ---------------------------------------------------------------- how a workspace trains


def test_the_policy_is_shown_changed_and_used_as_said(bot: BotInWorkspace, linus: ActingMember) -> None:
    assert ask(bot, linus, "/imagine-admin training").says("posted where the training is asked for")
    assert bot.ada.run_command("#design", "/imagine-admin training --approvals #random --keep-pictures 30d").ok
    shown = bot.ada.ephemerals("#design")[-1]
    assert shown.buttons == ["Confirm", "Cancel"] and shown.says("Easel has to be a member there")
    assert bot.registry.policies == {}
    assert bot.ada.press(shown, "Confirm").ok
    bot.work()
    policy = bot.registry.policies[bot.team]
    assert policy.approvals_place.startswith("C") and policy.keep_dataset_days == 30 and policy.approval_days == 7
    assert bot.ada.ephemerals("#design")[-1].says(f"posted in <#{policy.approvals_place}>")

    assert linus.run_command("#design", "/imagine-admin training --approvals off").ok
    assert linus.press(linus.ephemerals("#design")[-1], "Confirm").ok
    bot.work()
    assert linus.ephemerals("#design")[-1].says("Your IAM role does not allow that")
    assert bot.registry.policies[bot.team] == policy
