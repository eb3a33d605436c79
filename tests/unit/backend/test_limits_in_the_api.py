"""What the API answers about limits, blocked words, and whom it can't ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend_lambda.api.errors import STATUSES
from backend_lambda.api.handler import respond
from backend_lambda.contract.access import AllowanceList
from backend_lambda.contract.errors import ErrorBody, ErrorCode
from backend_lambda.ports import ModerationUnavailable, StoreBusy, Verdict
from tests.fakes.backend import FakeBackend
from tests.fakes.backend_events import request
from tests.fakes.limiting import block, limiting, set_entries

ARN = "arn:aws:sts::123456789012:assumed-role/easel-artist/T0EASEL.U0ADA.C1.S1"
BODY = {"prompt": "a boat", "pictures": 4, "idempotency_key": "k1"}
PATH = "/endpoints/tiny/jobs"


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


def ask(backend: FakeBackend, method: str, path: str, body: Any = None, arn: str = ARN) -> tuple[int, Any]:
    answer = respond(request(method, path, body, arn=arn), None, backend.backend)
    return answer["statusCode"], json.loads(answer["body"])


def refused(backend: FakeBackend, body: Any = BODY) -> ErrorBody:
    status, answer = ask(backend, "POST", PATH, body)
    error = ErrorBody.model_validate(answer)
    assert status == STATUSES[error.code]
    return error


def test_a_reached_limit_is_answered_with_the_limit_itself(backend: FakeBackend) -> None:
    set_entries(backend.access, limiting("channel", "C1", images_per_day=5))
    assert ask(backend, "POST", PATH, BODY)[0] == 202
    status, answer = ask(backend, "POST", PATH, BODY | {"idempotency_key": "k2"})
    assert status == 429
    assert answer["code"] == "limit_reached"
    assert answer["message"] == "This channel has 1 of 5 pictures left today; you asked for 4. Resets at 00:00 UTC."
    assert answer["limit"] == {
        "name": "images_per_day",
        "kind": "channel",
        "id": "C1",
        "each_member": False,
        "used": 4,
        "most": 5,
        "resets_at": "2026-11-24T00:00:00Z",
    }
    # The same key as before is answered as before.
    assert ask(backend, "POST", PATH, BODY)[0] == 202


def test_where_one_is_stands_in_the_session_that_signs(backend: FakeBackend) -> None:
    set_entries(
        backend.access, limiting("channel", "C1", images_per_day=5), limiting("usergroup", "S1", jobs_at_once=1)
    )
    for arn, names in (
        (ARN, ["images_per_day", "jobs_at_once"]),
        (ARN.replace(".C1", ".C2"), ["jobs_at_once"]),
        (ARN.replace(".S1", ""), ["images_per_day"]),
        (ARN.replace(".C1.S1", ""), []),
    ):
        status, answer = ask(backend, "GET", "/limits", arn=arn)
        assert status == 200
        assert [allowance.name for allowance in AllowanceList.model_validate(answer).allowances] == names
    assert ask(backend, "GET", "/limits", arn="")[0] == 403


def test_no_header_and_no_body_makes_a_limit_go_away(backend: FakeBackend) -> None:
    set_entries(backend.access, limiting("channel", "C1", images_per_day=1))
    event = request("POST", PATH, BODY, arn=ARN)
    event["headers"] |= {"x-channel": "C2", "channel": "C2"}
    assert respond(event, None, backend.backend)["statusCode"] == 429
    assert ask(backend, "POST", PATH, BODY | {"context": {"channel": "C2"}})[0] == 429


def test_a_principal_of_its_own_has_the_same_limits_under_its_own_name(backend: FakeBackend) -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/ci/build-7"
    tenant = "iam-123456789012-ci"
    set_entries(backend.access, limiting("workspace", tenant, images_per_day=4), tenant=tenant)
    assert ask(backend, "POST", PATH, BODY, arn=arn)[0] == 202
    status, answer = ask(backend, "POST", PATH, BODY | {"idempotency_key": "k2"}, arn=arn)
    assert (status, answer["limit"]["id"]) == (429, tenant)
    assert ask(backend, "POST", PATH, BODY)[0] == 202


def test_a_ceiling_is_a_refused_field(backend: FakeBackend) -> None:
    set_entries(backend.access, limiting("channel", "C1", max_steps=10, models=["tiny"]))
    error = refused(backend, BODY | {"steps": 11})
    assert (error.code, error.field, error.given, error.allowed) == (
        ErrorCode.INVALID_REQUEST,
        "steps",
        "11",
        "1 to 10",
    )
    assert error.message == "This channel allows at most 10 steps."


def test_a_blocked_word_is_named(backend: FakeBackend) -> None:
    block(backend.access, "boat")
    error = refused(backend)
    assert (error.code, error.field, error.given) == (ErrorCode.BLOCKED_WORDS, "prompt", "boat")
    assert backend.jobs.records == {}


def test_too_many_at_once_may_try_again(backend: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise StoreBusy

    job_id = ask(backend, "POST", PATH, BODY)[1]["job_id"]
    monkeypatch.setattr(backend.jobs, "create", busy)
    monkeypatch.setattr(backend.jobs, "update", busy)
    for method, path, body in (("POST", PATH, BODY), ("DELETE", f"/jobs/{job_id}", None)):
        status, answer = ask(backend, method, path, body)
        assert (status, answer["code"]) == (429, "too_many_requests")
        assert "reference" not in answer


def test_a_moderation_that_does_not_answer_lets_nothing_through(backend: FakeBackend) -> None:
    class Silent(type(backend.moderation)):  # type: ignore[misc]
        def check_prompt(self, tenant: str, text: str) -> Verdict:
            raise ModerationUnavailable("secret details")

    backend.moderation = Silent(backend.access, backend.access)
    error = refused(backend)
    assert error.code is ErrorCode.ENDPOINT_UNAVAILABLE
    assert "secret" not in error.message
    assert backend.jobs.records == {}
