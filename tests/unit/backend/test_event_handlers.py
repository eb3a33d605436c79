"""The functions that no one asks: batches, and messages in any shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend_lambda.contract.job_state import JobState
from backend_lambda.events.batch import handle_batch
from backend_lambda.events.completions import handle_message as handle_completion
from backend_lambda.events.completions import read_completion
from backend_lambda.events.progress import handle_message as handle_progress
from backend_lambda.events.sweep import sweep
from backend_lambda.job_record import JobRecord
from backend_lambda.usecases.finish_job import Completion, Outcome
from backend_lambda.usecases.submit_job import submit_job
from tests.fakes.backend import ADA, BUCKET, FakeBackend, ask
from tests.fakes.backend_events import completion_message, progress_message, sqs_batch
from tests.fakes.backend_trainings import FakeTrainings


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def record(backend: FakeBackend) -> JobRecord:
    return backend.jobs.records[submit_job(ADA, "tiny", ask(), backend.ports).job_id]


NAMES = ["inferenceId", "invocationStatus", "failureReason", "responseParameters", "failureLocation", "Type", "Message"]


def complete(backend: FakeBackend, *bodies: str) -> list[str]:
    """Ids of the messages that failed."""
    answer = handle_batch(sqs_batch(*bodies), None, lambda body: handle_completion(body, backend.ports))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_each_message_of_a_batch_is_handled_for_itself(backend: FakeBackend, record: JobRecord) -> None:
    other = backend.jobs.records[submit_job(ADA, "tiny", ask(key="k2"), backend.ports).job_id]
    backend.paint(record)
    bodies = [
        "not json",
        completion_message(record.job_id),
        completion_message("job-unknown"),
        completion_message(other.job_id, "Failed", failureReason="x"),
        json.dumps({"inferenceId": record.job_id}),
    ]
    assert complete(backend, *bodies) == ["message-0", "message-4"]
    assert backend.jobs.records[record.job_id].state is JobState.SUCCEEDED
    assert backend.jobs.records[other.job_id].state is JobState.FAILED
    # All of them once more, the other way round.
    events = backend.bus.ids()
    assert complete(backend, *reversed(bodies)) == ["message-0", "message-4"]
    assert backend.bus.ids() == events


def test_what_the_bus_refused_comes_again(backend: FakeBackend, record: JobRecord) -> None:
    backend.paint(record)
    backend.bus.failing = 1
    assert complete(backend, completion_message(record.job_id)) == ["message-0"]
    assert complete(backend, completion_message(record.job_id)) == []
    assert backend.bus.ids() == [f"{record.job_id}:succeeded"]


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("Completed", {}, Completion("j", Outcome.COMPLETED)),
        ("COMPLETED", {"responseBody": {"content": "e30=", "encoding": "BASE64"}}, Completion("j", Outcome.COMPLETED)),
        ("Failed", {"failureReason": "r"}, Completion("j", Outcome.FAILED, "r")),
        (
            "Failed",
            {"failureReason": "r", "responseParameters": {"failureLocation": "s3://b/f"}},
            Completion("j", Outcome.FAILED, "r", "s3://b/f"),
        ),
        ("Failed", {"responseParameters": None}, Completion("j", Outcome.FAILED)),
        ("Expired", {}, Completion("j", Outcome.EXPIRED)),
        ("TimedOut", {"failureReason": "r"}, Completion("j", Outcome.FAILED, "r")),
        ("InProgress", {}, None),
    ],
)
def test_what_sagemaker_says(status: str, more: dict[str, Any], expected: Completion | None) -> None:
    assert read_completion(completion_message("j", status, **more)) == expected


def test_an_envelope_of_sns_is_opened() -> None:
    envelope = {"Type": "Notification", "TopicArn": "arn", "Message": completion_message("j")}
    assert read_completion(json.dumps(envelope)) == Completion("j", Outcome.COMPLETED)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(NAMES),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_any_message_is_a_completion_or_an_error_for_the_dead_letter_queue(message: Any) -> None:
    backend = FakeBackend()
    try:
        handle_completion(json.dumps(message), backend.ports)
    except ValidationError:
        return
    assert backend.bus.events == []


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    for handle in (handle_completion, handle_progress):
        try:
            handle(text, FakeBackend().ports)
        except ValidationError:
            continue
        pytest.fail("no text of three characters is a message")


def test_progress_is_followed(backend: FakeBackend, record: JobRecord) -> None:
    handle_progress(progress_message(BUCKET, backend.report(record, 3)), backend.ports)
    assert backend.jobs.records[record.job_id].state is JobState.RUNNING


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("another-bucket", "{prefix}progress.json"),
        (BUCKET, "{prefix}progress.json.bak"),
        (BUCKET, "x/{prefix}progress.json"),
        (BUCKET, "{prefix}0.png"),
        (BUCKET, "tenants/T0EASEL/jobs/../progress.json"),
        (BUCKET, ""),
    ],
)
def test_objects_elsewhere_are_left_alone(backend: FakeBackend, record: JobRecord, bucket: str, key: str) -> None:
    backend.report(record, 3)
    handle_progress(progress_message(bucket, key.format(prefix=record.prefix)), backend.ports)
    assert backend.jobs.records[record.job_id] == record


def test_the_sweeper_counts_what_it_did(backend: FakeBackend, record: JobRecord) -> None:
    class Context:
        aws_request_id = "r"

        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    assert sweep(Context(), backend.ports, FakeTrainings(backend).ports) == {}
    backend.clock.go_on(record.due_at - record.created_at if record.due_at else pytest.fail("settled"))
    assert sweep(Context(), backend.ports, FakeTrainings(backend).ports) == {"failed": 1}
