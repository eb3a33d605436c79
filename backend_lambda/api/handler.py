"""The REST API's Lambda function."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel

from backend_lambda import wiring
from backend_lambda.api import audit, endpoints, grants, jobs, limits, loras, trainings, webhooks, words
from backend_lambda.api.body import admit, parse_body
from backend_lambda.api.context import Backend
from backend_lambda.api.errors import answer, describe_invalid, describe_refusal
from backend_lambda.callers import UnknownCaller
from backend_lambda.contract.access import BlockedWords, PutDeny, PutGrant
from backend_lambda.contract.errors import ErrorBody, ErrorCode
from backend_lambda.contract.jobs import SubmitJob
from backend_lambda.contract.loras import ChangeLora, ImportLora
from backend_lambda.contract.trainings import (
    AddPicture,
    CreateTraining,
    DecideTraining,
    SubmitTraining,
    TrainingPolicy,
)
from backend_lambda.contract.webhooks import RegisterWebhook
from backend_lambda.ports import ModerationUnavailable, StoreBusy
from backend_lambda.usecases.describe_failure import new_reference
from backend_lambda.usecases.refusals import Refusal

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}
PATHS = {
    "/endpoints": {"GET"},
    "/endpoints/<endpoint>/jobs": {"POST"},
    "/jobs": {"GET"},
    "/jobs/<job_id>": {"GET", "DELETE"},
    "/limits": {"GET"},
    "/grants": {"GET"},
    "/grants/<kind>/<id>": {"PUT", "DELETE"},
    "/denies/<kind>/<id>": {"PUT", "DELETE"},
    "/audit": {"GET"},
    "/words": {"GET", "PUT"},
    "/webhooks": {"GET", "POST"},
    "/webhooks/<webhook_id>": {"DELETE"},
    "/loras": {"GET", "POST"},
    "/loras/<name>": {"GET", "PATCH", "DELETE"},
    "/loras/<name>/check": {"POST"},
    "/trainings": {"GET", "POST"},
    "/trainings/<training_id>": {"GET", "DELETE"},
    "/trainings/<training_id>/pictures": {"POST"},
    "/trainings/<training_id>/pictures/<picture_id>": {"DELETE"},
    "/trainings/<training_id>/pictures/<picture_id>/check": {"POST"},
    "/trainings/<training_id>/submission": {"POST"},
    "/trainings/<training_id>/approval": {"POST"},
    "/trainings/<training_id>/self-approval": {"POST"},
    "/training-policy": {"GET", "PUT"},
}
BODIES: dict[str, type[BaseModel]] = {
    "endpoints": SubmitJob,
    "grants": PutGrant,
    "denies": PutDeny,
    "words": BlockedWords,
    "webhooks": RegisterWebhook,
    "loras": ImportLora,
    "PATCH loras": ChangeLora,
    "trainings": CreateTraining,
    "trainings pictures": AddPicture,
    "trainings submission": SubmitTraining,
    "trainings approval": DecideTraining,
    "trainings self-approval": DecideTraining,
    "training-policy": TrainingPolicy,
}
"""What a request's body should be, by the first part of its path; with the method before it, or the third part behind
it, where that matters.
"""

app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=parse_body)
app.include_router(jobs.router)
app.include_router(endpoints.router)
app.include_router(limits.router)
app.include_router(grants.router)
app.include_router(audit.router)
app.include_router(words.router)
app.include_router(webhooks.router)
app.include_router(loras.router)
app.include_router(trainings.router)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway's proxy integration."""
    given = wiring.api_settings().backend
    backend = Backend(
        ports=wiring.submitting_ports(),
        monitor=wiring.monitor(),
        mapped_roles=given.mapped_roles,
        access=wiring.access_ports(),
        standing=wiring.role_register().standing,
        region=given.region,
        webhooks=wiring.registry_ports(),
        loras=wiring.lora_ports(),
        trainings=wiring.training_ports(),
    )
    return respond(event, context, backend)


def respond(event: dict[str, Any], context: Any, backend: Backend) -> dict[str, Any]:
    """Answer one request, whatever is in it. Never raises."""
    log = wiring.logger()
    log.clear_state()
    log.append_keys(request_id=(event.get("requestContext") or {}).get("requestId"))
    try:
        admitted = admit(event)
        app.append_context(backend=backend)  # type: ignore[no-untyped-call]
        response = app.resolve(admitted, context)
    except Refusal as refusal:
        response = _proxy(answer(describe_refusal(refusal)))
    except Exception:
        response = _proxy(_internal())
    log.info(
        "answered",
        extra={
            "method": event.get("httpMethod"),
            "route": event.get("resource"),
            "status": response["statusCode"],
            "principal": ((event.get("requestContext") or {}).get("identity") or {}).get("userArn"),
        },
    )
    return response


def _refused(refusal: Refusal) -> Response[str]:
    return answer(describe_refusal(refusal))


def _invalid(error: RequestValidationError) -> Response[str]:
    _, part, *more = app.current_event.path.split("/")
    keys = (f"{app.current_event.http_method} {part}", f"{part} {more[1]}" if len(more) > 1 else part, part)
    return answer(describe_invalid(error, next((BODIES[key] for key in keys if key in BODIES), None)))


def _unknown_caller(error: UnknownCaller) -> Response[str]:
    wiring.logger().warning("caller refused", extra={"reason": str(error)})
    return answer(ErrorBody(code=ErrorCode.NOT_ALLOWED, message="This principal may not use Easel."))


def _busy(_: StoreBusy) -> Response[str]:
    return answer(
        ErrorBody(
            code=ErrorCode.TOO_MANY_REQUESTS,
            message="Too many requests change the same thing just now. Try again in a few seconds.",
        )
    )


def _not_moderated(_: ModerationUnavailable) -> Response[str]:
    wiring.logger().exception("the moderation could not be asked")
    return answer(
        ErrorBody(
            code=ErrorCode.ENDPOINT_UNAVAILABLE,
            message="The moderation that looks at every prompt does not answer just now. Try again in a minute.",
        )
    )


def _no_route(_: NotFoundError) -> Response[str]:
    return answer(
        ErrorBody(
            code=ErrorCode.ROUTE_NOT_FOUND,
            message="There is nothing at this path.",
            allowed=", ".join(path.replace("<", "{").replace(">", "}") for path in PATHS),
        )
    )


def _unexpected(_: Exception) -> Response[str]:
    return _internal()


def _internal() -> Response[str]:
    """Called while the exception is handled: it is in the logs, under a reference, and nowhere else."""
    reference = new_reference()
    wiring.logger().exception("request failed", extra={"reference": reference})
    return answer(
        ErrorBody(
            code=ErrorCode.INTERNAL,
            message=f"Something went wrong on our side. Please try again; the reference is {reference}.",
            reference=reference,
        )
    )


def _refuse_method(allowed: set[str]) -> Any:
    def refuse(**_: str) -> Response[str]:
        return answer(
            ErrorBody(
                code=ErrorCode.METHOD_NOT_ALLOWED,
                message="This path does not take this method.",
                field="method",
                given=app.current_event.http_method,
                allowed=", ".join(sorted(allowed)),
            )
        )

    return refuse


for _kind, _answer in {
    Refusal: _refused,
    RequestValidationError: _invalid,
    UnknownCaller: _unknown_caller,
    StoreBusy: _busy,
    ModerationUnavailable: _not_moderated,
    NotFoundError: _no_route,
    Exception: _unexpected,
}.items():
    app.exception_handler(_kind)(_answer)

for _path, _methods in PATHS.items():
    app.route(_path, method=sorted(METHODS - _methods), include_in_schema=False, enable_validation=False)(
        _refuse_method(_methods)
    )


def _proxy(response: Response[str]) -> dict[str, Any]:
    """An answer outside the resolver, in API Gateway's form."""
    return {
        "statusCode": response.status_code,
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "body": response.body,
        "isBase64Encoded": False,
    }
