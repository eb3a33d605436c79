"""Jobs and models through the backend's REST API."""

from __future__ import annotations

from urllib.parse import quote

from backend_lambda.contract.job_state import JobState
from bot.aws.signed_requests import SignedRequests
from bot.ports.backend import AcceptedJob, Credentials, Model
from bot.ports.clock import Clock
from bot.ports.records import Json


class SignedBackendApi:
    """Implements `bot.ports.backend.BackendApi`."""

    def __init__(self, api_url: str, region: str, clock: Clock) -> None:
        self._requests = SignedRequests(api_url, region, clock)

    def submit_job(self, credentials: Credentials, endpoint: str, body: Json) -> AcceptedJob:
        """Record and start a job."""
        job = self._requests.call(credentials, "POST", f"/endpoints/{quote(endpoint, safe='')}/jobs", body)
        return AcceptedJob(job["job_id"], job["state"], job["endpoint"], job["model"], job["settings"])

    def cancel_job(self, credentials: Credentials, job_id: str) -> bool:
        """Cancel an open job; a finished one stays as it is."""
        job = self._requests.call(credentials, "DELETE", f"/jobs/{quote(job_id, safe='')}?only=open")
        return JobState(job["state"]) is JobState.CANCELLED

    def delete_job(self, credentials: Credentials, job_id: str) -> None:
        """Cancel an open job, or delete a finished one's pictures."""
        self._requests.call(credentials, "DELETE", f"/jobs/{quote(job_id, safe='')}")

    def see_job(self, credentials: Credentials, job_id: str) -> None:
        """Return if the caller may see the job."""
        self._requests.call(credentials, "GET", f"/jobs/{quote(job_id, safe='')}")

    def list_models(self, credentials: Credentials) -> list[Model]:
        """All that there are."""
        listed = self._requests.call(credentials, "GET", "/endpoints")["endpoints"]
        return [Model(one["name"], one["title"], one["instances"]) for one in listed]
