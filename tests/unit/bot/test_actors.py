"""To which company somebody belongs: the truth table. Where Slack leaves a doubt, nobody is taken for a member."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.listeners.actors import actor_team_of
from bot.origin import enterprise_of, team_of


def _event(is_ext_shared: bool = False, enterprise: str | None = None, **facts: Any) -> dict[str, Any]:
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event": {"type": "app_mention", "user": "U1", **facts},
        "authorizations": [{"team_id": "T1", "enterprise_id": enterprise, "user_id": "UB"}],
        "is_ext_shared_channel": is_ext_shared,
    }


def _press(team: Any, enterprise: str | None = None, **user: Any) -> dict[str, Any]:
    organisation = {"id": enterprise, "name": "Acme"} if enterprise else None
    return {"type": "block_actions", "team": team, "enterprise": organisation, "user": {"id": "U1", **user}}


T1 = {"id": "T1"}


@pytest.mark.parametrize(
    ("body", "actor_team", "external"),
    [
        # Slash commands: only members of a workspace with the app have them.
        ({"command": "/imagine", "team_id": "T1", "user_id": "U1"}, "T1", False),
        ({"command": "/imagine", "team_id": "T1", "enterprise_id": "E1", "user_id": "U1"}, "T1", False),
        # Buttons and forms: `user.team_id` is the clicker's.
        (_press(T1, team_id="T1"), "T1", False),
        (_press(T1, team_id="T2"), "T2", True),
        (_press(T1), None, True),
        (_press(T1, team_id=None), None, True),
        (_press(T1, team_id=7), None, True),
        (_press(T1, team_id=""), None, True),
        (_press(T1, team_id="E2"), None, True),
        (_press(T1, "E1", team_id="E1"), "E1", True),
        (_press(T1, "E1", team_id="E2"), None, True),
        # Nobody says which workspace is asked: whoever it is may be of another company.
        (_press(None, "E1", team_id="T1"), None, True),
        # A form opened in a shared channel: the workspace of the installation is in the view.
        ({**_press({"id": "T2"}, team_id="T2"), "view": {"app_installed_team_id": "T1"}}, "T2", True),
        # Events in channels that are not shared may name nobody's team.
        (_event(), "T1", False),
        (_event(user_team="T1", team="T1"), "T1", False),
        (_event(team="T1"), "T1", False),
        (_event(team="T2"), "T2", True),
        # In shared ones they have to.
        (_event(is_ext_shared=True), None, True),
        (_event(is_ext_shared=True, user_team="T1"), "T1", False),
        (_event(is_ext_shared=True, user_team="T2", team="T1"), "T2", True),
        (_event(is_ext_shared=True, team="T2"), "T2", True),
        (_event(is_ext_shared=True, user_team="E2", team="T1"), None, True),
        (_event(is_ext_shared=True, team="E2"), None, True),
        # Our own organisation, but not which of its workspaces: by name only.
        (_event(is_ext_shared=True, enterprise="E1", user_team="E1"), "E1", True),
        (_event(enterprise="E1", user_team="E1"), "E1", True),
        # The sender's workspace comes first in the envelope; the authorization names ours.
        ({**_event(is_ext_shared=True, user_team="T2"), "team_id": "T2"}, "T2", True),
        ({**_event(is_ext_shared=True, user_team="T1"), "team_id": "T2"}, "T1", False),
        # An organisation's installation in a shared channel: the sender's workspace is no word about ours.
        (
            {
                **_event(is_ext_shared=True, user_team="T2"),
                "team_id": "T2",
                "authorizations": [{"team_id": None, "enterprise_id": "E1"}],
            },
            None,
            True,
        ),
        ({}, None, True),
    ],
)
def test_the_truth_table(body: dict[str, Any], actor_team: str | None, external: bool) -> None:
    assert actor_team_of(body) == actor_team
    assert (actor_team is None or actor_team != team_of(body)) is external


JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["T1", "T2", "E1", "E2", "", "x"]) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "team_id", "team", "user_team", "enterprise_id"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ["command", "team", "team_id", "event", "user", "enterprise", "authorizations", "view", "is_ext_shared_channel"]


@settings(deadline=None)
@given(body=st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_the_body_is_a_team_or_nothing_is_known(body: dict[str, Any]) -> None:
    actor_team = actor_team_of(body)
    assert actor_team is None or actor_team in {"T1", "T2", enterprise_of(body)}
    assert actor_team != ""
