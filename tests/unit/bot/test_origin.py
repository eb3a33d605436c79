"""Which workspace and organisation a request of Slack's comes from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.origin import enterprise_of, team_of

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "command": ({"team_id": "T1"}, "T1", ""),
    "command in an organisation": ({"team_id": "T1", "enterprise_id": "E1", "enterprise_name": "x"}, "T1", "E1"),
    "press": ({"team": {"id": "T1", "domain": "acme"}, "enterprise": None, "user": {"id": "U1"}}, "T1", ""),
    "press in an organisation": (
        {"team": {"id": "T1", "enterprise_id": "E1"}, "enterprise": {"id": "E1", "name": "x"}},
        "T1",
        "E1",
    ),
    "press with an organisation's installation": (
        {
            "team": None,
            "enterprise": {"id": "E1"},
            "user": {"id": "W1", "team_id": "T1"},
            "is_enterprise_install": True,
        },
        "",
        "E1",
    ),
    "form from a shared channel": (
        {"team": {"id": "T2"}, "user": {"team_id": "T2"}, "view": {"app_installed_team_id": "T1", "team_id": "T2"}},
        "T1",
        "",
    ),
    "form of an organisation's installation": (
        {"team": None, "user": {"team_id": "T1"}, "view": {"app_installed_team_id": "E1"}, "enterprise": {"id": "E1"}},
        "",
        "E1",
    ),
    "event": ({"team_id": "T1", "authorizations": [{"team_id": "T1", "enterprise_id": None}]}, "T1", ""),
    "event in a shared channel": (
        {"team_id": "T2", "context_team_id": "T1", "authorizations": [{"team_id": "T1", "enterprise_id": "E1"}]},
        "T1",
        "E1",
    ),
    "event for an organisation's installation": (
        {"team_id": "T1", "authorizations": [{"team_id": None, "enterprise_id": "E1"}]},
        "T1",
        "E1",
    ),
    "event of somebody else in a shared channel": (
        {"team_id": "T2", "is_ext_shared_channel": True, "authorizations": [{"team_id": None, "enterprise_id": "E1"}]},
        "",
        "E1",
    ),
    "organisation's uninstallation": ({"team_id": None, "enterprise_id": "E1"}, "", "E1"),
    "nonsense": ({"team_id": "E1", "team": "T1", "authorizations": [None]}, "", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_where_a_request_comes_from(name: str) -> None:
    body, team, enterprise = CASES[name]
    assert (team_of(body), enterprise_of(body)) == (team, enterprise)


JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["T1", "E1", ""]) | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "team_id"]), inner, max_size=2),
    max_leaves=4,
)
NAMES = ["team", "team_id", "enterprise", "enterprise_id", "authorizations", "view", "user", "context_team_id"]


@settings(deadline=None)
@given(body=st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_the_body_is_the_answer_is_an_id_or_nothing(body: dict[str, Any]) -> None:
    assert team_of(body) in {"", "T1"} and enterprise_of(body) in {"", "E1"}
