"""What was delivered to the app and what the app called, with times, for assertions and measurements."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT_ENTRIES = 5000


@dataclass
class Delivery:
    """One HTTP request to the app. Times: `sent_wall` in Unix seconds, `*_monotonic` in seconds of one clock.

    `outcome`: `pending`, `acked`, `http_error`, `timeout` or `connection_failed`. `ack_ms` is set when an answer came.
    """

    id: int
    kind: str
    subject: str
    url: str
    headers: dict[str, str]
    body: str
    sent_wall: float
    sent_monotonic: float
    outcome: str = "pending"
    status: int | None = None
    ack_ms: float | None = None
    acked_monotonic: float | None = None
    response_body: str = ""
    response_headers: dict[str, str] = field(default_factory=dict, repr=False)
    retry_num: int = 0
    faults: tuple[str, ...] = ()

    @property
    def is_acked(self) -> bool:
        """Whether the app answered with a 2xx in time."""
        return self.outcome == "acked"


@dataclass
class ApiCall:
    """One Web API call by the app, without its token. `arguments` is cut to what is useful in an assertion."""

    id: int
    method: str
    arguments: dict[str, Any]
    called_wall: float
    called_monotonic: float
    status: int
    ok: bool
    error: str | None
    fault: str | None = None
    answer: dict[str, Any] = field(default_factory=dict)


class Logbook:
    """The newest deliveries and calls, oldest first."""

    def __init__(self) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_ENTRIES)
        self.api_calls: deque[ApiCall] = deque(maxlen=KEPT_ENTRIES)
        self._id = 0

    def start_delivery(
        self, kind: str, subject: str, url: str, headers: dict[str, str], body: str, retry_num: int
    ) -> Delivery:
        """Note a request that is about to be sent."""
        self._id += 1
        delivery = Delivery(
            self._id, kind, subject, url, headers, body, time.time(), time.monotonic(), retry_num=retry_num
        )
        self.deliveries.append(delivery)
        return delivery

    def add_api_call(
        self,
        method: str,
        arguments: dict[str, Any],
        status: int,
        answer: dict[str, Any],
        started: float,
        fault: str | None,
    ) -> None:
        """Note a call that was answered; `started` is its monotonic time."""
        self._id += 1
        wall = time.time() - (time.monotonic() - started)
        kept = {key: value for key, value in arguments.items() if key != "token"}
        self.api_calls.append(
            ApiCall(
                id=self._id,
                method=method,
                arguments=kept,
                called_wall=wall,
                called_monotonic=started,
                status=status,
                ok=bool(answer.get("ok")),
                error=answer.get("error"),
                fault=fault,
                answer={
                    key: answer[key] for key in ("ts", "channel", "file_id", "message_ts", "needed") if key in answer
                },
            )
        )

    def as_json(self) -> dict[str, Any]:
        """Everything that is kept."""
        return {
            "deliveries": [asdict(delivery) for delivery in self.deliveries],
            "api_calls": [asdict(call) for call in self.api_calls],
        }

    def clear(self) -> None:
        """Forget everything."""
        self.deliveries.clear()
        self.api_calls.clear()
