"""What a message shows: the newest of several writers wins, whatever order they come in.

The worker, progress and completion all write to the same message and overtake one another. Each view has a rank. The
view of the highest rank is noted in the message's record before it is sent to Slack; whoever has sent one looks again
and sends the newer one, should there be one by now. So the message ends with the highest rank, and stays there.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from bot.leases import KEPT_SECONDS
from bot.places import Place
from bot.ports.clock import Clock
from bot.ports.records import Json, Record, RecordStore
from bot.ports.slack import SlackMessages, SlackRefused
from commands.views.blocks import Message

QUEUED, WAITING, PAINTING, POSTING, GIVEN_UP, FINAL, DELETED = 0, 1, 10, 10_000, 50_000, 100_000, 200_000
MAX_ROUNDS = 8

GONE_CODES = frozenset({"message_not_found", "cant_update_message", "thread_not_found"})


class Shown(Enum):
    """What became of a view."""

    SHOWN = "shown"
    OUTDATED = "outdated"
    """A higher rank is there already."""
    GONE = "gone"
    """Somebody deleted the message."""


class Board:
    """The messages that show jobs, and their records."""

    def __init__(self, store: RecordStore, slack: SlackMessages, clock: Clock) -> None:
        self._store = store
        self._slack = slack
        self._clock = clock

    def facts(self, team: str, channel: str, ts: str) -> Json | None:
        """What is known of a message, or None."""
        record = self._store.get(Place(team, channel, ts).key)
        return record.data if record is not None else None

    def show_last_word(self, place: Place, view: Message) -> bool:
        """Show that nothing more can be done; whether the message now shows some end, this one or a better one."""
        try:
            shown = self.show(place, GIVEN_UP, view)
        except SlackRefused:
            return False
        facts = self.facts(place.team, place.channel, place.ts) or {}
        return shown is Shown.SHOWN or facts.get("shown_rank", -1) >= GIVEN_UP

    def open(self, place: Place, rank: int, view: Message, **facts: Any) -> None:
        """Begin the record of a message that has just been posted with `view`; an existing one stays."""
        data = {**facts, "thread_ts": place.thread_ts, "rank": rank, "shown_rank": rank, "view": view.to_json()}
        self._store.create(place.key, data, self._expires_at())

    def note(self, place: Place, **facts: Any) -> Json:
        """Remember facts about a message; returns all of them."""
        return self._change(place, lambda data: {**data, **facts})

    def add(self, place: Place, **values: str) -> None:
        """Add a value to each named list of facts, unless it is there."""

        def write(data: Json) -> Json:
            return {**data, **{name: sorted({*data.get(name, []), value}) for name, value in values.items()}}

        self._change(place, write)

    def show(self, place: Place, rank: int, view: Message, **facts: Any) -> Shown:
        """Show `view` unless a higher rank is there; `facts` are remembered with it."""
        is_outdated = False

        def write(data: Json) -> Json | None:
            nonlocal is_outdated
            is_outdated = data.get("rank", -1) > rank
            return None if is_outdated else {**data, **facts, "rank": rank, "view": view.to_json()}

        data = self._change(place, write)
        if is_outdated:
            return Shown.OUTDATED
        if data.get("shown_rank", -1) == rank and rank >= GIVEN_UP:
            return Shown.SHOWN
        return self._send_until_stable(place, data)

    def _send_until_stable(self, place: Place, data: Json) -> Shown:
        for _ in range(MAX_ROUNDS):
            sent_rank = data["rank"]
            try:
                self._slack.update(place.channel, place.ts, Message.from_json(data["view"]), sent_rank >= GIVEN_UP)
            except SlackRefused as refused:
                if refused.code in GONE_CODES:
                    return Shown.GONE
                raise
            data = self._change(place, lambda now, rank=sent_rank: _shown(now, rank))
            if data["rank"] == sent_rank:
                return Shown.SHOWN
        return Shown.SHOWN

    def _change(self, place: Place, change: Any) -> Json:
        """Apply a pure change to the record, again where someone else was quicker. None means: leave it."""
        while True:
            record: Record | None = self._store.get(place.key)
            before = record.data if record is not None else {"thread_ts": place.thread_ts}
            after: Json | None = change(before)
            if after is None or (record is not None and after == before):
                return before
            if record is None:
                if self._store.create(place.key, after, self._expires_at()):
                    return after
            elif self._store.replace(place.key, after, record.version, self._expires_at()):
                return after

    def _expires_at(self) -> int:
        return int(self._clock.now() + KEPT_SECONDS)


def _shown(data: Json, rank: int) -> Json:
    return {**data, "shown_rank": rank} if data["rank"] == rank else data
