"""Limits and blocked words on the deployed template: the functions' own rights, DynamoDB, the endpoint."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from backend_lambda.contract.access import Limits
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.recent_access import FRESH_SECONDS
from backend_lambda.usage import Measure, counter_of, day_of
from deploy.access import Operator
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import PATIENCE_SECONDS
from tests.e2e.test_access import api

pytestmark = pytest.mark.stack

TENANT = "iam-000000000000-account:root"
GRANT = f"/grants/workspace/{quote(TENANT, safe='')}"
AT_ONCE, MOST = 60, 15


@pytest.fixture(scope="module")
def limited(stack: LocalStack) -> Iterator[LocalStack]:
    """The root's own tenant may have three pictures a day, one job at once and 300 GPU seconds."""
    set_limits(stack, Limits(images_per_day=3, gpu_seconds_per_day=300, jobs_at_once=1, max_steps=30))
    assert api(stack, "PUT", "/words", {"words": ["blue square"]}).status_code == 200
    # A function that is warm remembers what was set before.
    time.sleep(FRESH_SECONDS)
    yield stack
    set_limits(stack, Limits())
    assert api(stack, "PUT", "/words", {"words": []}).status_code == 200


def set_limits(stack: LocalStack, limits: Limits) -> None:
    """As the operator: `python -m deploy limit`. No IAM principal can loosen its own."""
    operator = Operator.of(stack.session(), stack.outputs)
    operator.limit(TENANT, SubjectKind.WORKSPACE, TENANT, limits)
    for method, body in (("PUT", {"limits": {"images_per_day": 900}}), ("DELETE", None)):
        assert api(stack, method, GRANT, body).status_code == 403


def paint(stack: LocalStack, key: str, **more: Any) -> Any:
    return api(stack, "POST", "/endpoints/tiny/jobs", {"prompt": "a red ring", "idempotency_key": key, **more})


def used(stack: LocalStack) -> dict[str, float]:
    answer = api(stack, "GET", "/limits")
    assert answer.status_code == 200, answer.text
    return {allowance["name"]: allowance["used"] for allowance in answer.json()["allowances"]}


def wait_until_over(stack: LocalStack, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        job: dict[str, Any] = api(stack, "GET", f"/jobs/{job_id}").json()
        if job["state"] in {"succeeded", "failed", "cancelled"}:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.2)


def test_limits_hold_and_are_given_back(limited: LocalStack) -> None:
    first = paint(limited, "limits-1", pictures=2, steps=20)
    assert first.status_code == 202, first.text
    assert paint(limited, "limits-1", pictures=2, steps=20).json()["job_id"] == first.json()["job_id"]
    job = wait_until_over(limited, first.json()["job_id"])
    assert job["state"] == "succeeded"
    taken = used(limited)
    assert taken["jobs_at_once"] == 0
    assert taken["images_per_day"] == 2
    assert taken["gpu_seconds_per_day"] == pytest.approx(job["model_seconds"], abs=0.01)

    refused = paint(limited, "limits-3", pictures=2, steps=4)
    assert refused.status_code == 429
    assert refused.json()["code"] == "limit_reached"
    assert refused.json()["message"] == (
        "This workspace has 1 of 3 pictures left today; you asked for 2. Resets at 00:00 UTC."
    )
    assert refused.json()["limit"]["resets_at"]
    assert paint(limited, "limits-4", steps=31).json()["message"] == "This workspace allows at most 30 steps."

    last = paint(limited, "limits-5", steps=30)
    assert last.status_code == 202, last.text
    assert api(limited, "DELETE", f"/jobs/{last.json()['job_id']}?only=open").status_code == 200
    over = wait_until_over(limited, last.json()["job_id"])
    taken = used(limited)
    assert taken["jobs_at_once"] == 0
    assert taken["images_per_day"] == (2 if over["state"] == "cancelled" else 3)


def test_the_endpoints_pace_is_learnt(limited: LocalStack) -> None:
    item = (
        limited.session()
        .client("dynamodb")
        .get_item(TableName=limited.outputs["EndpointsTableName"], Key={"name": {"S": "tiny"}}, ConsistentRead=True)
    )["Item"]
    assert int(item["paced_jobs"]["N"]) >= 1
    assert int(item["paced_ms"]["N"]) > 0
    assert int(item["paced_work"]["N"]) > 0


def test_blocked_words_are_refused(limited: LocalStack) -> None:
    refused = paint(limited, "words-1", prompt="A B L U E  S Q U A R E")
    assert refused.status_code == 422, refused.text
    assert (refused.json()["code"], refused.json()["given"]) == ("blocked_words", "blue square")


def test_of_sixty_requests_at_once_exactly_fifteen_go_through(stack: LocalStack) -> None:
    """Through the API and the functions. (Two hundred against fifty, on the use case alone: the contract tests.)"""
    used_before = used_pictures(stack)
    set_limits(stack, Limits(images_per_day=used_before + MOST))
    time.sleep(FRESH_SECONDS)
    try:
        with ThreadPoolExecutor(20) as together:
            answers = list(together.map(lambda number: paint(stack, f"burst-{number}", steps=1), range(AT_ONCE)))
        codes = Counter(answer.status_code for answer in answers)
        assert codes == {202: MOST, 429: AT_ONCE - MOST}, [
            answer.text for answer in answers if answer.status_code > 429
        ]
        assert used(stack)["images_per_day"] == used_before + MOST
        for answer in answers:
            if answer.status_code == 202:
                api(stack, "DELETE", f"/jobs/{answer.json()['job_id']}?only=open")
    finally:
        set_limits(stack, Limits())


def used_pictures(stack: LocalStack) -> int:
    """What the counter of the root's own tenant says today: a limit counts on from there."""
    counter = counter_of(TENANT, f"workspace#{TENANT}", day_of(datetime.now(UTC)))
    table = stack.outputs["UsageTableName"]
    item = stack.session().client("dynamodb").get_item(TableName=table, Key={"counter": {"S": counter}})
    return int(item.get("Item", {}).get(Measure.IMAGES.value, {"N": "0"})["N"])
