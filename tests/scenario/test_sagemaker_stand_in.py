"""The SageMaker stand-in with real boto3 clients and a container that starts in no time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.fakes.local_aws import ACCOUNT, REGION, LocalAws, wait_for

CONTAINER = Path(__file__).resolve().parents[1] / "fakes" / "fast_container"


class Studio:
    """Endpoints by name, with their completions in one queue."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.sagemaker, self.runtime = aws.client("sagemaker"), aws.client("sagemaker-runtime")
        self.scaling, self.s3 = aws.client("application-autoscaling"), aws.client("s3")
        self.s3.create_bucket(Bucket="data")
        self.s3.put_object(Bucket="data", Key="models/a/weights", Body=b"a")
        self.s3.put_object(Bucket="data", Key="models/b/nested/weights", Body=b"b")
        self.completions, arn = aws.queue("completions")
        sns = aws.client("sns")
        self.topic = sns.create_topic(Name="completions")["TopicArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        allow = {"Effect": "Allow", "Action": ["s3:*", "sns:*", "logs:*"], "Resource": "*"}
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.role = aws.role("endpoint", [allow], trust)
        self._count = 0

    def config(
        self, *, asynchronous: bool = True, concurrent: int = 1, instances: int = 1, prefix: str = "models/a/",
        instance_type: str = "ml.g5.xlarge", **environment: str,
    ) -> str:  # fmt: skip
        self._count += 1
        name = f"version-{self._count}"
        source = {"S3Uri": f"s3://data/{prefix}", "S3DataType": "S3Prefix", "CompressionType": "None"}
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=self.role,
            PrimaryContainer={
                "Image": "x",
                "ModelDataSource": {"S3DataSource": source},
                "Environment": {"GENERATION": name, **environment},
            },
        )
        topics = {"SuccessTopic": self.topic, "ErrorTopic": self.topic}
        output = {"S3OutputPath": "s3://data/out", "S3FailurePath": "s3://data/bad", "NotificationConfig": topics}
        variant = {
            "VariantName": "main",
            "ModelName": name,
            "InstanceType": instance_type,
            "InitialInstanceCount": instances,
        }
        client = {"MaxConcurrentInvocationsPerInstance": concurrent}
        more = {"AsyncInferenceConfig": {"OutputConfig": output, "ClientConfig": client}} if asynchronous else {}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
        return name

    def endpoint(self, name: str, **options: Any) -> str:
        config = self.config(**options)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.wait(name)
        return config

    def wait(self, name: str, status: str = "InService") -> dict[str, Any]:
        def there() -> bool:
            return bool(self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == status)

        wait_for(there, 20)
        described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return described

    def wait_count(self, name: str, count: int, seconds: float = 20) -> None:
        def reached() -> bool:
            endpoint = self.sagemaker.describe_endpoint(EndpointName=name)
            variant = endpoint["ProductionVariants"][0]
            return bool(variant["CurrentInstanceCount"] == count and endpoint["EndpointStatus"] == "InService")

        wait_for(reached, seconds)

    def invoke(self, endpoint: str, inference_id: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.runtime.invoke_endpoint_async(
            EndpointName=endpoint, InferenceId=inference_id, Body=json.dumps(body), **options
        )
        return answer

    def completion(self, inference_id: str) -> dict[str, Any]:
        return self.aws.receive(self.completions, lambda message: message["inferenceId"] == inference_id, 20)

    def output(self, location: str) -> dict[str, Any]:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        content: dict[str, Any] = json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return content

    def scalable(self, name: str) -> dict[str, str]:
        return {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{name}/variant/main",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("stack")
    with LocalAws(folder, repository=CONTAINER, time_scale=600.0, scaling_seconds=0.1, metrics_seconds=1.0) as aws:
        yield Studio(aws)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_synchronous_endpoint(studio: Studio) -> None:
    config = studio.endpoint("sync", asynchronous=False, prefix="models/b/")
    answer = studio.runtime.invoke_endpoint(EndpointName="sync", Body=b"{}", CustomAttributes="trace=1")
    facts = json.loads(answer["Body"].read())
    assert (facts["generation"], facts["model"], facts["custom_attributes"]) == (config, ["nested"], "trace=1")
    assert answer["InvokedProductionVariant"] == "main"
    with pytest.raises(ClientError, match="Received server error \\(500\\)") as failed:
        studio.runtime.invoke_endpoint(EndpointName="sync", Body=b'{"status": 500}')
    assert (code_of(failed), failed.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    with pytest.raises(ClientError, match="not asynchronous"):
        studio.invoke("sync", "x", {})


def test_container_gets_its_roles_credentials(studio: Studio) -> None:
    if studio.sagemaker.list_endpoints(NameContains="sync")["Endpoints"] == []:
        studio.endpoint("sync", asynchronous=False)
    facts = json.loads(studio.runtime.invoke_endpoint(EndpointName="sync", Body=b"{}")["Body"].read())
    given = httpx.get(facts["credentials"]).json()
    credentials = {
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "SessionToken": given["Token"],
    }
    caller = studio.aws.client("sts", credentials).get_caller_identity()["Arn"]
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/endpoint/SageMaker"
    datetime.fromisoformat(given["Expiration"])
    assert httpx.get(facts["credentials"] + "x").status_code == 404


def test_documents_are_described_listed_and_deleted(studio: Studio) -> None:
    name = studio.config()
    model = studio.sagemaker.describe_model(ModelName=name)
    assert model["ModelArn"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/{name}"
    assert isinstance(model["CreationTime"], datetime)
    config = studio.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert config["ProductionVariants"][0]["ModelName"] == name
    first = studio.sagemaker.list_models(MaxResults=1, SortBy="Name", SortOrder="Ascending")
    assert [each["ModelName"] for each in first["Models"]] == ["version-1"]
    pages = studio.sagemaker.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 1})
    assert name in [each["ModelName"] for page in pages for each in page["Models"]]
    again = {"EndpointConfigName": name, "ProductionVariants": [{"VariantName": "main"}]}
    for call, arguments, words in (
        ("create_endpoint_config", again, "Cannot create already"),
        ("describe_endpoint", {"EndpointName": "none"}, 'Could not find endpoint "arn:aws:sagemaker'),
        ("create_endpoint", {"EndpointName": "e", "EndpointConfigName": "none"}, "Could not find endpoint config"),
        ("describe_model", {"ModelName": "none"}, "Could not find model"),
        ("list_models", {"NextToken": "x"}, "Invalid NextToken"),
    ):
        with pytest.raises(ClientError, match=words) as refused:
            getattr(studio.sagemaker, call)(**arguments)
        assert code_of(refused) == "ValidationException"
    studio.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    studio.sagemaker.delete_model(ModelName=name)
    with pytest.raises(ClientError, match="Could not find model"):
        studio.sagemaker.delete_model(ModelName=name)


def test_wire_errors_are_aws_errors(studio: Studio) -> None:
    with pytest.raises(ClientError, match="does not do CreateHub") as refused:
        studio.sagemaker.create_hub(HubName="x", HubDescription="y")
    assert code_of(refused) == "ValidationException"
    unsigned = httpx.post(
        f"{studio.aws.sagemaker.url}/", headers={"x-amz-target": "SageMaker.ListEndpoints"}, content=b"{}"
    )
    assert unsigned.status_code in (400, 403)
    assert unsigned.json()["__type"] == "MissingAuthenticationTokenException"
    for target, body in (("SageMaker.Nothing", b"{}"), ("", b""), ("SageMaker.CreateModel", b"{no")):
        answer = httpx.post(f"{studio.aws.sagemaker.url}/", headers={"x-amz-target": target}, content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-amz-json-1.1")
    for wrong in ({"RequestTTLSeconds": 60, "InputLocation": "ftp://x"}, {"InputLocation": "s3://a/b", "Body": b"x"}):
        with pytest.raises(ClientError) as invalid:
            studio.runtime.invoke_endpoint_async(EndpointName="none", **wrong)
        assert code_of(invalid) == "ValidationError"


def test_no_more_at_once_than_the_configuration_says(studio: Studio) -> None:
    studio.endpoint("busy", concurrent=2)
    answers = [studio.invoke("busy", f"busy-{index}", {"sleep": 0.2}) for index in range(6)]
    for index, answer in enumerate(answers):
        assert studio.completion(f"busy-{index}")["invocationStatus"] == "Completed"
        assert studio.output(answer["OutputLocation"])["most"] <= 2
    assert studio.output(answers[-1]["OutputLocation"])["most"] == 2


def test_container_that_takes_too_long_or_dies(studio: Studio) -> None:
    studio.endpoint("slow", concurrent=2)
    answer = studio.invoke("slow", "too-slow", {"sleep": 30}, InvocationTimeoutSeconds=1)
    message = studio.completion("too-slow")
    assert (message["invocationStatus"], "timed out" in message["failureReason"]) == ("Failed", True)
    assert message["responseParameters"]["failureLocation"] == answer["FailureLocation"]
    studio.invoke("slow", "poison", {"die": True})
    message = studio.completion("poison")  # tried on a second instance, and no more
    assert message["invocationStatus"] == "Failed"
    assert "instance failed" in message["failureReason"]
    studio.wait_count("slow", 1)
    studio.invoke("slow", "after", {})
    assert studio.completion("after")["invocationStatus"] == "Completed"


def test_late_completions(studio: Studio) -> None:
    studio.endpoint("late")
    control = f"{studio.aws.sagemaker.url}/control/faults"
    assert httpx.post(control, json={"delay_completions_seconds": 1.0}).status_code == 200
    assert httpx.post(control, json={"nonsense": 1}).status_code == 400
    assert httpx.post(control, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    begun = time.monotonic()
    studio.invoke("late", "late-1", {})
    studio.completion("late-1")
    assert time.monotonic() - begun > 1.0
    httpx.post(control, json={"delay_completions_seconds": 0})


def test_creation_that_fails_says_why(studio: Studio) -> None:
    config = studio.config(BROKEN="1")
    studio.sagemaker.create_endpoint(EndpointName="broken", EndpointConfigName=config)
    endpoint = studio.wait("broken", "Failed")
    assert "did not pass the ping health check" in endpoint["FailureReason"]
    assert "the model is broken" in endpoint["FailureReason"]
    with pytest.raises(ClientError, match="not found"):
        studio.invoke("broken", "x", {})
    config = studio.config(prefix="models/none/")
    studio.sagemaker.create_endpoint(EndpointName="empty", EndpointConfigName=config)
    assert "Could not find model data" in studio.wait("empty", "Failed")["FailureReason"]
    studio.sagemaker.delete_endpoint(EndpointName="broken")
    wait_for(lambda: not studio.sagemaker.list_endpoints(NameContains="broken")["Endpoints"], 10)


def test_update_is_blue_green_and_loses_nothing(studio: Studio) -> None:
    old = studio.endpoint("green", concurrent=1)
    first = studio.invoke("green", "green-1", {"sleep": 1.0})
    new = studio.config(concurrent=1)
    studio.sagemaker.update_endpoint(EndpointName="green", EndpointConfigName=new)
    assert studio.sagemaker.describe_endpoint(EndpointName="green")["EndpointStatus"] == "Updating"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        studio.sagemaker.update_endpoint(EndpointName="green", EndpointConfigName=new)
    assert studio.wait("green")["EndpointConfigName"] == new
    second = studio.invoke("green", "green-2", {})
    assert studio.completion("green-2")["invocationStatus"] == "Completed"
    assert studio.completion("green-1")["invocationStatus"] == "Completed"
    assert studio.output(first["OutputLocation"])["generation"] == old
    assert studio.output(second["OutputLocation"])["generation"] == new


def test_update_that_fails_is_rolled_back(studio: Studio) -> None:
    old = studio.endpoint("rolled")
    studio.sagemaker.update_endpoint(EndpointName="rolled", EndpointConfigName=studio.config(BROKEN="1"))
    wait_for(lambda: "FailureReason" in studio.sagemaker.describe_endpoint(EndpointName="rolled"), 20)
    endpoint = studio.wait("rolled")
    assert endpoint["EndpointConfigName"] == old
    assert "rolled back" in endpoint["FailureReason"]
    studio.invoke("rolled", "rolled-1", {})
    assert studio.completion("rolled-1")["invocationStatus"] == "Completed"


def test_target_tracking_follows_the_backlog_out_and_in(studio: Studio) -> None:
    studio.endpoint("tracked", concurrent=1)
    target = studio.scalable("tracked")
    studio.scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=3)
    configuration = {
        "TargetValue": 2.0,
        "CustomizedMetricSpecification": {
            "MetricName": "ApproximateBacklogSizePerInstance",
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": "tracked"}],
            "Statistic": "Average",
        },
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
    }
    studio.scaling.put_scaling_policy(
        **target,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
    )
    for index in range(12):
        studio.invoke("tracked", f"tracked-{index}", {"sleep": 0.7})
    studio.wait_count("tracked", 3)
    assert all(studio.completion(f"tracked-{index}") for index in range(12))
    studio.wait_count("tracked", 0, 30)
    causes = [
        each["Cause"]
        for each in studio.scaling.describe_scaling_activities(**{**target, "MaxResults": 20})["ScalingActivities"]
    ]
    assert set(causes) == {"policy backlog was triggered"}


def test_bounds_and_suspension(studio: Studio) -> None:
    studio.endpoint("bounded", instances=2)
    target = studio.scalable("bounded")
    studio.scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=1)
    studio.wait_count("bounded", 1)
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    studio.scaling.register_scalable_target(**target, SuspendedState=suspended)
    step = {"AdjustmentType": "ExactCapacity", "StepAdjustments": [{"ScalingAdjustment": 0}], "Cooldown": 0}
    policy = studio.scaling.put_scaling_policy(
        **target, PolicyName="off", PolicyType="StepScaling", StepScalingPolicyConfiguration=step
    )
    studio.aws.client("cloudwatch").put_metric_alarm(
        AlarmName="idle",
        Namespace="AWS/SageMaker",
        MetricName="ApproximateBacklogSize",
        Dimensions=[{"Name": "EndpointName", "Value": "bounded"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="LessThanOrEqualToThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )
    time.sleep(1)
    studio.wait_count("bounded", 1)
    studio.scaling.register_scalable_target(**target, SuspendedState={"DynamicScalingInSuspended": False})
    studio.wait_count("bounded", 0)
    other = studio.config(instance_type="ml.g6.xlarge")
    with pytest.raises(ClientError, match="instance type"):
        studio.sagemaker.update_endpoint(EndpointName="bounded", EndpointConfigName=other)
    studio.scaling.deregister_scalable_target(**target)
    studio.sagemaker.update_endpoint(EndpointName="bounded", EndpointConfigName=other)
    studio.wait_count("bounded", 1)


def test_scaling_documents(studio: Studio) -> None:
    if not studio.sagemaker.list_endpoints(NameContains="late")["Endpoints"]:
        studio.endpoint("late")
    target = studio.scalable("late")
    with pytest.raises(ClientError) as missing:
        studio.scaling.deregister_scalable_target(**target)
    assert code_of(missing) == "ObjectNotFoundException"
    with pytest.raises(ClientError, match="does not exist"):
        studio.scaling.register_scalable_target(**studio.scalable("nowhere"), MinCapacity=0, MaxCapacity=1)
    with pytest.raises(ClientError, match="at most MaxCapacity"):
        studio.scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=1)
    studio.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    shown = studio.scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])
    assert (shown["ScalableTargets"][0]["MinCapacity"], shown["ScalableTargets"][0]["MaxCapacity"]) == (1, 2)
    studio.scaling.put_scheduled_action(
        **target,
        ScheduledActionName="night",
        Schedule="cron(0 19 ? * MON-FRI *)",
        Timezone="Europe/Berlin",
        ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0},
    )
    action = studio.scaling.describe_scheduled_actions(**target)["ScheduledActions"][0]
    assert (action["ScheduledActionName"], action["Timezone"]) == ("night", "Europe/Berlin")
    studio.scaling.delete_scheduled_action(**target, ScheduledActionName="night")
    with pytest.raises(ClientError, match="No scheduled action"):
        studio.scaling.delete_scheduled_action(**target, ScheduledActionName="night")
    with pytest.raises(ClientError, match="not complete"):
        studio.scaling.put_scaling_policy(**target, PolicyName="p", PolicyType="PredictiveScaling")
    studio.scaling.deregister_scalable_target(**target)


def test_containers_output_is_in_cloudwatch(studio: Studio) -> None:
    if not studio.sagemaker.list_endpoints(NameContains="sync")["Endpoints"]:
        studio.endpoint("sync", asynchronous=False)
    logs = studio.aws.client("logs")

    def said() -> bool:
        events = logs.filter_log_events(logGroupName="/aws/sagemaker/Endpoints/sync")["events"]
        return "started" in [event["message"] for event in events]

    wait_for(said, 10)


def test_many_requests_are_each_done_once(studio: Studio) -> None:
    studio.endpoint("crowd", concurrent=3, instances=2)
    names = [f"crowd-{index}" for index in range(40)]
    with ThreadPoolExecutor(8) as together:
        list(together.map(lambda name: studio.invoke("crowd", name, {"sleep": 0.02}), names))
    seen: list[str] = []
    while len(seen) < len(names):
        message = studio.aws.receive(studio.completions, timeout_seconds=15)
        if message["inferenceId"].startswith("crowd-"):
            seen.append(message["inferenceId"])
    assert sorted(seen) == sorted(names)
