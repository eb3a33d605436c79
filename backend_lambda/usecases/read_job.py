"""Look at one job."""

from __future__ import annotations

from backend_lambda.callers import Caller
from backend_lambda.contract.jobs import Job
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import Ports
from backend_lambda.usecases.job_view import view_job
from backend_lambda.usecases.refusals import JobNotFound


def read_job(caller: Caller, job_id: str, ports: Ports) -> Job:
    """The job, with links to its pictures. Raises `JobNotFound`, also where it is another tenant's."""
    return view_job(find_job(caller, job_id, ports), ports.pictures)


def find_job(caller: Caller, job_id: str, ports: Ports) -> JobRecord:
    """The caller's tenant's job. Raises `JobNotFound`: another tenant's job looks exactly like none."""
    record = ports.jobs.get(job_id)
    if record is None or record.owner.tenant != caller.tenant:
        raise JobNotFound("There is no job of that id.", field="job_id", given=job_id)
    return record
