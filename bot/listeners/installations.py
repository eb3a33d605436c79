"""The app was taken out of a workspace, or its tokens were: the worker looks after it."""

from __future__ import annotations

from slack_bolt import App

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.deps import Body, ListenerDeps
from bot.origin import enterprise_of, team_of


class NotQueued(Exception):
    """The queue did not take the event: Slack shall deliver it again."""


def register_installations(app: App, deps: ListenerDeps) -> None:
    """Listen to the two events, which come in any order and more than once."""

    @app.event("app_uninstalled")
    def on_uninstalled(body: Body) -> None:
        _enqueue(deps, body, Kind.UNINSTALLED)

    @app.event("tokens_revoked")
    def on_revoked(body: Body) -> None:
        tokens = body["event"].get("tokens")
        # Members' own tokens are none of ours: the app asks for no user scopes.
        if isinstance(tokens, dict) and tokens.get("bot"):
            _enqueue(deps, body, Kind.TOKENS_REVOKED)


def _enqueue(deps: ListenerDeps, body: Body, kind: Kind) -> None:
    team, enterprise = team_of(body), enterprise_of(body)
    event_time = body.get("event_time")
    invocation = Invocation(
        kind=kind,
        request_key=request_key(kind.value, team, enterprise, str(body.get("event_id") or event_time)),
        team=team,
        channel="",
        member="",
        at=float(event_time) if isinstance(event_time, int | float) else deps.clock.now(),
        enterprise=enterprise,
    )
    if deps.enqueue(invocation) is not None:
        raise NotQueued
