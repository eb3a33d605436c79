"""The results function on fakes: duplicates, any order, dying at every line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.leases import LEASE_SECONDS
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.results.events import MalformedEvent, read_event
from commands.views.action_ids import DELETE, EDIT, REDO, RETRY
from tests.fakes.bot import PNG, Crash, CrashPlan
from tests.fakes.bot_stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_success_turns_the_placeholder_into_the_result(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat", order={"seed": 7})
    stage.clock.sleep(3)
    stage.finish(job_id)

    [file_id] = posted.file_ids
    uploaded = stage.slack.files[file_id]
    assert uploaded.content == PNG + f"tenants/T1/jobs/{job_id}/0.png".encode()
    assert uploaded.name == "a-red-boat-seed-7.png" and "a red boat" in uploaded.alt_text
    assert all(posted.button_value(action) == job_id for action in (REDO, EDIT, DELETE))
    for fact in (
        "a red boat",
        "<@U1>",
        "seed `7`",
        "128×128",
        "20 steps",
        "guidance 7.5",
        "tiny-world",
        "painting 1.2 s",
    ):
        assert posted.says(fact), fact
    assert any("Posting" in view.text for view in posted.views)


def test_a_retry_does_not_upload_again(stage: Stage) -> None:
    job_id, posted = stage.paint()
    update = stage.slack.update

    def fail(channel: str, ts: str, message: Any, is_urgent: bool = True) -> None:
        if any(block["type"] == "image" for block in message.blocks):
            raise SlackUnavailable("HTTP 500")
        update(channel, ts, message)

    stage.slack.update = fail  # type: ignore[method-assign]
    envelope = stage.api.event(job_id, "JobSucceeded")
    assert not stage.announce(envelope, message_id="m")
    stage.slack.update = update  # type: ignore[method-assign]
    assert stage.announce(envelope, message_id="m", receives=2), "the lease was given back"

    assert len(stage.slack.files) == 1 and posted.file_ids


def test_several_pictures_are_shown_as_their_grid(stage: Stage) -> None:
    job_id, posted = stage.paint(order={"pictures": 4})
    stage.finish(job_id)

    uploaded = stage.slack.files[posted.file_ids[0]]
    assert uploaded.content is not None and uploaded.content.endswith(b"grid.png")


def test_progress_moves_the_status_but_not_too_often_and_never_backwards(stage: Stage) -> None:
    job_id, posted = stage.paint()

    def progress(step: int, after_seconds: float) -> None:
        stage.clock.sleep(after_seconds)
        assert stage.announce(stage.api.event(job_id, "JobProgressed", step=step, steps=20))

    progress(0, 5)
    assert posted.says(" 0 %")
    progress(4, 0.5)
    assert posted.says(" 0 %"), "too soon"
    progress(8, 2)
    assert posted.says(" 40 %") and posted.says("7 s")
    shown = len(posted.views)
    progress(4, 2)
    progress(8, 2)
    assert posted.says(" 40 %") and len(posted.views) == shown, "overtaken, repeated"
    stage.finish(job_id)
    progress(16, 2)
    assert posted.file_ids and not posted.says("80 %")


def test_failure_shows_a_sentence_the_reference_and_another_try(stage: Stage) -> None:
    job_id, posted = stage.paint()
    assert stage.announce(stage.api.event(job_id, "JobFailed"))

    assert posted.says("failed while it was painting") and posted.says("ref12")
    assert posted.button_value(RETRY) == "command-1"


def test_a_deleted_placeholder_is_posted_anew_once(stage: Stage) -> None:
    job_id, posted = stage.paint(thread_ts="1764000000.000009")
    posted.is_deleted = True
    stage.finish(job_id)
    assert stage.announce(stage.api.event(job_id, "JobSucceeded"))

    [again] = stage.slack.messages[1:]
    assert again.file_ids and again.thread_ts == "1764000000.000009" and again.button_value(REDO) == job_id


def test_where_slack_wont_show_the_file_it_is_shared_in_the_thread(stage: Stage) -> None:
    stage.slack.refuses_files_in_blocks = True
    job_id, posted = stage.paint()
    stage.finish(job_id)

    shared = [uploaded for uploaded in stage.slack.files.values() if uploaded.shared_in]
    assert [one.shared_in for one in shared] == [[("C1", posted.ts)]]
    assert posted.says("in this thread") and posted.button_value(REDO) == job_id


def test_a_file_that_is_never_processed_is_shared_in_the_thread(stage: Stage) -> None:
    stage.slack.never_ready = True
    job_id, posted = stage.paint()
    stage.finish(job_id)

    assert posted.says("in this thread")


def test_pictures_that_are_gone_are_said_to_be(stage: Stage) -> None:
    job_id, posted = stage.paint()
    stage.pictures.gone = True
    stage.finish(job_id)

    assert posted.says("has been deleted") and stage.slack.files == {}


@pytest.mark.parametrize(
    "change",
    [
        {"context": {}},
        {"context": {"request_key": "command-1"}},
        {"context": {"request_key": "command-9", "message_ts": "1.1", "channel": "C1", "team": "T1"}},
        {"owner": {"tenant": "T2", "member": "U1"}},
        {"owner": {"tenant": "iam-1-someone", "member": "x"}},
    ],
)
def test_an_event_that_is_not_of_a_request_of_ours_changes_nothing(stage: Stage, change: dict[str, Any]) -> None:
    job_id, posted = stage.paint()
    envelope = stage.api.event(job_id, "JobSucceeded")
    envelope["detail"] |= change

    assert stage.announce(envelope)
    assert not posted.file_ids and stage.slack.files == {}


def test_the_channel_comes_from_our_record_not_from_the_event(stage: Stage) -> None:
    job_id, posted = stage.paint()
    envelope = stage.api.event(job_id, "JobSucceeded")
    envelope["detail"]["context"]["channel"] = "C666"
    assert stage.announce(envelope)

    assert posted.file_ids and {message.channel for message in stage.slack.messages} == {"C1"}


def _count_calls(fallback: bool, is_deleted: bool) -> int:
    stage, plan = Stage(), CrashPlan()
    job_id, posted = stage.paint()
    stage.slack.refuses_files_in_blocks = fallback
    posted.is_deleted = is_deleted
    stage.announce(stage.api.event(job_id, "JobSucceeded"), plan=plan)
    return plan.calls


CASES = [
    (fallback, is_deleted, at, is_after)
    for fallback, is_deleted in ((False, False), (True, False), (False, True))
    for at in range(1, _count_calls(fallback, is_deleted) + 1)
    for is_after in (False, True)
]


@pytest.mark.parametrize(("fallback", "is_deleted", "at", "is_after"), CASES)
def test_dying_at_any_call_leaves_one_result(
    stage: Stage, fallback: bool, is_deleted: bool, at: int, is_after: bool
) -> None:
    job_id, posted = stage.paint()
    stage.slack.refuses_files_in_blocks = fallback
    posted.is_deleted = is_deleted
    envelope = stage.api.event(job_id, "JobSucceeded")
    with pytest.raises(Crash):
        stage.announce(envelope, message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)

    assert stage.announce(envelope, message_id="m", receives=2)
    assert stage.announce(envelope, message_id="another")

    results = [message for message in stage.slack.messages if not message.is_deleted]
    assert len(results) == 1 and results[0].button_value(REDO) == job_id
    if fallback:
        shares = [share for uploaded in stage.slack.files.values() for share in uploaded.shared_in]
        assert len(shares) == 1
    else:
        assert len(stage.slack.shown_files) == 1


ANNOUNCEMENTS = st.lists(
    st.one_of(
        st.tuples(st.just("JobProgressed"), st.integers(0, 20)),
        st.sampled_from([("JobSucceeded", 0), ("JobSucceeded", 0)]),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(before=ANNOUNCEMENTS, end=st.sampled_from(["JobSucceeded", "JobFailed", "JobCancelled"]), after=ANNOUNCEMENTS)
def test_any_order_and_number_of_events_ends_the_same(
    before: list[tuple[str, int]], end: str, after: list[tuple[str, int]]
) -> None:
    """The first end counts; whatever else comes, before or after, the message ends with it and one file at most."""
    stage = Stage()
    job_id, posted = stage.paint()
    events = [event for event in before if event[0] == "JobProgressed" or end == "JobSucceeded"]
    events += [(end, 0), *[event for event in after if event[0] == "JobProgressed" or end == "JobSucceeded"], (end, 0)]
    for kind, step in events:
        facts = {"step": step, "steps": 20} if kind == "JobProgressed" else {}
        stage.clock.sleep(1.6)
        assert stage.announce(stage.api.event(job_id, kind, **facts))

    assert len(stage.slack.messages) == 1
    if end == "JobSucceeded":
        assert len(posted.file_ids) == 1 and len(stage.slack.files) == 1
    else:
        assert posted.says("failed" if end == "JobFailed" else "Cancelled") and not posted.file_ids


def test_a_progress_update_in_flight_while_the_job_ends_is_put_right(stage: Stage) -> None:
    """Slack gets the outdated status last; whoever sent it sees that and shows the end again."""
    job_id, posted = stage.paint()
    update = stage.slack.update
    overtaken = []

    def slow_update(*args: Any, **kwargs: Any) -> None:
        if not overtaken and "Painting" in args[2].text:
            overtaken.append(True)
            stage.finish(job_id)
        update(*args, **kwargs)

    stage.slack.update = slow_update  # type: ignore[method-assign]
    stage.clock.sleep(5)
    assert stage.announce(stage.api.event(job_id, "JobProgressed", step=10, steps=20))

    assert overtaken and posted.file_ids
    assert "Painting" in posted.views[-2].text


def test_when_it_can_never_be_delivered_the_person_is_told(stage: Stage) -> None:
    job_id, posted = stage.paint()

    def fail(*args: object) -> bytes:
        raise RuntimeError("S3 is down; s3cr3t")

    stage.pictures.read = fail  # type: ignore[assignment, method-assign]
    assert not stage.announce(stage.api.event(job_id, "JobSucceeded"), message_id="m", receives=1)
    assert posted.says("Waiting")
    assert not stage.announce(stage.api.event(job_id, "JobSucceeded"), message_id="m", receives=5)
    assert posted.says("Something went wrong") and posted.says("Reference") and not posted.says("s3cr3t")

    del stage.pictures.read  # type: ignore[method-assign]
    stage.finish(job_id)
    assert posted.file_ids, "a redrive from the dead-letter queue still brings the pictures"


def test_in_a_channel_that_was_archived_meanwhile_the_person_is_told_in_private(stage: Stage) -> None:
    job_id, _ = stage.paint()

    def refuse(*args: object, **kwargs: object) -> None:
        raise SlackRefused("is_archived")

    stage.slack.update = refuse  # type: ignore[method-assign]
    assert not stage.announce(stage.api.event(job_id, "JobSucceeded"), message_id="m", receives=5)

    [(who, view)] = stage.slack.told
    assert who == "@U1" and "Reference" in view.text


def test_what_is_malformed_does_not_get_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    job_id, _ = stage.paint("a very secret boat")
    envelope = stage.api.event(job_id, "JobSucceeded")
    del envelope["detail"]["owner"]
    assert not stage.announce(envelope)
    assert caplog.records and "secret boat" not in caplog.text


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"source": "other"}', '{"source": "easel.backend"}', "\x00"])
def test_what_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(MalformedEvent):
        read_event(body)


def test_an_event_of_a_later_kind_is_left_alone() -> None:
    assert read_event('{"source": "easel.backend", "detail-type": "TrainingFinished", "detail": {}}') is None
