"""What `CreateTrainingJob` refuses beyond types and lengths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.local.sagemaker.aws_protocol import AwsError, validation_exception

DAY_SECONDS = 86_400
BASE = PurePosixPath("/opt/ml")
DEFAULT_CHECKPOINTS = "/opt/ml/checkpoints"


def check_training(given: Mapping[str, Any]) -> None:
    """Raises `AwsError` (`ValidationException`). Sentences that start with "This stand-in" are not AWS's."""
    problem = next(_problems(given), None)
    if problem is not None:
        raise validation_exception(problem)


def max_runtime_seconds(request: Mapping[str, Any]) -> int:
    """The default is a day."""
    seconds: int = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DAY_SECONDS)
    return seconds


def keep_alive_seconds(request: Mapping[str, Any]) -> int:
    """0: no warm pool."""
    seconds: int = request["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0)
    return seconds


def is_spot(request: Mapping[str, Any]) -> bool:
    """Whether the instance may be taken away."""
    return bool(request.get("EnableManagedSpotTraining"))


def input_uris(request: Mapping[str, Any]) -> list[str]:
    """Where the channels are read from."""
    return [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in request.get("InputDataConfig", [])]


def no_input(uri: str, region: str, role_arn: str) -> AwsError:
    """There is nothing to read, or the role can't see it."""
    bucket = uri.removeprefix("s3://").partition("/")[0]
    return validation_exception(
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in '
        f'the selected region ({region}), that objects exist under that S3 prefix, and that the role "{role_arn}" has '
        f'"s3:ListBucket" permissions on bucket "{bucket}".'
    )


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    for member in ("AlgorithmSpecification", "ResourceConfig"):
        if member not in given:
            where = f"{member[0].lower()}{member[1:]}"
            yield (
                f"1 validation error detected: Value null at '{where}' failed to satisfy constraint: "
                "Member must not be null"
            )
    yield from _spot_problems(given)
    yield from _instance_problems(given)
    yield from _channel_problems(given)
    if "TrainingImage" not in given["AlgorithmSpecification"]:
        yield "This stand-in trains with a container of one's own (AlgorithmSpecification.TrainingImage)."
    for definition in given["AlgorithmSpecification"].get("MetricDefinitions", []):
        try:
            re.compile(definition["Regex"])
        except re.error:
            yield f"The regex of the metric {definition['Name']} is not valid: {definition['Regex']}"
    if not given["OutputDataConfig"]["S3OutputPath"].startswith("s3://"):
        yield "S3OutputPath must be an S3 URI."
    local = given.get("CheckpointConfig", {}).get("LocalPath", DEFAULT_CHECKPOINTS)
    if BASE not in PurePosixPath(local).parents or ".." in PurePosixPath(local).parts:
        yield f"This stand-in keeps checkpoints below {BASE}."


def _spot_problems(given: Mapping[str, Any]) -> Iterator[str]:
    condition = given.get("StoppingCondition", {})
    max_wait = condition.get("MaxWaitTimeInSeconds")
    if not is_spot(given):
        if max_wait is not None:
            yield "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        return
    if max_wait is None or max_wait < max_runtime_seconds(given):
        yield (
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
            "when EnableManagedSpotTraining is set to true"
        )
    if keep_alive_seconds(given):
        yield "KeepAlivePeriodInSeconds is not supported when EnableManagedSpotTraining is set to true"


def _instance_problems(given: Mapping[str, Any]) -> Iterator[str]:
    resources = given["ResourceConfig"]
    if resources.get("InstanceCount") != 1 or "InstanceType" not in resources:
        yield "This stand-in trains on exactly one instance (ResourceConfig.InstanceType, InstanceCount)."
    if "VolumeSizeInGB" not in resources:
        yield "VolumeSizeInGB is required."


def _channel_problems(given: Mapping[str, Any]) -> Iterator[str]:
    names = [channel["ChannelName"] for channel in given.get("InputDataConfig", [])]
    if len(names) != len(set(names)):
        yield "Channel names must be unique."
    mode = given["AlgorithmSpecification"]["TrainingInputMode"]
    for channel in given.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource", {})
        if source.get("S3DataType") != "S3Prefix" or not source.get("S3Uri", "").startswith("s3://"):
            yield "This stand-in reads channels from an S3 prefix (S3DataSource)."
        if channel.get("InputMode", mode) not in {"File", "FastFile"} or channel.get("CompressionType") == "Gzip":
            yield "This stand-in gives channels as uncompressed files (File mode)."
