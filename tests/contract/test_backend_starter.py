"""The contract of `InferenceStarter`, over the fake and over SageMaker's wire form."""

from __future__ import annotations

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.sagemaker_starter import SageMakerStarter
from backend_lambda.ports import InferenceStarter, StartPostponed, StartRefused
from tests.contract.conftest import SageMaker
from tests.fakes.backend import BUCKET, TIMING, FakeStarter

JOB = "job-aaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture(params=["fake", "sagemaker"])
def starter(request: pytest.FixtureRequest, sagemaker: SageMaker) -> InferenceStarter:
    """Knows the endpoint `here`; `gone` is none."""
    if request.param == "fake":
        fake = FakeStarter()
        fake.refusing.add("gone")
        return fake
    sagemaker.endpoints["here"] = {"EndpointStatus": "InService"}
    clients: Clients = request.getfixturevalue("sagemaker_clients")
    return SageMakerStarter(clients.of("sagemaker-runtime"), BUCKET, TIMING)


def test_a_start_tells_where_the_answer_will_be(starter: InferenceStarter) -> None:
    started = starter.start("here", JOB, "tenants/T1/jobs/j/request.json")
    assert started.output_location is not None
    assert started.output_location.startswith("s3://")
    assert started.failure_location is not None
    assert started.failure_location != started.output_location


def test_an_endpoint_that_is_not_there_refuses(starter: InferenceStarter) -> None:
    with pytest.raises(StartRefused):
        starter.start("gone", JOB, "k")


def test_what_sagemaker_is_asked(sagemaker: SageMaker, sagemaker_clients: Clients) -> None:
    sagemaker.endpoints["here"] = {"EndpointStatus": "InService"}
    SageMakerStarter(sagemaker_clients.of("sagemaker-runtime"), BUCKET, TIMING).start("here", JOB, "t/request.json")
    [given] = sagemaker.invocations
    assert given["endpoint"] == "here"
    assert given["x-amzn-sagemaker-inference-id"] == JOB
    assert given["x-amzn-sagemaker-inputlocation"] == f"s3://{BUCKET}/t/request.json"
    assert given["x-amzn-sagemaker-requestttlseconds"] == "3600"
    assert given["x-amzn-sagemaker-invocationtimeoutseconds"] == "900"
    assert given["x-amzn-sagemaker-content-type"] == "application/json"
    assert "/sagemaker/aws4_request" in given["authorization"]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "ValidationError", StartRefused),
        (403, "AccessDeniedException", StartRefused),
        (400, "ThrottlingException", StartPostponed),
        (503, "ServiceUnavailable", StartPostponed),
        (500, "InternalFailure", StartPostponed),
        (400, "SomethingNew", StartPostponed),
    ],
)
def test_what_sagemaker_answers_decides_whether_trying_again_helps(
    sagemaker: SageMaker, sagemaker_clients: Clients, status: int, code: str, error: type[Exception]
) -> None:
    sagemaker.endpoints["here"] = {"EndpointStatus": "InService"}
    sagemaker.faults += [(status, code)] * 3
    with pytest.raises(error):
        SageMakerStarter(sagemaker_clients.of("sagemaker-runtime"), BUCKET, TIMING).start("here", JOB, "k")
    assert sagemaker.invocations == []


def test_a_fault_that_passes_is_not_noticed(sagemaker: SageMaker, sagemaker_clients: Clients) -> None:
    sagemaker.endpoints["here"] = {"EndpointStatus": "InService"}
    sagemaker.faults.append((503, "ServiceUnavailable"))
    SageMakerStarter(sagemaker_clients.of("sagemaker-runtime"), BUCKET, TIMING).start("here", JOB, "k")
    assert len(sagemaker.invocations) == 1


def test_a_server_that_does_not_answer_is_worth_another_try(sagemaker: SageMaker) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        clients = Clients()
        clients("sagemaker-runtime")
    with pytest.raises(StartPostponed):
        SageMakerStarter(clients.of("sagemaker-runtime"), BUCKET, TIMING).start("here", JOB, "k")
