"""Which message an event belongs to. The event's own word is not enough: its context was a caller's."""

from __future__ import annotations

from dataclasses import dataclass

from backend_lambda.contract.events import JobEvent
from bot.places import Place, request_record_key
from bot.ports.records import RecordStore
from commands.order import PaintOrder
from commands.views.settings import FinishedSettings


@dataclass(frozen=True)
class Request:
    """The request that the bot itself recorded before it asked the backend."""

    key: str
    place: Place
    member: str
    asked_at: float
    enterprise: str = ""


def request_of(store: RecordStore, event: JobEvent) -> Request | None:
    """The request behind an event, or None where the bot never made it: other clients paint too.

    Any client can put what it likes into a job's context. So channel and message come from the bot's own record, and
    the job must belong to the workspace that the record names.
    """
    key = event.context.get("request_key")
    record = store.get(request_record_key(key)) if key else None
    if key is None or record is None:
        return None
    data = record.data
    ts = data.get("message_ts")
    if ts is None or event.owner.tenant != data["team"] or event.context.get("message_ts") != ts:
        return None
    thread_ts = event.context.get("thread_ts") or None
    place = Place(data["team"], data["channel"], ts, thread_ts)
    return Request(key, place, data["member"], data["at"], data.get("enterprise", ""))


def settings_of(event: JobEvent) -> FinishedSettings:
    """The settings as the views take them."""
    return FinishedSettings(**event.settings.model_dump(), model=event.model)


def order_of(event: JobEvent) -> PaintOrder:
    """The order that paints the same again."""
    return settings_of(event).order(event.endpoint)
