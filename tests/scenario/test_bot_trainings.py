"""A whole training by the form, in a local Slack workspace: from `/finetune` to the finished LoRA in its thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingFailureCode
from bot.ports.backend import ApiRefused
from deploy.local.slack.client_types import Message, Outcome, View
from tests.fakes.bot_workspace import BotInWorkspace
from tests.fakes.training_pictures import BAD, write_bad, write_pictures


@pytest.fixture(scope="module")
def running() -> Iterator[BotInWorkspace]:
    bot = BotInWorkspace()
    bot.workspace.add_channel("approvals", members=["ada", "grace", "easel"])
    yield bot
    bot.stop()


@pytest.fixture
def bot(running: BotInWorkspace) -> BotInWorkspace:
    """Ada may train; Grace is an admin, who may approve. What a test looks at is what came since its start."""
    running.workspace.clear_faults()
    running.grant_as_at_the_start()
    running.access.grant(running.team, "member", running.ada.id, "trainer")
    running.access.grant(running.team, "member", running.grace.id, "admin")
    running.trainings.refusal = None
    running.trainings.place = ""
    running.trainings.taken_names.clear()
    running.trainings.only_approvers.clear()
    running.trainings.outbox.clear()
    running.queue.is_down = False
    running.queue.sent.clear()
    running._worked = 0
    for key in [key for key in running.store.items if key.startswith("trainables#")]:
        del running.store.items[key]
    for member in (running.ada, running.grace):
        while member.views():
            member.close_view(member.views()[-1], is_all=True)
    return running


VALUES = {"name": "Mascot", "trigger": "zblx", "kind": "subject", "what": "mug"}


def open_form(bot: BotInWorkspace, channel: str = "#design") -> View:
    """The empty form."""
    assert bot.ada.run_command(channel, "/finetune").ok
    bot.work()
    return bot.ada.views()[-1]


def upload(bot: BotInWorkspace, paths: list[Path]) -> list[str]:
    """The ids of files for a form's input."""
    files = [bot.ada.upload(path)["id"] for path in paths]
    processed(bot)
    return files


def processed(bot: BotInWorkspace) -> None:
    """Until Slack has looked at every file."""
    bot.workspace.wait_for(
        lambda: all(one.get("mimetype") or one.get("mode") == "tombstone" for one in bot.workspace.files()),
        what="processed files",
    )


def submit(bot: BotInWorkspace, view: View, paths: list[Path], **values: object) -> tuple[Outcome, View | None]:
    """Fill the form, submit it and let the worker check; the outcome and the view after that."""
    round_id = next(block.block_id for block in view.inputs() if block.type == "file_input")
    outcome = bot.ada.fill_and_submit(view, {**VALUES, **values, round_id: upload(bot, paths)})
    bot.work()
    views = bot.ada.views()
    return outcome, views[-1] if views else None


def ask(bot: BotInWorkspace, folder: Path, channel: str = "#design", **values: object) -> Message:
    """A whole form up to the request; the message that follows it."""
    _, review = submit(bot, open_form(bot, channel), write_pictures(folder, 4), **values)
    assert review is not None and review.says("4 pictures"), review
    assert bot.ada.fill_and_submit(review).ok
    bot.work()
    bot.tell_all()
    return bot.ada.messages(channel)[-1] if channel != "#design" else last_root(bot, channel)


def last_root(bot: BotInWorkspace, channel: str) -> Message:
    """The newest message that says how a training goes."""
    return [one for one in bot.ada.messages(channel) if one.is_from_app and one.says("Training `")][-1]


def request_in(bot: BotInWorkspace, channel: str = "#approvals") -> Message:
    """The newest request."""
    return [one for one in bot.grace.messages(channel) if one.says("to train")][-1]


def test_a_whole_life_by_the_form(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    form = open_form(bot)
    assert form.title == "Train a LoRA" and form.says("about 10 min, about $0.20, on ml.g5.xlarge")
    assert form.says("<#" + bot.trainings.place + ">")

    outcome, review = submit(bot, form, write_pictures(tmp_path, 8))
    assert outcome.ok and review is not None
    assert review.says("*8 pictures*") and review.says("`zblx`") and review.says("about $0.20")
    captions = [block for block in review.inputs() if block.block_id.startswith("caption-")]
    assert [block.label for block in captions] == ["Caption"] * 8
    assert [text for text in review.block_texts if "good-" in text] == [f"`good-{number}.png`" for number in range(8)]
    shown = [block["accessory"] for block in review.blocks if "accessory" in block]
    assert len(shown) == 8, "each beside its caption"

    outcome = bot.ada.fill_and_submit(review, {captions[2].block_id: "a zblx mug, upside down"})
    assert outcome.ok and outcome.views[-1].says("Asking for approval")
    bot.work()
    assert bot.ada.views()[-1].says("is asked in")
    status = last_root(bot, "#design")
    assert status.says("Waiting for an approval in <#") and status.buttons == ["Cancel"]
    training_id = bot.trainings.latest
    said = {one.filename: one.caption for one in bot.trainings.training(training_id).pictures}
    assert said["good-2.png"] == "a zblx mug, upside down" and said["good-3.png"] == "a zblx mug"

    bot.tell_all()
    request = request_in(bot)
    assert request.buttons == ["Approve", "Deny"] and len(request.pictures) == 1
    for fact in (f"<@{bot.ada.id}>", "`mascot`", "`zblx`", "8 pictures", "about $0.20", "400 steps", "rank 8"):
        assert request.says(fact), fact

    assert bot.grace.press(request, "Approve").ok
    bot.work()
    assert request_in(bot).buttons == [] and request_in(bot).says(f"Approved by <@{bot.grace.id}>")
    bot.tell_all()
    assert last_root(bot, "#design").says("Approved by")

    bot.tell(bot.trainings.start(training_id))
    assert last_root(bot, "#design").says("Waiting for an instance")
    bot.tell(bot.trainings.progress(training_id, 120))
    status = last_root(bot, "#design")
    assert status.says("step 120 of 400") and status.says("2 min left") and status.buttons == ["Cancel"]
    [_, pictures] = bot.ada.messages("#design", thread_ts=status.ts)
    assert len(pictures.pictures) == 2 and pictures.says("before any training, and now")

    bot.tell(bot.trainings.start(training_id))
    assert last_root(bot, "#design").says("Interrupted at step 120 of 400")
    bot.clock.shift_seconds += 60
    bot.tell(bot.trainings.progress(training_id, 300))
    [_, again] = bot.ada.messages("#design", thread_ts=status.ts)
    assert again.ts == pictures.ts and again.says("step 300") and len(again.pictures) == 2
    old = {one["slack_file"]["id"] for one in pictures.pictures}
    assert not old & {one["slack_file"]["id"] for one in again.pictures}

    bot.tell(bot.trainings.succeed(training_id))
    status = last_root(bot, "#design")
    assert status.says("is ready") and status.says("/imagine a zblx mug --lora mascot") and status.buttons == ["Try it"]
    assert len(status.pictures) == 1
    *_, reply = bot.ada.messages("#design", thread_ts=status.ts)
    assert reply.says(f"<@{bot.ada.id}>") and reply.says("is trained")

    assert bot.ada.press(status, "Try it").ok
    view = bot.ada.views()[-1]
    assert view.title == "Imagine" and "a zblx mug" in str(view.raw) and "mascot" in str(view.raw)


@pytest.mark.parametrize("name", list(BAD))
def test_each_refused_picture_is_named_with_its_reason_and_the_form_keeps_everything(
    bot: BotInWorkspace, tmp_path: Path, name: str
) -> None:
    paths = [*write_pictures(tmp_path, 3), write_bad(tmp_path, name)]
    # One after the other: of two that are the same, the first one is kept.
    _, form = submit(bot, open_form(bot), paths, licence="our own")

    assert form is not None and form.callback_id == "easel_training_form"
    assert form.says("1 picture can't be used") and form.says("3 pictures so far")
    said = " ".join(form.block_texts)
    assert BAD[name][1] in said and ("good-0.png" if name == "same.png" else name) in said
    kept = {block["block_id"]: block["element"].get("initial_value") for block in form.blocks if "element" in block}
    assert (kept["name"], kept["trigger"], kept["what"], kept["licence"]) == ("mascot", "zblx", "mug", "our own")

    outcome = bot.ada.fill_and_submit(form)
    bot.work()
    assert outcome.ok and bot.ada.views()[-1].says("*3 pictures*")


def test_a_form_says_at_once_what_is_wrong_with_it(bot: BotInWorkspace, tmp_path: Path) -> None:
    form = open_form(bot)
    round_id = next(block.block_id for block in form.inputs() if block.type == "file_input")
    two = upload(bot, write_pictures(tmp_path, 2))
    wrong = {"name": "my mug!", "trigger": "two words", round_id: two}
    assert bot.ada.fill_and_submit(form, wrong).errors == {"what": "Please complete this required field."}
    outcome = bot.ada.fill_and_submit(form, {**wrong, "what": "\u200b"})

    assert "my-mug" in outcome.errors["name"] and "One word" in outcome.errors["trigger"]
    assert "what kind of thing" in outcome.errors["what"]
    assert "at least 3 pictures" in outcome.errors[round_id] and "Add 1 more" in outcome.errors[round_id]
    assert not [one for one in bot.queue.sent if one.kind.value == "training_pictures"]


def test_too_few_accepted_pictures_cant_be_submitted_and_more_can_be_added(bot: BotInWorkspace, tmp_path: Path) -> None:
    paths = [*write_pictures(tmp_path, 2), write_bad(tmp_path, "stamp.png"), write_bad(tmp_path, "words.png")]
    _, form = submit(bot, open_form(bot), paths)
    assert form is not None and form.says("2 pictures can't be used") and form.says("Add 1 more")

    outcome = bot.ada.fill_and_submit(form)
    assert outcome.errors and "Add 1 more" in next(iter(outcome.errors.values()))
    _, review = submit(bot, form, write_pictures(tmp_path, 2, first=5))
    assert review is not None and review.says("*4 pictures*")


def test_a_picture_can_be_left_out_and_settings_changed_after_the_review(bot: BotInWorkspace, tmp_path: Path) -> None:
    _, review = submit(bot, open_form(bot), write_pictures(tmp_path, 5))
    assert review is not None
    first = bot.trainings.latest
    caption = next(block.block_id for block in review.inputs() if block.block_id.startswith("caption-"))
    assert bot.ada.press(review, "Change something", values={caption: "kept words"}).ok
    bot.work()
    form = bot.ada.views()[-1]
    options = next(block for block in form.blocks if block["block_id"] == "left-out")["element"]["options"]
    assert [option["text"]["text"] for option in options] == [f"good-{number}.png" for number in range(5)]

    assert bot.ada.fill_and_submit(form, {"left-out": [options[-1]["value"]]}).ok
    bot.work()
    review = bot.ada.views()[-1]
    assert review.says("*4 pictures*") and bot.trainings.latest == first, "the same draft"
    assert "kept words" in str(review.raw)

    assert bot.ada.press(review, "Change something").ok
    bot.work()
    assert bot.ada.fill_and_submit(bot.ada.views()[-1], {"trigger": "qrx"}).ok
    bot.work()
    review = bot.ada.views()[-1]
    assert review.says("`qrx`") and review.says("*4 pictures*") and bot.trainings.latest != first
    assert bot.trainings.training(first).state is TrainingState.CANCELLED, "what it replaced is given up"


def test_advanced_options_appear_and_go_and_the_estimate_follows(bot: BotInWorkspace, tmp_path: Path) -> None:
    form = open_form(bot)
    files = upload(bot, write_pictures(tmp_path, 3))
    round_id = next(block.block_id for block in form.inputs() if block.type == "file_input")
    assert bot.ada.press(form, "easel_training_preset", value="fine", values={**VALUES, round_id: files}).ok
    form = bot.ada.views()[-1]
    assert form.says("about 22 min, about $0.44")

    assert bot.ada.press(form, "Advanced options").ok
    form = bot.ada.views()[-1]
    assert form.find_input("Rank").block_id == "option-rank"
    changed = {"option-steps": "100", "option-rank": "4"}
    assert bot.ada.press(form, "easel_training_option", block_id="option-steps", value="100", values=changed).ok
    assert bot.ada.views()[-1].says("about 6 min")
    assert bot.ada.press(bot.ada.views()[-1], "Hide advanced options").ok
    form = bot.ada.views()[-1]
    assert form.says("about 6 min") and "option-rank" not in {block.block_id for block in form.inputs()}

    assert bot.ada.fill_and_submit(form).ok, "what was filled in before is kept"
    bot.work()
    training = bot.trainings.training(bot.trainings.latest)
    assert (training.settings.steps, training.settings.rank, training.preset.value) == (100, 4, "fine")
    assert training.name == "mascot"


def test_there_is_room_for_fifty_pictures(bot: BotInWorkspace) -> None:
    form = open_form(bot)
    for count in range(2, 6):
        assert bot.ada.press(form, "Room for more pictures").ok
        form = bot.ada.views()[-1]
        assert len([block for block in form.inputs() if block.type == "file_input"]) == count
    assert "Room for more pictures" not in form.buttons


def test_the_form_opens_at_once_from_what_is_known(bot: BotInWorkspace) -> None:
    assert bot.ada.run_command("#design", "/finetune").ok
    assert bot.ada.views()[-1].says("Looking up what can be trained")
    bot.work()
    assert bot.ada.views()[-1].says("Estimate:")
    bot.ada.close_view(bot.ada.views()[-1])

    assert bot.ada.run_command("#design", "/finetune").ok
    assert bot.ada.views()[-1].says("Estimate:") and bot.work() == []


def test_where_nothing_can_be_trained_the_form_says_so(bot: BotInWorkspace) -> None:
    trainables, bot.trainings.trainables = bot.trainings.trainables, []
    view = open_form(bot)
    bot.trainings.trainables = trainables
    assert view.says("no model is set up for training")


def test_who_may_not_train_reads_why_and_keeps_what_was_filled_in(bot: BotInWorkspace, tmp_path: Path) -> None:
    form = open_form(bot)
    bot.access.grant(bot.team, "member", bot.ada.id, "artist")
    _, view = submit(bot, form, write_pictures(tmp_path, 3))
    assert view is not None and view.says("Your IAM role does not allow that") and view.says("3 pictures so far")

    bot.access.grant(bot.team, "member", bot.ada.id, "trainer")
    assert bot.ada.fill_and_submit(view).ok
    bot.work()
    assert bot.ada.views()[-1].says("*3 pictures*"), "the pictures need not be added again"


def test_a_taken_name_is_said_above_the_form(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.taken_names.add("mascot")
    _, form = submit(bot, open_form(bot), write_pictures(tmp_path, 3))
    assert form is not None and form.says("belongs to somebody else's LoRA")

    assert bot.ada.fill_and_submit(form, {"name": "mascot-2"}).ok
    bot.work()
    assert bot.ada.views()[-1].says("`mascot-2`")


def test_the_shortcut_takes_the_pictures_of_the_message_and_of_its_thread(bot: BotInWorkspace, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 5)
    root = bot.ada.post("#design", "our mug", files=list(paths[:3]))
    bot.ada.reply(root, "and more", files=list(paths[3:]))
    message = bot.workspace.wait_for(
        lambda: next((one for one in bot.ada.messages("#design") if one.ts == root.ts and len(one.files) == 3), None),
        what="the files",
    )
    processed(bot)
    assert message is not None
    bot.ada.run_command("#design", "/finetune")
    bot.work()

    assert bot.ada.open_shortcut("Train on these pictures", message).ok
    form = bot.ada.views()[-1]
    assert form.says("3 pictures of the message") and form.says("`good-0.png`")
    values = {**VALUES, "thread": ["thread"]}
    assert bot.ada.fill_and_submit(form, values).ok
    bot.work()
    review = bot.ada.views()[-1]
    assert review.says("*5 pictures*")

    assert bot.ada.fill_and_submit(review).ok
    bot.work()
    thread = bot.ada.messages("#design", thread_ts=root.ts)
    assert thread[-1].says("Waiting for an approval"), "its thread is where it was asked"


def test_the_shortcut_of_a_message_without_pictures_opens_the_form_all_the_same(bot: BotInWorkspace) -> None:
    message = bot.ada.post("#design", "no picture here")
    open_form(bot)
    assert bot.ada.open_shortcut("Train on these pictures", message).ok
    assert bot.ada.views()[-1].says("Estimate:")


def test_a_thread_that_the_bot_cant_see_is_told_in_the_form(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.workspace.add_channel("secret", members=["ada"], is_private=True)
    open_form(bot)
    root = bot.ada.post("#secret", "ours", files=list(write_pictures(tmp_path, 3)))
    processed(bot)
    message = next(one for one in bot.ada.messages("#secret") if one.ts == root.ts)
    assert bot.ada.open_shortcut("Train on these pictures", message).ok
    assert bot.ada.fill_and_submit(bot.ada.views()[-1], {**VALUES, "thread": ["thread"]}).ok
    bot.work()
    assert bot.ada.views()[-1].says("/invite @easel")


def test_who_closes_the_form_is_written_to_and_goes_on_from_there(bot: BotInWorkspace, tmp_path: Path) -> None:
    form = open_form(bot)
    round_id = next(block.block_id for block in form.inputs() if block.type == "file_input")
    paths = [*write_pictures(tmp_path, 3), write_bad(tmp_path, "stamp.png")]
    outcome = bot.ada.fill_and_submit(form, {**VALUES, round_id: upload(bot, paths)})
    assert outcome.views[-1].says("Checking pictures")
    bot.ada.close_view(bot.ada.views()[-1])
    bot.work()

    written = bot.ada.messages("@easel")[-1]
    assert written.says("3 pictures accepted, 1 can't be used") and written.says("`stamp.png` is too small")
    assert written.buttons == ["Go on"]
    assert bot.ada.press(written, "Go on").ok
    assert bot.ada.views()[-1].says("Looking up")
    bot.work()
    form = bot.ada.views()[-1]
    assert form.says("3 pictures so far")
    assert bot.ada.fill_and_submit(form).ok
    bot.ada.close_view(bot.ada.views()[-1])
    bot.work()
    assert bot.ada.press(bot.ada.messages("@easel")[-1], "Go on").ok
    bot.work()
    review = bot.ada.views()[-1]
    assert review.says("*3 pictures*")
    assert bot.ada.fill_and_submit(review).ok
    bot.work()
    assert last_root(bot, "#design").says("Waiting for an approval")

    assert bot.ada.press(bot.ada.messages("@easel")[-1], "Go on").ok
    bot.work()
    assert bot.ada.views()[-1].says("asked for this one already")


def test_where_the_bot_is_no_member_the_review_stays_and_says_what_to_do(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.workspace.add_channel("quiet", members=["ada"])
    _, review = submit(bot, open_form(bot, "#quiet"), write_pictures(tmp_path, 3))
    assert review is not None and bot.ada.fill_and_submit(review).ok
    bot.work()
    review = bot.ada.views()[-1]
    assert review.says("/invite @easel") and review.says("*3 pictures*")
    assert bot.trainings.training(bot.trainings.latest).state is TrainingState.DRAFT

    bot.workspace.set_membership("#quiet", "easel", is_member=True)
    assert bot.ada.fill_and_submit(review).ok
    bot.work()
    assert bot.ada.messages("#quiet")[-1].says("Waiting for an approval")


def test_without_a_channel_the_request_stands_below_and_says_how_to_name_one(
    bot: BotInWorkspace, tmp_path: Path
) -> None:
    status = ask(bot, tmp_path)
    [_, request] = bot.grace.messages("#design", thread_ts=status.ts)
    assert request.buttons == ["Approve", "Deny"] and request.says("/imagine-admin training --approvals #channel")


def test_a_channel_without_the_bot_falls_back_to_where_it_was_asked(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.place = bot.workspace.add_channel("elsewhere", members=["grace"])
    status = ask(bot, tmp_path)
    [_, request] = bot.grace.messages("#design", thread_ts=status.ts)
    assert request.buttons == ["Approve", "Deny"] and request.says("could not be asked in <#")


def test_a_denial_asks_for_the_reason_and_tells_it(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    status = ask(bot, tmp_path)
    assert bot.grace.press(request_in(bot), "Deny").ok
    view = bot.grace.views()[-1]
    assert bot.grace.fill_and_submit(view).errors, "a denial has a reason"
    assert bot.grace.fill_and_submit(view, {"reason": "Not <ours> to use."}).ok
    bot.work()
    bot.tell_all()

    request = request_in(bot)
    assert request.buttons == [] and request.says("Denied by <@") and request.says("Not &lt;ours&gt; to use")
    status = next(one for one in bot.ada.messages("#design") if one.ts == status.ts)
    assert status.says("Not &lt;ours&gt; to use") and status.buttons == []
    assert bot.ada.messages("#design", thread_ts=status.ts)[-1].says(f"<@{bot.ada.id}>")


def test_who_may_not_approve_is_told_alone_who_may(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.access.grant(bot.team, "member", bot.grace.id, "artist")
    bot.access.grant(bot.team, "member", "U0ADMIN", "admin")
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    ask(bot, tmp_path)
    assert bot.grace.press(request_in(bot), "Approve").ok
    bot.work()

    told = bot.grace.ephemerals("#approvals")[-1]
    assert told.says("does not allow you to decide") and told.says("<@U0ADMIN>")
    assert request_in(bot).buttons == ["Approve", "Deny"]


def test_ones_own_training_needs_a_confirmed_self_approval(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.access.grant(bot.team, "member", bot.ada.id, "admin")
    bot.trainings.only_approvers.add(bot.ada.id)
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    ask(bot, tmp_path)
    request = request_in(bot)
    assert request.says("Nobody but <@") and request.says("nobody else would look at it")
    assert bot.ada.press(request, "Approve").ok
    bot.work()
    offer = bot.ada.ephemerals("#approvals")[-1]
    assert offer.says("your own training") and offer.buttons == ["Approve it myself"]
    [button] = next(block for block in offer.blocks if block["type"] == "actions")["elements"]
    assert "Nobody else has looked" in button["confirm"]["text"]["text"]
    assert bot.trainings.training(bot.trainings.latest).state is TrainingState.AWAITING_APPROVAL

    assert bot.ada.press(offer, "Approve it myself").ok
    bot.work()
    assert request_in(bot).says("Self-approved by <@") and request_in(bot).buttons == []


def test_a_trainer_cant_approve_their_own(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    ask(bot, tmp_path)
    assert bot.ada.press(request_in(bot), "Approve").ok
    bot.work()
    assert bot.ada.ephemerals("#approvals")[-1].says("does not allow you to decide")


def test_of_two_approvers_the_first_one_decides_and_the_second_one_reads_it(
    bot: BotInWorkspace, tmp_path: Path
) -> None:
    lin = bot.workspace.as_member(bot.workspace.add_member("lin", channels=["approvals"]))
    bot.access.grant(bot.team, "member", lin.id, "admin")
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    ask(bot, tmp_path)
    request = request_in(bot)
    assert bot.grace.press(request, "Approve").ok and bot.grace.press(request, "Approve").ok
    assert lin.press(request, "Deny").ok
    assert lin.fill_and_submit(lin.views()[-1], {"reason": "no"}).ok
    bot.work()

    assert lin.ephemerals("#approvals")[-1].says(f"already decided: Approved by <@{bot.grace.id}>")
    told = [one for one in bot.grace.ephemerals("#approvals") if one.says("already decided")]
    assert not told, "pressing twice is pressing once"
    decided = [one for one in bot.trainings.outbox if one["detail-type"] == "TrainingDecided"]
    assert len(decided) == 1


def test_cancel_ends_it_for_whom_iam_lets_through(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    status = ask(bot, tmp_path)
    bot.access.grant(bot.team, "member", bot.grace.id, "artist")
    assert bot.grace.press(status, "Cancel").ok
    bot.work()
    assert bot.grace.ephemerals("#design")[-1].says("may not cancel")
    assert bot.ada.press(status, "Cancel").ok
    bot.work()
    bot.tell_all()
    assert last_root(bot, "#design").says("Cancelled") and last_root(bot, "#design").buttons == []
    assert request_in(bot).says("Withdrawn") and request_in(bot).buttons == []


def test_an_expired_request_has_no_button_and_says_what_next(bot: BotInWorkspace, tmp_path: Path) -> None:
    bot.trainings.place = bot.workspace.channel_id("#approvals")
    ask(bot, tmp_path)
    request = request_in(bot)
    bot.trainings.expire(bot.trainings.latest)
    assert bot.grace.press(request, "Approve").ok
    bot.work()
    assert bot.grace.ephemerals("#approvals")[-1].says("Expired: nobody decided in time")
    bot.tell_all()
    assert request_in(bot).buttons == [] and last_root(bot, "#design").says("/finetune")


@pytest.mark.parametrize("code", list(TrainingFailureCode))
def test_a_failure_says_what_happened_and_what_next(
    bot: BotInWorkspace, tmp_path: Path, code: TrainingFailureCode
) -> None:
    status = ask(bot, tmp_path)
    bot.tell(bot.trainings.fail(bot.trainings.latest, code))
    status = next(one for one in bot.ada.messages("#design") if one.ts == status.ts)
    assert status.says("ref42") and not status.says("internal words") and status.buttons == []
    assert bot.ada.messages("#design", thread_ts=status.ts)[-1].says("ref42")


def test_a_refused_submission_is_told_in_the_form_and_in_the_message(bot: BotInWorkspace, tmp_path: Path) -> None:
    _, review = submit(bot, open_form(bot), write_pictures(tmp_path, 3))
    assert review is not None
    kept = bot.trainings.kept[bot.trainings.latest]
    gone = dict(list(kept.pictures.items())[:2])
    kept.pictures.clear()
    kept.pictures.update(gone)
    assert bot.ada.fill_and_submit(review).ok
    bot.work()
    assert bot.ada.views()[-1].says("3 to 50 accepted pictures")
    assert last_root(bot, "#design").says("3 to 50 accepted pictures") and last_root(bot, "#design").buttons == []


def test_a_queue_that_is_down_keeps_the_form_open(bot: BotInWorkspace, tmp_path: Path) -> None:
    form = open_form(bot)
    bot.queue.is_down = True
    outcome, view = submit(bot, form, write_pictures(tmp_path, 3))
    assert "could not take that" in outcome.errors["name"] and view is not None and view.id == form.id


def test_slack_delivering_everything_three_times_makes_one_training(bot: BotInWorkspace, tmp_path: Path) -> None:
    form, before = open_form(bot), len(bot.trainings.kept)
    bot.workspace.repeat_deliveries(times=3, count=2, kind="interaction")
    _, review = submit(bot, form, write_pictures(tmp_path, 3))
    bot.workspace.wait_for(lambda: len(bot.queue.sent) >= 4, what="three deliveries")
    bot.work()
    assert review is not None and bot.ada.fill_and_submit(bot.ada.views()[-1]).ok
    bot.workspace.wait_for(lambda: len(bot.queue.sent) >= 7, what="three deliveries")
    bot.work()
    assert len(bot.trainings.kept) == before + 1
    requested = [one for one in bot.trainings.outbox if one["detail-type"] == "TrainingRequested"]
    assert len(requested) == 1


def test_no_token_or_caption_is_logged(bot: BotInWorkspace, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    bot.trainings.refusal = ApiRefused(500, {"code": "internal", "message": "x"})
    submit(bot, open_form(bot), write_pictures(tmp_path, 3), what="a very secret thing")
    bot.trainings.refusal = None
    ask(bot, tmp_path, what="a very secret thing")
    lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name.startswith("easel")]
    assert lines and not [line for line in lines if "xoxb-" in line or "secret" in line or "v0=" in line]
