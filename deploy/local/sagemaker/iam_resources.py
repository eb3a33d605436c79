"""Which resources IAM is asked about, by operation, as the service authorization reference lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {"ModelName": "model", "EndpointConfigName": "endpoint-config", "EndpointName": "endpoint"}


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
