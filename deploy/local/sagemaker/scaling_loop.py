"""Acts on scalable targets: bounds, target tracking, and the step policies of alarms that go off.

Alarms are CloudWatch's own, made by whoever made the step policy; they are judged here, on the same metrics, so that
their periods can be compressed in time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import operator
import time
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from deploy.local.sagemaker.endpoint import Endpoint
from deploy.local.sagemaker.endpoints import Endpoints
from deploy.local.sagemaker.gateway import Gateway
from deploy.local.sagemaker.metrics import NAMESPACE, MetricHistory, metric_data
from deploy.local.sagemaker.scaling_targets import ScalableTarget, ScalingTargets
from deploy.local.sagemaker.settings import SageMakerSettings

log = logging.getLogger(__name__)

# What target tracking's own alarms wait for: three minutes above the target, fifteen below nine tenths of it.
_HIGH_PERIODS, _LOW_PERIODS, _PERIOD_SECONDS, _LOW_SHARE = 3, 15, 60, 0.9
_DEFAULT_COOLDOWN_SECONDS = 300

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Average": fmean,
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
}


class ScalingLoop:
    """Runs until it is cancelled."""

    def __init__(
        self, settings: SageMakerSettings, gateway: Gateway, endpoints: Endpoints, targets: ScalingTargets
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._endpoints = endpoints
        self._targets = targets
        self._history = MetricHistory()
        self._last_out: dict[str, float] = {}
        self._last_in: dict[str, float] = {}
        self._published_at = 0.0

    async def run(self) -> None:
        """Forever: measure, publish, scale."""
        while True:
            try:
                await self._turn()
            except Exception:
                log.exception("a turn of the scaling loop failed")
            await asyncio.sleep(self._settings.scaling_seconds)

    async def _turn(self) -> None:
        for endpoint in self._endpoints.all():
            if endpoint.queue is not None:
                endpoint.queue.pump()  # also gives up what waited too long
                self._history.record(endpoint)
        if time.monotonic() - self._published_at >= self._settings.metrics_seconds:
            self._published_at = time.monotonic()
            await self._publish()
        for target in self._targets.all():
            scaled = self._endpoints.find(target.endpoint_name)
            if scaled is not None and scaled.status == "InService":
                await self._scale(target, scaled)

    async def _publish(self) -> None:
        data = [datum for endpoint in self._endpoints.all() if endpoint.queue for datum in metric_data(endpoint)]
        if data:
            cloudwatch = await asyncio.to_thread(self._gateway.client, "cloudwatch")
            await self._gateway.call(cloudwatch.put_metric_data, Namespace=NAMESPACE, MetricData=data)

    async def _scale(self, target: ScalableTarget, endpoint: Endpoint) -> None:
        lowest, highest = target.document["MinCapacity"], target.document["MaxCapacity"]
        current = endpoint.fleet.desired
        if not lowest <= current <= highest:
            self._set(target, endpoint, min(max(current, lowest), highest), "minimum or maximum capacity was changed")
            return
        wishes: list[tuple[int, str]] = []
        for policy in target.policies.values():
            wish = (
                self._track(policy, endpoint)
                if policy["PolicyType"] == "TargetTrackingScaling"
                else await self._step(policy, endpoint)
            )
            if wish is not None:
                wishes.append((min(max(wish, lowest), highest), policy["PolicyName"]))
        # As the service does: the largest wish counts, and capacity goes down only where every policy agrees.
        if not wishes:
            return
        count, name = max(wishes)
        direction = "Out" if count > current else "In"
        if count != current and not target.suspended(direction):
            self._set(target, endpoint, count, f"policy {name} was triggered")

    def _set(self, target: ScalableTarget, endpoint: Endpoint, count: int, cause: str) -> None:
        log.info("%s: %d → %d instances: %s", endpoint.name, endpoint.fleet.desired, count, cause)
        moments = self._last_out if count > endpoint.fleet.desired else self._last_in
        moments[endpoint.name] = time.monotonic()
        self._targets.record_activity(target, count, cause)
        endpoint.scale(count)

    def _track(self, policy: Mapping[str, Any], endpoint: Endpoint) -> int | None:
        """What target tracking wants; None while its alarms are silent."""
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        metric = configuration.get("CustomizedMetricSpecification", {}).get("MetricName")
        goal = float(configuration["TargetValue"])
        current = endpoint.fleet.desired
        high = self._values(endpoint, metric, _HIGH_PERIODS, _PERIOD_SECONDS, "Average")
        if high and all(value > goal for value in high):
            if self._cooling(self._last_out, endpoint, configuration.get("ScaleOutCooldown")):
                return None
            return max(current, math.ceil(max(1, current) * high[-1] / goal))
        low = self._values(endpoint, metric, _LOW_PERIODS, _PERIOD_SECONDS, "Average")
        if low and current and all(value < goal * _LOW_SHARE for value in low):
            cooling = self._cooling(self._last_in, endpoint, configuration.get("ScaleInCooldown"))
            if cooling or configuration.get("DisableScaleIn"):
                return None
            return min(current, math.ceil(current * low[-1] / goal))
        return None

    async def _step(self, policy: Mapping[str, Any], endpoint: Endpoint) -> int | None:
        """What a step policy wants, for an alarm that names it and has gone off."""
        configuration = policy["StepScalingPolicyConfiguration"]
        if self._cooling(self._last_out, endpoint, configuration.get("Cooldown")):
            return None
        for alarm in await self._alarms(policy["PolicyARN"]):
            excess = self._excess(alarm, endpoint)
            if excess is None:
                continue
            for step in configuration.get("StepAdjustments", []):
                lower = step.get("MetricIntervalLowerBound", -math.inf)
                upper = step.get("MetricIntervalUpperBound", math.inf)
                if lower <= excess < upper:
                    return _adjusted(endpoint.fleet.desired, step["ScalingAdjustment"], configuration)
        return None

    async def _alarms(self, policy_arn: str) -> list[dict[str, Any]]:
        cloudwatch = await asyncio.to_thread(self._gateway.client, "cloudwatch")
        answer = await self._gateway.call(cloudwatch.describe_alarms)
        return [
            alarm
            for alarm in answer["MetricAlarms"]
            if policy_arn in alarm.get("AlarmActions", []) and alarm.get("ActionsEnabled", True)
        ]

    def _excess(self, alarm: Mapping[str, Any], endpoint: Endpoint) -> float | None:
        """By how much the alarm's metric is past its threshold; None while the alarm is silent."""
        dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
        if alarm.get("Namespace") != NAMESPACE or dimensions.get("EndpointName") != endpoint.name:
            return None
        periods = alarm.get("EvaluationPeriods", 1)
        statistic = alarm.get("Statistic", "Average")
        values = self._values(endpoint, alarm["MetricName"], periods, alarm["Period"], statistic)
        breaches = _COMPARE[alarm["ComparisonOperator"]]
        threshold = alarm["Threshold"]
        breaching = [value for value in values if breaches(value, threshold)]
        if not values or len(breaching) < alarm.get("DatapointsToAlarm", periods):
            return None
        return float(values[-1] - threshold)

    def _values(
        self, endpoint: Endpoint, metric: str | None, periods: int, period_seconds: float, statistic: str
    ) -> list[float]:
        """One value a period, oldest first; none at all while a period has no data."""
        length = max(period_seconds / self._settings.time_scale, self._settings.scaling_seconds * 1.5)
        values = []
        for index in reversed(range(periods)):
            window = self._history.window(endpoint.name, metric or "", (index + 1) * length, index * length)
            if not window:
                return []
            values.append(_STATISTICS[statistic](window))
        return values

    def _cooling(self, moments: Mapping[str, float], endpoint: Endpoint, cooldown_seconds: float | None) -> bool:
        wait = _DEFAULT_COOLDOWN_SECONDS if cooldown_seconds is None else cooldown_seconds
        since = time.monotonic() - moments.get(endpoint.name, -math.inf)
        return since < wait / self._settings.time_scale


def _adjusted(current: int, adjustment: int, configuration: Mapping[str, Any]) -> int:
    kind = configuration.get("AdjustmentType", "ChangeInCapacity")
    if kind == "ExactCapacity":
        return adjustment
    if kind == "PercentChangeInCapacity":
        change = current * adjustment / 100
        least = configuration.get("MinAdjustmentMagnitude", 1)
        return current + int(math.copysign(max(abs(change), least), adjustment))
    return current + adjustment
