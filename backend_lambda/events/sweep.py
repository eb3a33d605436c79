"""Every minute: look after the jobs and trainings that nobody looks after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from backend_lambda import wiring
from backend_lambda.ports import StartingPorts
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.usecases.sweep_jobs import sweep_jobs
from backend_lambda.usecases.sweep_trainings import sweep_trainings

_SPARE_MILLISECONDS = 15_000
"""What is left of the function's time for the last one."""
_LONGEST_MILLISECONDS = 45_000
_JOBS_SHARE = 0.6
"""Of that time, the trainings have the rest: neither keeps the other waiting for long."""


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Sweep for as long as the function may run. Answers how many were left in which state."""
    return sweep(context, wiring.ports(), wiring.training_ports())


def sweep(context: Any, ports: StartingPorts, trainings: TrainingPorts) -> dict[str, int]:
    """Sweep; see `sweep_jobs`, `sweep_trainings`, whose states are counted behind `training_`."""
    log = wiring.logger()
    log.clear_state()
    log.append_keys(request_id=getattr(context, "aws_request_id", None))
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)()
    budget = timedelta(milliseconds=min(max(remaining - _SPARE_MILLISECONDS, 1_000), _LONGEST_MILLISECONDS))
    begun = ports.clock.now()
    counts = dict(sweep_jobs(ports, until=begun + budget * _JOBS_SHARE))
    for state, number in sweep_trainings(trainings, until=begun + budget).items():
        counts[f"training_{state}"] = number
    if counts:
        log.info("swept", extra={"counts": counts})
    return counts
