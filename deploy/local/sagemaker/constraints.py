"""The lengths, patterns and choices of botocore's models, which its own validator leaves to the service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape


def broken_constraints(shape: Shape, given: Any, name: str = "") -> Iterator[str]:
    """A sentence in AWS's words for each value that breaks one. `given` already has the shape's types."""
    if isinstance(shape, StructureShape):
        for member, value in given.items():
            if member in shape.members:
                yield from broken_constraints(shape.members[member], value, _inside(name, _camel(member)))
    elif isinstance(shape, ListShape):
        yield from _length(shape, given, name)
        for index, value in enumerate(given):
            yield from broken_constraints(shape.member, value, f"{name}.{index + 1}.member")
    elif isinstance(shape, MapShape):
        yield from _length(shape, given, name)
        for key, value in given.items():
            yield from broken_constraints(shape.value, value, f"{name}.{key}.member")
    elif isinstance(given, str):
        yield from _length(shape, given, name)
        pattern = _compiled(shape.metadata.get("pattern", ""))
        if pattern is not None and not pattern.fullmatch(given):
            yield _sentence(given, name, f"Member must satisfy regular expression pattern: {pattern.pattern}")
        if shape.enum and given not in shape.enum:
            yield _sentence(given, name, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    elif isinstance(given, (int, float)) and given > shape.metadata.get("max", given):
        yield _sentence(given, name, f"Member must have value less than or equal to {shape.metadata['max']}")


def _length(shape: Shape, given: Any, name: str) -> Iterator[str]:
    most = shape.metadata.get("max")
    if most is not None and len(given) > most:
        shown = given if isinstance(given, str) else f"[{len(given)} members]"
        yield _sentence(shown, name, f"Member must have length less than or equal to {most}")


def _sentence(value: Any, name: str, what: str) -> str:
    return f"Value '{value}' at '{name}' failed to satisfy constraint: {what}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None  # Java's \\p{…}, which Python's patterns don't have


def _inside(outer: str, member: str) -> str:
    return f"{outer}.{member}" if outer else member


def _camel(member: str) -> str:
    return member[:1].lower() + member[1:]


def refusal(shape: Shape | None, given: Mapping[str, Any]) -> str | None:
    """The message to refuse a request with, counted as AWS does; None where nothing is broken."""
    broken = list(broken_constraints(shape, given)) if shape is not None else []
    if not broken:
        return None
    return f"{len(broken)} validation error{'s' if len(broken) > 1 else ''} detected: {'; '.join(broken)}"
