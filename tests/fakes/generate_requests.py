"""Requests for tests of the endpoint."""

from __future__ import annotations

from typing import Any

from endpoint.contract import GenerateRequest


def request_fields(**changes: Any) -> dict[str, Any]:
    """A request that the random checkpoints can paint, as JSON."""
    return {
        "job_id": "job-1",
        "prompt": "a large red circle",
        "negative_prompt": "",
        "width": 64,
        "height": 64,
        "seeds": [7],
        "steps": 4,
        "guidance_scale": 3.0,
        "output": {"bucket": "pictures", "prefix": "tenants/t/jobs/job-1/"},
        **changes,
    }


def a_request(**changes: Any) -> GenerateRequest:
    """The same, read."""
    return GenerateRequest.model_validate(request_fields(**changes))
