"""SageMaker's training jobs.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.training_ports import (
    JobCondition,
    JobPostponed,
    JobRefusal,
    JobRefused,
    JobStatus,
    TrainingJob,
)
from endpoint.training_contract import METRIC_DEFINITIONS

_TRAINING_ID = re.compile(r"trn-[a-z2-7]{26}")
_VOLUME_GB = 100
_MOST_CHARS = 256
"""Of a tag's value; https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Tag.html"""
_MOST_WAIT_SECONDS = 28 * 24 * 3_600
# What is about this job and these rights does not go away by itself.
_FOR_GOOD = {"ValidationException", "ValidationError", "AccessDeniedException", "AccessDenied", "ResourceNotFound"}
_EXISTS, _QUOTA = "ResourceInUse", "ResourceLimitExceeded"

RUNNING = frozenset({"Training", "Downloading", "DownloadingTrainingImage", "Uploading", "Restarting", "Updating"})
"""Secondary statuses under `InProgress` in which an instance works; the container may restart on it."""
WAITING = frozenset({"Starting", "LaunchingMLInstances", "PreparingTrainingStack", "Interrupted", "Pending"})
"""And those in which it waits for one. A test finds botocore's whole list here and in those of jobs that are over."""
_ENDED = {"Completed": JobStatus.COMPLETED, "Failed": JobStatus.FAILED, "Stopping": JobStatus.STOPPING}


class SageMakerTrainingJobs:
    """`TrainingJobs` on SageMaker: jobs called `<stack>-<training id>` that run under `role_arn`."""

    def __init__(self, client: Client, *, stack: str, role_arn: str, pictures_bucket: str, models_bucket: str) -> None:
        self._client = client
        self._stack = stack
        self._role_arn = role_arn
        self._pictures = pictures_bucket
        self._models = models_bucket

    def start(self, job: TrainingJob) -> None:
        try:
            self._client().create_training_job(**self._request(job))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == _EXISTS and self._is_ours(job):
                return
            if code == _QUOTA:
                raise JobRefused(JobRefusal.QUOTA, code) from error
            if code in _FOR_GOOD or code == _EXISTS:
                raise JobRefused(JobRefusal.OTHER, code) from error
            raise JobPostponed(code) from error
        except BotoCoreError as error:
            raise JobPostponed(type(error).__name__) from error

    def condition(self, training_id: str) -> JobCondition:
        answer = self._describe(training_id)
        if answer is None:
            return JobCondition(JobStatus.MISSING)
        return JobCondition(
            _status(str(answer["TrainingJobStatus"]), str(answer.get("SecondaryStatus", ""))),
            answer["LastModifiedTime"].astimezone(UTC) if "LastModifiedTime" in answer else None,
            str(answer.get("FailureReason", "")),
        )

    def stop(self, training_id: str) -> None:
        try:
            self._client().stop_training_job(TrainingJobName=self._name(training_id))
        except ClientError as error:
            # It is over, or never was.
            if error.response["Error"]["Code"] not in {"ValidationException", "ResourceNotFound"}:
                raise JobPostponed(error.response["Error"]["Code"]) from error
        except BotoCoreError as error:
            raise JobPostponed(type(error).__name__) from error

    def output_prefix(self, training_id: str, output_prefix: str) -> str:
        # With CompressionType NONE, SageMaker puts the files of /opt/ml/model/ there one by one.
        return f"{output_prefix}{self._name(training_id)}/output/model/"

    def training_of(self, job_name: str) -> str | None:
        training_id = job_name.removeprefix(f"{self._stack}-")
        return training_id if training_id != job_name and _TRAINING_ID.fullmatch(training_id) else None

    def _name(self, training_id: str) -> str:
        return f"{self._stack}-{training_id}"

    def _request(self, job: TrainingJob) -> dict[str, Any]:
        offer, warm = job.machine.offer, job.machine.warm_pool_seconds
        resources: dict[str, Any] = {
            "InstanceType": offer.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": _VOLUME_GB,
        }
        stopping: dict[str, Any] = {"MaxRuntimeInSeconds": job.max_run_seconds}
        request: dict[str, Any] = {}
        # SageMaker allows one of both.
        if offer.spot:
            wait = min(job.max_run_seconds + max(job.max_run_seconds, 3_600), _MOST_WAIT_SECONDS)
            stopping["MaxWaitTimeInSeconds"] = wait
            request["EnableManagedSpotTraining"] = True
        elif warm > 0:
            resources["KeepAlivePeriodInSeconds"] = warm
        tags = {"easel": self._stack, "tenant": job.tenant, "member": job.member, "training": job.training_id}
        return request | {
            "TrainingJobName": self._name(job.training_id),
            "AlgorithmSpecification": {
                "TrainingImage": job.machine.image_uri,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRIC_DEFINITIONS.items()],
            },
            "RoleArn": self._role_arn,
            # They appear in events: nothing of the pictures, and nobody's name.
            "HyperParameters": {"training_id": job.training_id},
            "InputDataConfig": [
                _channel("model", f"s3://{self._models}/{job.model}/"),
                _channel("dataset", f"s3://{self._pictures}/{job.dataset_prefix}"),
            ],
            "OutputDataConfig": {
                "S3OutputPath": f"s3://{self._pictures}/{job.output_prefix}",
                "CompressionType": "NONE",
            },
            "CheckpointConfig": {
                "S3Uri": f"s3://{self._pictures}/{job.checkpoints_prefix}",
                "LocalPath": "/opt/ml/checkpoints",
            },
            "ResourceConfig": resources,
            "StoppingCondition": stopping,
            "Tags": [{"Key": key, "Value": _tag(value)} for key, value in tags.items()],
        }

    def _is_ours(self, job: TrainingJob) -> bool:
        """Whether the job of that name is this training's, and not one that somebody made by hand."""
        answer = self._describe(job.training_id) or {}
        return bool(answer.get("HyperParameters", {}).get("training_id") == job.training_id)

    def _describe(self, training_id: str) -> Any | None:
        try:
            return self._client().describe_training_job(TrainingJobName=self._name(training_id))
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            # SageMaker has no code of its own for "not found".
            if code == "ResourceNotFound" or (code == "ValidationException" and "not found" in message.lower()):
                return None
            raise JobPostponed(code) from error
        except BotoCoreError as error:
            raise JobPostponed(type(error).__name__) from error


def _status(primary: str, secondary: str) -> JobStatus:
    if secondary in {"MaxRuntimeExceeded"}:
        return JobStatus.TIMED_OUT
    if secondary in {"MaxWaitTimeExceeded"}:
        return JobStatus.NO_CAPACITY
    match primary:
        case "InProgress":
            return JobStatus.RUNNING if secondary in RUNNING else JobStatus.STARTING
        case "Stopped":
            return JobStatus.STOPPED
        case _:
            # `Deleting` and what is new: it is over, and without a result.
            return _ENDED.get(primary, JobStatus.FAILED)


def _channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "InputMode": "File",
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        },
    }


def _tag(value: str) -> str:
    """What a tag takes; an IAM principal's tenant has characters that it does not."""
    return re.sub(r"[^\w .:/=+@-]", "_", value)[:_MOST_CHARS]
