"""AWS's wire protocols for the three services, from botocore's own models of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator
from starlette.responses import Response

from deploy.local.sagemaker.constraints import refusal

JSON_1_1 = "application/x-amz-json-1.1"


class AwsError(Exception):
    """An error as AWS answers it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_exception(message: str) -> AwsError:
    """SageMaker's control plane and auto scaling answer almost every mistake with this."""
    return AwsError("ValidationException", message)


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's description of `sagemaker`, `sagemaker-runtime` or `application-autoscaling`."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def operation_of_target(target: str) -> tuple[str, OperationModel]:
    """The service and operation of an `X-Amz-Target` header. Raises `AwsError`."""
    prefix, _, name = target.partition(".")
    for service in ("sagemaker", "application-autoscaling"):
        model = service_model(service)
        if model.metadata["targetPrefix"] == prefix and name in model.operation_names:
            return service, model.operation_model(name)
    raise AwsError("UnknownOperationException", f"Unknown operation {target}")


def parse_json(operation: OperationModel, body: bytes) -> dict[str, Any]:
    """The operation's input, checked against the model. Raises `AwsError`."""
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        raise AwsError("SerializationException", "The request is not valid JSON.") from None
    if not isinstance(given, dict):
        raise AwsError("SerializationException", "The request is not a JSON object.")
    check_parameters(operation, given)
    return given


def check_parameters(operation: OperationModel, given: Mapping[str, Any]) -> None:
    """Types, required members, ranges, lengths and patterns. Raises `AwsError` (`ValidationException`)."""
    report = ParamValidator().validate(given, operation.input_shape)
    if report.has_errors():
        raise validation_exception(f"1 validation error detected: {report.generate_report()}")
    broken = refusal(operation.input_shape, given)
    if broken:
        raise validation_exception(broken)


def json_answer(result: Mapping[str, Any]) -> Response:
    """A JSON 1.1 answer; times go as seconds since 1970, absent members are left out."""
    return Response(json.dumps(_compact(result), default=_timestamp), media_type=JSON_1_1)


def error_answer(error: AwsError, *, rest: bool = False) -> Response:
    """`rest`: the runtime names the error in a header, the control plane in the body."""
    if rest:
        body, headers = {"message": error.message, "Message": error.message}, {"x-amzn-ErrorType": error.code}
        return Response(json.dumps(body), error.status, headers, media_type="application/json")
    return Response(json.dumps({"__type": error.code, "message": error.message}), error.status, media_type=JSON_1_1)


def _compact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _compact(each) for name, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_compact(each) for each in value]
    return value


def _timestamp(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not part of an answer")
