"""The answers of a route, as the OpenAPI document lists them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from backend_lambda.api.errors import STATUSES
from backend_lambda.contract.errors import ErrorBody, ErrorCode

_EVERYWHERE = (ErrorCode.NOT_ALLOWED, ErrorCode.INTERNAL)


def errors(status: int, model: type[BaseModel], *codes: ErrorCode) -> dict[int, Any]:
    """What a route answers: `model` with `status`, and `ErrorBody` with the status of each of `codes`."""
    found: dict[int, Any] = {status: {"description": "Done", "content": {"application/json": {"model": model}}}}
    for code in (*codes, *_EVERYWHERE):
        answer = found.setdefault(STATUSES[code], {"content": {"application/json": {"model": ErrorBody}}})
        answer["description"] = ", ".join(filter(None, (answer.get("description"), f"`{code.value}`")))
    return dict(sorted(found.items()))
