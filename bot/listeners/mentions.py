"""`@easel …` in channels and threads, and whatever is said to the bot directly."""

from __future__ import annotations

from slack_bolt import App
from slack_sdk import WebClient

from bot.invocation import Invocation, Kind, request_key
from bot.listeners.actors import actor_team_of
from bot.listeners.deps import Body, ListenerDeps
from bot.logs import log
from bot.origin import enterprise_of, team_of
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.slack_client import call
from commands.command import Refuse, ShowHelp
from commands.imagine import IMAGINE
from commands.mention import Said, plan_mention
from commands.sentences import mistakes_text
from commands.sentences_access import unknown_team
from commands.views.blocks import Message, message, section
from commands.views.help import help_message
from commands.views.trouble import trouble_message

# Other subtypes are edits, joins, what bots post …
SAID_BY_PEOPLE = frozenset({None, "file_share", "thread_broadcast"})


def register_mentions(app: App, deps: ListenerDeps) -> None:
    """Listen to mentions and direct messages."""

    @app.event("app_mention")
    def on_mention(body: Body, client: WebClient) -> None:
        _hear(deps, body, client)

    @app.event("message")
    def on_message(body: Body, client: WebClient) -> None:
        if body["event"].get("channel_type") == "im":
            _hear(deps, body, client)


def _hear(deps: ListenerDeps, body: Body, client: WebClient) -> None:
    event = body["event"]
    bot_user_id = _bot_user_id(body)
    member = event.get("user")
    is_ours = event.get("bot_id") or member is None or member == bot_user_id
    if is_ours or event.get("subtype") not in SAID_BY_PEOPLE:
        return
    channel, thread_ts, ts = event["channel"], event.get("thread_ts"), event["ts"]
    actor_team = actor_team_of(body)
    if actor_team is None:
        _tell(client, channel, thread_ts, member, trouble_message(unknown_team()))
        return
    match plan_mention(str(event.get("text") or ""), bot_user_id, in_thread=thread_ts is not None):
        case ShowHelp():
            _tell(client, channel, thread_ts, member, help_message(IMAGINE))
        case Refuse(mistakes):
            text = mistakes_text(mistakes)
            _tell(client, channel, thread_ts, member, message(text, [section(text)]))
        case Said() as said:
            # In a channel the answer begins a thread below the mention; a direct conversation is one already.
            is_direct = event.get("channel_type") == "im"
            team = team_of(body)
            invocation = Invocation(
                kind=Kind.SAY,
                request_key=request_key("mention", team, channel, ts),
                team=team,
                channel=channel,
                member=member,
                at=deps.clock.now(),
                thread_ts=thread_ts or (None if is_direct else ts),
                said=said.to_json(),
                enterprise=enterprise_of(body),
                actor_team=actor_team,
            )
            trouble = deps.enqueue(invocation)
            if trouble is not None:
                _tell(client, channel, thread_ts, member, trouble_message(trouble))


def _bot_user_id(body: Body) -> str | None:
    authorizations = body.get("authorizations")
    if isinstance(authorizations, list) and authorizations and isinstance(authorizations[0], dict):
        user_id = authorizations[0].get("user_id")
        return user_id if isinstance(user_id, str) else None
    return None


def _tell(client: WebClient, channel: str, thread_ts: str | None, member: str, view: Message) -> None:
    try:
        call(
            client.chat_postEphemeral,
            channel=channel,
            user=member,
            thread_ts=thread_ts,
            text=view.text,
            blocks=list(view.blocks),
        )
    except (SlackRefused, SlackUnavailable) as error:
        log.warning("could not tell", extra={"channel": channel, "code": str(error)})
