"""Forms of trainings in the worker, on fakes: twice, in pieces, dying at every line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend_lambda.contract.training_limits import MAX_PICTURE_BYTES
from backend_lambda.contract.training_state import TrainingState
from bot.invocation import Invocation, Kind
from bot.leases import LEASE_SECONDS
from bot.ports.slack import SlackFile, SlackRefused, SlackUnavailable
from commands.views.training_form import FormPlace, Kept
from tests.fakes.bot import Crash, CrashPlan, TheirFile
from tests.fakes.training_pictures import png
from tests.fakes.training_stage import ORDER, PLACE, VIEW, TrainingStage


@pytest.fixture
def stage() -> TrainingStage:
    return TrainingStage()


def _calls(kind: Kind) -> int:
    stage, plan = TrainingStage(), CrashPlan()
    if kind is Kind.TRAINING_PICTURES:
        stage.work(stage.checking(), plan=plan)
    elif kind is Kind.TRAINING_ASK:
        stage.work(stage.checking())
        stage.work(stage.asking(), plan=plan)
    else:
        stage.asked()
        stage.work(stage.decision(kind), plan=plan)
    return plan.calls


def test_good_pictures_lead_to_the_review(stage: TrainingStage) -> None:
    assert stage.work(stage.checking())

    [training] = stage.trainings.kept.values()
    assert len(training.pictures) == 4 and stage.trainings.uploads == 4
    assert stage.view["callback_id"] == "easel_training_review" and stage.view_says("*4 pictures*")


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, _calls(Kind.TRAINING_PICTURES) + 1))
def test_dying_at_any_call_of_the_check_leaves_one_draft_with_every_picture_once(
    stage: TrainingStage, at: int, is_after: bool
) -> None:
    stage.slack.their_files["F9"] = TheirFile("stamp.png", png(9, 40, 40))
    with pytest.raises(Crash):
        stage.work(stage.checking(), message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(stage.checking(), message_id="m", receives=2)

    [training] = stage.trainings.kept.values()
    states = sorted((one.filename, one.state.value) for one in training.pictures.values())
    assert states == [*((f"good-{number}.png", "accepted") for number in range(1, 5)), ("stamp.png", "refused")]
    assert stage.view_says("1 picture can't be used") and stage.view_says("`stamp.png` is too small")
    assert stage.view_says("4 pictures so far"), "the form has the others"

    assert stage.work(stage.checking([], key="pictures-2"), message_id="n")
    assert stage.view["callback_id"] == "easel_training_review" and stage.view_says("*4 pictures*")


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, _calls(Kind.TRAINING_ASK) + 1))
def test_dying_at_any_call_of_the_submission_asks_once(stage: TrainingStage, at: int, is_after: bool) -> None:
    assert stage.work(stage.checking())
    with pytest.raises(Crash):
        stage.work(stage.asking(), message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(stage.asking(), message_id="m", receives=2)
    assert stage.work(stage.asking(), message_id="another"), "a repeated delivery changes nothing"

    [status] = stage.slack.messages
    assert status.says("Waiting for an approval")
    assert [one["detail-type"] for one in stage.trainings.outbox] == ["TrainingRequested"]
    stage.tell_all()
    assert stage.has_live_buttons() and stage.view_says("is asked in")


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, _calls(Kind.TRAINING_APPROVE) + 1))
def test_dying_at_any_call_of_an_approval_decides_once(stage: TrainingStage, at: int, is_after: bool) -> None:
    stage.asked()
    press = stage.decision(Kind.TRAINING_APPROVE)
    with pytest.raises(Crash):
        stage.work(press, message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(press, message_id="m", receives=2)
    assert [one["detail-type"] for one in stage.trainings.outbox] == ["TrainingDecided"]
    stage.tell_all()

    assert not stage.has_live_buttons() and stage.request.says("Approved by <@UADMIN>")
    assert stage.slack.told == [], "the presser is not told that somebody else was faster"


def test_a_form_that_comes_twice_is_checked_once(stage: TrainingStage) -> None:
    for message_id in ("a", "b", "a"):
        assert stage.work(stage.checking(), message_id=message_id)
    assert len(stage.trainings.kept) == 1 and stage.trainings.uploads == 4


def test_files_that_slack_does_not_give_are_named(stage: TrainingStage) -> None:
    stage.slack.their_files |= {
        "F5": TheirFile("gone.png", png(5), is_deleted=True),
        "F6": TheirFile("hidden.png", png(6), is_hidden=True),
        "F7": TheirFile("huge.png", b"x" * (MAX_PICTURE_BYTES + 1)),
        "F8": TheirFile("empty.png", b""),
    }
    assert stage.work(stage.checking())
    for words in (
        "`gone.png` has been deleted in Slack",
        "`hidden.png` can't be read",
        "`huge.png` has more than 10 MB",
        "`empty.png` did not arrive completely",
    ):
        assert stage.view_says(words), words
    assert stage.trainings.uploads == 4


def test_pictures_beyond_fifty_are_named(stage: TrainingStage) -> None:
    for number in range(1, 53):
        stage.slack.their_files[f"F{number}"] = TheirFile(f"good-{number}.png", png(number, 90 + number))
    assert stage.work(stage.checking())
    assert stage.view_says("2 pictures can't be used") and stage.view_says("is one too many")
    assert stage.view_says("50 pictures so far")


def test_the_messages_pictures_need_not_be_added(stage: TrainingStage) -> None:
    place = replace(PLACE, pictures=(Kept("F1", "good-1.png"), Kept("F2", "good-2.png"), Kept("F3", "good-3.png")))
    assert stage.work(stage.checking([], place=place, left_out=["F2"]))
    assert stage.view_says("2 pictures so far") and stage.view_says("Add 1 more")


def test_a_closed_form_is_written_to_once(stage: TrainingStage) -> None:
    del stage.slack.views[VIEW]
    assert stage.work(stage.checking())
    assert stage.work(stage.checking(), message_id="again")
    [(whom, written)] = stage.slack.told
    assert whom == "@U1" and "4 pictures accepted" in written.text


def test_somebody_elses_form_is_nobodys_business(stage: TrainingStage) -> None:
    assert stage.work(stage.checking())
    stage.access.grant("T1", "member", "U2", "trainer")
    for kind in (Kind.TRAINING_FORM, Kind.TRAINING_ASK):
        said = {"place": PLACE.to_metadata(), "is_known": True}
        assert stage.work(stage.form(kind, f"theirs-{kind.value}", said, member="U2"))
        assert stage.view_says("Only who filled in this form")
    theirs = replace(stage.checking([], key="theirs"), member="U2")
    assert stage.work(theirs)
    assert stage.view_says("Only who filled in this form") and len(stage.trainings.kept) == 1
    assert stage.trainings.training(stage.trainings.latest).state is TrainingState.DRAFT


def test_a_form_that_nobody_remembers_says_so(stage: TrainingStage) -> None:
    said = {"place": FormPlace("training-unknown", "C1").to_metadata(), "is_known": True}
    for kind in (Kind.TRAINING_FORM, Kind.TRAINING_ASK):
        assert stage.work(stage.form(kind, f"unknown-{kind.value}", said))
        assert stage.view_says("does not know this form any more")


def test_a_draft_that_expired_is_made_anew_from_what_is_known(stage: TrainingStage) -> None:
    assert stage.work(stage.checking())
    first = stage.trainings.latest
    stage.trainings.expire(first)
    stage.trainings.outbox.clear()
    assert stage.work(stage.asking())
    assert stage.view_says("left alone for too long") and stage.slack.messages == []

    assert stage.work(stage.checking([], key="pictures-2"))
    assert stage.trainings.latest != first and stage.view_says("*4 pictures*")
    assert stage.work(stage.asking(key="ask-2"))
    assert stage.slack.messages[0].says("Waiting for an approval")


def test_where_slack_shows_no_pictures_in_forms_the_review_comes_without(stage: TrainingStage) -> None:
    assert stage.work(stage.checking())
    assert "slack_file" in str(stage.view)
    update = stage.slack.update_view

    def refuse(view_id: str, view: dict[str, object]) -> None:
        if "slack_file" in str(view):
            raise SlackRefused("invalid_arguments")
        update(view_id, view)

    stage.slack.update_view = refuse  # type: ignore[method-assign]
    said = {"place": PLACE.to_metadata(), "is_known": True}
    assert stage.work(stage.form(Kind.TRAINING_FORM, "again", said))
    assert stage.view_says("*4 pictures*") and "slack_file" not in str(stage.view)


def test_what_nobody_foresaw_is_told_with_a_reference_and_the_form_is_kept(
    stage: TrainingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(stage.trainings, "check_picture", fail)
    assert not stage.work(stage.checking(), message_id="m", receives=5)
    assert stage.view_says("Reference") and not stage.view_says("hunter2") and stage.view_says("mascot")
    assert stage.view_says("4 pictures so far")


def test_slack_being_away_is_tried_again(stage: TrainingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise SlackUnavailable("HTTP 500")

    with monkeypatch.context() as patch:
        patch.setattr(stage.slack, "download", fail)
        assert not stage.work(stage.checking(), message_id="m")
    assert stage.work(stage.checking(), message_id="m", receives=2)
    assert stage.view_says("*4 pictures*") and len(stage.trainings.kept) == 1


def test_many_slow_pictures_take_several_runs(stage: TrainingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5, 13):
        stage.slack.their_files[f"F{number}"] = TheirFile(f"good-{number}.png", png(number, 90 + number))
    download, downloads = stage.slack.download, []

    def slow(file: SlackFile, most_bytes: int) -> bytes:
        stage.clock.sleep(9)
        downloads.append(file.file_id)
        return download(file, most_bytes)

    monkeypatch.setattr(stage.slack, "download", slow)
    runs = 1
    while not stage.work(stage.checking(), message_id="m", receives=runs):
        assert "Checking pictures" in str(stage.view)
        runs += 1
    assert 2 <= runs <= 5 and stage.view_says("*12 pictures*")
    assert sorted(downloads) == sorted(stage.slack.their_files), "each once"


def test_another_order_makes_another_draft_and_gives_the_first_one_up(stage: TrainingStage) -> None:
    assert stage.work(stage.checking())
    first = stage.trainings.latest
    assert stage.work(stage.checking([], key="pictures-2", order=replace(ORDER, name="other")))
    assert stage.trainings.training(first).state is TrainingState.CANCELLED
    assert stage.trainings.training(stage.trainings.latest).name == "other" and stage.view_says("*4 pictures*")

    assert stage.work(stage.checking([], key="pictures-3"))
    assert len(stage.trainings.kept) == 3, "the first one was given up and does not come back"
    assert stage.view_says("`mascot`")


def test_old_lists_are_refreshed_for_the_form(stage: TrainingStage) -> None:
    invocation = Invocation(Kind.REFRESH_TRAINABLES, "refresh-1", "T1", "C1", "U1", stage.clock.now())
    assert stage.work(invocation)
    record = stage.store.get("trainables#T1")
    assert record is not None and [one["name"] for one in record.data["endpoints"]] == ["tiny", "large"]
    assert record.data["approvals_channel"] == "CAPPROVALS"
