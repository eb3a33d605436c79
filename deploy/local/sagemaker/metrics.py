"""The backlog metrics of asynchronous endpoints: kept for the scaling loop, and put to CloudWatch."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Any

from deploy.local.sagemaker.endpoint import Endpoint

NAMESPACE = "AWS/SageMaker"
_KEPT = 5_000


def backlog_metrics(endpoint: Endpoint) -> dict[str, float]:
    """The values now. With no instance, the whole backlog counts as one instance's."""
    queue = endpoint.queue
    if queue is None:
        return {}
    instances = len(endpoint.fleet.ready)
    return {
        "ApproximateBacklogSize": float(queue.backlog),
        "ApproximateBacklogSizePerInstance": queue.backlog / max(1, instances),
        "ApproximateAgeOfOldestRequest": queue.oldest_seconds,
        "HasBacklogWithoutCapacity": 1.0 if queue.backlog and not instances else 0.0,
    }


class MetricHistory:
    """Recent values by endpoint and metric; the seconds of windows are ours, not compressed ones."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def record(self, endpoint: Endpoint) -> None:
        """Take the values of now."""
        now = time.monotonic()
        for name, value in backlog_metrics(endpoint).items():
            self._values[endpoint.name, name].append((now, value))

    def window(self, endpoint_name: str, metric: str, begin: float, end: float) -> list[float]:
        """The values that were taken between so many seconds ago (`begin` > `end`)."""
        now = time.monotonic()
        return [value for moment, value in self._values[endpoint_name, metric] if now - begin <= moment <= now - end]

    def forget(self, endpoint_name: str) -> None:
        """Its endpoint is gone."""
        for key in [key for key in self._values if key[0] == endpoint_name]:
            del self._values[key]


def metric_data(endpoint: Endpoint) -> list[dict[str, Any]]:
    """For `PutMetricData`."""
    dimensions = [{"Name": "EndpointName", "Value": endpoint.name}]
    return [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": _unit(name)}
        for name, value in backlog_metrics(endpoint).items()
    ]


def _unit(name: str) -> str:
    return "Seconds" if name.endswith("OldestRequest") else "Count"
