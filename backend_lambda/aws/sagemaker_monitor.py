"""SageMaker's endpoints as they are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from botocore.exceptions import ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.contract.endpoints import EndpointStatus
from backend_lambda.ports import EndpointCondition

logger = logging.getLogger(__name__)

_FRESH_SECONDS = 30.0

STATUSES = {
    "InService": EndpointStatus.READY,
    "Creating": EndpointStatus.STARTING,
    "Updating": EndpointStatus.UPDATING,
    "SystemUpdating": EndpointStatus.UPDATING,
    "RollingBack": EndpointStatus.UPDATING,
    "Deleting": EndpointStatus.DELETING,
    "OutOfService": EndpointStatus.FAILED,
    "Failed": EndpointStatus.FAILED,
    "UpdateRollbackFailed": EndpointStatus.FAILED,
}
"""SageMaker's `EndpointStatus` values and ours. A test holds the keys equal to botocore's own list."""


class SageMakerMonitor:
    """`EndpointMonitor` on `DescribeEndpoint`, asked at most twice a minute for each endpoint."""

    def __init__(self, client: Client, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, tuple[float, EndpointCondition]] = {}

    def condition(self, sagemaker_endpoint_name: str) -> EndpointCondition:
        known = self._known.get(sagemaker_endpoint_name)
        if known is not None and self._clock() - known[0] < _FRESH_SECONDS:
            return known[1]
        condition = self._describe(sagemaker_endpoint_name)
        self._known[sagemaker_endpoint_name] = (self._clock(), condition)
        return condition

    def _describe(self, name: str) -> EndpointCondition:
        try:
            answer = self._client().describe_endpoint(EndpointName=name)
        except ClientError as error:
            # SageMaker has no code of its own for "not found".
            if error.response["Error"]["Code"] in {"ValidationException", "ResourceNotFound"}:
                return EndpointCondition(EndpointStatus.MISSING, 0)
            raise
        status = STATUSES.get(answer["EndpointStatus"])
        if status is None:
            logger.error("endpoint status that is new", extra={"endpoint": name, "status": answer["EndpointStatus"]})
            status = EndpointStatus.FAILED
        variants = answer.get("ProductionVariants", [])
        return EndpointCondition(status, sum(variant.get("CurrentInstanceCount", 0) for variant in variants))
