"""Application Auto Scaling's documents: scalable targets, policies, scheduled actions, activities."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.local.sagemaker.aws_protocol import AwsError, validation_exception
from deploy.local.sagemaker.endpoints import Endpoints

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_KEPT_ACTIVITIES = 500
_NAMES = ("ServiceNamespace", "ResourceId", "ScalableDimension")


@dataclass
class ScalableTarget:
    """One variant that is scaled; `document` is what `DescribeScalableTargets` shows."""

    endpoint_name: str
    document: dict[str, Any]
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    scheduled_actions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def suspended(self, direction: str) -> bool:
        """`direction`: `In` or `Out`."""
        state = self.document.get("SuspendedState") or {}
        return bool(state.get(f"DynamicScaling{direction}Suspended"))


class ScalingTargets:
    """By resource id (`endpoint/<name>/variant/<variant>`)."""

    def __init__(self, endpoints: Endpoints, region: str) -> None:
        self._endpoints = endpoints
        self._region = region
        self._targets: dict[str, ScalableTarget] = {}
        self._activities: deque[dict[str, Any]] = deque(maxlen=_KEPT_ACTIVITIES)

    def all(self) -> list[ScalableTarget]:
        """Those whose endpoint exists; the others go with their endpoint."""
        for resource, target in list(self._targets.items()):
            if self._endpoints.find(target.endpoint_name) is None:
                del self._targets[resource]
        return list(self._targets.values())

    def register(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`RegisterScalableTarget`; again for one that exists changes what is named. Raises `AwsError`."""
        endpoint_name = self._endpoint_name(given)
        resource = given["ResourceId"]
        target = self._targets.get(resource)
        if target is None:
            if "MinCapacity" not in given or "MaxCapacity" not in given:
                raise validation_exception("MinCapacity and MaxCapacity are required for a new scalable target.")
            identity = uuid.uuid4().hex[:20]
            target = ScalableTarget(
                endpoint_name,
                {
                    **{name: given[name] for name in _NAMES},
                    "CreationTime": datetime.now(UTC),
                    "RoleARN": f"arn:aws:iam::{account}:role/aws-service-role/sagemaker.application-autoscaling."
                    "amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
                    "ScalableTargetARN": f"arn:aws:application-autoscaling:{self._region}:{account}:"
                    f"scalable-target/{identity}",
                },
            )
        changed = {name: given[name] for name in ("MinCapacity", "MaxCapacity", "SuspendedState") if name in given}
        document = {**target.document, **changed}
        if not 0 <= document["MinCapacity"] <= document["MaxCapacity"]:
            raise validation_exception("MinCapacity must be at least 0 and at most MaxCapacity.")
        target.document = document
        self._targets[resource] = target
        self._endpoints.scaled.add(endpoint_name)
        return {"ScalableTargetARN": document["ScalableTargetARN"]}

    def deregister(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DeregisterScalableTarget`. Raises `AwsError`."""
        target = self._get(given)
        del self._targets[given["ResourceId"]]
        self._endpoints.scaled.discard(target.endpoint_name)
        return {}

    def describe(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DescribeScalableTargets`."""
        wanted = given.get("ResourceIds")
        shown = [target.document for target in self.all()]
        return {"ScalableTargets": [each for each in shown if not wanted or each["ResourceId"] in wanted]}

    def put_policy(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`PutScalingPolicy`: step scaling or target tracking. Raises `AwsError`."""
        target = self._get(given)
        name = given["PolicyName"]
        kind = given.get("PolicyType", "StepScaling")
        wanted = {
            "StepScaling": "StepScalingPolicyConfiguration",
            "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
        }.get(kind)
        if wanted is None or wanted not in given:
            raise validation_exception(f"A policy of the type {kind} is not complete, or not known to this stand-in.")
        before = target.policies.get(name)
        policy_arn = (
            before["PolicyARN"]
            if before
            else f"arn:aws:autoscaling:{self._region}:{account}:scalingPolicy:{uuid.uuid4()}:resource/sagemaker/"
            f"{given['ResourceId']}:policyName/{name}"
        )
        target.policies[name] = {
            **{each: given[each] for each in (*_NAMES, "PolicyName", wanted)},
            "PolicyType": kind,
            "PolicyARN": policy_arn,
            "Alarms": [],
            "CreationTime": before["CreationTime"] if before else datetime.now(UTC),
        }
        return {"PolicyARN": policy_arn, "Alarms": []}

    def delete_policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DeleteScalingPolicy`. Raises `AwsError`."""
        self._take(self._get(given).policies, given["PolicyName"], "scaling policy")
        return {}

    def describe_policies(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DescribeScalingPolicies`."""
        names = given.get("PolicyNames")
        shown = [policy for target in self._matching(given) for policy in target.policies.values()]
        return {"ScalingPolicies": [each for each in shown if not names or each["PolicyName"] in names]}

    def put_scheduled_action(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`PutScheduledAction`: kept and shown, not carried out here. Raises `AwsError`."""
        target = self._get(given)
        name = given["ScheduledActionName"]
        before = target.scheduled_actions.get(name, {})
        target.scheduled_actions[name] = {
            "CreationTime": datetime.now(UTC),
            "ScheduledActionARN": f"arn:aws:autoscaling:{self._region}:{account}:scheduledAction:{uuid.uuid4()}:"
            f"resource/sagemaker/{given['ResourceId']}:scheduledActionName/{name}",
            **before,
            **given,
        }
        return {}

    def delete_scheduled_action(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DeleteScheduledAction`. Raises `AwsError`."""
        self._take(self._get(given).scheduled_actions, given["ScheduledActionName"], "scheduled action")
        return {}

    def describe_scheduled_actions(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DescribeScheduledActions`."""
        names = given.get("ScheduledActionNames")
        shown = [action for target in self._matching(given) for action in target.scheduled_actions.values()]
        return {"ScheduledActions": [each for each in shown if not names or each["ScheduledActionName"] in names]}

    def describe_activities(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`DescribeScalingActivities`, newest first."""
        resource = given.get("ResourceId")
        shown = [each for each in reversed(self._activities) if not resource or each["ResourceId"] == resource]
        return {"ScalingActivities": shown[: given.get("MaxResults", 50)]}

    def record_activity(self, target: ScalableTarget, count: int, cause: str) -> None:
        """A change of capacity was begun."""
        now = datetime.now(UTC)
        self._activities.append(
            {
                **{name: target.document[name] for name in _NAMES},
                "ActivityId": str(uuid.uuid4()),
                "Description": f"Setting desired instance count to {count}.",
                "Cause": cause,
                "StartTime": now,
                "EndTime": now,
                "StatusCode": "Successful",
                "StatusMessage": f"Successfully set desired instance count to {count}.",
            }
        )

    def _matching(self, given: Mapping[str, Any]) -> list[ScalableTarget]:
        resource = given.get("ResourceId")
        return [each for each in self.all() if not resource or each.document["ResourceId"] == resource]

    def _get(self, given: Mapping[str, Any]) -> ScalableTarget:
        target = self._targets.get(given["ResourceId"])
        if target is None or self._endpoints.find(target.endpoint_name) is None:
            raise AwsError(
                "ObjectNotFoundException",
                f"No scalable target found for service namespace: {given['ServiceNamespace']}, "
                f"resource ID: {given['ResourceId']}, scalable dimension: {given['ScalableDimension']}",
            )
        return target

    def _take(self, kept: dict[str, dict[str, Any]], name: str, kind: str) -> None:
        if kept.pop(name, None) is None:
            raise AwsError("ObjectNotFoundException", f"No {kind} found with the name {name}")

    def _endpoint_name(self, given: Mapping[str, Any]) -> str:
        if given["ServiceNamespace"] != "sagemaker" or given["ScalableDimension"] != DIMENSION:
            raise validation_exception("This stand-in scales the variants of SageMaker endpoints alone.")
        kind, _, rest = str(given["ResourceId"]).partition("/")
        name, _, variant = rest.partition("/variant/")
        endpoint = self._endpoints.find(name) if kind == "endpoint" else None
        if endpoint is None or endpoint.variant["VariantName"] != variant:
            raise validation_exception(f"The resource {given['ResourceId']} does not exist.")
        return endpoint.name
