"""Structured logs: one JSON object a line. Tokens, signatures and whole prompts are never passed to them."""

from __future__ import annotations

import json
import logging
import secrets
import time
from typing import Any

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

log = logging.getLogger("easel.bot")


class JsonFormatter(logging.Formatter):
    """The message, its level and time, and whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs() -> None:
    """Make the root logger write JSON, on the handler that Lambda has installed or on one of its own."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter())
    logging.getLogger("easel").setLevel(logging.INFO)
    # Bolt logs whole bodies and signatures at INFO.
    logging.getLogger("slack_bolt").setLevel(logging.WARNING)


def new_reference() -> str:
    """A short id that stands both in the logs and in what the person reads."""
    return secrets.token_hex(5)
