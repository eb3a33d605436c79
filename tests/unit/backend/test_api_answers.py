"""The API function: what it answers, above all to what is wrong."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda import wiring
from backend_lambda.api.errors import STATUSES
from backend_lambda.api.handler import METHODS, PATHS, app, respond
from backend_lambda.contract.endpoints import EndpointList
from backend_lambda.contract.errors import ErrorBody, ErrorCode
from backend_lambda.contract.jobs import Job, JobList
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from tests.fakes.backend import ADA, MALLORY, FakeBackend
from tests.fakes.backend_events import request

GOOD = {"prompt": "a boat", "idempotency_key": "k1"}
PATH = "/endpoints/tiny/jobs"


class Api:
    """Asks the API function of a fake backend."""

    def __init__(self) -> None:
        self.backend = FakeBackend()

    def event(self, event: dict[str, Any]) -> tuple[int, Any]:
        answer = respond(event, None, self.backend.backend)
        assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
        return answer["statusCode"], json.loads(answer["body"])

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        return self.event(request(method, path, body, **more))

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> ErrorBody:
        """Expects an error; checks what all errors have in common."""
        return check_error(*self(method, path, body, **more))


def check_error(status: int, answer: Any) -> ErrorBody:
    error = ErrorBody.model_validate(answer)
    assert status == STATUSES[error.code]
    assert error.message[0].isupper()
    assert error.message.endswith((".", "?"))
    assert len(error.message) < 200
    assert len(error.given or "") <= 60
    return error


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the backend logs."""
    handler = wiring.logger().registered_handler
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    usual = handler.setStream(stream)
    yield stream
    handler.setStream(usual)


def test_a_job_is_submitted_read_listed_and_deleted(api: Api) -> None:
    status, answer = api("POST", PATH, GOOD)
    job = Job.model_validate(answer)
    assert (status, job.state) == (202, "queued")
    assert Job.model_validate(api("GET", f"/jobs/{job.job_id}")[1]) == job
    status, answer = api("GET", "/jobs", query={"limit": "1", "state": "queued", "member": "me"})
    assert (status, JobList.model_validate(answer).jobs) == (200, [job])
    record = api.backend.jobs.records[job.job_id]
    api.backend.paint(record)
    finish_job(Completion(job.job_id, Outcome.COMPLETED), api.backend.ports)
    done = Job.model_validate(api("GET", f"/jobs/{job.job_id}")[1])
    assert done.pictures[0].url == api.backend.pictures.link(record.prefix + "0.png")
    assert api("DELETE", f"/jobs/{job.job_id}")[1]["state"] == "deleted"
    assert api("DELETE", f"/jobs/{job.job_id}")[0] == 200


def test_a_mere_cancellation_can_be_asked_for(api: Api) -> None:
    job_id = api("POST", PATH, GOOD)[1]["job_id"]
    for _ in range(2):
        assert api("DELETE", f"/jobs/{job_id}", query={"only": "open"})[1]["state"] == "cancelled"
    assert api.refused("DELETE", f"/jobs/{job_id}", query={"only": "closed"}).field == "only"
    assert api.refused("DELETE", f"/jobs/{job_id}", query={"onyl": "open"}).field == "onyl"
    assert api("GET", f"/jobs/{job_id}")[1]["state"] == "cancelled"


def test_endpoints_are_listed(api: Api) -> None:
    status, answer = api("GET", "/endpoints")
    assert (status, EndpointList.model_validate(answer).endpoints[0].name) == (200, "tiny")


def test_prompts_of_any_script_come_through(api: Api) -> None:
    for number, prompt in enumerate(["🎈🚤", "قارب أحمر", "\u202eevil", "a\x00b", "ünïcödé" * 200, "x" * 2000]):
        status, answer = api("POST", PATH, {"prompt": prompt, "idempotency_key": f"k{number}"})
        assert status == 202
        record = api.backend.jobs.records[answer["job_id"]]
        assert answer["settings"]["prompt"] == prompt == api.backend.request_of(record).prompt


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": " \u2003\n"}, "prompt", "empty"),
        ({"prompt": "x" * 10_000}, "prompt", "at most 2000 characters"),
        ({"prompt": 7}, "prompt", "text"),
        ({"prompt": None}, "prompt", "missing"),
        ({"negative_prompt": "x" * 2001}, "negative_prompt", "at most 2000"),
        ({"pictures": 5}, "pictures", "at most 4"),
        ({"pictures": 0}, "pictures", "at least 1"),
        ({"pictures": "2"}, "pictures", "whole number"),
        ({"pictures": 1.5}, "pictures", "whole number"),
        ({"steps": True}, "steps", "whole number"),
        ({"steps": 151}, "steps", "at most 150"),
        ({"steps": 51}, "steps", "at most 50"),
        ({"seed": -1}, "seed", "at least 0"),
        ({"seed": 2**32}, "seed", "at most 4294967295"),
        ({"seed": 10**300}, "seed", "at most"),
        ({"guidance_scale": 31}, "guidance_scale", "at most 30"),
        ({"guidance_scale": "high"}, "guidance_scale", "a number"),
        ({"aspect_ratio": "wide"}, "aspect_ratio", "3:2"),
        ({"aspect_ratio": "5:1"}, None, "4 times"),
        ({"aspect_ratio": "3:2", "width": 64, "height": 64}, None, "either"),
        ({"width": 64}, None, "together"),
        ({"width": 63, "height": 64}, "width", "at least 64"),
        ({"width": 2048, "height": 2048}, "width", "too large"),
        ({"idempotency_key": ""}, "idempotency_key", "at least 1"),
        ({"idempotency_key": "a b"}, "idempotency_key", "letters"),
        ({"idempotency_key": "k" * 129}, "idempotency_key", "at most 128"),
        ({"context": []}, "context", "JSON object"),
        ({"context": {"a": 1}}, "context.a", "text"),
        ({"context": {"a": "x" * 2100}}, "context", "2048"),
        ({"promt": "x"}, "promt", "Did you mean prompt?"),
        ({"zzzzzzzz": 1}, "zzzzzzzz", "no field"),
        ({"n" * 500: 1}, "n" * 59 + "…", "no field"),
        ({"owner": {"tenant": "T0OTHER"}}, "owner", "no field"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(
    api: Api, change: dict[str, Any], field: str | None, words: str
) -> None:
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    error = api.refused("POST", PATH, body)
    assert error.code is ErrorCode.INVALID_REQUEST
    assert error.field == field
    assert words in f"{error.message} {error.allowed}"
    assert api.backend.jobs.records == {}


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "",
        "null",
        "7",
        '"text"',
        "[]",
        json.dumps([GOOD]),
        '{"prompt": NaN}',
        '{"prompt": "a", "prompt": "b"}',
        '{"seed": ' + "9" * 5000 + "}",
        "[" * 30_000,
        '{"a":' * 10_000,
        "{'prompt': 'a'}",
        "prompt=a&idempotency_key=k",
        "\ufeff{}",
    ],
)
def test_what_is_no_json_object_is_malformed(api: Api, body: str) -> None:
    assert api.refused("POST", PATH, body).code is ErrorCode.MALFORMED_REQUEST


def test_bodies_may_come_as_base64(api: Api) -> None:
    event = request("POST", PATH, base64.b64encode(json.dumps(GOOD).encode()).decode()) | {"isBase64Encoded": True}
    assert api.event(event)[0] == 202
    for wrong in (b"\xff\xfe", b"{}" * 40_000):
        answer = api.event(event | {"body": base64.b64encode(wrong).decode()})
        assert check_error(*answer).code in {ErrorCode.MALFORMED_REQUEST, ErrorCode.TOO_LARGE}
    assert check_error(*api.event(event | {"body": "no base64!"})).code is ErrorCode.MALFORMED_REQUEST


def test_other_forms_of_content_are_malformed(api: Api) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
        event = request("POST", PATH, "prompt=a") | {"headers": {"content-type": kind}}
        assert check_error(*api.event(event)).code is ErrorCode.MALFORMED_REQUEST
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", ""):
        event = request("POST", PATH, GOOD) | {"headers": {"content-type": kind} if kind else None}
        assert api.event(event)[0] == 202


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1_000_000, 6_000_000])
def test_an_absurd_size_is_too_large(api: Api, size: int) -> None:
    body = json.dumps(GOOD | {"prompt": ""})
    error = api.refused("POST", PATH, body + " " * (size - len(body)))
    assert (error.code, error.allowed) == (ErrorCode.TOO_LARGE, "at most 64 KB")
    assert api.refused("POST", PATH, "é" * (size // 2 + 1)).code is ErrorCode.TOO_LARGE


def test_a_body_of_exactly_the_limit_is_read(api: Api) -> None:
    body = json.dumps(GOOD)
    assert api("POST", PATH, body + " " * (64 * 1024 - len(body)))[0] == 202


def test_an_endpoint_that_is_not_there_says_which_are(api: Api) -> None:
    error = api.refused("POST", "/endpoints/huge/jobs", GOOD)
    assert (error.code, error.given, error.available) == (ErrorCode.ENDPOINT_NOT_FOUND, "huge", ["tiny"])


def test_a_used_key_is_a_conflict(api: Api) -> None:
    api("POST", PATH, GOOD)
    assert api.refused("POST", PATH, GOOD | {"prompt": "x"}).code is ErrorCode.IDEMPOTENCY_CONFLICT


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "51"},
        {"limit": "many"},
        {"state": "sleeping"},
        {"member": "U0BOB"},
        {"next": "abc"},
        {"next": "x" * 500},
        {"tenant": "T0OTHER"},
    ],
)
def test_a_wrong_query_is_named(api: Api, query: dict[str, str]) -> None:
    error = api.refused("GET", "/jobs", query=query)
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, next(iter(query)))
    assert error.allowed


UNKNOWN_PATHS = ["/", "/job", "/jobs/a/b", "/endpoints/tiny", "/swagger", "/openapi.json", "/slack/events"]


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    for method in METHODS:
        assert api.refused(method, path).code is ErrorCode.ROUTE_NOT_FOUND


def test_an_unknown_method_says_which_there_are(api: Api) -> None:
    for path, methods in PATHS.items():
        for method in METHODS - methods:
            error = api.refused(method, path.replace("<", "").replace(">", ""))
            assert error.code is ErrorCode.METHOD_NOT_ALLOWED
            assert error.allowed == ", ".join(sorted(methods))


def test_the_paths_are_the_routes() -> None:
    routes: dict[str, set[str]] = {}
    for path, operations in json.loads(app.get_openapi_json_schema())["paths"].items():
        routes[path.replace("{", "<").replace("}", ">")] = {method.upper() for method in operations}
    assert routes == PATHS


@pytest.mark.parametrize("arn", [None, "", "AIDAEXAMPLE", "arn:aws:sts::123456789012:assumed-role/easel-artist/nobody"])
def test_a_caller_that_is_not_known_is_refused_on_every_route(api: Api, arn: str | None) -> None:
    for method, path, body in (
        ("POST", PATH, GOOD),
        ("GET", "/jobs", None),
        ("GET", "/jobs/job-x", None),
        ("DELETE", "/jobs/job-x", None),
        ("GET", "/endpoints", None),
    ):
        assert api.refused(method, path, body, arn=arn).code is ErrorCode.NOT_ALLOWED
    assert api.backend.jobs.records == {}


def test_no_header_makes_someone_else_of_a_caller(api: Api) -> None:
    event = request("POST", PATH, GOOD, arn=MALLORY.arn)
    event["headers"] |= {"X-Tenant": ADA.tenant, "X-Amz-User": ADA.arn, "username": ADA.member}
    event["requestContext"]["authorizer"] = {"principalId": ADA.arn}
    assert api.event(event)[1]["owner"] == {"tenant": MALLORY.tenant, "member": MALLORY.member}


def test_another_tenants_job_answers_as_one_that_is_not_there(api: Api) -> None:
    job_id = api("POST", PATH, GOOD)[1]["job_id"]
    for method in ("GET", "DELETE"):
        there = api(method, f"/jobs/{job_id}", arn=MALLORY.arn)
        missing = api(method, "/jobs/job-aaaaaaaaaaaaaaaaaaaaaaaaaa", arn=MALLORY.arn)
        assert there[0] == missing[0] == 404
        assert {**there[1], "given": ""} == {**missing[1], "given": ""}
    assert api("GET", f"/jobs/{job_id}")[1]["state"] == "queued"


def test_what_goes_wrong_inside_has_a_reference_that_is_in_the_logs(
    api: Api, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(job_id: str) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(api.backend.jobs, "get", broken)
    error = api.refused("GET", "/jobs/job-x")
    assert error.code is ErrorCode.INTERNAL
    assert error.reference is not None
    assert error.reference in error.message
    assert "hunter2" not in error.model_dump_json()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    [line] = [line for line in lines if line.get("reference") == error.reference]
    assert (line["level"], line["job_id"], line["request_id"]) == ("ERROR", "job-x", "request-1")


def test_what_is_logged_of_a_job_names_it_and_not_its_prompt(api: Api, log: io.StringIO) -> None:
    job_id = api("POST", PATH, GOOD | {"prompt": "a very secret boat"})[1]["job_id"]
    output = log.getvalue()
    assert "secret boat" not in output
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines
    assert {line["job_id"] for line in lines} == {job_id}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["prompt", "negative_prompt", "pictures", "seed", "steps", "width", "height", "aspect_ratio", "context", "x"]
)


@settings(deadline=None)
@given(st.dictionaries(FIELDS, JSON))
def test_any_json_object_is_a_job_or_one_sentence(fields: dict[str, Any]) -> None:
    status, answer = Api()("POST", PATH, json.dumps(GOOD | fields))
    if status == 202:
        Job.model_validate(answer)
    else:
        assert check_error(status, answer).code in {ErrorCode.INVALID_REQUEST, ErrorCode.MALFORMED_REQUEST}


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_any_body_is_answered_in_one_sentence(body: str, is_base64: bool) -> None:
    event = request("POST", PATH, body) | {"isBase64Encoded": is_base64}
    assert check_error(*Api().event(event)).code is not ErrorCode.INTERNAL


@settings(deadline=None)
@given(st.sampled_from(sorted(METHODS)), st.text(max_size=60), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_path_and_query_is_answered(method: str, path: str, query: dict[str, str]) -> None:
    for event in (request(method, f"/jobs/{path}", query=query), request("GET", "/jobs", query=query)):
        status, answer = Api().event(event)
        assert status < 500, answer
