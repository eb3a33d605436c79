"""SageMaker's training jobs: what it is asked, and what its answers mean."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from backend_lambda.aws.sagemaker_trainings import RUNNING, WAITING, SageMakerTrainingJobs
from backend_lambda.training_ports import JobPostponed, JobRefusal, JobRefused, JobStatus, TrainingJob
from tests.contract.conftest import clients_under
from tests.fakes.backend_trainings import MACHINE

ID = "trn-" + "a" * 26
JOB = TrainingJob(
    training_id=ID,
    tenant="iam-123456789012-pipe=5Fline",
    member="U0ADA",
    model="tiny",
    machine=MACHINE,
    dataset_prefix="tenants/T1/trainings/t/dataset/",
    checkpoints_prefix="tenants/T1/trainings/t/checkpoints/",
    output_prefix="tenants/T1/trainings/t/output/",
    max_run_seconds=1_800,
)


@dataclass
class SageMaker:
    """Its training jobs by name. `faults` are (status, code, message) that the next calls get."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((operation, body))
        if self.faults:
            status, code, message = self.faults.pop(0)
            return status, {"__type": code, "message": message}
        name = body["TrainingJobName"]
        if operation == "CreateTrainingJob":
            if name in self.jobs:
                return 400, {"__type": "ResourceInUse", "message": "Job name must be unique within an account"}
            self.jobs[name] = body | {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Starting"}
            return 200, {"TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"}
        if name not in self.jobs:
            return 400, {"__type": "ValidationException", "message": "Requested resource not found."}
        if operation == "StopTrainingJob":
            if self.jobs[name]["TrainingJobStatus"] != "InProgress":
                return 400, {"__type": "ValidationException", "message": "The job is in status Completed."}
            self.jobs[name]["TrainingJobStatus"] = "Stopping"
            return 200, {}
        return 200, {"TrainingJobName": name, "LastModifiedTime": 1_795_453_021.5, **self.jobs[name]}


@pytest.fixture
def service() -> Iterator[SageMaker]:
    state = SageMaker()

    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = state.answer(self.headers["x-amz-target"].partition(".")[2], body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def jobs(service: SageMaker) -> SageMakerTrainingJobs:
    clients = clients_under({"AWS_ENDPOINT_URL": service.url, "AWS_MAX_ATTEMPTS": "1"}, "sagemaker")
    return SageMakerTrainingJobs(
        clients.of("sagemaker"),
        stack="easel",
        role_arn="arn:aws:iam::123456789012:role/easel-training",
        pictures_bucket="pictures",
        models_bucket="models",
    )


def test_what_is_asked_is_what_sagemaker_takes(jobs: SageMakerTrainingJobs, service: SageMaker) -> None:
    jobs.start(JOB)
    [(operation, body)] = service.asked
    assert operation == "CreateTrainingJob"
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    assert not ParamValidator().validate(body, shape).has_errors()
    assert len(body["TrainingJobName"]) <= 63 and body["TrainingJobName"] == f"easel-{ID}"
    assert body["HyperParameters"] == {"training_id": ID}
    channels = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in body["InputDataConfig"]}
    assert channels == {"model": "s3://models/tiny/", "dataset": "s3://pictures/tenants/T1/trainings/t/dataset/"}
    assert body["OutputDataConfig"] == {
        "S3OutputPath": "s3://pictures/tenants/T1/trainings/t/output/",
        "CompressionType": "NONE",
    }
    assert {tag["Key"]: tag["Value"] for tag in body["Tags"]} == {
        "easel": "easel",
        "tenant": "iam-123456789012-pipe=5Fline",
        "member": "U0ADA",
        "training": ID,
    }
    assert jobs.output_prefix(ID, JOB.output_prefix) == f"tenants/T1/trainings/t/output/easel-{ID}/output/model/"


def test_spot_and_a_warm_pool_exclude_one_another(jobs: SageMakerTrainingJobs, service: SageMaker) -> None:
    spot = replace(MACHINE, warm_pool_seconds=600)
    warm = replace(spot, offer=MACHINE.offer.model_copy(update={"spot": False}))
    plain = replace(warm, warm_pool_seconds=0)
    asked = []
    for index, machine in enumerate((spot, warm, plain)):
        jobs.start(replace(JOB, machine=machine, training_id=f"trn-{'abc'[index] * 26}"))
        asked.append(service.asked[-1][1])
    assert [one.get("EnableManagedSpotTraining") for one in asked] == [True, None, None]
    assert [one["ResourceConfig"].get("KeepAlivePeriodInSeconds") for one in asked] == [None, 600, None]
    stopping = asked[0]["StoppingCondition"]
    assert stopping["MaxWaitTimeInSeconds"] >= stopping["MaxRuntimeInSeconds"] == 1_800
    assert "MaxWaitTimeInSeconds" not in asked[1]["StoppingCondition"]


def test_a_job_that_is_there_already_is_as_good_if_it_is_ours(jobs: SageMakerTrainingJobs, service: SageMaker) -> None:
    jobs.start(JOB)
    jobs.start(JOB)
    service.jobs[f"easel-{ID}"]["HyperParameters"] = {}
    with pytest.raises(JobRefused) as refused:
        jobs.start(JOB)
    assert refused.value.why is JobRefusal.OTHER


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "ResourceLimitExceeded", JobRefusal.QUOTA),
        (400, "ValidationException", JobRefusal.OTHER),
        (400, "AccessDeniedException", JobRefusal.OTHER),
        (400, "ThrottlingException", None),
        (500, "InternalFailure", None),
        (503, "ServiceUnavailable", None),
    ],
)
def test_what_a_refusal_means(
    jobs: SageMakerTrainingJobs, service: SageMaker, status: int, code: str, expected: JobRefusal | None
) -> None:
    service.faults = [(status, code, "no")] * 3
    if expected is None:
        with pytest.raises(JobPostponed):
            jobs.start(JOB)
    else:
        with pytest.raises(JobRefused) as refused:
            jobs.start(JOB)
        assert refused.value.why is expected


@pytest.mark.parametrize(
    ("primary", "secondary", "expected"),
    [
        ("InProgress", "Starting", JobStatus.STARTING),
        ("InProgress", "Pending", JobStatus.STARTING),
        ("InProgress", "Interrupted", JobStatus.STARTING),
        ("InProgress", "Downloading", JobStatus.RUNNING),
        ("InProgress", "Training", JobStatus.RUNNING),
        ("InProgress", "Uploading", JobStatus.RUNNING),
        ("Stopping", "Stopping", JobStatus.STOPPING),
        ("Stopped", "Stopped", JobStatus.STOPPED),
        ("Stopped", "MaxRuntimeExceeded", JobStatus.TIMED_OUT),
        ("Stopped", "MaxWaitTimeExceeded", JobStatus.NO_CAPACITY),
        ("Completed", "Completed", JobStatus.COMPLETED),
        ("Failed", "Failed", JobStatus.FAILED),
        ("Deleting", "", JobStatus.FAILED),
    ],
)
def test_what_a_status_means(
    jobs: SageMakerTrainingJobs, service: SageMaker, primary: str, secondary: str, expected: JobStatus
) -> None:
    jobs.start(JOB)
    service.jobs[f"easel-{ID}"] |= {
        "TrainingJobStatus": primary,
        "SecondaryStatus": secondary,
        "FailureReason": "CapacityError",
    }
    condition = jobs.condition(ID)
    assert (condition.status, condition.reason) == (expected, "CapacityError")
    assert condition.changed_at == datetime.fromtimestamp(1_795_453_021.5, UTC)


def test_every_status_of_botocores_is_known() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    over = {"Stopping", "Stopped", "MaxRuntimeExceeded", "Completed", "Failed", "MaxWaitTimeExceeded"}
    assert set(model.shape_for("SecondaryStatus").enum) == RUNNING | WAITING | over
    assert not RUNNING & WAITING


def test_a_job_that_there_is_not_is_missing_and_may_be_stopped(jobs: SageMakerTrainingJobs, service: SageMaker) -> None:
    assert jobs.condition(ID).status is JobStatus.MISSING
    jobs.stop(ID)
    jobs.start(JOB)
    jobs.stop(ID)
    assert jobs.condition(ID).status is JobStatus.STOPPING
    service.jobs[f"easel-{ID}"]["TrainingJobStatus"] = "Completed"
    jobs.stop(ID)
    service.faults = [(400, "ThrottlingException", "no")] * 6
    with pytest.raises(JobPostponed):
        jobs.condition(ID)
    service.faults = [(400, "ThrottlingException", "no")] * 6
    with pytest.raises(JobPostponed):
        jobs.stop(ID)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"easel-{ID}", ID),
        (ID, None),
        (f"other-{ID}", None),
        (f"easel-other-{ID}", None),
        ("easel-by-hand", None),
        ("easel-trn-", None),
        ("", None),
    ],
)
def test_which_training_a_job_belongs_to(jobs: SageMakerTrainingJobs, name: str, expected: str | None) -> None:
    assert jobs.training_of(name) == expected
