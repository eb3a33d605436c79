"""Look through a tenant's jobs."""

from __future__ import annotations

import re

from backend_lambda.callers import Caller
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobList
from backend_lambda.ports import Ports
from backend_lambda.usecases.job_view import view_job
from backend_lambda.usecases.positions import read_position, write_position

_POSITION = re.compile(r"[0-9]{14}#job-[a-z2-7]{26}")


def list_jobs(
    caller: Caller, ports: Ports, *, limit: int, position: str | None, state: JobState | None, mine: bool
) -> JobList:
    """A page of the tenant's jobs, newest first. Raises `FieldRefused` for a position that this caller was not given
    for this very list.
    """
    member = caller.member if mine else None
    scope = f"{caller.tenant}|{state or ''}|{member or ''}"
    after = read_position(position, scope, _POSITION, "state and member") if position is not None else None
    page = ports.jobs.page(caller.tenant, limit=limit, after=after, state=state, member=member)
    return JobList(
        jobs=[view_job(record, ports.pictures) for record in page.records],
        next=write_position(page.after, scope) if page.after else None,
    )
