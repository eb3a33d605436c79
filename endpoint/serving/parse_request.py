"""Reads an invocation's body: a `GenerateRequest` that this model can paint, or one clear sentence."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from endpoint.contract import MAX_SEED, GenerateRequest, ModelCard
from endpoint.serving.errors import invalid_request

MAX_BODY_BYTES = 1_000_000
_SHOWN_CHARS = 40


def parse_request(body: bytes, card: ModelCard, *, takes_negative_prompt: bool = True) -> GenerateRequest:
    """Raises `InvocationFailed` (`invalid_request`) naming the field, what was given and what is allowed."""
    if len(body) > MAX_BODY_BYTES:
        raise invalid_request(f"The request has {len(body)} bytes; at most {MAX_BODY_BYTES} are allowed.")
    try:
        request = GenerateRequest.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(" ".join(_sentence(detail) for detail in error.errors()[:3])) from None
    _check_against_model(request, card, takes_negative_prompt)
    return request


def job_id_of(body: bytes) -> str | None:
    """The job that a refused request names, as far as that can be told."""
    try:
        return _Named.model_validate_json(body).job_id
    except ValidationError:
        return None


class _Named(BaseModel):
    job_id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")


def _check_against_model(request: GenerateRequest, card: ModelCard, takes_negative_prompt: bool) -> None:
    for field in ("width", "height"):
        side = getattr(request, field)
        if side % card.size_multiple:
            raise invalid_request(f"{field} is {side}; it must be a multiple of {card.size_multiple}.")
    pixels = request.width * request.height
    if pixels > card.max_pixels:
        raise invalid_request(
            f"width × height is {request.width} × {request.height} = {pixels} pixels; "
            f"this model paints at most {card.max_pixels}."
        )
    if request.steps > card.max_steps:
        raise invalid_request(f"steps is {request.steps}; this model takes at most {card.max_steps}.")
    if request.negative_prompt and not takes_negative_prompt:
        raise invalid_request("negative_prompt was given; this model takes none, so it must be empty.")


def _sentence(detail: ErrorDetails) -> str:
    field = ".".join(str(part) for part in detail["loc"]) or "The request"
    kind, facts = detail["type"], detail.get("ctx", {})
    if kind == "json_invalid":
        return "The request is not valid JSON."
    if kind in ("model_type", "dataclass_type", "model_attributes_type"):
        return f"{field} must be a JSON object."
    if kind == "missing":
        return f"{field} is missing."
    if kind == "extra_forbidden":
        return f"{field} is not a known field."
    if kind in ("string_too_long", "string_too_short", "too_long", "too_short"):
        unit = "characters" if kind.startswith("string") else "entries"
        given = facts.get("actual_length", len(detail["input"]) if hasattr(detail["input"], "__len__") else "?")
        bound = f"at most {facts['max_length']}" if "max_length" in facts else f"at least {facts['min_length']}"
        return f"{field} has {given} {unit}; {bound} are allowed."
    bounds = {"less_than_equal": ("le", "at most"), "greater_than_equal": ("ge", "at least")}
    if kind in bounds:
        name, words = bounds[kind]
        return f"{field} is {_shown(detail['input'])}; it must be {words} {facts[name]}."
    allowed = {
        "int_type": "a whole number",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "int_parsing_size": f"a whole number of at most {MAX_SEED}",
        "float_type": "a number",
        "float_parsing": "a number",
        "finite_number": "a finite number",
        "string_type": "a text",
        "string_unicode": "a text in valid Unicode",
        "list_type": "a list",
        "literal_error": str(facts.get("expected", "another value")),
        "string_pattern_mismatch": f"of the form {facts.get('pattern', '')}",
    }.get(kind, "another value")
    return f"{field} is {_shown(detail['input'])}; it must be {allowed}."


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
    return repr(text) if isinstance(value, str) else text
