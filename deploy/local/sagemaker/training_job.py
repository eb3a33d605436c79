"""A training job as the control plane knows it: what was asked, its states, and how SageMaker shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deploy.local.sagemaker.training_request import is_spot

# A spot instance costs about so much of another one's price; SageMaker shows it as seconds that are not billed.
_SPOT_PRICE = 0.3
_MOST_REASON = 1_024
_STATUS_OF = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopping": "Stopping",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
}
FINAL = frozenset({"Completed", "Failed", "Stopped"})


class TrainingJob:
    """`status` and `secondary` are SageMaker's; `transitions` the history of the second."""

    def __init__(self, name: str, job_arn: str, account: str, request: Mapping[str, Any]) -> None:
        self.name = name
        self.arn = job_arn
        self.account = account
        self.request = {key: value for key, value in request.items() if key != "Tags"}
        self.tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        self.created_at = self.changed_at = datetime.now(UTC)
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.status = "InProgress"
        self.secondary = ""
        self.failure_reason: str | None = None
        self.transitions: list[dict[str, Any]] = []
        self.training_seconds = 0.0
        self.artifacts: str | None = None
        self.metrics: dict[str, tuple[float, datetime]] = {}

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    def enter(self, secondary: str, message: str, reason: str | None = None) -> bool:
        """Go over to a state, or say more of the same one; whether anything changed: who is stopped does not go on."""
        status = _STATUS_OF.get(secondary, "InProgress")
        if self.is_final or (self.status == "Stopping" and status == "InProgress"):
            return False
        now = datetime.now(UTC)
        if self.transitions and self.secondary == secondary:
            if self.transitions[-1]["StatusMessage"] == message:
                return False
            self.transitions[-1]["StatusMessage"] = message
        else:
            if self.transitions:
                self.transitions[-1]["EndTime"] = now
            self.transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        self.status, self.secondary, self.changed_at = status, secondary, now
        if self.is_final:
            self.ended_at = now
            self.transitions[-1]["EndTime"] = now
            self.failure_reason = reason[:_MOST_REASON] if reason else None
        return True

    def describe(self, warm_pool: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As `DescribeTrainingJob` answers."""
        spot = is_spot(self.request)
        was_on_an_instance = self.is_final and self.started_at is not None
        return {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": False,
            **self.request,
            "EnableManagedSpotTraining": spot,
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            "FailureReason": self.failure_reason,
            "ModelArtifacts": {"S3ModelArtifacts": self.artifacts} if self.artifacts else None,
            "CreationTime": self.created_at,
            "TrainingStartTime": self.started_at,
            "TrainingEndTime": self.ended_at if self.started_at else None,
            "LastModifiedTime": self.changed_at,
            "SecondaryStatusTransitions": self.transitions,
            "FinalMetricDataList": [
                {"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self.metrics.items()
            ]
            or None,
            "TrainingTimeInSeconds": round(self.training_seconds) if was_on_an_instance else None,
            "BillableTimeInSeconds": round(self.training_seconds * (_SPOT_PRICE if spot else 1.0))
            if was_on_an_instance
            else None,
            "WarmPoolStatus": warm_pool,
        }

    def summary(self, warm_pool: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As `ListTrainingJobs` shows it."""
        names = (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingEndTime",
            "LastModifiedTime",
            "TrainingJobStatus",
            "SecondaryStatus",
            "WarmPoolStatus",
        )
        described = self.describe(warm_pool)
        return {name: described[name] for name in names}

    def event_detail(self) -> dict[str, Any]:
        """As EventBridge tells of it: hyperparameters and tags included, times in milliseconds."""
        left_out = {"Environment", "EnableManagedSpotTraining", "WarmPoolStatus"}
        described = {name: value for name, value in self.describe().items() if name not in left_out}
        detail: dict[str, Any] = _in_milliseconds({**described, "Tags": self.tags})
        return detail


def _in_milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, Mapping):
        return {name: _in_milliseconds(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_in_milliseconds(each) for each in value]
    return value
