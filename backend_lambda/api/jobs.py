"""`/endpoints/{endpoint}/jobs` and `/jobs`."""

from __future__ import annotations

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from backend_lambda import wiring
from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.query import check_query
from backend_lambda.api.responses import errors
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job, JobList, SubmitJob
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.list_jobs import list_jobs
from backend_lambda.usecases.read_job import read_job
from backend_lambda.usecases.submit_job import submit_job

router = Router()  # type: ignore[no-untyped-call]

JOB_ID = Path(description="A job's id, as the submission answered it.", examples=["job-2bqx7nq4hmkcjv3d6ywtz5ra2e"])
LIST_PARAMETERS = ("limit", "member", "next", "state")


@router.post(
    "/endpoints/<endpoint>/jobs",
    status_code=202,
    tags=["jobs"],
    operation_id="submitJob",
    summary="Ask an endpoint to paint",
    description=(
        "Records the job and hands it to the model; the pictures come later (read the job, or listen on the bus). "
        "The same idempotency key from the same tenant answers the same job; with another request it is a conflict. "
        "`context` is not compared: the first one stays. A job that the endpoint refuses for good is answered in state "
        "`failed`. Of each of `loras` the version that is named paints, or the newest; the settings say which. Where a "
        "limit is reached, `limit` says which, and nothing is counted."
    ),
    response_description="The job, accepted or further",
    responses=errors(
        202,
        Job,
        ErrorCode.MALFORMED_REQUEST,
        ErrorCode.ENDPOINT_NOT_FOUND,
        ErrorCode.LORA_NOT_FOUND,
        ErrorCode.LORA_NOT_FITTING,
        ErrorCode.IDEMPOTENCY_CONFLICT,
        ErrorCode.TOO_LARGE,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.BLOCKED_WORDS,
        ErrorCode.LIMIT_REACHED,
        ErrorCode.ENDPOINT_UNAVAILABLE,
    ),
)
def submit(
    endpoint: Annotated[str, Path(description="An endpoint's name, as `GET /endpoints` lists it.")], request: SubmitJob
) -> Job:
    """`POST /endpoints/{endpoint}/jobs`."""
    job = submit_job(caller_of(router), endpoint, request, backend_of(router).ports)
    wiring.logger().append_keys(job_id=job.job_id)
    return job


@router.get(
    "/jobs/<job_id>",
    tags=["jobs"],
    operation_id="readJob",
    summary="Read a job",
    description="The pictures of a job that succeeded come with links that last 15 minutes.",
    response_description="The job",
    responses=errors(200, Job, ErrorCode.JOB_NOT_FOUND),
)
def read(job_id: Annotated[str, JOB_ID]) -> Job:
    """`GET /jobs/{id}`."""
    wiring.logger().append_keys(job_id=job_id)
    return read_job(caller_of(router), job_id, backend_of(router).ports)


@router.get(
    "/jobs",
    tags=["jobs"],
    operation_id="listJobs",
    summary="List the tenant's jobs, newest first",
    description="A new job may take a second to appear. A page can be short, or empty, and still have a `next`.",
    response_description="A page of jobs",
    responses=errors(200, JobList, ErrorCode.INVALID_REQUEST),
)
def list_(
    limit: Annotated[int, Query(ge=1, le=50, description="Jobs on a page.")] = 20,
    next: Annotated[str | None, Query(max_length=200, description="The `next` of the page before.")] = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    member: Annotated[Literal["me"] | None, Query(description="`me`: only the caller's own jobs.")] = None,
) -> JobList:
    """`GET /jobs`."""
    check_query(router, LIST_PARAMETERS)
    return list_jobs(
        caller_of(router),
        backend_of(router).ports,
        limit=limit,
        position=next,
        state=state,
        mine=member is not None,
    )


@router.delete(
    "/jobs/<job_id>",
    tags=["jobs"],
    operation_id="deleteJob",
    summary="Cancel a job, or delete its pictures",
    description=(
        "A job that is not finished becomes `cancelled` and its endpoint stops painting. One that is finished loses "
        "its pictures and becomes `deleted`; its record remains. Deleting a deleted job answers it once more. "
        "`only=open` makes it a mere cancellation, which never deletes a picture, however late it comes."
    ),
    response_description="The job after that",
    responses=errors(200, Job, ErrorCode.JOB_NOT_FOUND, ErrorCode.INVALID_REQUEST),
)
def delete(
    job_id: Annotated[str, JOB_ID],
    only: Annotated[
        Literal["open"] | None, Query(description="`open`: cancel at most; leave a job that is finished as it is.")
    ] = None,
) -> Job:
    """`DELETE /jobs/{id}`."""
    wiring.logger().append_keys(job_id=job_id)
    check_query(router, ("only",))
    return delete_job(caller_of(router), job_id, backend_of(router).ports, only_open=only is not None)
