"""The parts of the SageMaker stand-in that need neither a network nor a process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from deploy.local.aws_gateway import gateway_environment
from deploy.local.sagemaker.async_invocation import AsyncInvocation
from deploy.local.sagemaker.aws_protocol import AwsError, operation_of_target, parse_json
from deploy.local.sagemaker.faults import Faults
from deploy.local.sagemaker.iam_resources import resources_of
from deploy.local.sagemaker.model_cache import ModelCache, ModelNotFound
from deploy.local.sagemaker.paging import page
from deploy.local.sagemaker.scaling_loop import _adjusted
from deploy.local.sagemaker.settings import SageMakerSettings

OUTPUT = {"S3OutputPath": "s3://bucket/out/", "S3FailurePath": "s3://bucket/bad"}
PREFIX = "X-Amzn-SageMaker-"


def invocation(body: bytes = b"", **headers: str) -> AsyncInvocation:
    given_headers = {PREFIX + name.replace("_", "-"): value for name, value in headers.items()}
    return AsyncInvocation.from_request("tiny", Headers(given_headers), body, OUTPUT)


def test_invocation_has_the_services_defaults() -> None:
    asked = invocation(InputLocation="s3://bucket/in.json")
    assert (asked.ttl_seconds, asked.timeout_seconds) == (21_600, 900)
    assert asked.output_location.startswith("s3://bucket/out/")
    assert asked.output_location.endswith(".out")
    assert asked.failure_location is not None
    assert asked.failure_location.startswith("s3://bucket/bad/")
    assert len(asked.inference_id) == 36


def test_notification_has_the_documented_shape() -> None:
    asked = invocation(InputLocation="s3://bucket/in.json", Inference_Id="job-1", Content_Type="application/json")
    completed = asked.notification("us-east-1", "Completed")
    assert set(completed) == {
        "awsRegion",
        "eventTime",
        "receivedTime",
        "invocationStatus",
        "requestParameters",
        "responseParameters",
        "inferenceId",
        "eventVersion",
        "eventSource",
        "eventName",
    }
    assert completed["receivedTime"].endswith("Z")
    failed = asked.notification("us-east-1", "Failed", failure="ClientError: it broke")
    assert failed["failureReason"] == "ClientError: it broke"
    assert failed["responseParameters"] == {"failureLocation": asked.failure_location}
    json.dumps([completed, failed])


@given(
    st.binary(max_size=20),
    st.dictionaries(
        st.sampled_from(["InputLocation", "Inference_Id", "RequestTTLSeconds", "InvocationTimeoutSeconds"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=70),
    ),
)
def test_any_headers_are_taken_or_refused_as_aws_does(body: bytes, headers: dict[str, str]) -> None:
    try:
        asked = invocation(body, **headers)
    except AwsError as refused:
        assert (refused.code, refused.status) == ("ValidationError", 400)
    else:
        assert 60 <= asked.ttl_seconds <= 21_600
        assert 1 <= asked.timeout_seconds <= 3_600
        assert len(asked.inference_id) <= 64


@given(st.binary(max_size=60))
def test_any_body_of_an_operation_is_read_or_refused_as_aws_does(body: bytes) -> None:
    _, operation = operation_of_target("SageMaker.CreateEndpoint")
    with pytest.raises(AwsError) as refused:
        parse_json(operation, body)
    assert refused.value.code in ("ValidationException", "SerializationException")


def test_iam_is_asked_about_every_resource_of_an_operation() -> None:
    asked = resources_of("sagemaker", "CreateEndpoint", {"EndpointName": "Tiny", "EndpointConfigName": "v1"})
    assert asked == [
        "arn:aws:sagemaker:{region}:{account}:endpoint-config/v1",
        "arn:aws:sagemaker:{region}:{account}:endpoint/tiny",
    ]
    assert resources_of("sagemaker", "ListEndpoints", {}) == ["*"]
    assert resources_of("sagemaker", "ListTags", {"ResourceArn": "arn:x"}) == ["arn:x"]
    assert resources_of("application-autoscaling", "DescribeScalableTargets", {}) == ["*"]


def test_faults() -> None:
    faults = Faults()
    faults.set({"drop_completions": 1, "duplicate_completions": 1})
    assert [faults.copies() for _ in range(3)] == [0, 2, 1]
    for wrong in ({"drop": 1}, {"drop_completions": -1}, {"drop_completions": True}, {"drop_completions": "1"}):
        with pytest.raises(AwsError):
            faults.set(wrong)


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_have_everything_once(count: int, size: int) -> None:
    items = [{"Name": f"n{index:02}", "CreationTime": index} for index in range(count)]
    seen: list[str] = []
    token: dict[str, Any] = {}
    while True:
        answer = page("Items", items, {"MaxResults": size, "SortBy": "Name", "SortOrder": "Ascending", **token}, "Name")
        assert len(answer["Items"]) <= size
        seen += [item["Name"] for item in answer["Items"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert seen == [item["Name"] for item in items]


@pytest.mark.parametrize(
    ("kind", "adjustment", "current", "wanted"),
    [
        ("ChangeInCapacity", 1, 0, 1),
        ("ChangeInCapacity", -2, 3, 1),
        ("ExactCapacity", 4, 1, 4),
        ("PercentChangeInCapacity", 50, 4, 6),
        ("PercentChangeInCapacity", 10, 2, 3),
        ("PercentChangeInCapacity", -10, 2, 1),
    ],
)
def test_step_adjustments(kind: str, adjustment: int, current: int, wanted: int) -> None:
    assert _adjusted(current, adjustment, {"AdjustmentType": kind}) == wanted


class FakeS3:
    """Objects of one bucket; counts downloads."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.downloads = 0

    def get_paginator(self, name: str) -> FakeS3:
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        found = [{"Key": key, "ETag": str(hash(body))} for key, body in self.objects.items() if key.startswith(Prefix)]
        return [{"Contents": found[:1]}, {"Contents": found[1:]}]

    def download_file(self, bucket: str, key: str, path: str) -> None:
        self.downloads += 1
        Path(path).write_bytes(self.objects[key])


def test_models_are_downloaded_once_for_as_long_as_they_stay_the_same(tmp_path: Path) -> None:
    s3 = FakeS3({"m/index.json": b"{}", "m/unet/weights": b"1", "other": b"x"})
    cache = ModelCache(tmp_path)
    directory = cache.directory(s3, "s3://models/m/")
    assert sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()) == [
        "index.json",
        "unet/weights",
    ]
    assert cache.directory(s3, "s3://models/m/") == directory
    assert s3.downloads == 2
    s3.objects["m/unet/weights"] = b"2"
    assert (cache.directory(s3, "s3://models/m/") / "unet" / "weights").read_bytes() == b"2"
    assert (directory / "unet" / "weights").read_bytes() == b"1"


def test_keys_do_not_lead_out_of_the_cache(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        ModelCache(tmp_path / "cache").directory(FakeS3({"m/../../evil": b"x"}), "s3://models/m/")
    assert not (tmp_path.parent / "evil").exists()
    with pytest.raises(ModelNotFound):
        ModelCache(tmp_path / "cache").directory(FakeS3({}), "s3://models/m/")


def test_settings_survive_the_environment(tmp_path: Path) -> None:
    settings = SageMakerSettings(
        "http://127.0.0.1:1", "key", "secret", tmp_path, port=5, time_scale=60.0, launch_seconds=2.5,
        container_environment={"EASEL_THREADS": "1"},
    )  # fmt: skip
    assert SageMakerSettings.from_environment(settings.environment()) == settings


def test_gateway_inherits_neither_credentials_nor_python_paths(tmp_path: Path) -> None:
    inherited = {
        "PATH": os.environ["PATH"],
        "AWS_PROFILE": "company",
        "AWS_SESSION_TOKEN": "real",
        "PYTHONPATH": "/somewhere",
        "PERSIST_STATE": "1",
    }
    environment = gateway_environment(
        inherited, port=1, access_key="test", secret_key="s", folder=tmp_path, sagemaker_url="http://127.0.0.1:2"
    )
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PYTHONPATH", "PERSIST_STATE"} & set(environment)
    assert (environment["AUTH"], environment["BIND_HOST"]) == ("true", "127.0.0.1")
    assert environment["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] == "http://127.0.0.1:2"
