"""How commands that measure report: a table for people, `out/<command>.json` for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value; `goal` says what it should be, `holds` whether it is (None: only reported)."""

    name: str
    value: float
    unit: str
    goal: str = ""
    holds: bool | None = None


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that should not exceed a limit."""
    return Figure(name, round(value, 4), unit, f"<= {limit:g}", value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that should reach a limit."""
    return Figure(name, round(value, 4), unit, f">= {limit:g}", value >= limit)


def report(figures: list[Figure], path: Path) -> bool:
    """Print the table, write the JSON list, and say whether every goal holds."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        verdict = "" if figure.holds is None else ("holds" if figure.holds else "DOES NOT HOLD")
        print(f"{figure.name:<{width}}  {figure.value:10.3f} {figure.unit:<6} {figure.goal:<10} {verdict}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    print(f"\nWritten to {path}")
    return all(figure.holds is not False for figure in figures)
