"""The worker on fakes: every way through it, and dying at every line of it."""

from __future__ import annotations

import pytest

from bot.invocation import Invocation, Kind
from bot.leases import LEASE_SECONDS
from bot.places import Place, thread_key
from bot.ports.backend import ApiRefused, ApiUnavailable
from bot.ports.slack import SlackUnavailable
from bot.worker.threads import note_latest
from commands.views.action_ids import CANCEL, DELETE, PICTURE, REDO, RETRY
from tests.fakes.bot import Crash, CrashPlan
from tests.fakes.bot_stage import MAX_RECEIVES, Stage, painting, saying


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_command_becomes_one_placeholder_and_one_job(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat", order={"seed": 7, "pictures": 2, "aspect_ratio": "3:2"})

    assert [message.ts for message in stage.slack.messages] == [posted.ts]
    assert posted.says("Queued") is False and posted.says("Waiting for the GPU") and posted.says("a red boat")
    assert posted.button_value(CANCEL) == job_id
    body = stage.api.jobs[job_id]["body"]
    assert body["prompt"] == "a red boat" and body["seed"] == 7 and body["pictures"] == 2
    assert body["aspect_ratio"] == "3:2" and "width" not in body and "model" not in body
    assert body["idempotency_key"] == "command-1"
    assert body["context"] == {
        "team": "T1", "channel": "C1", "thread_ts": "", "message_ts": posted.ts, "member": "U1",
        "request_key": "command-1",
    }  # fmt: skip
    assert stage.api.jobs[job_id]["tenant"] == "T1" and stage.api.jobs[job_id]["member"] == "U1"


def test_a_sleeping_gpu_is_said_to_be_waking(stage: Stage) -> None:
    _, posted = stage.paint(order={"model": "large"})

    assert posted.says("asleep")


def test_three_deliveries_of_one_command_are_one_job(stage: Stage) -> None:
    for _ in range(3):
        assert stage.work(painting())

    assert len(stage.api.jobs) == len(stage.slack.messages) == 1


def test_a_delivery_beside_a_running_one_is_left_to_that_one(stage: Stage) -> None:
    with pytest.raises(Crash):
        stage.work(painting(), message_id="first", plan=CrashPlan(at=5))

    assert stage.work(painting(), message_id="second"), "the first one's message will come again"
    assert not stage.work(painting(), message_id="first"), "its own run could still be alive"
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(painting(), message_id="first", receives=2)
    assert len(stage.api.jobs) == len(stage.slack.messages) == 1


def _count_calls() -> int:
    stage, plan = Stage(), CrashPlan()
    stage.work(painting(), plan=plan)
    return plan.calls


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, _count_calls() + 1))
def test_dying_at_any_call_leaves_one_placeholder_and_one_job(stage: Stage, at: int, is_after: bool) -> None:
    with pytest.raises(Crash):
        stage.work(painting(), message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)

    assert stage.work(painting(), message_id="m", receives=2)
    assert stage.work(painting(), message_id="another"), "a repeated delivery changes nothing"

    [posted] = stage.slack.messages
    [job_id] = stage.api.jobs
    assert posted.button_value(CANCEL) == job_id
    stage.finish(job_id)
    assert len(posted.file_ids) == 1


@pytest.mark.parametrize("first", range(1, 12))
@pytest.mark.parametrize("second", range(1, 12))
def test_dying_twice(first: int, second: int) -> None:
    stage = Stage()
    for at, is_after in ((first, True), (second, False)):
        try:
            stage.work(painting(), message_id="m", plan=CrashPlan(at, is_after))
        except Crash:
            stage.clock.sleep(LEASE_SECONDS + 1)
    stage.clock.sleep(LEASE_SECONDS + 1)

    assert stage.work(painting(), message_id="m", receives=3)
    assert len(stage.api.jobs) == len(stage.slack.messages) == 1


def test_a_lost_answer_to_a_post_is_looked_for_before_posting_again(stage: Stage) -> None:
    post = stage.slack.post

    def post_and_lose_the_answer(*args: object) -> str:
        post(*args)  # type: ignore[arg-type]
        stage.slack.post = post  # type: ignore[method-assign]
        raise SlackUnavailable("timeout")

    stage.slack.post = post_and_lose_the_answer  # type: ignore[assignment, method-assign]

    assert stage.work(painting())
    assert len(stage.slack.messages) == len(stage.api.jobs) == 1


def test_without_a_grant_the_person_alone_reads_who_can_grant(stage: Stage) -> None:
    stage.access.clear("T1")
    stage.access.grant("T1", "member", "UADMIN", "admin")

    assert stage.work(painting())

    [(member, view)] = stage.slack.told
    assert member == "U1" and "no permission" in view.text and "<@UADMIN> can grant you one" in view.text
    assert stage.slack.messages == [] and stage.api.jobs == {}
    assert stage.work(painting()), "told once"
    assert len(stage.slack.told) == 1


def test_a_role_that_cant_be_assumed_is_told_with_a_reference(stage: Stage) -> None:
    stage.sessions.refused = True

    assert stage.work(painting())
    assert "Reference" in stage.slack.told[0][1].text


def test_where_the_bot_is_not_a_member_the_person_is_told_by_other_means(stage: Stage) -> None:
    stage.slack.closed_channels = {"C1"}

    assert stage.work(painting(response_url="https://hooks.example/1"))
    assert stage.work(painting(key="command-2"))

    assert [who for who, _ in stage.slack.told] == ["https://hooks.example/1", "@U1"]
    assert all("/invite" in view.text for _, view in stage.slack.told)
    assert stage.api.jobs == {}


def test_an_endpoint_that_does_not_exist_lists_those_that_do(stage: Stage) -> None:
    assert stage.work(painting(order={"model": "huge"}))

    [posted] = stage.slack.messages
    assert posted.says("There is no model `huge`") and posted.says("`tiny`") and posted.says("`large`")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, {"code": "not_allowed"}, "<@UADMIN> can grant you one that does"),
        (422, {"code": "invalid_request", "field": "steps", "given": "150", "allowed": "1 to 50"}, "`--steps`"),
        (
            422,
            {"code": "invalid_request", "field": "steps", "message": "This channel allows at most 30 steps."},
            "channel",
        ),
        (503, {"code": "endpoint_unavailable"}, "no work"),
        (409, {"code": "idempotency_conflict"}, "Reference"),
        (418, {"code": "teapot"}, "Reference"),
    ],
)
def test_a_refusal_of_the_backend_becomes_a_sentence(
    stage: Stage, status: int, body: dict[str, str], said: str
) -> None:
    stage.api.refusal = ApiRefused(status, {"message": "", **body})

    assert stage.work(painting())

    [posted] = stage.slack.messages
    assert posted.says(said)
    assert stage.store.get("request#command-1").data["is_done"]  # type: ignore[union-attr]


def test_what_nobody_foresaw_is_tried_again_and_told_at_last(stage: Stage) -> None:
    def fail(*args: object) -> None:
        raise ApiUnavailable("HTTP 500")

    stage.api.submit_job = fail  # type: ignore[assignment, method-assign]
    for receives in range(1, MAX_RECEIVES):
        assert not stage.work(painting(), message_id="m", receives=receives)
        assert stage.slack.messages[0].says("Queued")
    assert not stage.work(painting(), message_id="m", receives=MAX_RECEIVES), "it belongs into the dead-letter queue"

    [posted] = stage.slack.messages
    assert posted.says("Something went wrong") and posted.says("Reference") and posted.button_value(RETRY)
    assert stage.store.get("request#command-1").data["gave_up"]  # type: ignore[union-attr]


def test_a_grant_that_ends_between_two_tries_leaves_no_placeholder_waiting(stage: Stage) -> None:
    submit = stage.api.submit_job

    def fail(*args: object) -> None:
        raise ApiUnavailable("HTTP 500")

    stage.api.submit_job = fail  # type: ignore[assignment, method-assign]
    assert not stage.work(painting(), message_id="m", receives=1)
    stage.api.submit_job = submit  # type: ignore[method-assign]
    stage.access.tenants["T1"].pop("grant#workspace#T1")

    assert stage.work(painting(), message_id="m", receives=2)

    [posted] = stage.slack.messages
    assert posted.says("no permission") and not posted.says("Queued") and stage.api.jobs == {}


def test_a_result_that_overtakes_the_workers_own_status_stays(stage: Stage) -> None:
    submit = stage.api.submit_job

    def submit_and_finish(*args: object) -> object:
        job = submit(*args)  # type: ignore[arg-type]
        stage.finish(job.job_id)
        return job

    stage.api.submit_job = submit_and_finish  # type: ignore[assignment, method-assign]

    assert stage.work(painting())

    [posted] = stage.slack.messages
    assert posted.file_ids and not posted.says("Waiting")


# ---------------------------------------------------------------- threads


def test_a_mention_in_a_results_thread_changes_what_is_named_only(stage: Stage) -> None:
    job_id, root = stage.paint(
        "a red boat on a white background", order={"seed": 7, "steps": 30, "aspect_ratio": "3:2"}
    )
    stage.finish(job_id)

    assert stage.work(saying("make it green", root.ts))

    settings = stage.api.settings(list(stage.api.jobs)[-1])
    assert settings == {**stage.api.settings(job_id), "prompt": "a green boat on a white background"}
    assert stage.slack.messages[-1].thread_ts == root.ts


def test_the_latest_job_of_the_thread_counts(stage: Stage) -> None:
    job_id, root = stage.paint("a red boat", order={"seed": 7})
    stage.finish(job_id)
    stage.work(saying("make it green", root.ts, key="mention-1"))
    stage.work(saying("", root.ts, {"n": 3}, key="mention-2"))
    stage.work(saying("a blue house", root.ts, {"seed": 9}, key="mention-3"))

    prompts = [
        (job["body"]["prompt"], job["body"].get("pictures"), job["body"]["seed"]) for job in stage.api.jobs.values()
    ]
    assert prompts[1:] == [("a green boat", 1, 7), ("a green boat", 3, 7), ("a blue house", 3, 9)]


def test_a_late_run_of_an_earlier_request_does_not_become_the_latest(stage: Stage) -> None:
    for ts in ("1764000000.000009", "1764000000.000010", "1764000000.000002"):
        note_latest(stage.store, stage.clock, Place("T1", "C1", ts, "1764000000.000001"))

    record = stage.store.get(thread_key("T1", "C1", "1764000000.000001"))
    assert record is not None and record.data["message_ts"] == "1764000000.000010"


def test_options_alone_in_a_strange_thread_are_answered_with_what_is_missing(stage: Stage) -> None:
    assert stage.work(saying("", "1764000000.000001", {"seed": 5}))

    assert "nothing to paint" in stage.slack.told[0][1].text
    assert stage.slack.messages == []


def test_a_retried_mention_asks_for_the_same_though_the_thread_went_on(stage: Stage) -> None:
    _, root = stage.paint("a red boat", order={"seed": 7})
    with pytest.raises(Crash):
        # The call after which the order is settled.
        stage.work(saying("make it green", root.ts, key="mention-1"), message_id="m", plan=CrashPlan(at=8))
    stage.work(saying("a blue house", root.ts, key="mention-2"))
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(saying("make it green", root.ts, key="mention-1"), message_id="m")

    assert sorted(job["body"]["prompt"] for job in stage.api.jobs.values()) == [
        "a blue house", "a green boat", "a red boat",
    ]  # fmt: skip


# ---------------------------------------------------------------- buttons


def test_redo_paints_the_same_with_a_new_seed_in_the_thread(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat", order={"seed": 7, "steps": 12})
    stage.finish(job_id)

    assert stage.work(stage.press(posted, Kind.REDO, REDO, member="U2"))

    again = stage.api.jobs[list(stage.api.jobs)[-1]]
    assert "seed" not in again["body"] and again["body"]["steps"] == 12 and again["member"] == "U2"
    assert stage.slack.messages[-1].thread_ts == posted.ts


def test_try_again_asks_for_the_very_same_beside_the_failed_one(stage: Stage) -> None:
    stage.api.refusal = ApiRefused(503, {"code": "endpoint_unavailable"})
    stage.work(painting("a red boat", order={"seed": 7}))
    stage.api.refusal = None
    [failed] = stage.slack.messages

    assert stage.work(stage.press(failed, Kind.RETRY, RETRY))

    [job] = stage.api.jobs.values()
    assert job["body"]["seed"] == 7 and stage.slack.messages[-1].thread_ts is None


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, 20))
def test_dying_at_any_call_of_a_redo_leaves_one_more_job(stage: Stage, at: int, is_after: bool) -> None:
    job_id, posted = stage.paint()
    stage.finish(job_id)
    press = stage.press(posted, Kind.REDO, REDO)
    try:
        stage.work(press, message_id="m", plan=CrashPlan(at, is_after))
    except Crash:
        stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(press, message_id="m", receives=2)

    assert len(stage.api.jobs) == len(stage.slack.messages) == 2


def test_delete_removes_job_file_and_prompt(stage: Stage) -> None:
    job_id, posted = stage.paint("a secret boat")
    stage.finish(job_id)
    [file_id] = posted.file_ids

    assert stage.work(stage.press(posted, Kind.DELETE, DELETE))

    assert stage.api.deleted == [job_id] and stage.slack.files[file_id].is_deleted
    assert posted.says("Deleted by") and not posted.says("secret") and not posted.file_ids
    assert stage.announce(stage.api.event(job_id, "JobSucceeded")), "a late repetition brings nothing back"
    assert posted.says("Deleted by")


def test_delete_takes_the_single_pictures_and_the_words_with_it(stage: Stage) -> None:
    job_id, posted = stage.paint("a secret boat", order={"pictures": 2})
    stage.finish(job_id)
    assert stage.work(stage.press(posted, Kind.PICTURE, f"{PICTURE}1", number=1))
    assert stage.work(stage.press(posted, Kind.PICTURE, f"{PICTURE}2", number=2))
    assert stage.work(stage.press(posted, Kind.DELETE, DELETE))

    assert len(stage.slack.messages) == 3 and stage.slack.shown_files == []
    assert all(uploaded.is_deleted for uploaded in stage.slack.files.values()) and len(stage.slack.files) == 3
    assert all(message.says("Deleted by") and not message.says("secret") for message in stage.slack.messages)
    assert not [key for key, (data, _) in stage.store.items.items() if "secret" in data]


def test_buttons_of_a_deleted_result_that_somebody_still_sees_do_nothing(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat", order={"pictures": 2})
    stage.finish(job_id)
    presses = [
        stage.press(posted, Kind.REDO, REDO, member="U2"),
        stage.press(posted, Kind.PICTURE, f"{PICTURE}2", number=2),
        stage.press(posted, Kind.DELETE, DELETE),
    ]
    assert stage.work(stage.press(posted, Kind.DELETE, DELETE, request_key="first"))

    for press in presses:
        assert stage.work(press)
    assert len(stage.api.jobs) == len(stage.slack.messages) == 1
    assert ["has been deleted" in view.text for _, view in stage.slack.told] == [True, True]


def test_only_the_requester_may_delete(stage: Stage) -> None:
    job_id, posted = stage.paint()
    stage.finish(job_id)

    assert stage.work(stage.press(posted, Kind.DELETE, DELETE, member="U2"))

    assert stage.api.deleted == [] and posted.file_ids
    member, view = stage.slack.told[0]
    assert member == "U2" and "<@U1>" in view.text


def test_iam_has_the_last_word_on_deleting(stage: Stage) -> None:
    job_id, posted = stage.paint()
    stage.finish(job_id)

    def refuse(*args: object) -> None:
        raise ApiRefused(403, {"code": "not_allowed", "message": "no"})

    stage.api.delete_job = refuse  # type: ignore[assignment, method-assign]

    assert stage.work(stage.press(posted, Kind.DELETE, DELETE))
    assert posted.file_ids and "IAM role" in stage.slack.told[0][1].text


def test_iam_has_the_last_word_on_showing_a_picture(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat", order={"pictures": 2})
    stage.finish(job_id)

    def refuse(*args: object) -> None:
        raise ApiRefused(403, {"code": "not_allowed", "message": "no"})

    stage.api.see_job = refuse  # type: ignore[assignment, method-assign]

    assert stage.work(stage.press(posted, Kind.PICTURE, f"{PICTURE}1", number=1))
    assert len(stage.slack.messages) == 1 and "IAM role" in stage.slack.told[0][1].text


@pytest.mark.parametrize(
    "facts",
    [{"value": "job-of-someone-else"}, {"value": ""}, {"team": "T2"}, {"channel": "C2"}, {"message_ts": "1.1"}],
)
def test_a_button_whose_ids_dont_match_the_record_does_nothing(stage: Stage, facts: dict[str, str]) -> None:
    job_id, posted = stage.paint()
    stage.finish(job_id)
    stage.access.grant("T2", "workspace", "T2", "artist")
    pressed = stage.press(posted, Kind.DELETE, DELETE)

    assert stage.work(Invocation(**{**vars(pressed), **facts}))

    assert stage.api.deleted == [] and posted.file_ids
    assert "no longer works" in stage.slack.told[0][1].text


def test_cancel_deletes_the_open_job_and_leaves_the_message_to_the_event(stage: Stage) -> None:
    job_id, posted = stage.paint()

    assert stage.work(stage.press(posted, Kind.CANCEL, CANCEL))
    assert stage.api.deleted == [job_id] and posted.says("Waiting")
    assert stage.announce(stage.api.event(job_id, "JobCancelled"))
    assert posted.says("Cancelled")


def test_cancel_that_races_with_the_end_leaves_the_pictures_alone(stage: Stage) -> None:
    """The backend has finished the job, and the event is still on its way."""
    job_id, posted = stage.paint()
    stage.api.finished.add(job_id)

    assert stage.work(stage.press(posted, Kind.CANCEL, CANCEL))
    assert stage.api.deleted == [] and "already finished" in stage.slack.told[0][1].text
    stage.finish(job_id)
    assert posted.file_ids


def test_a_late_cancel_does_not_delete_the_finished_picture(stage: Stage) -> None:
    job_id, posted = stage.paint()
    pressed = stage.press(posted, Kind.CANCEL, CANCEL)
    stage.finish(job_id)

    assert stage.work(pressed)
    assert stage.api.deleted == [] and posted.file_ids and "already finished" in stage.slack.told[0][1].text


def test_a_picture_button_posts_that_picture_in_full_in_the_thread(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat", order={"pictures": 3, "seed": 5})
    stage.finish(job_id)
    assert posted.button_value(f"{PICTURE}3") == job_id

    press = stage.press(posted, Kind.PICTURE, f"{PICTURE}2", number=2)
    assert stage.work(press)
    assert stage.work(press)

    single = stage.slack.messages[-1]
    assert len(stage.slack.messages) == 2 and single.thread_ts == posted.ts and single.says("`6`")
    uploaded = stage.slack.files[single.file_ids[0]]
    assert uploaded.content is not None and uploaded.content.endswith(b"/1.png")
    assert uploaded.name == "a-red-boat-2-seed-6.png"


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, 22))
def test_dying_at_any_call_of_a_picture_button_posts_one(stage: Stage, at: int, is_after: bool) -> None:
    job_id, posted = stage.paint("a red boat", order={"pictures": 2})
    stage.finish(job_id)
    press = stage.press(posted, Kind.PICTURE, f"{PICTURE}1", number=1)
    try:
        stage.work(press, message_id="m", plan=CrashPlan(at, is_after))
    except Crash:
        stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(press, message_id="m", receives=2)

    assert len(stage.slack.messages) == 2


def test_the_list_of_models_is_refreshed_for_the_form(stage: Stage) -> None:
    assert stage.work(Invocation(Kind.REFRESH_MODELS, "models-1", "T1", "C1", "U1", stage.clock.now(), actor_team="T1"))

    record = stage.store.get("models#T1")
    assert record is not None and [model["name"] for model in record.data["models"]] == ["tiny", "large"]
