"""A training from its draft to its LoRA, and every way in which that goes otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from backend_lambda.contract.access import Effect, Entry, PutDeny, PutGrant
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    DecideTraining,
    SubmitTraining,
    Training,
    TrainingFailureCode,
    TrainingPolicy,
)
from backend_lambda.training_ports import JobRefusal, JobStatus
from backend_lambda.usecases.approvers import is_only_approver
from backend_lambda.usecases.cancel_training import cancel_training
from backend_lambda.usecases.decide_training import decide_training
from backend_lambda.usecases.follow_training import follow_training
from backend_lambda.usecases.put_deny import put_deny
from backend_lambda.usecases.put_grant import put_grant
from backend_lambda.usecases.read_training import read_training
from backend_lambda.usecases.refusals import (
    FieldRefused,
    NotAllowed,
    SelfApproval,
    TrainingNotFound,
    TrainingNotInState,
)
from backend_lambda.usecases.report_training import report_training
from backend_lambda.usecases.submit_training import submit_training
from backend_lambda.usecases.sweep_trainings import sweep_trainings
from backend_lambda.usecases.training_policy import put_training_policy
from endpoint.training_contract import TrainingRequest
from tests.fakes.backend import ADA, BOB, MALLORY
from tests.fakes.backend_access import API_ARN, STACK_ROLES
from tests.fakes.backend_trainings import GRACE, FakeTrainings

YES, NO = DecideTraining(approve=True), DecideTraining(approve=False, reason="that is not ours")


@pytest.fixture
def fakes() -> FakeTrainings:
    return FakeTrainings()


def approve(fakes: FakeTrainings, training: Training) -> Training:
    return decide_training(GRACE, training.training_id, YES, fakes.ports, by_submitter=False)


def sweep(fakes: FakeTrainings, later: timedelta = timedelta()) -> dict[str, int]:
    fakes.clock.go_on(later)
    return dict(sweep_trainings(fakes.ports, until=fakes.clock.now() + timedelta(seconds=30)))


def test_a_training_becomes_a_lora_and_its_pictures_are_gone(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    assert training.state is TrainingState.AWAITING_APPROVAL
    approved = approve(fakes, training)
    assert approved.state is TrainingState.STARTING
    record = fakes.record(training)
    request = TrainingRequest.model_validate_json(fakes.files.objects[f"{record.prefix}dataset/training.json"].content)
    assert {f"dataset/{one.file}" for one in request.pictures} <= fakes.files.below(record.prefix)
    assert all("zblx" in one.caption for one in request.pictures)
    job = fakes.jobs.jobs[training.training_id]
    assert (job.model, job.tenant, job.output_prefix) == ("tiny", "T0EASEL", f"{record.prefix}output/")

    fakes.clock.go_on(timedelta(minutes=2))
    fakes.jobs.tell(training.training_id, JobStatus.RUNNING)
    follow_training(training.training_id, fakes.ports)
    report_training(training.training_id, fakes.report(training, 20), fakes.ports)
    fakes.train(training)
    follow_training(training.training_id, fakes.ports)

    ended = read_training(ADA, training.training_id, fakes.ports)
    assert (ended.state, ended.lora_version, ended.final_loss) == (TrainingState.SUCCEEDED, 1, 0.1)
    assert ended.dataset_deleted and ended.pictures == [] and ended.contact_sheet is None
    assert fakes.files.below(record.prefix) == {"samples-200.png", "progress.json"}
    assert fakes.loras.copies[training.training_id] == b"weights"
    assert fakes.names() == [
        "TrainingRequested",
        "TrainingDecided",
        "TrainingProgressed",
        "TrainingProgressed",
        "TrainingProgressed",
        "TrainingSucceeded",
    ]
    assert [event.sequence for event in fakes.events()] == [1, 2, 3, 4, 5, 6]
    assert [len(event.training.pictures) for event in fakes.events()] == [3] * 6
    assert fakes.record(training).due_at is None


def test_events_have_the_training_as_it_stood_then_and_no_links(fakes: FakeTrainings) -> None:
    fakes.store.policies["T0EASEL"] = TrainingPolicy(approvals_place="C0APPROVE")
    fakes.bus.failing = 1
    training = fakes.submitted()
    assert fakes.names() == []
    approve(fakes, training)
    first, second, third = fakes.events()
    assert first.training.state is TrainingState.AWAITING_APPROVAL and first.approvals_place == "C0APPROVE"
    assert second.training.state is TrainingState.APPROVED and second.training.decision is not None
    assert third.training.state is TrainingState.STARTING
    assert "signed" not in first.model_dump_json()


def test_what_the_bus_refused_is_told_by_the_sweeper_with_the_same_id(fakes: FakeTrainings) -> None:
    fakes.bus.failing = 3
    training = fakes.submitted()
    assert sweep(fakes) == {}
    sweep(fakes, timedelta(minutes=2))
    sweep(fakes, timedelta(minutes=6))
    sweep(fakes, timedelta(minutes=6))
    assert [event.event_id for event in fakes.events()] == [f"{training.training_id}:1"]


def test_who_submitted_it_does_not_decide_it_on_the_others_route(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    for answer in (YES, NO):
        with pytest.raises(SelfApproval):
            decide_training(ADA, training.training_id, answer, fakes.ports, by_submitter=False)
    with pytest.raises(NotAllowed):
        decide_training(BOB, training.training_id, YES, fakes.ports, by_submitter=True)
    decided = decide_training(ADA, training.training_id, YES, fakes.ports, by_submitter=True)
    assert decided.decision is not None and decided.decision.by.member == "U0ADA"
    assert [entry.action for entry in fakes.backend.access.records["T0EASEL"]] == ["self_approve_training"]


def test_all_sessions_of_an_iam_principal_count_as_who_submitted_it(fakes: FakeTrainings) -> None:
    tenant = "iam-123456789012-pipeline"
    one = ADA.__class__(tenant, "session-1", "arn:aws:sts::123456789012:assumed-role/pipeline/session-1")
    other = ADA.__class__(tenant, "session-2", "arn:aws:sts::123456789012:assumed-role/pipeline/session-2")
    training = fakes.submitted(one)
    assert training.is_only_approver
    with pytest.raises(SelfApproval):
        decide_training(other, training.training_id, YES, fakes.ports, by_submitter=False)


def test_a_denial_needs_a_reason_and_takes_the_pictures_with_it(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    with pytest.raises(FieldRefused):
        decide_training(
            GRACE, training.training_id, DecideTraining(approve=False, reason="  "), fakes.ports, by_submitter=False
        )
    denied = decide_training(GRACE, training.training_id, NO, fakes.ports, by_submitter=False)
    assert denied.state is TrainingState.DENIED and denied.decision is not None
    assert denied.decision.reason == "that is not ours"
    assert fakes.files.below(fakes.record(training).prefix) == set()
    assert fakes.jobs.jobs == {}
    [entry] = fakes.backend.access.records["T0EASEL"]
    assert (entry.action, entry.member, entry.subject) == (
        "deny_training",
        "U0GRACE",
        f"training#{training.training_id}",
    )
    assert entry.after is not None and entry.after["reason"] == "that is not ours"


def test_of_two_approvers_at_once_one_decides_and_the_other_reads_what_was_decided(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.store.meanwhile = lambda: decide_training(BOB, training.training_id, NO, fakes.ports, by_submitter=False)
    answer = approve(fakes, training)
    assert answer.state is TrainingState.DENIED and answer.decision is not None
    assert answer.decision.by.member == "U0BOB"
    assert fakes.jobs.jobs == {}
    assert fakes.names() == ["TrainingRequested", "TrainingDecided"]
    assert len(fakes.backend.access.records["T0EASEL"]) == 1


def test_deciding_again_changes_nothing(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    again = decide_training(GRACE, training.training_id, NO, fakes.ports, by_submitter=False)
    assert again.state is TrainingState.STARTING and again.decision is not None and again.decision.approved


def test_an_approval_that_comes_too_late_is_refused_and_the_request_has_expired(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.clock.go_on(timedelta(days=7))
    with pytest.raises(TrainingNotInState, match="expired"):
        approve(fakes, training)
    assert fakes.record(training).state is TrainingState.EXPIRED
    assert fakes.names()[-1] == "TrainingExpired"
    with pytest.raises(TrainingNotInState, match="expired"):
        approve(fakes, training)


def test_nobody_elses_tenant_is_seen(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    for ask in (
        lambda: read_training(MALLORY, training.training_id, fakes.ports),
        lambda: cancel_training(MALLORY, training.training_id, fakes.ports),
        lambda: decide_training(MALLORY, training.training_id, YES, fakes.ports, by_submitter=False),
        lambda: submit_training(MALLORY, training.training_id, SubmitTraining(), fakes.ports),
    ):
        with pytest.raises(TrainingNotFound):
            ask()


def test_the_sweeper_expires_drafts_and_requests_and_deletes_their_pictures(fakes: FakeTrainings) -> None:
    draft, asked = fakes.draft(), fakes.submitted()
    fakes.send(draft, b"no picture")
    sweep(fakes, timedelta(days=1))
    assert fakes.record(draft).state is TrainingState.EXPIRED
    assert fakes.record(asked).state is TrainingState.AWAITING_APPROVAL
    sweep(fakes, timedelta(days=6))
    assert fakes.record(asked).state is TrainingState.EXPIRED
    assert fakes.names().count("TrainingExpired") == 2
    assert fakes.files.objects == {}
    assert fakes.record(draft).due_at is None and fakes.record(asked).due_at is None


def test_the_policy_keeps_pictures_for_so_many_days(fakes: FakeTrainings) -> None:
    put_training_policy(GRACE, TrainingPolicy(keep_dataset_days=30), fakes.ports)
    training = fakes.submitted()
    decide_training(GRACE, training.training_id, NO, fakes.ports, by_submitter=False)
    assert len(fakes.record(training).pictures) == 3
    sweep(fakes, timedelta(days=29))
    assert not fakes.record(training).dataset_deleted
    sweep(fakes, timedelta(days=2))
    assert fakes.record(training).dataset_deleted and fakes.files.objects == {}
    [changed, _] = fakes.backend.access.records["T0EASEL"]
    assert (changed.action, changed.after) == ("put_training_policy", {"keep_dataset_days": 30})


def test_the_same_policy_again_leaves_no_record(fakes: FakeTrainings) -> None:
    put_training_policy(GRACE, TrainingPolicy(), fakes.ports)
    assert fakes.backend.access.records == {}


def test_a_start_that_is_postponed_is_tried_again_by_the_sweeper(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.jobs.busy = 1
    assert approve(fakes, training).state is TrainingState.APPROVED
    assert sweep(fakes, timedelta(seconds=30)) == {}
    assert sweep(fakes, timedelta(seconds=40)) == {"starting": 1}
    assert list(fakes.jobs.jobs) == [training.training_id]


def test_an_approver_that_dies_before_the_start_leaves_it_to_the_sweeper(fakes: FakeTrainings) -> None:
    training = fakes.submitted()

    def die() -> None:
        raise RuntimeError("out of time")

    fakes.jobs.before = die
    with pytest.raises(RuntimeError):
        approve(fakes, training)
    fakes.jobs.before = lambda: None
    sweep(fakes, timedelta(minutes=2))
    assert fakes.record(training).state is TrainingState.STARTING
    assert len(fakes.jobs.jobs) == 1


def test_a_start_is_given_up_after_enough_tries(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.jobs.busy = fakes.timing.starts
    approve(fakes, training)
    for _ in range(fakes.timing.starts):
        sweep(fakes, timedelta(hours=1))
    record = fakes.record(training)
    assert record.state is TrainingState.FAILED and record.failure is not None
    assert record.failure.code is TrainingFailureCode.START_FAILED


@pytest.mark.parametrize(
    ("why", "code", "says"),
    [
        (JobRefusal.QUOTA, TrainingFailureCode.NO_CAPACITY, "quota"),
        (JobRefusal.OTHER, TrainingFailureCode.START_FAILED, "whoever runs Easel"),
    ],
)
def test_a_start_that_is_refused_says_why(
    fakes: FakeTrainings, why: JobRefusal, code: TrainingFailureCode, says: str
) -> None:
    training = fakes.submitted()
    fakes.jobs.refusing = why
    failed = approve(fakes, training)
    assert failed.failure is not None
    assert (failed.state, failed.failure.code) == (TrainingState.FAILED, code)
    assert says in failed.failure.message
    assert fakes.names()[-1] == "TrainingFailed"
    # A job may still have come of an attempt whose answer was lost: only later the pictures go.
    sweep(fakes, timedelta(minutes=20))
    assert fakes.files.objects == {} and fakes.record(training).due_at is None


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (JobStatus.FAILED, "CapacityError: Unable to provision requested ML compute capacity.", "no_capacity"),
        (JobStatus.NO_CAPACITY, "", "no_capacity"),
        (JobStatus.TIMED_OUT, "", "timed_out"),
        (
            JobStatus.FAILED,
            "AlgorithmError: CUDA out of memory. Tried to allocate 2 GiB, exit code: 1",
            "out_of_memory",
        ),
        (JobStatus.FAILED, "AlgorithmError: , exit code: 1", "training_failed"),
    ],
)
def test_a_job_that_fails_says_why(fakes: FakeTrainings, status: JobStatus, reason: str, code: str) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.jobs.tell(training.training_id, status, reason)
    follow_training(training.training_id, fakes.ports)
    failure = fakes.record(training).failure
    assert failure is not None and failure.code.value == code
    assert "Error" not in failure.message and failure.message.endswith(".")
    assert fakes.record(training).due_at is None and fakes.record(training).dataset_deleted


def test_the_containers_own_sentence_is_shown_and_a_log_is_not(fakes: FakeTrainings) -> None:
    for reason, says in (
        ("AlgorithmError: The pictures are all of one colour., exit code: 1", "The pictures are all of one colour."),
        ('AlgorithmError: Traceback (most recent call last): File "/opt/x.py" line 3., exit code: 1', "while it ran"),
    ):
        training = fakes.submitted()
        approve(fakes, training)
        fakes.jobs.tell(training.training_id, JobStatus.FAILED, reason)
        follow_training(training.training_id, fakes.ports)
        failure = fakes.record(training).failure
        assert failure is not None and says in failure.message


def test_news_of_the_job_in_any_order_and_twice(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    old = fakes.jobs.conditions[training.training_id]
    fakes.clock.go_on(timedelta(minutes=1))
    fakes.jobs.tell(training.training_id, JobStatus.RUNNING)
    for _ in range(3):
        follow_training(training.training_id, fakes.ports)
    # Somebody who asked earlier is late to write what he heard.
    fakes.jobs.conditions[training.training_id] = old
    follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.RUNNING
    assert fakes.names() == ["TrainingRequested", "TrainingDecided", "TrainingProgressed", "TrainingProgressed"]


def test_an_interrupted_spot_instance_goes_back_to_waiting_and_on_from_its_checkpoint(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    report_training(training.training_id, fakes.report(training, 90), fakes.ports)
    assert fakes.record(training).state is TrainingState.RUNNING
    fakes.clock.go_on(timedelta(minutes=1))
    fakes.jobs.tell(training.training_id, JobStatus.STARTING)
    follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.STARTING
    fakes.clock.go_on(timedelta(minutes=1))
    report_training(training.training_id, fakes.report(training, 60), fakes.ports)
    record = fakes.record(training)
    assert record.state is TrainingState.RUNNING and record.report is not None and record.report.step == 60


def test_progress_is_told_once_and_never_after_the_end(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    key = fakes.report(training, 10)
    assert report_training(training.training_id, key, fakes.ports) is not None
    assert report_training(training.training_id, key, fakes.ports) is None
    assert report_training(training.training_id, "tenants/T0OTHER/trainings/x/progress.json", fakes.ports) is None
    cancel_training(ADA, training.training_id, fakes.ports)
    fakes.clock.go_on(timedelta(seconds=5))
    assert report_training(training.training_id, fakes.report(training, 20), fakes.ports) is None
    assert fakes.names()[-1] == "TrainingCancelled"


def test_progress_that_is_none_is_dropped(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    key = f"{fakes.record(training).prefix}progress.json"
    other = json.dumps({"training_id": "trn-other", "phase": "training", "step": 1, "steps": 2})
    for content in (b"", b"{}", b"\xff", other.encode(), b"x" * 200_000):
        fakes.files.write(key, content, "application/json")
        assert report_training(training.training_id, key, fakes.ports) is None


def test_cancelling_at_every_state(fakes: FakeTrainings) -> None:
    states = []
    for steps in range(5):
        training = fakes.submitted() if steps > 0 else fakes.draft()
        if steps == 2:
            fakes.jobs.busy = 1
        if steps >= 2:
            approve(fakes, training)
        if steps == 4:
            fakes.jobs.tell(training.training_id, JobStatus.RUNNING)
            follow_training(training.training_id, fakes.ports)
        states.append(fakes.record(training).state)
        cancelled = cancel_training(BOB, training.training_id, fakes.ports)
        assert cancelled.state is TrainingState.CANCELLED
        assert (training.training_id in fakes.jobs.stopped) == (steps >= 3)
        if steps >= 3:
            assert not fakes.record(training).dataset_deleted
            fakes.jobs.tell(training.training_id, JobStatus.STOPPED)
            follow_training(training.training_id, fakes.ports)
        elif steps == 2:
            sweep(fakes, timedelta(minutes=20))
        assert fakes.record(training).dataset_deleted and fakes.record(training).due_at is None
    assert states == ["draft", "awaiting_approval", "approved", "starting", "running"]
    assert fakes.files.objects == {}
    assert fakes.names().count("TrainingCancelled") == 5


def test_a_training_that_is_cancelled_while_it_is_handed_over_is_stopped(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.jobs.before = lambda: cancel_training(ADA, training.training_id, fakes.ports)
    assert approve(fakes, training).state is TrainingState.CANCELLED
    assert training.training_id in fakes.jobs.stopped
    assert fakes.names()[-1] == "TrainingCancelled"


def test_a_job_that_nobody_stopped_here_was_cancelled_in_the_console(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.jobs.tell(training.training_id, JobStatus.STOPPED)
    follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.CANCELLED


def test_a_completion_that_a_cancellation_overtook_lists_no_lora(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.train(training)
    fakes.store.meanwhile = lambda: cancel_training(ADA, training.training_id, fakes.ports)
    follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.CANCELLED
    assert fakes.loras.listed == []
    assert fakes.files.below(f"{fakes.record(training).prefix}output/") == set()


def test_what_is_being_listed_can_no_longer_be_cancelled(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.train(training)

    def cancel() -> None:
        with pytest.raises(TrainingNotInState, match="just finishing"):
            cancel_training(ADA, training.training_id, fakes.ports)

    fakes.loras.before = cancel
    follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.SUCCEEDED


def test_a_listing_that_dies_is_done_again_and_lists_one_version(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.train(training)
    fakes.loras.failing = 1
    with pytest.raises(RuntimeError):
        follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.STARTING
    sweep(fakes, timedelta(minutes=4))
    for _ in range(3):
        follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.SUCCEEDED
    assert len(fakes.loras.listed) == 1
    assert fakes.names().count("TrainingSucceeded") == 1


def test_the_same_name_again_is_its_next_version(fakes: FakeTrainings) -> None:
    for number in (1, 2):
        training = fakes.submitted()
        approve(fakes, training)
        fakes.train(training)
        follow_training(training.training_id, fakes.ports)
        assert fakes.record(training).lora_version == number


def test_a_name_that_is_somebody_elses_by_then_fails_with_the_registrys_sentence(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.train(training)
    fakes.loras.taken = {"mascot"}
    follow_training(training.training_id, fakes.ports)
    failure = fakes.record(training).failure
    assert failure is not None and "Somebody else's LoRA is called mascot" in failure.message


@pytest.mark.parametrize("wrong", ["no manifest", "no json", "another training", "another sum", "no file"])
def test_what_is_not_what_it_says_is_never_listed(fakes: FakeTrainings, wrong: str) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    more = {"another training": {"training_id": "trn-other"}, "another sum": {"sha256": "0" * 64}}.get(wrong, {})
    fakes.train(training, **more)
    prefix = fakes.jobs.output_prefix(training.training_id, f"{fakes.record(training).prefix}output/")
    if wrong == "no manifest":
        fakes.files.delete(f"{prefix}manifest.json")
    if wrong == "no json":
        fakes.files.write(f"{prefix}manifest.json", b"{", "application/json")
    if wrong == "no file":
        fakes.files.delete(f"{prefix}lora.safetensors")
    follow_training(training.training_id, fakes.ports)
    record = fakes.record(training)
    assert record.state is TrainingState.FAILED and record.failure is not None
    assert record.failure.code is TrainingFailureCode.TRAINING_FAILED
    assert fakes.loras.listed == []


def test_a_training_whose_events_never_came_is_settled_by_the_sweeper(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.train(training)
    assert sweep(fakes, timedelta(minutes=6)) == {"succeeded": 1}
    assert sweep(fakes, timedelta(days=400)) == {}


def test_a_job_that_sagemaker_lost_is_lost(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.jobs.conditions.clear()
    sweep(fakes, timedelta(minutes=6))
    assert fakes.record(training).state is TrainingState.STARTING
    sweep(fakes, timedelta(minutes=6))
    failure = fakes.record(training).failure
    assert failure is not None and failure.code is TrainingFailureCode.LOST


def test_a_training_that_can_not_be_swept_is_postponed_and_does_not_stop_others(fakes: FakeTrainings) -> None:
    stuck, other = fakes.submitted(), fakes.submitted()
    approve(fakes, stuck)
    approve(fakes, other)
    fakes.train(stuck)
    fakes.train(other)
    fakes.loras.failing = 1
    assert sweep(fakes, timedelta(minutes=6)) == {"errors": 1, "succeeded": 1}
    assert sweep(fakes, timedelta(minutes=6)) == {"succeeded": 1}


def test_deleting_what_has_ended_takes_everything_but_the_lora(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    fakes.train(training)
    follow_training(training.training_id, fakes.ports)
    assert cancel_training(ADA, training.training_id, fakes.ports, only_open=True).state is TrainingState.SUCCEEDED
    deleted = cancel_training(ADA, training.training_id, fakes.ports)
    assert deleted.state is TrainingState.DELETED and deleted.pictures == [] and deleted.report is None
    assert fakes.files.objects == {}
    assert len(fakes.loras.listed) == 1
    assert cancel_training(ADA, training.training_id, fakes.ports).state is TrainingState.DELETED
    assert fakes.record(training).due_at is None


def test_deleting_a_cancelled_training_whose_job_still_writes_deletes_that_too(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    approve(fakes, training)
    cancel_training(ADA, training.training_id, fakes.ports)
    cancel_training(ADA, training.training_id, fakes.ports)
    fakes.report(training, 30)
    fakes.jobs.tell(training.training_id, JobStatus.STOPPED)
    follow_training(training.training_id, fakes.ports)
    assert fakes.record(training).state is TrainingState.DELETED
    assert fakes.files.objects == {}


def grant(fakes: FakeTrainings, kind: SubjectKind, subject: str, **more: object) -> None:
    request = PutGrant(**({"role": "admin"} | more))
    ports = fakes.backend.access_ports
    put_grant(GRACE, kind, subject, request, stack_roles=STACK_ROLES, api_arn=API_ARN, ports=ports)


def test_who_is_alone_with_the_right_to_approve_is_told(fakes: FakeTrainings) -> None:
    assert not fakes.submitted().is_only_approver
    grant(fakes, SubjectKind.MEMBER, "U0ADA")
    assert fakes.submitted().is_only_approver
    grant(fakes, SubjectKind.MEMBER, "U0BOB", role="trainer")
    assert fakes.submitted().is_only_approver
    grant(fakes, SubjectKind.MEMBER, "U0GRACE")
    assert not fakes.submitted().is_only_approver
    put_deny(GRACE, SubjectKind.MEMBER, "U0GRACE", PutDeny(), fakes.backend.access_ports)
    assert fakes.submitted().is_only_approver


@pytest.mark.parametrize("kind", [SubjectKind.CHANNEL, SubjectKind.USERGROUP, SubjectKind.WORKSPACE])
def test_a_grant_to_several_or_of_an_own_role_leaves_nobody_alone_for_sure(
    fakes: FakeTrainings, kind: SubjectKind
) -> None:
    made = fakes.clock.now()
    ada = Entry(effect=Effect.GRANT, kind=SubjectKind.MEMBER, id="U0ADA", role="admin", made_at=made)
    other = Entry(effect=Effect.GRANT, kind=kind, id="X1", role="admin", made_at=made)
    assert is_only_approver(ADA, [ada], made)
    assert not is_only_approver(ADA, [ada, other], made)
    own = Entry(effect=Effect.GRANT, kind=kind, id="X1", role_arn="arn:aws:iam::1:role/easel/x", made_at=made)
    assert not is_only_approver(ADA, [ada, own], made)
    limits_only = Entry(effect=Effect.GRANT, kind=kind, id="X1", made_at=made)
    assert is_only_approver(ADA, [ada, limits_only], made)
    over = other.model_copy(update={"ends_at": made - timedelta(seconds=1)})
    assert is_only_approver(ADA, [ada, over], made)


def test_pictures_stay_until_everything_is_told_that_names_them(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.bus.failing = 1
    decide_training(GRACE, training.training_id, NO, fakes.ports, by_submitter=False)
    assert not fakes.record(training).dataset_deleted and fakes.names() == ["TrainingRequested"]
    sweep(fakes, timedelta(minutes=2))
    assert fakes.record(training).dataset_deleted
    assert [len(event.training.pictures) for event in fakes.events()] == [3, 3]


def test_a_job_that_arrives_after_its_training_was_cancelled_is_stopped(fakes: FakeTrainings) -> None:
    training, other = fakes.submitted(), fakes.submitted()
    fakes.jobs.busy = 1
    assert approve(fakes, training).state is TrainingState.APPROVED
    assert cancel_training(ADA, training.training_id, fakes.ports).state is TrainingState.CANCELLED
    assert not fakes.record(training).is_job_over
    # The answer was lost, and not the request.
    approve(fakes, other)
    fakes.jobs.start(replace(fakes.jobs.jobs[other.training_id], training_id=training.training_id))
    sweep(fakes, timedelta(minutes=6))
    assert fakes.jobs.stopped == [training.training_id]
    fakes.jobs.tell(training.training_id, JobStatus.STOPPED)
    sweep(fakes, timedelta(minutes=6))
    assert fakes.record(training).is_job_over and fakes.record(training).dataset_deleted
