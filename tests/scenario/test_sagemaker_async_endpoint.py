"""An asynchronous endpoint on the SageMaker stand-in: real boto3 clients, the real container process, a real (random)
Stable Diffusion. The tests run in order and share one endpoint, because each start of a model takes seconds."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from endpoint.contract import EndpointError, Manifest
from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws, wait_for
from tests.fakes.random_checkpoint import random_stable_diffusion, save

NAME, VARIANT = "easel-tiny", "main"
SCALED = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{NAME}/variant/{VARIANT}",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
CARD = {
    "name": "random",
    "title": "Random weights",
    "native_width": 64,
    "native_height": 64,
    "size_multiple": 8,
    "default_steps": 2,
    "default_guidance_scale": 3.0,
    "max_steps": 150,
    "max_pixels": 512 * 512,
}


class Studio:
    """A local AWS with one endpoint, as `deploy` makes it."""

    def __init__(self, aws: LocalAws, checkpoint: Path) -> None:
        self.aws = aws
        self.s3, self.sagemaker, self.runtime = map(aws.client, ("s3", "sagemaker", "sagemaker-runtime"))
        for bucket in ("models", "pictures"):
            self.s3.create_bucket(Bucket=bucket)
        for path in checkpoint.rglob("*"):
            if path.is_file():
                self.s3.upload_file(str(path), "models", f"random/{path.relative_to(checkpoint)}")
        sns = aws.client("sns")
        self.completions, completions_arn = aws.queue("completions")
        self.topics = {}
        for name in ("success", "error"):
            self.topics[name] = sns.create_topic(Name=name)["TopicArn"]
            sns.subscribe(
                TopicArn=self.topics[name],
                Protocol="sqs",
                Endpoint=completions_arn,
                Attributes={"RawMessageDelivery": "true"},
            )
        self.changes, changes_arn = aws.queue("changes")
        events = aws.client("events")
        events.put_rule(Name="changes", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
        events.put_targets(Rule="changes", Targets=[{"Id": "queue", "Arn": changes_arn}])
        self.role = aws.role(
            "endpoint",
            [
                {
                    "Effect": "Allow",
                    "Action": ["s3:GetObject", "s3:ListBucket"],
                    "Resource": ["arn:aws:s3:::models", "arn:aws:s3:::models/*"],
                },
                {
                    "Effect": "Allow",
                    "Action": ["s3:GetObject", "s3:PutObject"],
                    "Resource": ["arn:aws:s3:::pictures/tenants/*", "arn:aws:s3:::pictures/async/*"],
                },
                {"Effect": "Allow", "Action": "sns:Publish", "Resource": list(self.topics.values())},
                {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
            ],
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            },
        )

    def create(self) -> None:
        self.sagemaker.create_model(
            ModelName="random",
            ExecutionRoleArn=self.role,
            PrimaryContainer={
                "Image": "easel",
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "s3://models/random/",
                        "S3DataType": "S3Prefix",
                        "CompressionType": "None",
                    }
                },
                "Environment": {"EASEL_THREADS": "1", "EASEL_PROGRESS_SECONDS": "0.2", "EASEL_DRAIN_SECONDS": "20"},
            },
        )
        self.sagemaker.create_endpoint_config(
            EndpointConfigName="config-1",
            ProductionVariants=[
                {
                    "VariantName": VARIANT,
                    "ModelName": "random",
                    "InstanceType": "ml.g5.xlarge",
                    "InitialInstanceCount": 1,
                }
            ],
            AsyncInferenceConfig={
                "OutputConfig": {
                    "S3OutputPath": "s3://pictures/async/answers/",
                    "S3FailurePath": "s3://pictures/async/failures/",
                    "NotificationConfig": {
                        "SuccessTopic": self.topics["success"],
                        "ErrorTopic": self.topics["error"],
                    },
                },
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
            },
        )
        self.sagemaker.create_endpoint(
            EndpointName=NAME, EndpointConfigName="config-1", Tags=[{"Key": "easel", "Value": "test"}]
        )

    def invoke(self, job_id: str, settings: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        request = {
            "job_id": job_id,
            "prompt": "a large red circle",
            "width": 64,
            "height": 64,
            "seeds": [1],
            "steps": 2,
            "guidance_scale": 3.0,
            "output": {"bucket": "pictures", "prefix": f"tenants/t/jobs/{job_id}/"},
            **(settings or {}),
        }
        key = f"tenants/t/jobs/{job_id}/request.json"
        self.s3.put_object(Bucket="pictures", Key=key, Body=json.dumps(request).encode())
        answer: dict[str, Any] = self.runtime.invoke_endpoint_async(
            EndpointName=NAME,
            InferenceId=job_id,
            InputLocation=f"s3://pictures/{key}",
            ContentType="application/json",
            **options,
        )
        return answer

    def completion(self, job_id: str, timeout_seconds: float = 30) -> dict[str, Any]:
        return self.aws.receive(self.completions, lambda message: message["inferenceId"] == job_id, timeout_seconds)

    def read(self, location: str) -> bytes:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def status(self) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=NAME)
        return described

    def wait_in_service(self, instances: int) -> None:
        def ready() -> bool:
            endpoint = self.status()
            assert endpoint["EndpointStatus"] != "Failed", endpoint.get("FailureReason")
            variant = endpoint["ProductionVariants"][0]
            return endpoint["EndpointStatus"] == "InService" and variant["CurrentInstanceCount"] == instances

        wait_for(ready, 60)

    def faults(self, **faults: float) -> None:
        httpx.post(f"{self.aws.sagemaker.url}/control/faults", json=faults).raise_for_status()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    checkpoint = save(random_stable_diffusion(), tmp_path_factory.mktemp("checkpoint"), json.dumps(CARD))
    folder = tmp_path_factory.mktemp("stack")
    with LocalAws(folder, time_scale=60.0, scaling_seconds=0.2, metrics_seconds=0.5) as aws:
        yield Studio(aws, checkpoint)


def test_is_created_and_says_so(studio: Studio) -> None:
    studio.create()
    assert studio.status()["EndpointStatus"] == "Creating"
    with pytest.raises(ClientError, match="not found"):
        studio.invoke("job-too-early")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        studio.sagemaker.delete_endpoint(EndpointName=NAME)
    studio.wait_in_service(1)
    for status in ("CREATING", "IN_SERVICE"):
        event = studio.aws.receive(studio.changes)
        assert event["detail-type"] == "SageMaker Endpoint State Change"
        assert event["detail"]["EndpointName"] == NAME
        assert event["detail"]["EndpointStatus"] == status
    assert [each["EndpointName"] for each in studio.sagemaker.list_endpoints()["Endpoints"]] == [NAME]
    assert studio.sagemaker.list_tags(ResourceArn=studio.status()["EndpointArn"])["Tags"][0]["Value"] == "test"


def test_paints_stores_and_notifies(studio: Studio) -> None:
    answer = studio.invoke("job-1", {"seeds": [1, 2], "prompt": "שלום 🚢 a red circle"})
    assert answer["InferenceId"] == "job-1"
    message = studio.completion("job-1")
    assert message["invocationStatus"] == "Completed"
    assert message["requestParameters"] == {
        "accept": "*/*",
        "contentType": "application/json",
        "endpointName": NAME,
        "inputLocation": "s3://pictures/tenants/t/jobs/job-1/request.json",
    }
    assert message["responseParameters"]["outputLocation"] == answer["OutputLocation"]
    assert (message["eventSource"], message["eventName"], message["awsRegion"]) == (
        "aws:sagemaker",
        "InferenceResult",
        REGION,
    )
    manifest = Manifest.model_validate_json(studio.read(answer["OutputLocation"]))
    assert studio.read("s3://pictures/tenants/t/jobs/job-1/manifest.json") == studio.read(answer["OutputLocation"])
    assert [picture.seed for picture in manifest.pictures] == [1, 2]
    for picture in manifest.pictures:
        image = Image.open(io.BytesIO(studio.read(f"s3://pictures/{picture.key}")))
        assert image.size == (64, 64)
        assert image.info["parameters"].startswith("שלום 🚢 a red circle\nSteps: 2, Sampler: DDIM, CFG scale: 3")
        assert json.loads(image.info["easel"])["seeds"] == [picture.seed]
    assert manifest.grid is not None
    assert Image.open(io.BytesIO(studio.read(f"s3://pictures/{manifest.grid.key}"))).size == (130, 64)


def test_inline_body_needs_no_object(studio: Studio) -> None:
    output = {"bucket": "pictures", "prefix": "tenants/t/jobs/job-inline/"}
    settings = {"prompt": "x", "width": 64, "height": 64, "seeds": [1], "steps": 1, "guidance_scale": 1}
    body = json.dumps({"job_id": "job-inline", "output": output, **settings})
    studio.runtime.invoke_endpoint_async(EndpointName=NAME, InferenceId="job-inline", Body=body)
    assert studio.completion("job-inline")["invocationStatus"] == "Completed"


def test_refused_request_fails_with_the_containers_words(studio: Studio) -> None:
    answer = studio.invoke("job-bad", {"width": 97, "colour": "red"})
    message = studio.completion("job-bad")
    assert message["invocationStatus"] == "Failed"
    assert message["failureReason"].startswith("ClientError: Received client error (400) from model")
    assert message["responseParameters"]["failureLocation"] == answer["FailureLocation"]
    error = EndpointError.model_validate_json(studio.read(answer["FailureLocation"]))
    assert (error.code, error.message) == ("invalid_request", "colour is not a known field.")


def test_cancelled_job_stops(studio: Studio) -> None:
    studio.s3.put_object(Bucket="pictures", Key="tenants/t/jobs/job-stop/cancelled", Body=b"")
    answer = studio.invoke("job-stop", {"steps": 150, "width": 512, "height": 512})
    assert studio.completion("job-stop")["invocationStatus"] == "Failed"
    assert EndpointError.model_validate_json(studio.read(answer["FailureLocation"])).code == "cancelled"
    keys = [
        item["Key"]
        for item in studio.s3.list_objects_v2(Bucket="pictures", Prefix="tenants/t/jobs/job-stop/")["Contents"]
    ]
    assert not [key for key in keys if key.endswith(".png")]


def test_missing_input_fails(studio: Studio) -> None:
    studio.runtime.invoke_endpoint_async(
        EndpointName=NAME, InferenceId="job-none", InputLocation="s3://pictures/tenants/t/nothing.json"
    )
    message = studio.completion("job-none")
    assert message["invocationStatus"] == "Failed"
    assert "Unable to read the input" in message["failureReason"]


def test_completions_can_be_lost_and_doubled(studio: Studio) -> None:
    studio.faults(drop_completions=1, duplicate_completions=1)
    answer = studio.invoke("job-lost")
    wait_for(lambda: _exists(studio, answer["OutputLocation"]), 30)
    studio.invoke("job-twice")
    assert studio.completion("job-twice") == studio.completion("job-twice")
    with pytest.raises(AssertionError):
        studio.completion("job-lost", timeout_seconds=1)


def test_least_privilege(studio: Studio) -> None:
    root_may_assume = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    other = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/other-*"
    statement = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": other}
    credentials = studio.aws.assume(studio.aws.role("stranger", [statement], root_may_assume))
    runtime = studio.aws.client("sagemaker-runtime", credentials)
    with pytest.raises(ClientError) as refused:
        runtime.invoke_endpoint_async(EndpointName=NAME, InputLocation="s3://pictures/tenants/x")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "is not authorized to perform: sagemaker:InvokeEndpointAsync" in str(refused.value)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        studio.aws.client("sagemaker", credentials).describe_endpoint(EndpointName=NAME)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        studio.aws.client("sagemaker", credentials).describe_endpoint(EndpointName="other-1")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        studio.aws.client("application-autoscaling", credentials).describe_scalable_targets(
            ServiceNamespace="sagemaker"
        )
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        studio.aws.client("sagemaker", credentials, secret="wrong").describe_endpoint(EndpointName="other-1")
    stolen = {**credentials, "AccessKeyId": "ASIAUNKNOWNUNKNOWN00"}
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        studio.aws.client("sagemaker-runtime", stolen).invoke_endpoint_async(
            EndpointName="other-1", InputLocation="s3://pictures/tenants/x"
        )


def test_role_that_does_not_trust_sagemaker_is_refused(studio: Studio) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = studio.aws.role("for-lambda", [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}], trust)
    source = {"S3Uri": "s3://models/random/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
        studio.sagemaker.create_model(
            ModelName="other",
            ExecutionRoleArn=role,
            PrimaryContainer={"Image": "easel", "ModelDataSource": {"S3DataSource": source}},
        )


def test_instance_that_dies_amid_a_request_is_replaced_and_the_request_done(studio: Studio) -> None:
    studio.invoke("job-survivor", {"steps": 80, "width": 256, "height": 256})
    wait_for(lambda: _exists(studio, "s3://pictures/tenants/t/jobs/job-survivor/progress.json"), 20)
    endpoint = studio.aws.sagemaker.sagemaker.endpoints.find(NAME)
    assert endpoint is not None
    endpoint.fleet.ready[0].kill()
    assert studio.completion("job-survivor", 90)["invocationStatus"] == "Completed"


def test_scaling_in_to_zero_finishes_what_runs(studio: Studio) -> None:
    scaling = studio.aws.client("application-autoscaling")
    scaling.register_scalable_target(**SCALED, MinCapacity=0, MaxCapacity=0)
    studio.invoke("job-last", {"steps": 60, "width": 256, "height": 256})
    assert studio.completion("job-last", 60)["invocationStatus"] == "Completed"
    studio.wait_in_service(0)
    assert scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]


def test_request_that_waits_too_long_expires(studio: Studio) -> None:
    begun = time.monotonic()
    studio.invoke("job-late", RequestTTLSeconds=60)
    message = studio.completion("job-late")
    assert message["invocationStatus"] == "Expired"
    assert time.monotonic() - begun >= 1.0


def test_wakes_from_zero_by_a_step_policy(studio: Studio) -> None:
    scaling = studio.aws.client("application-autoscaling")
    scaling.register_scalable_target(**SCALED, MinCapacity=0, MaxCapacity=2)
    policy = scaling.put_scaling_policy(
        **SCALED,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    studio.invoke("job-wake")
    time.sleep(1.5)
    assert studio.status()["EndpointStatus"] == "InService", "a step policy alone does nothing"
    studio.aws.client("cloudwatch").put_metric_alarm(
        AlarmName="wake",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=[{"Name": "EndpointName", "Value": NAME}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )
    assert studio.completion("job-wake", 60)["invocationStatus"] == "Completed"
    metrics = studio.aws.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker")["Metrics"]
    assert {"ApproximateBacklogSize", "HasBacklogWithoutCapacity"} <= {each["MetricName"] for each in metrics}


def test_is_deleted_with_its_scaling(studio: Studio) -> None:
    studio.wait_in_service(1)
    studio.sagemaker.delete_endpoint(EndpointName=NAME)

    def gone() -> bool:
        try:
            studio.status()
        except ClientError as error:
            assert "Could not find endpoint" in str(error)
            return True
        return False

    wait_for(gone, 40)
    scaling = studio.aws.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []


def _exists(studio: Studio, location: str) -> bool:
    try:
        studio.read(location)
    except ClientError:
        return False
    return True
