"""Which resources IAM is asked about, by operation, as the service authorization reference lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "ModelName": "model",
    "EndpointConfigName": "endpoint-config",
    "EndpointName": "endpoint",
    "TrainingJobName": "training-job",
}


def resources_of(service: str, operation: str, given: Mapping[str, Any]) -> list[str]:
    """ARNs with `{region}` and `{account}` left to fill in; `*` where the operation takes no resource."""
    if service == "application-autoscaling":
        takes_none = operation.startswith("Describe")
        return ["*" if takes_none else "arn:aws:application-autoscaling:{region}:{account}:scalable-target/*"]
    if "ResourceArn" in given:
        return [given["ResourceArn"]]
    if operation.startswith("List"):
        return ["*"]
    return [
        f"arn:aws:sagemaker:{{region}}:{{account}}:{kind}/{given[name].lower()}"
        for name, kind in _KINDS.items()
        if name in given
    ] or ["*"]


def passed_role(given: Mapping[str, Any]) -> str | None:
    """The execution role that SageMaker is given, for which the caller needs `iam:PassRole`."""
    role: str | None = given.get("ExecutionRoleArn") or given.get("RoleArn")
    return role


def conditions_of(given: Mapping[str, Any], tags_there: Mapping[str, str]) -> dict[str, Any]:
    """The condition keys of a request: its tags, those of the resource, and what a training job is given.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
    """
    tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])}
    conditions: dict[str, Any] = {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
    for key, value in tags_there.items():
        conditions |= {f"aws:resourcetag/{key.lower()}": value, f"sagemaker:resourcetag/{key.lower()}": value}
    if tags:
        conditions["aws:tagkeys"] = list(tags)
    resources = given.get("ResourceConfig", {})
    if "InstanceType" in resources:
        conditions["sagemaker:instancetypes"] = [resources["InstanceType"]]
    if "KeepAlivePeriodInSeconds" in resources:
        conditions["sagemaker:keepaliveperiod"] = str(resources["KeepAlivePeriodInSeconds"])
    return conditions
