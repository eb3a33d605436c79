"""Where a training's messages are.

An event's own word is not enough: other clients train too, and say what they like.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.leases import KEPT_SECONDS
from bot.places import Place, training_key
from bot.ports.clock import Clock
from bot.ports.records import Json, RecordStore

CHANNEL = re.compile(r"(?:<#)?([CG][A-Z0-9]{1,30})(?:\|[^<>]*)?>?")


@dataclass(frozen=True)
class TrainingPlace:
    """A training that the bot has asked for: its message, the one that asks for the approval, the pictures' one."""

    training_id: str
    place: Place
    member: str
    enterprise: str
    facts: Json

    @property
    def approval(self) -> Place | None:
        """The message that asks for the approval."""
        return self._noted("approval")

    @property
    def pictures(self) -> Place | None:
        """The message with plot and samples."""
        return self._noted("pictures")

    @property
    def approvals_channel(self) -> str:
        """Where approvals are asked, as the request said; empty where no channel was set."""
        return str(self.facts.get("approvals_channel") or "")

    @property
    def sheet_file(self) -> str | None:
        """The contact sheet in the request."""
        file = self.facts.get("sheet_file")
        return str(file) if file else None

    @property
    def is_decided(self) -> bool:
        """Whether an event has said that nobody has to decide any more."""
        return bool(self.facts.get("is_decided"))

    def _noted(self, name: str) -> Place | None:
        noted = self.facts.get(name)
        return Place(**noted) if noted else None


class TrainingRecords:
    """The records of trainings in the bot's table."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, training_id: str) -> TrainingPlace | None:
        """The training's messages, or None where the bot never asked for it."""
        record = self._store.get(training_key(training_id))
        return _read(training_id, record.data) if record is not None else None

    def begin(self, training_id: str, place: Place, member: str, enterprise: str) -> None:
        """Remember the message that follows a training; a later one takes its place."""
        facts = {"place": vars(place), "member": member, "enterprise": enterprise}
        self._change(training_id, lambda data: {**data, **facts})

    def note(self, training_id: str, **facts: Any) -> TrainingPlace:
        """Remember facts; what is known then."""
        return _read(training_id, self._change(training_id, lambda data: {**data, **facts}))

    def _change(self, training_id: str, change: Callable[[Json], Json]) -> Json:
        key = training_key(training_id)
        while True:
            record = self._store.get(key)
            before = record.data if record is not None else {}
            after = change(before)
            expires_at = int(self._clock.now() + KEPT_SECONDS)
            if record is None:
                if self._store.create(key, after, expires_at):
                    return after
            elif after == before or self._store.replace(key, after, record.version, expires_at):
                return after


def _read(training_id: str, data: Json) -> TrainingPlace:
    return TrainingPlace(training_id, Place(**data["place"]), data["member"], data.get("enterprise", ""), data)


def channel_of(approvals_place: str) -> str:
    """The channel's id; empty where the policy names none, or nothing that is one."""
    match = CHANNEL.fullmatch(approvals_place.strip())
    return match[1] if match is not None else ""
