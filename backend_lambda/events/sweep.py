"""Every minute: look after the jobs that nobody looks after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend_lambda import wiring
from backend_lambda.ports import StartingPorts
from backend_lambda.usecases.sweep_jobs import sweep_jobs

_SPARE_MILLISECONDS = 15_000
"""What is left of the function's time for the last job."""
_LONGEST_MILLISECONDS = 45_000


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Sweep for as long as the function may run. Answers how many jobs were left in which state."""
    return sweep(context, wiring.ports())


def sweep(context: Any, ports: StartingPorts) -> dict[str, int]:
    """Sweep; see `sweep_jobs`."""
    log = wiring.logger()
    log.clear_state()
    log.append_keys(request_id=getattr(context, "aws_request_id", None))
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)()
    budget = min(max(remaining - _SPARE_MILLISECONDS, 1_000), _LONGEST_MILLISECONDS)
    counts = sweep_jobs(ports, until=ports.clock.now() + timedelta(milliseconds=budget))
    if counts:
        log.info("swept", extra={"counts": dict(counts)})
    return dict(counts)
