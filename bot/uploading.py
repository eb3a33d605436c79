"""Bringing a PNG into Slack, each step noted, so that a retry goes on where the last try ended."""

from __future__ import annotations

from bot.leases import Work
from bot.logs import log
from bot.ports.clock import Clock
from bot.ports.slack import Slack

READY_SECONDS = 20.0
POLL_SECONDS = (0.15, 0.15, 0.2, 0.3, 0.5, 1.0)


def upload_once(slack: Slack, work: Work, fact: str, name: str, alt_text: str, content: bytes) -> str:
    """Upload a PNG, its bytes untouched, and note its file id as `fact`; a noted one is not uploaded again.

    Until it is shared or shown in a block, only the bot sees it: one that a dying run left behind is seen by nobody.
    """
    noted = work.data.get(fact)
    if noted is not None:
        return str(noted)
    ticket = slack.reserve(name, len(content), alt_text)
    slack.send(ticket, name, content)
    slack.complete(ticket.file_id, name)
    work.note(**{fact: ticket.file_id})
    return ticket.file_id


def wait_until_ready(slack: Slack, clock: Clock, file_id: str) -> bool:
    """Wait until Slack has processed a file; False when it takes too long."""
    waited, polls = 0.0, 0
    while not slack.is_ready(file_id):
        if waited >= READY_SECONDS:
            log.warning("file not processed", extra={"file": file_id, "waited_seconds": waited})
            return False
        pause = POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)]
        clock.sleep(pause)
        waited += pause
        polls += 1
    return True


def share_once(
    slack: Slack, work: Work, fact: str, name: str, alt_text: str, content: bytes, channel: str, thread_ts: str
) -> str:
    """Upload a PNG and share it in a thread as a file of its own; where an earlier try shared it, leave it at that."""
    file_id = work.data.get(fact)
    if file_id is not None and slack.is_shared(str(file_id)):
        return str(file_id)
    ticket = slack.reserve(name, len(content), alt_text)
    # Noted before it is shared: a retry then asks Slack whether it was.
    work.note(**{fact: ticket.file_id})
    slack.send(ticket, name, content)
    slack.complete(ticket.file_id, name, channel, thread_ts)
    return ticket.file_id
