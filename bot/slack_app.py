"""The Bolt app: signature, listeners, and what happens when one of them fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from slack_bolt import App, BoltContext
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk import WebClient

from bot.asked_team import name_team
from bot.bot_tokens import BotTokens
from bot.listeners.buttons import register_buttons
from bot.listeners.commands import register_commands
from bot.listeners.deps import ListenerDeps
from bot.listeners.forms import register_forms
from bot.listeners.installations import register_installations
from bot.listeners.mentions import register_mentions
from bot.listeners.training_buttons import register_training_buttons
from bot.listeners.training_forms import first_input, register_training_forms
from bot.logs import log, new_reference
from bot.origin import enterprise_of, team_of
from bot.slack_client import DEFAULT_API_URL, WorkspaceToken, client_options, hasty_client
from commands.sentences import trouble_text, unexpected

# Slack waits three seconds for everything together.
API_SECONDS = 2


def build_app(deps: ListenerDeps, signing_secret: str, tokens: BotTokens, api_url: str = DEFAULT_API_URL) -> App:
    """The app for every workspace that it is installed in. Building it makes no call.

    Most requests are answered without a token; a listener that calls Slack has one looked up then.
    """
    bolt_log = logging.getLogger("easel.bolt")
    # Bolt logs bodies and signatures below this.
    bolt_log.setLevel(logging.WARNING)

    def authorize(team_id: str | None, enterprise_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)

    def bring_client(context: BoltContext, body: dict[str, Any], next: Callable[[], BoltResponse]) -> BoltResponse:
        name_team(body, deps.store)
        token = WorkspaceToken(tokens, team_of(body), enterprise_of(body))
        context["client"] = hasty_client(token, api_url, API_SECONDS)
        return next()

    app = App(
        # Without a name Bolt searches the call stack for one. It sets the level of the logger of this name.
        name="easel_slack_app",
        logger=bolt_log,
        signing_secret=signing_secret,
        authorize=authorize,
        client=WebClient(**client_options(api_url, API_SECONDS), retry_handlers=[]),
        process_before_response=True,
        raise_error_for_unhandled_request=True,
    )
    app.use(bring_client)
    register_installations(app, deps)
    register_commands(app, deps)
    register_mentions(app, deps)
    register_forms(app, deps)
    register_training_forms(app, deps)
    register_training_buttons(app, deps)
    register_buttons(app, deps)
    app.error(_on_error)
    return app


def _on_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """Answer in the way that each kind of request shows to the person."""
    if isinstance(error, BoltUnhandledRequestError):
        log.warning("unhandled request", extra={"type": body.get("type"), "command": body.get("command")})
        return BoltResponse(status=404, body="")
    reference = new_reference()
    log.error("listener failed", exc_info=error, extra={"type": body.get("type"), "reference": reference})
    text = trouble_text(unexpected(reference))
    if "command" in body:
        return _json_response({"response_type": "ephemeral", "text": text})
    if body.get("type") == "view_submission":
        return _json_response({"response_action": "errors", "errors": {first_input(body): text}})
    # Events are delivered again; Slack shows a sign of its own beside a button.
    return BoltResponse(status=500, body="")


def _json_response(document: dict[str, Any]) -> BoltResponse:
    return BoltResponse(status=200, body=json.dumps(document), headers={"content-type": "application/json"})
