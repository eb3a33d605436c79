"""What a thread is about: its latest job."""

from __future__ import annotations

from bot.leases import KEPT_SECONDS
from bot.places import Place, message_key, thread_key
from bot.ports.clock import Clock
from bot.ports.records import RecordStore
from commands.order import PaintOrder


def latest_order(store: RecordStore, team: str, channel: str, thread_ts: str) -> PaintOrder | None:
    """The settings of the thread's latest job, else of the job that its root shows, else None."""
    thread = store.get(thread_key(team, channel, thread_ts))
    keys = [message_key(team, channel, thread.data["message_ts"])] if thread is not None else []
    for key in [*keys, message_key(team, channel, thread_ts)]:
        record = store.get(key)
        if record is not None and record.data.get("order"):
            return PaintOrder.from_json(record.data["order"])
    return None


def note_latest(store: RecordStore, clock: Clock, place: Place) -> None:
    """Remember that the job at `place` is its thread's latest, unless a later one is noted."""
    if place.thread_ts is None:
        return
    key = thread_key(place.team, place.channel, place.thread_ts)
    expires_at = int(clock.now() + KEPT_SECONDS)
    while True:
        record = store.get(key)
        if record is None:
            if store.create(key, {"message_ts": place.ts}, expires_at):
                return
            continue
        is_later = _order_of(place.ts) > _order_of(record.data["message_ts"])
        if not is_later or store.replace(key, {"message_ts": place.ts}, record.version, expires_at):
            return


def _order_of(ts: str) -> tuple[int, int]:
    seconds, _, fraction = ts.partition(".")
    return int(seconds), int(fraction or 0)
