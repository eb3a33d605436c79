"""Posting that is safe to repeat, and telling people what went wrong wherever they can be reached."""

from __future__ import annotations

from collections.abc import Callable

from bot.leases import Work
from bot.logs import log
from bot.ports.clock import Clock
from bot.ports.slack import Slack, SlackRefused, SlackUnavailable
from commands.views.blocks import Message

TRIES = 2
RETRY_SECONDS = 0.5

# The bot can't post where it was asked; the person has to do something about it.
UNREACHABLE_CODES = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_non_threadable_channel",
        "posting_to_general_channel_denied",
        "messages_tab_disabled",
        "user_not_in_channel",
    }
)


def post_once(
    slack: Slack,
    clock: Clock,
    work: Work,
    fact: str,
    channel: str,
    thread_ts: str | None,
    view: Message,
    request_key: str,
) -> str:
    """Post a message for a piece of work and note its ts as `fact`; where an earlier try posted it, find that one.

    The message carries the request key in its metadata. Whoever is not the first to try looks for it before posting:
    the one before may have died between Slack's answer and the note. Raises what the port raises.
    """
    noted = work.data.get(fact)
    if noted is not None:
        return str(noted)
    since = float(work.data["claimed_at"])
    ts = None if work.is_first_try else slack.find(channel, thread_ts, request_key, since)
    for attempt in range(TRIES):
        if ts is not None:
            break
        try:
            ts = slack.post(channel, thread_ts, view, request_key)
        except SlackUnavailable:
            # The answer was lost, perhaps not the message.
            clock.sleep(RETRY_SECONDS)
            ts = slack.find(channel, thread_ts, request_key, since)
            if ts is None and attempt == TRIES - 1:
                raise
    assert ts is not None
    work.note(**{fact: ts})
    return ts


def tell(
    slack: Slack, channel: str, thread_ts: str | None, member: str, response_url: str | None, view: Message
) -> bool:
    """Show something to one person: in the channel, else through the response URL, else in a direct message."""
    ways: list[Callable[[], None]] = [lambda: slack.tell(channel, thread_ts, member, view)]
    if response_url:
        ways.append(lambda: slack.respond(response_url, view))
    ways.append(lambda: slack.write_to(member, view))
    for way in ways:
        try:
            way()
            return True
        except (SlackRefused, SlackUnavailable) as error:
            log.info("could not tell", extra={"channel": channel, "member": member, "code": str(error)})
    return False
