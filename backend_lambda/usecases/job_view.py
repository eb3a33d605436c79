"""A job as the API answers it."""

from __future__ import annotations

from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job
from backend_lambda.job_record import JobRecord
from backend_lambda.ports import PictureStore


def view_job(record: JobRecord, pictures: PictureStore) -> Job:
    """What a client sees; the pictures of a job that succeeded come with links that soon expire."""
    shown = record.state is JobState.SUCCEEDED
    grid = record.grid if shown else None
    return Job(
        job_id=record.job_id,
        state=record.state,
        endpoint=record.endpoint,
        model=record.model,
        owner=record.owner,
        settings=record.settings,
        context=record.context,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        pictures=[
            picture.model_copy(update={"url": pictures.link(picture.key)}) for picture in record.pictures if shown
        ],
        grid=grid and grid.model_copy(update={"url": pictures.link(grid.key)}),
        model_seconds=record.model_seconds,
        failure=record.failure,
    )
