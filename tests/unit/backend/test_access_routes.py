"""The API function: grants, denies, audit, words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.api.handler import PATHS, respond
from backend_lambda.contract.access import AuditList, BlockedWords, Entry, EntryList, Guardrail
from backend_lambda.contract.actions import ROUTES, Action
from backend_lambda.contract.errors import ErrorBody, ErrorCode
from tests.fakes.backend import ADA, NOON, FakeBackend
from tests.fakes.backend_access import API_ARN, STACK_ROLES
from tests.fakes.backend_events import request
from tests.unit.backend.test_api_answers import check_error

ADMIN = "arn:aws:sts::123456789012:assumed-role/easel-admin/T0EASEL.U0ADA.C0ADMINS"
OTHER = "arn:aws:sts::123456789012:assumed-role/easel-admin/T0OTHER.U0EVE.C0EVE"
OWN_ARN = "arn:aws:iam::210987654321:role/easel/painters"
END = (NOON + timedelta(days=3)).isoformat()


class Api:
    """Asks the API function of a fake backend."""

    def __init__(self) -> None:
        self.fake = FakeBackend()
        self.backend = self.fake.backend

    def __call__(self, method: str, path: str, body: Any = None, arn: str = ADMIN, **more: Any) -> tuple[int, Any]:
        answer = respond(request(method, path, body, arn=arn, **more), None, self.backend)
        return answer["statusCode"], json.loads(answer["body"])

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> ErrorBody:
        return check_error(*self(method, path, body, **more))


@pytest.fixture
def api() -> Api:
    return Api()


def test_grants_are_put_listed_and_removed(api: Api) -> None:
    body = {"role": "artist", "limits": {"images_per_day": 50}, "ends_at": END, "reason": "trip"}
    status, answer = api("PUT", "/grants/member/U0BOB", body)
    made = Entry.model_validate(answer)
    assert (status, made.role_arn, made.made_by) == (200, STACK_ROLES["artist"], "U0ADA")
    api("PUT", "/grants/workspace/T0EASEL", {"role": "trainer"})
    api("PUT", "/denies/usergroup/S1", {"reaches": ["U0EVE"]})
    entries = EntryList.model_validate(api("GET", "/grants")[1]).entries
    assert [entry.key for entry in entries] == ["grant#workspace#T0EASEL", "deny#usergroup#S1", "grant#member#U0BOB"]
    status, answer = api("DELETE", "/grants/member/U0BOB")
    assert (status, EntryList.model_validate(answer).entries) == (200, [made])
    assert api("DELETE", "/grants/member/U0BOB") == (200, {"entries": []})
    assert len(api("DELETE", "/denies/usergroup/S1")[1]["entries"]) == 1
    assert len(api("GET", "/grants")[1]["entries"]) == 1


def test_a_guardrail_is_measured_with_the_apis_own_arn(api: Api) -> None:
    assert api("PUT", "/grants/channel/C1", {"guardrail": {"actions": ["see", "paint"], "models": ["tiny"]}})[0] == 200
    models = [f"model-{number:02}-with-a-rather-long-name" for number in range(20)]
    error = api.refused("PUT", "/grants/channel/C1", {"guardrail": {"actions": ["paint", "scale"], "models": models}})
    length = len(Guardrail(actions=[Action.PAINT, Action.SCALE], models=models).session_policy(API_ARN))
    assert (error.code, error.field) == (ErrorCode.GUARDRAIL_TOO_LONG, "guardrail")
    assert (error.given, error.allowed) == (f"{length} characters", "at most 2048 characters")


def test_the_last_admin_stays(api: Api) -> None:
    api("PUT", "/grants/member/U0ADA", {"role": "admin"})
    for method, path, body in (
        ("DELETE", "/grants/member/U0ADA", None),
        ("PUT", "/grants/member/U0ADA", {"role": "artist"}),
        ("PUT", "/denies/workspace/T0EASEL", {}),
    ):
        assert api.refused(method, path, body).code is ErrorCode.LAST_ADMIN


def test_the_audit_trail_names_who_where_what_before_and_after(api: Api) -> None:
    for role in ("artist", "trainer"):
        api("PUT", "/grants/member/U0BOB", {"role": role})
        api.fake.clock.go_on(timedelta(minutes=1))
    api("PUT", "/words", {"words": ["boat"]})
    status, answer = api("GET", "/audit", query={"limit": "2"})
    first = AuditList.model_validate(answer)
    assert (status, [entry.action for entry in first.entries]) == (200, ["put_words", "put_grant"])
    changed = first.entries[1]
    assert (changed.member, changed.principal, changed.place) == ("U0ADA", ADMIN, "C0ADMINS")
    assert (changed.before or {})["role"] == "artist"
    assert (changed.after or {})["role"] == "trainer"
    assert first.next is not None
    second = AuditList.model_validate(api("GET", "/audit", query={"limit": "2", "next": first.next})[1])
    assert (len(second.entries), second.next) == (1, None)
    assert len(api("GET", "/audit", query={"member": "U0BOB"})[1]["entries"]) == 2
    assert api("GET", "/audit", query={"member": "U0EVE"})[1]["entries"] == []
    assert api.refused("GET", "/audit", query={"limit": "2", "next": first.next}, arn=OTHER).field == "next"
    for wrong in ({"limit": "0"}, {"limit": "51"}, {"next": "x"}, {"members": "U1"}, {"member": "x" * 65}):
        assert api.refused("GET", "/audit", query=wrong).field == next(iter(wrong))


def test_words_are_replaced_and_read(api: Api) -> None:
    assert api("GET", "/words") == (200, {"words": []})
    assert api("PUT", "/words", {"words": ["boat", "Boat", " a  cat"]}) == (200, {"words": ["a cat", "boat"]})
    assert BlockedWords.model_validate(api("GET", "/words")[1]).words == ["a cat", "boat"]


def test_a_tenant_sees_and_changes_nothing_of_another(api: Api) -> None:
    api("PUT", "/grants/member/U0BOB", {"role": "artist"})
    api("PUT", "/words", {"words": ["boat"]})
    assert api("GET", "/grants", arn=OTHER) == (200, {"entries": []})
    assert api("GET", "/audit", arn=OTHER)[1]["entries"] == []
    assert api("GET", "/words", arn=OTHER) == (200, {"words": []})
    assert api("DELETE", "/grants/member/U0BOB", arn=OTHER) == (200, {"entries": []})
    error = api.refused("PUT", "/grants/workspace/T0EASEL", {"role": "artist"}, arn=OTHER)
    assert (error.code, error.field, error.allowed) == (ErrorCode.INVALID_REQUEST, "id", "T0OTHER")
    assert len(api("GET", "/grants")[1]["entries"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("/grants/org/E1", {"role": "artist"}, "kind", "workspace"),
        ("/grants/king/U1", {"role": "artist"}, "kind", "member"),
        ("/grants/member/U%2F1", {"role": "artist"}, "id", "letters"),
        ("/grants/member/U%231", {"role": "artist"}, "id", "letters"),
        ("/grants/member/" + "x" * 300, {"role": "artist"}, "id", "at most 200"),
        ("/grants/member/U1", {}, None, "names a role"),
        ("/grants/member/U1", {"limits": {"each_member": True}}, None, "names a role"),
        ("/grants/member/U1", {"role": "king"}, "role", "artist, trainer, operator, admin, or"),
        ("/grants/member/U1", {"role": "x" * 201}, "role", "at most 200"),
        ("/grants/member/U1", {"role": 7}, "role", "text"),
        ("/grants/member/U1", {"role": "artist", "ends_at": "tomorrow"}, "ends_at", "2026-12-01T09:00:00Z"),
        ("/grants/member/U1", {"role": "artist", "ends_at": "2026-12-01T09:00:00"}, "ends_at", "time zone"),
        ("/grants/member/U1", {"role": "artist", "ends_at": "2026-11-01T09:00:00Z"}, "ends_at", "later than now"),
        ("/grants/member/U1", {"role": "artist", "ends_at": "9999-12-31T23:59:59Z"}, "ends_at", "366 days"),
        ("/grants/member/U1", {"role": "artist", "ends_at": 10**30}, "ends_at", "a time"),
        ("/grants/member/U1", {"limits": {"images_per_day": -1}}, "limits.images_per_day", "at least 0"),
        ("/grants/member/U1", {"limits": {"images_per_day": "5"}}, "limits.images_per_day", "whole number"),
        ("/grants/member/U1", {"limits": {"images_per_day": True}}, "limits.images_per_day", "whole number"),
        ("/grants/member/U1", {"limits": {"each_member": 1}}, "limits.each_member", "true or false"),
        ("/grants/member/U1", {"limits": {"image_per_day": 5}}, "limits.image_per_day", "Did you mean images_per_day?"),
        ("/grants/member/U1", {"limits": {"models": ["A b"]}}, "limits.models.0", "letters"),
        ("/grants/member/U1", {"limits": {"models": "tiny"}}, "limits.models", "a list"),
        ("/grants/member/U1", {"limits": {"models": ["a"] * 21}}, "limits.models", "at most 20"),
        ("/grants/channel/C1", {"guardrail": {"actions": []}}, "guardrail.actions", "at least 1"),
        ("/grants/channel/C1", {"guardrail": {"actions": ["fly"]}}, "guardrail.actions.0", "one of see, paint"),
        ("/grants/channel/C1", {"guardrail": {"actoins": ["see"]}}, "guardrail.actions", "missing"),
        ("/grants/member/U1", {"rule": "artist"}, "rule", "Did you mean role?"),
        ("/grants/member/U1", {"role": "artist", "made_by": "U2"}, "made_by", "no field"),
        ("/denies/member/U1", {"role": "artist"}, "role", "ends_at, reaches, reason"),
        ("/denies/usergroup/S1", {}, "reaches", "members"),
        ("/denies/usergroup/S1", {"reaches": ["U1"] * 5001}, "reaches", "at most 5000"),
        ("/denies/member/U1", {"reason": "x" * 301}, "reason", "at most 300"),
        ("/words", {"words": ["a"]}, "words.0", "at least 2"),
        ("/words", {"words": ["  "]}, "words", "at least 2"),
        ("/words", {"words": ["ab"] * 501}, "words", "at most 500"),
        ("/words", {"words": "boat"}, "words", "a list"),
        ("/words", {}, "words", "missing"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    api: Api, path: str, body: dict[str, Any], field: str | None, words: str
) -> None:
    error = api.refused("PUT", path, body)
    assert (error.code, error.field) == (ErrorCode.INVALID_REQUEST, field)
    assert words in f"{error.message} {error.allowed}"
    assert api.fake.access.tenants == {}


def test_an_iam_principal_changes_no_limits_of_its_own(api: Api) -> None:
    arn = "arn:aws:iam::123456789012:user/ada"
    for path in ("iam-123456789012-user:ada", "iam-123456789012-user%3Aada"):
        for method, body in (("PUT", {"limits": {"images_per_day": 5}}), ("DELETE", None)):
            error = api.refused(method, f"/grants/workspace/{path}", body, arn=arn)
            assert (error.code, "deploy limit" in error.message) == (ErrorCode.NOT_ALLOWED, True)


def test_the_same_idempotency_key_again_changes_nothing(api: Api) -> None:
    api("PUT", "/grants/member/U0ADA", {"role": "admin"})
    once = {"idempotency_key": "confirm-1"}
    api("PUT", "/grants/member/U0BOB", {"role": "artist"}, query=once)
    api("DELETE", "/grants/member/U0BOB")
    status, answer = api("PUT", "/grants/member/U0BOB", {"role": "artist"}, query=once)
    assert (status, answer["role"]) == (200, None)
    assert [entry["id"] for entry in api("GET", "/grants")[1]["entries"]] == ["U0ADA"]
    assert api.refused("DELETE", "/grants/member/U0BOB", query={"once": "x"}).field == "once"


def test_words_that_somebody_else_has_changed_are_not_put_back(api: Api) -> None:
    api("PUT", "/words", {"words": ["boat", "cat"], "was": []})
    error = api.refused("PUT", "/words", {"words": ["boat"], "was": []})
    assert error.code is ErrorCode.ACCESS_CONFLICT
    assert api("GET", "/words")[1] == {"words": ["boat", "cat"]}
    assert api("PUT", "/words", {"words": [], "was": ["boat", "cat"]}) == (200, {"words": []})


def test_a_role_of_ones_own_speaks_for_the_workspace_that_granted_it(api: Api) -> None:
    session = "arn:aws:sts::210987654321:assumed-role/painters/T0EASEL.U0BOB.C1"
    # Nobody has granted it: it is a tenant of its own.
    job = {"prompt": "a boat", "idempotency_key": "k"}
    owner = api("POST", "/endpoints/tiny/jobs", job, arn=session)[1]["owner"]
    assert owner == {"tenant": "iam-210987654321-painters", "member": "T0EASEL.U0BOB.C1"}
    api("PUT", "/grants/member/U0BOB", {"role": OWN_ARN, "external_id": "T0EASEL:7"})
    owner = api("POST", "/endpoints/tiny/jobs", job, arn=session)[1]["owner"]
    assert owner == {"tenant": "T0EASEL", "member": "U0BOB"}
    other = session.replace("T0EASEL", "T0OTHER")
    assert api.refused("GET", "/jobs", arn=other).code is ErrorCode.NOT_ALLOWED
    api("DELETE", "/grants/member/U0BOB")
    api.fake.clock.go_on(timedelta(seconds=31))
    assert api.refused("GET", "/jobs", arn=session).code is ErrorCode.NOT_ALLOWED


@pytest.mark.parametrize("arn", [None, "", "arn:aws:sts::123456789012:assumed-role/easel-admin/nobody"])
def test_a_caller_that_is_not_known_is_refused_on_every_route(api: Api, arn: Any) -> None:
    for method, path, body in (
        ("GET", "/grants", None),
        ("PUT", "/grants/member/U1", {"role": "artist"}),
        ("DELETE", "/grants/member/U1", None),
        ("PUT", "/denies/member/U1", {}),
        ("DELETE", "/denies/member/U1", None),
        ("GET", "/audit", None),
        ("GET", "/words", None),
        ("PUT", "/words", {"words": ["boat"]}),
    ):
        assert api.refused(method, path, body, arn=arn).code is ErrorCode.NOT_ALLOWED
    assert api.fake.access.tenants == {}


def test_the_action_to_grant_is_these_routes() -> None:
    routes = {
        f"{method}{path}"
        for path, methods in PATHS.items()
        for method in methods
        if path.split("/")[1] in {"grants", "denies", "audit", "words"}
    } | {"PUT/training-policy"}
    assert {route.replace("/*", "/<kind>/<id>") for route in ROUTES[Action.GRANT]} == routes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=6,
)
FIELDS = st.sampled_from(["role", "external_id", "limits", "guardrail", "ends_at", "reason", "reaches", "words", "x"])


@settings(deadline=None)
@given(
    st.sampled_from(["/grants/member/U1", "/grants/channel/C1", "/denies/member/U1", "/denies/usergroup/S1", "/words"]),
    st.dictionaries(FIELDS, JSON),
)
def test_any_body_is_taken_or_refused_in_one_sentence(path: str, body: dict[str, Any]) -> None:
    status, answer = Api()("PUT", path, json.dumps(body))
    if status != 200:
        assert check_error(status, answer).code in {ErrorCode.INVALID_REQUEST, ErrorCode.MALFORMED_REQUEST}


@settings(deadline=None)
@given(st.sampled_from(["grants", "denies"]), st.text(max_size=20), st.text(max_size=80))
def test_any_subject_is_taken_or_refused(resource: str, kind: str, name: str) -> None:
    api = Api()
    for method, body in (("PUT", {"reason": "x"}), ("DELETE", None)):
        for path in (f"/{resource}/{kind}/{name}", f"/{resource}/member/{name}"):
            status, answer = api(method, path, body, arn=ADA.arn)
            assert status < 500, answer
