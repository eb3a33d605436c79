"""Metrics that a training job's `MetricDefinitions` find in its output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class MetricReader:
    """Reads a log as it grows; `values` has the last number of each metric, and when it was seen."""

    def __init__(self, log: Path, request: Mapping[str, Any]) -> None:
        self._log = log
        self._position = 0
        self._definitions = [
            (each["Name"], re.compile(each["Regex"]))
            for each in request["AlgorithmSpecification"].get("MetricDefinitions", [])
        ]

    def read(self, values: dict[str, tuple[float, datetime]]) -> None:
        """Take in the lines that were written since; a half one waits."""
        if not self._definitions:
            return
        try:
            with self._log.open("rb") as log:
                log.seek(self._position)
                text = log.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            for name, regex in self._definitions:
                found = regex.search(line)
                if found is None or not found.groups():
                    continue
                try:
                    values[name] = (float(found[1]), datetime.now(UTC))
                except ValueError:
                    continue
