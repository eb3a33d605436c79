"""What a request's body must be before anyone looks into it: a small JSON object."""

from __future__ import annotations

import base64
import json
from typing import Any

from backend_lambda.contract.errors import ErrorCode
from backend_lambda.usecases.refusals import Refusal

MAX_BODY_BYTES = 64 * 1024


class TooLarge(Refusal):
    """More than any sensible request."""

    code = ErrorCode.TOO_LARGE


class Malformed(Refusal):
    """Not a JSON object."""

    code = ErrorCode.MALFORMED_REQUEST


def admit(event: dict[str, Any]) -> dict[str, Any]:
    """The event, where its body may be one of ours; from here on it counts as JSON. Raises `TooLarge` or `Malformed`,
    before anything is parsed.
    """
    body = event.get("body") or ""
    # Base64 makes four characters of three bytes, and a character has one byte at least.
    least_bytes = len(body) * 3 // 4 - 2 if event.get("isBase64Encoded") else len(body)
    if least_bytes > MAX_BODY_BYTES:
        raise _too_large(f"more than {least_bytes // 1024} KB")
    if event.get("isBase64Encoded"):
        try:
            decoded = base64.b64decode(body, validate=True)
            decoded.decode()
        except ValueError:
            raise Malformed("The body is not text in UTF-8.", allowed="a JSON object") from None
    else:
        decoded = body.encode(errors="surrogatepass")
    if len(decoded) > MAX_BODY_BYTES:
        raise _too_large(f"{len(decoded) / 1024:.0f} KB")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    kind = headers.get("content-type", "")
    if body and kind and kind.partition(";")[0].strip().lower() != "application/json":
        raise Malformed("The body must be JSON.", field="content-type", given=kind, allowed="application/json")
    return event | {"headers": headers | {"content-type": "application/json"}}


def parse_body(text: str) -> dict[str, Any]:
    """The JSON object in a body. Raises `Malformed`: for no JSON, for another JSON value, for NaN, infinity and numbers
    without end, for a name that comes twice, for nesting without end.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Malformed("The body is not valid JSON.", given=text, allowed="a JSON object") from None
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.", given=text, allowed="a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _too_large(given: str) -> TooLarge:
    limit = f"{MAX_BODY_BYTES // 1024} KB"
    return TooLarge(f"The body is larger than {limit}.", given=given, allowed=f"at most {limit}")
