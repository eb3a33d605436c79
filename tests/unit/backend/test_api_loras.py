"""`/loras` as clients see it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.api.handler import respond
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.loras import ChangeLora, ImportLora, Lora, LoraList, LoraUpload, LoraVersions
from tests.fakes.backend import ADA, BOB, MALLORY, FakeBackend
from tests.fakes.backend_events import request
from tests.fakes.loras import lora_file, lora_of, version_of
from tests.unit.backend.test_api_answers import Api

GOOD = {"name": "mascot", "endpoint": "tiny", "bytes": len(lora_file()), "idempotency_key": "k1"}


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_lora_is_imported_listed_changed_used_and_deleted(api: Api) -> None:
    status, answer = api("POST", "/loras", GOOD)
    upload = LoraUpload.model_validate(answer)
    assert (status, upload.version) == (201, 1)
    api.backend.lora_files.put(upload.url, lora_file())
    status, answer = api("POST", "/loras/mascot/check")
    lora = Lora.model_validate(answer)
    assert (status, lora.rank, lora.scope) == (200, 4, "member")
    assert LoraList.model_validate(api("GET", "/loras")[1]).loras == [lora]
    status, answer = api("PATCH", "/loras/mascot", {"name": "crown", "scope": "workspace", "is_retired": False})
    assert (status, answer["name"], answer["scope"]) == (200, "crown", "workspace")
    assert LoraVersions.model_validate(api("GET", "/loras/crown", arn=BOB.arn)[1]).versions[0].sha256 == lora.sha256
    body = {"prompt": "a boat", "idempotency_key": "k1", "loras": [{"name": "crown", "weight": 0.8}]}
    status, answer = api("POST", "/endpoints/tiny/jobs", body)
    assert (status, answer["settings"]["loras"]) == (202, [{"name": "crown", "version": 1, "weight": 0.8}])
    status, answer = api("DELETE", "/loras/crown", query={"version": "1"})
    assert (status, [one["version"] for one in answer["versions"]]) == (200, [1])
    assert api.refused("DELETE", "/loras/crown").code is ErrorCode.LORA_NOT_FOUND
    assert api.backend.pictures.below("tenants/T0EASEL/loras/") == set()


def test_another_tenants_answers_as_one_that_is_not_there(api: Api) -> None:
    api.backend.loras.write(lora_of())
    for method, path, body in (
        ("GET", "/loras/{}", None),
        ("PATCH", "/loras/{}", {"is_retired": True}),
        ("DELETE", "/loras/{}", None),
        ("POST", "/loras/{}/check", None),
    ):
        there = api(method, path.format("mascot"), body, arn=MALLORY.arn)
        missing = api(method, path.format("nobody"), body, arn=MALLORY.arn)
        assert there[0] == missing[0] == 404
        assert {**there[1], "given": ""} == {**missing[1], "given": ""}
    assert api("GET", "/loras", arn=MALLORY.arn) == (200, {"loras": [], "next": None})
    # The same name is free there.
    assert api("POST", "/loras", GOOD, arn=MALLORY.arn)[0] == 201
    job = {"prompt": "a boat", "idempotency_key": "k1", "loras": [{"name": "mascot"}]}
    error = api.refused("POST", "/endpoints/tiny/jobs", job, arn=MALLORY.arn)
    assert (error.code, error.available) == (ErrorCode.LORA_NOT_FOUND, [])
    assert len(api("GET", "/loras")[1]["loras"]) == 1


def test_each_refusal_has_its_code(api: Api) -> None:
    api.backend.loras.write(lora_of("xl", version_of(1, "trn-xl", model="other")))
    job = {"prompt": "a boat", "idempotency_key": "k1"}
    path = "/endpoints/tiny/jobs"
    assert api.refused("POST", path, job | {"loras": [{"name": "xl"}]}).code is ErrorCode.LORA_NOT_FITTING
    assert api.refused("POST", path, job | {"loras": [{"name": "no"}]}).code is ErrorCode.LORA_NOT_FOUND
    error = api.refused("POST", path, job | {"loras": [{"name": "xl"}, {"name": "xl"}]})
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, "loras.1.name")
    assert api.refused("POST", "/loras", GOOD | {"name": "xl"}, arn=BOB.arn).code is ErrorCode.LORA_NAME_TAKEN
    assert api.refused("POST", "/loras", GOOD | {"endpoint": "no"}).code is ErrorCode.ENDPOINT_NOT_FOUND
    assert api.refused("PATCH", "/loras/xl", {"is_retired": True}, arn=BOB.arn).code is ErrorCode.NOT_ALLOWED
    api("POST", "/loras", GOOD)
    assert api.refused("POST", "/loras/mascot/check").code is ErrorCode.LORA_FILE_UNUSABLE
    assert api.refused("POST", "/loras", GOOD | {"bytes": 7}).code is ErrorCode.IDEMPOTENCY_CONFLICT


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": "Mascot"}, "name", "small letters"),
        ({"name": "-x"}, "name", "small letters"),
        ({"name": "x" * 33}, "name", "at most 32"),
        ({"name": ""}, "name", "small letters"),
        ({"name": 7}, "name", "text"),
        ({"bytes": 0}, "bytes", "at least 1"),
        ({"bytes": 2**40}, "bytes", "at most"),
        ({"trigger": "two words"}, "trigger", "one word"),
        ({"trigger": "<!channel>"}, "trigger", "one word"),
        ({"licence_note": "x" * 201}, "licence_note", "at most 200"),
        ({"idempotency_key": "a b"}, "idempotency_key", "letters"),
        ({"nmae": "x"}, "nmae", "Did you mean name?"),
    ],
)
def test_what_is_wrong_with_an_import_is_named(api: Api, change: dict[str, Any], field: str, words: str) -> None:
    error = api.refused("POST", "/loras", GOOD | change)
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, field)
    assert words in error.message
    assert api.backend.loras.records == {}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"scope": "everyone"}, "scope", "one of"),
        ({"channel": "C 1"}, "channel", "letters and digits"),
        ({"scope": "channel"}, "channel", "no channel"),
        ({"name": "A"}, "name", "small letters"),
        ({"is_retird": True}, "is_retird", "Did you mean is_retired?"),
        ({"owner": "U0EVE"}, "owner", "no field"),
    ],
)
def test_what_is_wrong_with_a_change_is_named(api: Api, change: dict[str, Any], field: str, words: str) -> None:
    api.backend.loras.write(lora_of())
    before = dict(api.backend.loras.records)
    error = api.refused("PATCH", "/loras/mascot", change)
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, field)
    assert words in error.message
    assert api.backend.loras.records == before


@pytest.mark.parametrize(
    ("loras", "field"),
    [
        ([{"name": "x"}] * 5, "loras"),
        ("mascot", "loras"),
        ([{"name": "x", "weight": 2.1}], "loras.0.weight"),
        ([{"name": "x", "weight": "1"}], "loras.0.weight"),
        ([{"name": "x", "version": 0}], "loras.0.version"),
        ([{"name": "../x"}], "loras.0.name"),
        ([{"weight": 1}], "loras.0.name"),
        ([{"name": "x", "scale": 1}], "loras.0.scale"),
    ],
)
def test_what_is_wrong_with_a_choice_is_named(api: Api, loras: Any, field: str) -> None:
    error = api.refused("POST", "/endpoints/tiny/jobs", {"prompt": "x", "idempotency_key": "k", "loras": loras})
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, field)


def test_a_query_that_there_is_not_is_refused(api: Api) -> None:
    api.backend.loras.write(lora_of())
    for method, path, query in (
        ("GET", "/loras", {"nxt": "x"}),
        ("GET", "/loras", {"next": "made-up"}),
        ("DELETE", "/loras/mascot", {"versoin": "1"}),
        ("DELETE", "/loras/mascot", {"version": "0"}),
        ("DELETE", "/loras/mascot", {"version": "one"}),
    ):
        assert api.refused(method, path, query=query).code is ErrorCode.INVALID_REQUEST
    assert len(api("GET", "/loras")[1]["loras"]) == 1


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2Fb", "a#b", "ü", "name#x", "x" * 70, "MASCOT"])
def test_a_name_in_the_path_is_a_name_and_nothing_else(api: Api, name: str) -> None:
    api.backend.loras.write(lora_of())
    for method, body in (("GET", None), ("PATCH", {"is_retired": True}), ("DELETE", None)):
        assert api.refused(method, f"/loras/{name}", body).code in {
            ErrorCode.LORA_NOT_FOUND,
            ErrorCode.ROUTE_NOT_FOUND,
            ErrorCode.INVALID_REQUEST,
        }
    assert not api.backend.loras.get("T0EASEL", "mascot").is_retired


BODIES = st.dictionaries(
    st.sampled_from([*ImportLora.model_fields, *ChangeLora.model_fields]) | st.text(max_size=8),
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.lists(st.text(max_size=3), max_size=2),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(BODIES, st.sampled_from([("POST", "/loras"), ("PATCH", "/loras/mascot")]))
def test_no_body_fails_the_api(body: dict[str, Any], route: tuple[str, str]) -> None:
    backend = FakeBackend()
    backend.loras.write(lora_of())
    answer = respond(request(*route, body, arn=ADA.arn), None, backend.backend)
    assert answer["statusCode"] in {200, 201, 400, 404, 409, 422}
