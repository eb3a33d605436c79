"""Events of trainings on fakes: duplicates, any order, dying at every line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.trainings import TrainingFailureCode
from bot.invocation import Kind
from bot.leases import LEASE_SECONDS
from bot.ports.slack import SlackUnavailable
from tests.fakes.bot import Crash, CrashPlan
from tests.fakes.training_stage import TrainingStage


@pytest.fixture
def stage() -> TrainingStage:
    return TrainingStage()


def _events(stage: TrainingStage) -> list[dict[str, Any]]:
    """All events of a whole life, none of them told but the posting of the first message."""
    assert stage.work(stage.checking()) and stage.work(stage.asking())
    training_id, told = stage.trainings.latest, stage.trainings.outbox
    assert stage.work(_approval(stage, training_id))
    stage.trainings.start(training_id)
    stage.trainings.progress(training_id, 10)
    stage.trainings.start(training_id)
    stage.trainings.progress(training_id, 200)
    stage.trainings.succeed(training_id)
    events = list(told)
    told.clear()
    return events


def _approval(stage: TrainingStage, training_id: str) -> Any:
    stage.slack.post("CAPPROVALS", None, stage.slack.messages[0].view, "a-stand-in")
    press = stage.decision(Kind.TRAINING_APPROVE, value=training_id)
    stage.slack.messages.pop()
    return press


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_and_any_repetition_ends_the_same(data: st.DataObject) -> None:
    stage = TrainingStage()
    events = _events(stage)
    order = data.draw(st.permutations(range(len(events))))
    more = data.draw(st.lists(st.integers(0, len(events) - 1), max_size=6))
    for number in (*order, *more):
        stage.clock.sleep(data.draw(st.sampled_from([0, 30])))
        assert stage.announce(events[number])

    [status, *_] = [one for one in stage.slack.messages if one.thread_ts is None and one.channel == "C1"]
    assert status.says("is ready") and len(status.file_ids) == 1 and not status.says("Cancel")
    asked = [one for one in stage.slack.messages if one.channel == "CAPPROVALS"]
    assert len(asked) <= 1 and not any("easel_training_approve" in str(one.view.to_json()) for one in asked)
    pictures = [one for one in stage.slack.messages if one.request_key.endswith("-pictures")]
    assert len(pictures) == 1 and pictures[0].says("step 400") and len(pictures[0].file_ids) == 2
    replies = [one for one in stage.slack.messages if one.request_key.endswith("-end")]
    assert len(replies) == 1 and replies[0].says("<@U1>")
    kept = {file_id for file_id, file in stage.slack.files.items() if not file.is_deleted}
    assert kept == set(stage.slack.shown_files), "files that were replaced are gone"


def _count_calls(index: int) -> int:
    stage, plan = TrainingStage(), CrashPlan()
    events = _events(stage)
    for event in events[:index]:
        stage.clock.sleep(30)
        stage.announce(event)
    stage.clock.sleep(30)
    stage.announce(events[index], plan=plan)
    return plan.calls


CASES = [
    (index, at, is_after)
    for index in (0, 1, 3, 5, 6)
    for at in range(1, _count_calls(index) + 1)
    for is_after in (False, True)
]


@pytest.mark.parametrize(("index", "at", "is_after"), CASES)
def test_dying_at_any_call_of_any_event(stage: TrainingStage, index: int, at: int, is_after: bool) -> None:
    events = _events(stage)
    for number, event in enumerate(events):
        stage.clock.sleep(30)
        if number == index:
            with pytest.raises(Crash):
                stage.announce(event, message_id="m", plan=CrashPlan(at, is_after))
            stage.clock.sleep(LEASE_SECONDS + 1)
            assert stage.announce(event, message_id="m", receives=2)
        else:
            assert stage.announce(event)

    [status] = [one for one in stage.slack.messages if one.thread_ts is None and one.channel == "C1"]
    assert status.says("is ready") and len(status.file_ids) == 1
    [request] = [one for one in stage.slack.messages if one.channel == "CAPPROVALS"]
    assert request.says("Approved by <@UADMIN>") and not stage.has_live_buttons()
    [pictures] = [one for one in stage.slack.messages if one.request_key.endswith("-pictures")]
    assert pictures.says("step 400") and len(pictures.file_ids) == 2
    assert len([one for one in stage.slack.messages if one.request_key.endswith("-end")]) == 1


def test_a_request_that_comes_after_the_decision_is_not_asked(stage: TrainingStage) -> None:
    requested, decided, *_ = _events(stage)
    assert stage.announce(decided) and stage.announce(requested)
    assert not [one for one in stage.slack.messages if one.channel == "CAPPROVALS"]
    assert stage.slack.messages[0].says("Approved by")


def test_a_decision_while_the_request_is_being_posted_takes_its_buttons(stage: TrainingStage) -> None:
    requested, decided, *_ = _events(stage)
    post = stage.slack.post

    def post_and_hear(channel: str, *arguments: Any) -> str:
        ts = post(channel, *arguments)
        if channel == "CAPPROVALS":
            stage.slack.post = post  # type: ignore[method-assign]
            assert stage.announce(decided)
        return ts

    stage.slack.post = post_and_hear  # type: ignore[method-assign]
    assert stage.announce(requested)
    assert stage.request.says("Approved by <@UADMIN>") and not stage.has_live_buttons()


def test_of_two_ends_the_later_one_stays(stage: TrainingStage) -> None:
    training_id, status = stage.approved()
    earlier = stage.trainings.fail(training_id, TrainingFailureCode.LOST)
    later = stage.trainings.succeed(training_id)
    assert stage.announce(later) and stage.announce(earlier)
    assert status.says("is ready") and not status.says("never heard of")
    assert len([one for one in stage.slack.messages if one.request_key.endswith("-end")]) == 1


def test_the_pictures_change_in_place_and_not_too_often(stage: TrainingStage) -> None:
    training_id, status = stage.approved()
    stage.announce(stage.trainings.progress(training_id, 10))
    first = stage.pictures_message.file_ids
    assert stage.pictures_message.thread_ts == status.ts
    stage.clock.sleep(5)
    stage.announce(stage.trainings.progress(training_id, 20))
    assert stage.pictures_message.file_ids == first and status.says("step 20 of 400")
    stage.clock.sleep(30)
    stage.announce(stage.trainings.progress(training_id, 30))
    second = stage.pictures_message.file_ids
    assert not set(first) & set(second) and all(stage.slack.files[one].is_deleted for one in first)
    late = stage.trainings.progress(training_id, 40)
    stage.clock.sleep(30)
    stage.announce(stage.trainings.progress(training_id, 50))
    stage.clock.sleep(30)
    stage.announce(late)
    assert stage.pictures_message.says("step 50") and status.says("step 50 of 400")


def test_progress_that_slack_refuses_is_not_tried_again(stage: TrainingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    training_id, _ = stage.approved()

    def fail(*arguments: object, **more: object) -> None:
        raise SlackUnavailable("ratelimited")

    monkeypatch.setattr(stage.slack, "update", fail)
    assert stage.announce(stage.trainings.progress(training_id, 10))


def test_a_deleted_status_is_posted_anew_at_the_end(stage: TrainingStage) -> None:
    training_id, status = stage.approved()
    status.is_deleted = True
    assert stage.announce(stage.trainings.progress(training_id, 10))
    event = stage.trainings.succeed(training_id)
    assert stage.announce(event) and stage.announce(event)
    again = [one for one in stage.slack.messages if one.says("is ready") and not one.is_deleted]
    assert len(again) == 1 and again[0].ts != status.ts


def test_where_slack_wont_show_the_files_the_words_come_all_the_same(stage: TrainingStage) -> None:
    stage.slack.refuses_files_in_blocks = True
    training_id, status = stage.asked()
    assert stage.has_live_buttons() and stage.request.file_ids == []
    assert stage.work(stage.decision(Kind.TRAINING_APPROVE))
    stage.tell_all()
    assert stage.announce(stage.trainings.succeed(training_id))
    assert status.says("is ready") and status.file_ids == []


def test_events_of_somebody_elses_training_are_nobodys(stage: TrainingStage) -> None:
    training_id, status = stage.asked()
    shown = len(status.views)
    event = stage.trainings.expire(training_id)
    event["detail"]["training"]["owner"]["tenant"] = "T2"
    assert stage.announce(event)
    unknown = stage.trainings.fail(training_id, TrainingFailureCode.LOST)
    unknown["detail"]["training"]["training_id"] = "trn-" + "a" * 26
    assert stage.announce(unknown)
    assert len(status.views) == shown


def test_an_event_that_fails_for_good_is_told_in_private(stage: TrainingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    training_id, status = stage.asked()

    def fail(*arguments: object) -> None:
        raise RuntimeError("hunter2")

    event = stage.trainings.fail(training_id, TrainingFailureCode.LOST)
    with monkeypatch.context() as patch:
        patch.setattr("bot.results.trainings.follow.end_reply", fail)
        patch.setattr("bot.results.trainings.follow.status_message", fail)
        assert not stage.announce(event, message_id="m", receives=5)
    assert status.says("Reference") and not status.says("hunter2")


def test_a_workspace_without_the_app_is_let_be(stage: TrainingStage) -> None:
    training_id, _ = stage.asked()
    stage.workspaces.gone.add("T1")
    assert stage.announce(stage.trainings.fail(training_id, TrainingFailureCode.LOST))
