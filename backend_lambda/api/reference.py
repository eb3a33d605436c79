"""The REST API's reference as Markdown, from its OpenAPI document: `python -m backend_lambda.api.reference`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from backend_lambda.api.errors import STATUSES
from backend_lambda.api.openapi import document

Schema = Mapping[str, Any]

HEAD = """# REST API reference

Made from [`backend_lambda/api/openapi.json`](../backend_lambda/api/openapi.json) by
`python -m backend_lambda.api.reference > docs/api-reference.md`; a test notices when it is stale. [The guide](api.md)
says how to sign requests, what a job's life is, and how to be told of its end.
"""
_SCHEMAS = "#/components/schemas/"
_LEAST = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "minLength": "≥ {} characters", "minItems": "≥ {} entries"}
_MOST = {"maximum": "≤ {}", "exclusiveMaximum": "< {}", "maxLength": "≤ {} characters", "maxItems": "≤ {} entries"}


def reference(openapi: Schema) -> str:
    """The page as Markdown."""
    tags = [tag["name"] for tag in openapi["tags"]]
    operations = [
        (method, path, operation)
        for path, methods in sorted(openapi["paths"].items())
        for method, operation in sorted(methods.items())
    ]
    operations.sort(key=lambda found: tags.index(found[2]["tags"][0]))
    parts = [HEAD, "## Routes\n", _table(("route", "does"), (_route_line(*found) for found in operations))]
    for tag in openapi["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        parts += [_operation(*found) for found in operations if tag["name"] in found[2]["tags"]]
    parts += [
        "## Forms\n",
        *(_form(name, schema) for name, schema in sorted(openapi["components"]["schemas"].items())),
    ]
    parts += ["## Error codes\n", _table(("status", "code"), _codes())]
    return "\n".join(parts)


def _route_line(method: str, path: str, operation: Schema) -> tuple[str, str]:
    return f"[`{method.upper()} {path}`](#{_anchor(operation['summary'])})", operation["summary"]


def _operation(method: str, path: str, operation: Schema) -> str:
    parts = [f"### {operation['summary']}\n", f"`{method.upper()} {path}`\n", f"{operation['description']}\n"]
    if parameters := operation.get("parameters"):
        lines = (
            (f"`{one['name']}`", one["in"], _what(one["schema"]), one.get("description", "")) for one in parameters
        )
        parts.append(_table(("parameter", "in", "is", "says"), lines))
    if body := operation.get("requestBody"):
        parts.append(f"Body: {_what(_content(body))}\n")
    answers = (
        (status, _what(_content(answer)), answer["description"])
        for status, answer in sorted(operation["responses"].items())
    )
    parts.append(_table(("status", "answers", "when"), answers))
    return "\n".join(parts)


def _form(name: str, schema: Schema) -> str:
    parts = [f"### {name}\n"]
    if description := schema.get("description"):
        parts.append(f"{description}\n")
    if values := schema.get("enum"):
        parts.append(", ".join(f"`{value}`" for value in values) + "\n")
    if fields := schema.get("properties"):
        required = schema.get("required", ())
        lines = ((f"`{field}`", _what(one), _left_out(field, one, required)) for field, one in fields.items())
        parts.append(_table(("field", "is", "left out"), lines))
    return "\n".join(parts)


def _left_out(field: str, schema: Schema, required: Iterable[str]) -> str:
    if field in required:
        return "never"
    return f"`{json.dumps(schema['default'], ensure_ascii=False)}`" if "default" in schema else "may be"


def _what(schema: Schema) -> str:
    """A value's form in a few words."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_SCHEMAS)
        return f"[{name}](#{_anchor(name)})"
    if choices := schema.get("anyOf"):
        return " or ".join(_what(choice) for choice in choices if choice != {"type": "null"})
    if (constant := schema.get("const")) is not None:
        return f"`{constant}`"
    if values := schema.get("enum"):
        return ", ".join(f"`{value}`" for value in values)
    return ", ".join([_kind(schema), *_bounds(schema)])


def _kind(schema: Schema) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {_what(schema['items'])}"
        case "object":
            inner = schema.get("additionalProperties")
            return f"object of {_what(inner)}" if isinstance(inner, dict) and inner else "object"
        case "string":
            return {"date-time": "time"}.get(schema.get("format", ""), "text")
        case "integer":
            return "whole number"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind or "anything")


def _bounds(schema: Schema) -> list[str]:
    found = [words.format(_number(schema[name])) for name, words in (_LEAST | _MOST).items() if name in schema]
    if pattern := schema.get("pattern"):
        found.append(f"like `{pattern}`")
    return found


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _content(message: Schema) -> Schema:
    schema: Schema = message["content"]["application/json"]["schema"]
    return schema


def _codes() -> Iterable[tuple[str, str]]:
    """Of the backend itself; the routes that answer each are above."""
    return ((str(status), f"`{code.value}`") for code, status in sorted(STATUSES.items(), key=lambda pair: pair[1]))


def _anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    rows = [titles, ["---"] * len(titles), *([_cell(words) for words in line] for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", r"\|")


def main() -> None:
    """Print it."""
    sys.stdout.write(reference(document()))


if __name__ == "__main__":
    main()
