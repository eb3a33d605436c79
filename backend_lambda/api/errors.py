"""Every answer that is not 2xx, from one place: a status, and an `ErrorBody` with one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel

from backend_lambda.contract.errors import ErrorBody, ErrorCode
from backend_lambda.usecases.refusals import Refusal

STATUSES = {
    ErrorCode.INVALID_REQUEST: 422,
    ErrorCode.MALFORMED_REQUEST: 400,
    ErrorCode.ENDPOINT_NOT_FOUND: 404,
    ErrorCode.JOB_NOT_FOUND: 404,
    ErrorCode.ROUTE_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.JOB_NOT_DELETABLE: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.LIMIT_REACHED: 429,
    ErrorCode.LAST_ADMIN: 409,
    ErrorCode.ACCESS_CONFLICT: 409,
    ErrorCode.GUARDRAIL_TOO_LONG: 422,
    ErrorCode.BLOCKED_WORDS: 422,
    ErrorCode.WEBHOOK_NOT_FOUND: 404,
    ErrorCode.LORA_NOT_FOUND: 404,
    ErrorCode.LORA_NOT_FITTING: 422,
    ErrorCode.LORA_NAME_TAKEN: 409,
    ErrorCode.LORA_FILE_UNUSABLE: 422,
    ErrorCode.TRAINING_NOT_FOUND: 404,
    ErrorCode.TRAINING_NOT_IN_STATE: 409,
    ErrorCode.PICTURES_MISSING: 422,
    ErrorCode.SELF_APPROVAL: 409,
    ErrorCode.NO_TRAINING_HERE: 422,
    ErrorCode.ENDPOINT_UNAVAILABLE: 503,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.INTERNAL: 500,
}

_LONGEST_GIVEN = 60


def answer(body: ErrorBody) -> Response[str]:
    """The HTTP answer for an error."""
    return Response(
        status_code=STATUSES[body.code],
        content_type="application/json",
        body=body.model_dump_json(exclude_none=True),
    )


def describe_refusal(refusal: Refusal) -> ErrorBody:
    """What a use case's refusal says to a client."""
    return ErrorBody(
        code=refusal.code,
        message=refusal.message,
        field=refusal.field,
        given=shorten(refusal.given) if refusal.given is not None else None,
        allowed=refusal.allowed,
        available=refusal.available,
        limit=refusal.limit,
    )


def describe_invalid(error: RequestValidationError, body: type[BaseModel] | None) -> ErrorBody:
    """The first thing that is wrong with a request, as facts. Nothing of pydantic's own words is in it, but for the
    sentences of our own validators. `body`: the form that the route's body should have had.
    """
    problems: Sequence[Mapping[str, Any]] = error.errors()
    problem = problems[0]
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    path = [str(part) for part in problem["loc"] if part not in {"body", "query", "path"}]
    field = ".".join(path) or None
    if kind == "missing":
        if field is None:
            return ErrorBody(code=ErrorCode.MALFORMED_REQUEST, message="The body is missing.", allowed="a JSON object")
        return ErrorBody(
            code=ErrorCode.INVALID_REQUEST,
            message=f"The field {shorten(field)} is missing.",
            field=shorten(field),
            given="nothing",
            allowed="a value",
        )
    if kind == "extra_forbidden":
        return _unknown_field(path, sorted(_fields(body, path[:-1])))
    given = shorten(problem.get("input"))
    own = context.get("error")
    if kind == "value_error" and own is not None:
        return ErrorBody(code=ErrorCode.INVALID_REQUEST, message=_sentence(str(own)), field=field, given=given)
    allowed = _allowed(kind, context, field)
    what = f"The field {shorten(field)}" if field else "The body"
    return ErrorBody(
        code=ErrorCode.INVALID_REQUEST,
        message=f"{what} must be {allowed}.",
        field=shorten(field) if field else None,
        given=given,
        allowed=allowed,
    )


def _fields(model: type[BaseModel] | None, path: Sequence[str]) -> list[str]:
    """Names of the fields that there are at a path inside a model."""
    for name in path:
        field = model.model_fields.get(name) if model is not None else None
        kinds = (field.annotation, *get_args(field.annotation)) if field is not None else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return list(model.model_fields) if model is not None else []


def _unknown_field(path: Sequence[str], fields: Sequence[str]) -> ErrorBody:
    name = ".".join(path)
    near = get_close_matches(path[-1][:_LONGEST_GIVEN], fields, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return ErrorBody(
        code=ErrorCode.INVALID_REQUEST,
        message=f"There is no field {shorten(name)}.{hint}",
        field=shorten(name),
        given=shorten(name),
        allowed=", ".join(fields),
    )


def _allowed(kind: str, context: Mapping[str, Any], field: str | None) -> str:
    """What would have been right, for each of pydantic's error types that our models can raise.

    https://docs.pydantic.dev/latest/errors/validation_errors/
    """
    match kind:
        case "string_too_long":
            return f"at most {context['max_length']} characters long"
        case "string_too_short":
            return f"at least {context['min_length']} characters long"
        case "string_pattern_mismatch" if field == "aspect_ratio":
            return "two whole numbers such as 3:2"
        case "string_pattern_mismatch" if _last(field) == "name":
            return "made of small letters, digits and hyphens, a letter or digit first"
        case "string_pattern_mismatch" if _last(field) == "trigger":
            return "one word without < > @ # : | ` * _ ~"
        case "string_pattern_mismatch" if _last(field) == "channel":
            return "made of letters and digits"
        case "string_pattern_mismatch":
            return "made of letters, digits and . _ : / + = @ -"
        case "string_type" | "string_unicode":
            return "text"
        case "greater_than_equal":
            return f"at least {context['ge']:g}" if isinstance(context["ge"], float) else f"at least {context['ge']}"
        case "less_than_equal":
            return f"at most {context['le']:g}" if isinstance(context["le"], float) else f"at most {context['le']}"
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return "a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return "a number"
        case "enum" | "literal_error":
            expected = str(context["expected"]).replace("'", "")
            return f"one of {expected}" if " " in expected else expected
        case "bool_type" | "bool_parsing":
            return "true or false"
        case "list_type":
            return "a list"
        case "too_long":
            return f"at most {context['max_length']} long"
        case "too_short":
            return f"at least {context['min_length']} long"
        case str() if kind.startswith(("datetime_", "timezone_")):
            return "a time such as 2026-12-01T09:00:00Z"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "a JSON object"
        case _:
            return "something else"


def _last(field: str | None) -> str:
    """The name of a field without where it is."""
    return (field or "").rpartition(".")[2]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def shorten(value: object) -> str:
    """A value as its sender wrote it, cut to what a message can carry."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = type(value).__name__
    # A lone surrogate can't be answered in UTF-8.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= _LONGEST_GIVEN else f"{text[: _LONGEST_GIVEN - 1]}…"
