"""Look at what one may still do."""

from __future__ import annotations

from backend_lambda.callers import Caller
from backend_lambda.contract.access import AllowanceList
from backend_lambda.ports import AccessReader, Clock, JobStore
from backend_lambda.usage import used_of
from backend_lambda.usecases.applicable_limits import applicable_limits
from backend_lambda.usecases.limit_sentences import allowance


def read_limits(caller: Caller, access: AccessReader, jobs: JobStore, clock: Clock) -> AllowanceList:
    """Every limit that holds for the caller where they are, and how much of it is used now."""
    now = clock.now()
    limits = applicable_limits(access.read(caller.tenant).entries, caller, now)
    counters = {limit: limit.counter(caller, now) for limit in limits.counted}
    usage = jobs.usage(set(counters.values())) if counters else {}
    return AllowanceList(
        allowances=[
            allowance(limit, used_of(usage, counters[limit], limit.name.measure), now) for limit in limits.counted
        ],
        max_pixels=limits.max_pixels and limits.max_pixels.most,
        max_steps=limits.max_steps and limits.max_steps.most,
        models=list(limits.models.names) if limits.models is not None else None,
    )
