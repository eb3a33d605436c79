"""Creates an asynchronous SageMaker endpoint, lets it scale, and lists it for the backend.

The same calls run here and on AWS. Scaling follows AWS's guide to asynchronous endpoints: target tracking on the
backlog of an instance, and a step policy that wakes the endpoint from zero, because target tracking alone waits until
the backlog passes its target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.training import TrainingPlan, training_item
from endpoint.contract import ModelCard, TrainingPresets

VARIANT = "main"
BACKLOG_PER_INSTANCE = 3.0
SCALE_OUT_COOLDOWN_SECONDS = 60
SCALE_IN_COOLDOWN_SECONDS = 600


class EndpointFailed(Exception):
    """SageMaker could not bring the endpoint into service; the message carries its reason."""


@dataclass(frozen=True)
class EndpointPlan:
    """What an endpoint is to be. `image_uri` is the container of `endpoint/Dockerfile`; counts are instances.

    With `training` and `presets`, people may train LoRAs on its model.
    """

    name: str
    card: ModelCard
    image_uri: str
    instance_type: str
    min_instances: int = 0
    max_instances: int = 1
    concurrent_invocations: int = 8
    training: TrainingPlan | None = None
    presets: TrainingPresets | None = None

    def item(self, sagemaker_endpoint_name: str) -> dict[str, dict[str, str]]:
        """The endpoint as the backend's table lists it."""
        item = {
            "name": {"S": self.name},
            "sagemaker_endpoint_name": {"S": sagemaker_endpoint_name},
            "card": {"S": self.card.model_dump_json(exclude={"training"})},
        }
        if self.training is not None and self.presets is not None:
            item["training"] = {"S": training_item(self.training, self.presets, self.image_uri)}
        return item


def sagemaker_name(stack_name: str, name: str) -> str:
    """The name in SageMaker; the stack's roles may only touch endpoints of this form."""
    return f"{stack_name}-{name}"


def create_endpoint(
    session: Any,
    stack_name: str,
    outputs: Mapping[str, str],
    plan: EndpointPlan,
    *,
    timeout_seconds: float = 3600,
    on_status: Callable[[str], None] = lambda status: None,
) -> None:
    """Create model, endpoint configuration and endpoint, wait until it is in service, then list it.

    Raises `EndpointFailed`. Listing comes last: nobody is offered an endpoint that has never worked.
    """
    sagemaker = session.client("sagemaker")
    name = sagemaker_name(stack_name, plan.name)
    version = f"{name}-{int(time.time())}"
    tags = [{"Key": "easel", "Value": stack_name}]
    sagemaker.create_model(
        ModelName=version,
        ExecutionRoleArn=outputs["EndpointRoleArn"],
        PrimaryContainer={
            "Image": plan.image_uri,
            "ModelDataSource": {
                "S3DataSource": {
                    "S3Uri": f"s3://{outputs['ModelsBucketName']}/{plan.card.name}/",
                    "S3DataType": "S3Prefix",
                    "CompressionType": "None",
                }
            },
        },
        Tags=tags,
    )
    output = f"s3://{outputs['PicturesBucketName']}/async"
    sagemaker.create_endpoint_config(
        EndpointConfigName=version,
        ProductionVariants=[
            {
                "VariantName": VARIANT,
                "ModelName": version,
                "InstanceType": plan.instance_type,
                "InitialInstanceCount": 1,
            }
        ],
        AsyncInferenceConfig={
            "OutputConfig": {
                "S3OutputPath": f"{output}/answers/",
                "S3FailurePath": f"{output}/failures/",
                "NotificationConfig": {
                    "SuccessTopic": outputs["SuccessTopicArn"],
                    "ErrorTopic": outputs["ErrorTopicArn"],
                },
            },
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": plan.concurrent_invocations},
        },
        Tags=tags,
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=version, Tags=tags)
    _wait_in_service(sagemaker, name, timeout_seconds, on_status)
    _let_it_scale(session, name, plan)
    session.client("dynamodb").put_item(TableName=outputs["EndpointsTableName"], Item=plan.item(name))


def _wait_in_service(sagemaker: Any, name: str, timeout_seconds: float, on_status: Callable[[str], None]) -> None:
    deadline = time.monotonic() + timeout_seconds
    pause = 0.2
    while True:
        endpoint = sagemaker.describe_endpoint(EndpointName=name)
        status = endpoint["EndpointStatus"]
        on_status(status)
        if status == "InService":
            return
        if status in {"Failed", "OutOfService", "Deleting"}:
            raise EndpointFailed(f"the endpoint {name} is {status}: {endpoint.get('FailureReason', 'no reason given')}")
        if time.monotonic() > deadline:
            raise EndpointFailed(f"the endpoint {name} was still {status} after {timeout_seconds:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.2, 15.0)


def _let_it_scale(session: Any, name: str, plan: EndpointPlan) -> None:
    scaling = session.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=plan.min_instances, MaxCapacity=plan.max_instances)
    dimensions = [{"Name": "EndpointName", "Value": name}]
    scaling.put_scaling_policy(
        **target,
        PolicyName=f"{name}-backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": BACKLOG_PER_INSTANCE,
            "CustomizedMetricSpecification": {
                "MetricName": "ApproximateBacklogSizePerInstance",
                "Namespace": "AWS/SageMaker",
                "Dimensions": dimensions,
                "Statistic": "Average",
            },
            "ScaleInCooldown": SCALE_IN_COOLDOWN_SECONDS,
            "ScaleOutCooldown": SCALE_OUT_COOLDOWN_SECONDS,
        },
    )
    wake = scaling.put_scaling_policy(
        **target,
        PolicyName=f"{name}-wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": SCALE_OUT_COOLDOWN_SECONDS,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    session.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-wake",
        AlarmDescription=f"Requests wait for {name} and it has no instance: start one.",
        Namespace="AWS/SageMaker",
        MetricName="HasBacklogWithoutCapacity",
        Dimensions=dimensions,
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[wake["PolicyARN"]],
    )
