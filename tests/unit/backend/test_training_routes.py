"""Trainings by HTTP and by events: the functions over the fakes, with what AWS sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from backend_lambda.api.handler import respond
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.events.sweep import sweep
from backend_lambda.events.trainings import handle_message
from backend_lambda.training_ports import JobStatus
from tests.fakes.backend import ADA, BUCKET, MALLORY
from tests.fakes.backend_events import progress_message, request
from tests.fakes.backend_trainings import GRACE, MUG, STACK, FakeTrainings, png

BODY = MUG.model_dump(mode="json", exclude_defaults=True)


@pytest.fixture
def fakes() -> FakeTrainings:
    return FakeTrainings()


class Api:
    """Asks the API function."""

    def __init__(self, fakes: FakeTrainings) -> None:
        self._backend = fakes.backend.backend

    def __call__(
        self, method: str, path: str, body: Any = None, *, arn: str = ADA.arn, query: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        answer = respond(request(method, path, body, arn=arn, query=query), None, self._backend)
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def api(fakes: FakeTrainings) -> Api:
    return Api(fakes)


def job_message(training_id: str, status: str = "InProgress", secondary: str = "Training", **more: Any) -> str:
    """SageMaker's event about a training job, by EventBridge."""
    return json.dumps(
        {
            "version": "0",
            "id": "844e2571-85d4-695f-b930-0153b71dcb42",
            "detail-type": "SageMaker Training Job State Change",
            "source": "aws.sagemaker",
            "account": "123456789012",
            "time": "2026-11-25T12:00:00Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{STACK}-{training_id}"],
            "detail": {
                "TrainingJobName": f"{STACK}-{training_id}",
                "TrainingJobStatus": status,
                "SecondaryStatus": secondary,
                "HyperParameters": {"training_id": training_id},
                "CreationTime": 1_795_453_021_000,
                "LastModifiedTime": "1795453021000",
            }
            | more,
        }
    )


def test_the_whole_way_by_http_and_events(fakes: FakeTrainings, api: Api) -> None:
    status, draft = api("POST", "/trainings", BODY)
    assert (status, draft["state"]) == (201, "draft")
    path = f"/trainings/{draft['training_id']}"
    for index in range(4):
        content = png(index)
        picture = {"key": f"F{index}", "filename": "mug.png", "bytes": len(content)}
        status, upload = api("POST", f"{path}/pictures", picture)
        assert status == 201 and set(upload) == {"picture_id", "url", "headers", "expires_at"}
        fakes.files.put(upload["url"], content)
        status, checked = api("POST", f"{path}/pictures/{upload['picture_id']}/check")
        assert (status, checked["state"]) == (200, "accepted")
    status, left = api("DELETE", f"{path}/pictures/{upload['picture_id']}")
    assert (status, len(left["pictures"])) == (200, 3)
    status, submitted = api("POST", f"{path}/submission", {})
    assert (status, submitted["state"]) == (200, "awaiting_approval")
    assert api("POST", f"{path}/approval", {"approve": True})[1]["code"] == "self_approval"
    status, approved = api("POST", f"{path}/approval", {"approve": True}, arn=GRACE.arn)
    assert (status, approved["state"]) == (200, "starting")
    fakes.jobs.tell(draft["training_id"], JobStatus.RUNNING)
    handle_message(job_message(draft["training_id"]), fakes.ports)
    handle_message(progress_message(BUCKET, fakes.report_of(draft["training_id"], 40)), fakes.ports)
    status, running = api("GET", path)
    assert (running["state"], running["report"]["step"]) == ("running", 40)
    assert "signed" in running["report"]["loss_plot"]["url"]
    fakes.train_of(draft["training_id"])
    handle_message(job_message(draft["training_id"], "Completed", "Completed"), fakes.ports)
    status, ended = api("GET", path)
    assert (ended["state"], ended["lora_version"], ended["dataset_deleted"]) == ("succeeded", 1, True)
    status, listed = api("GET", "/trainings", query={"state": "succeeded", "member": "me"})
    assert [one["training_id"] for one in listed["trainings"]] == [draft["training_id"]]
    assert api("DELETE", path, query={"only": "open"})[1]["state"] == "succeeded"
    assert api("DELETE", path)[1]["state"] == "deleted"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "field"),
    [
        ("POST", "/trainings", BODY | {"name": "Mascot!"}, 422, "invalid_request", "name"),
        ("POST", "/trainings", BODY | {"trigger": "two words"}, 422, "invalid_request", "trigger"),
        ("POST", "/trainings", BODY | {"options": {"rank": 999}}, 422, "invalid_request", "options.rank"),
        ("POST", "/trainings", BODY | {"endpoint": "sdxl"}, 404, "endpoint_not_found", "endpoint"),
        ("POST", "/trainings", BODY | {"nmae": "x"}, 422, "invalid_request", "nmae"),
        ("GET", "/trainings/trn-none", None, 404, "training_not_found", "training_id"),
        ("DELETE", "/trainings/trn-none", None, 404, "training_not_found", "training_id"),
        ("POST", "/trainings/trn-none/approval", {"approve": True}, 404, "training_not_found", "training_id"),
        ("POST", "/trainings/trn-none/self-approval", {"approv": True}, 422, "invalid_request", None),
        ("POST", "/trainings/trn-x/pictures", {"key": "a", "filename": "", "bytes": 1}, 422, "invalid_request", None),
        ("POST", "/trainings/trn-none/pictures/PIC!/check", None, 422, "invalid_request", "picture_id"),
        ("PUT", "/training-policy", {"approval_days": 31}, 422, "invalid_request", "approval_days"),
        ("PUT", "/trainings", None, 405, "method_not_allowed", "method"),
        ("POST", "/trainings", "[]", 400, "malformed_request", None),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_and_why(
    api: Api, method: str, path: str, body: Any, status: int, code: str, field: str | None
) -> None:
    answered, error = api(method, path, body)
    assert (answered, error["code"]) == (status, code)
    if field is not None:
        assert error["field"] == field
    assert error["message"].endswith((".", "?"))


def test_a_misspelt_field_is_told_by_the_form_of_that_very_route(api: Api) -> None:
    _, error = api("POST", "/trainings/trn-none/pictures", {"keyy": "a", "key": "a", "filename": "a", "bytes": 1})
    assert error["message"] == "There is no field keyy. Did you mean key?"
    _, error = api("PUT", "/training-policy", {"approvals_plaice": "C1"})
    assert "Did you mean approvals_place?" in error["message"]


def test_the_policy_is_read_and_changed(api: Api) -> None:
    assert api("GET", "/training-policy")[1] == {"approvals_place": "", "approval_days": 7, "keep_dataset_days": 0}
    wanted = {"approvals_place": "C0TRAIN", "approval_days": 2, "keep_dataset_days": 5}
    assert api("PUT", "/training-policy", wanted, arn=GRACE.arn) == (200, wanted)
    assert api("GET", "/training-policy")[1] == wanted
    assert api("GET", "/training-policy", arn=MALLORY.arn)[1]["approval_days"] == 7
    _, audit = api("GET", "/audit", arn=GRACE.arn)
    assert [(entry["action"], entry["after"]) for entry in audit["entries"]] == [("put_training_policy", wanted)]


def test_events_about_other_things_are_dropped(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    before = fakes.record(training)
    for body in (
        job_message(training.training_id, TrainingJobName="by-hand"),
        job_message(training.training_id, TrainingJobName=f"other-{training.training_id}"),
        job_message("trn-" + "a" * 26),
        progress_message("another", f"{before.prefix}progress.json"),
        progress_message(BUCKET, f"{before.prefix}other.json"),
        progress_message(BUCKET, f"tenants/T0OTHER/trainings/{training.training_id}/progress.json"),
        progress_message(BUCKET, "tenants/T1/jobs/job-" + "a" * 26 + "/progress.json"),
    ):
        handle_message(body, fakes.ports)
    assert fakes.record(training) == before
    for nonsense in ("{}", "[]", '{"detail": {}}', '{"detail": {"TrainingJobName": ""}}'):
        with pytest.raises(ValidationError):
            handle_message(nonsense, fakes.ports)


def test_news_of_a_job_that_was_never_approved_changes_nothing(fakes: FakeTrainings) -> None:
    training = fakes.submitted()
    fakes.jobs.tell(training.training_id, JobStatus.COMPLETED)
    handle_message(job_message(training.training_id, "Completed", "Completed"), fakes.ports)
    assert fakes.record(training).state is TrainingState.AWAITING_APPROVAL


def test_the_sweeper_looks_after_trainings_too(fakes: FakeTrainings) -> None:
    fakes.draft()
    fakes.clock.go_on(fakes.timing.draft)
    assert sweep(None, fakes.backend.ports, fakes.ports) == {"training_expired": 1}
