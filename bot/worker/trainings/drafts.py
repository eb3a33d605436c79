"""What the bot remembers of a form of trainings: what was filled in, and what became of each picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from bot.leases import KEPT_SECONDS
from bot.places import training_form_key
from bot.ports.clock import Clock
from bot.ports.records import RecordStore
from commands.training_order import TrainingOrder
from commands.trouble import Trouble
from commands.views.training_form import Filled, FormPlace, Kept, Report

FILLING, REVIEW, ASKED = "filling", "review", "asked"
WAITING, ACCEPTED, REFUSED = "waiting", "accepted", "refused"


@dataclass(frozen=True)
class DraftPicture:
    """A picture by Slack's id of its file. `fault` says as a sentence why it was refused."""

    file: str
    name: str
    state: str = WAITING
    picture_id: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Draft:
    """One form. `drafted` is the order that `training_id` was made with; `generation` counts the trainings made."""

    member: str
    channel: str
    order: TrainingOrder
    thread_ts: str | None = None
    round: int = 0
    generation: int = 0
    training_id: str | None = None
    drafted: TrainingOrder | None = None
    pictures: Sequence[DraftPicture] = ()
    captions: Mapping[str, str] = field(default_factory=dict)
    stage: str = FILLING
    faults: Sequence[str] = ()
    trouble: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        orders = {"order": self.order.to_json(), "drafted": self.drafted.to_json() if self.drafted else None}
        return {**asdict(self), **orders, "pictures": [asdict(one) for one in self.pictures]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Draft:
        """Read what `to_json` wrote."""
        known = {one.name for one in fields(cls)}
        facts = {key: value for key, value in document.items() if key in known}
        facts["order"] = TrainingOrder.from_json(facts["order"])
        facts["drafted"] = TrainingOrder.from_json(facts["drafted"]) if facts["drafted"] else None
        facts["pictures"] = [DraftPicture(**one) for one in facts["pictures"]]
        return cls(**facts)

    @property
    def accepted(self) -> list[DraftPicture]:
        """The pictures that will be trained on."""
        return [one for one in self.pictures if one.state == ACCEPTED]

    @property
    def kept(self) -> list[Kept]:
        """Those that are not refused, as the form shows them: the accepted ones, and those that wait for a check."""
        return [Kept(one.file, one.name) for one in self.pictures if one.state != REFUSED]

    @property
    def report(self) -> Report:
        """What the last check said."""
        trouble = Trouble(**self.trouble) if self.trouble is not None else None
        return Report(self.faults, len(self.accepted), trouble)

    def place(self, key: str, response_url: str | None, team: str) -> FormPlace:
        """What the form's next view carries."""
        return FormPlace(key, self.channel, self.thread_ts, response_url, round=self.round, team=team)

    def with_picture(self, picture: DraftPicture) -> Draft:
        """The same with what is known of one picture now."""
        return replace(self, pictures=[picture if one.file == picture.file else one for one in self.pictures])


class Drafts:
    """The forms in the bot's table."""

    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def load(self, key: str) -> Draft | None:
        """The form as it is remembered."""
        record = self._store.get(training_form_key(key))
        return Draft.from_json(record.data) if record is not None else None

    def fill(self, filled: Filled, member: str) -> Draft:
        """Remember what was filled in and which pictures were added and left out. Repeating it changes nothing."""
        key = filled.place.key

        def merge(draft: Draft | None) -> Draft:
            draft = draft or Draft(member, filled.place.channel, filled.order, filled.place.thread_ts)
            left_out = set(filled.left_out)
            kept = [one for one in draft.pictures if one.file not in left_out]
            there = {one.file for one in kept}
            named = [*((one.file, one.name) for one in filled.place.pictures if one.file not in left_out)]
            named += [(one.file, one.name) for one in filled.added]
            new = [DraftPicture(file, name) for file, name in dict(named).items() if file not in there]
            return replace(
                draft,
                order=filled.order,
                round=filled.place.round + 1,
                pictures=[*kept, *new],
                stage=FILLING,
                faults=(),
                trouble=None,
            )

        return self._change(key, merge)

    def change(self, key: str, change: Callable[[Draft], Draft]) -> Draft:
        """Apply a pure change, again where somebody else was quicker; the form is there."""

        def apply(draft: Draft | None) -> Draft:
            assert draft is not None
            return change(draft)

        return self._change(key, apply)

    def _change(self, key: str, change: Callable[[Draft | None], Draft]) -> Draft:
        record_key = training_form_key(key)
        while True:
            record = self._store.get(record_key)
            after = change(Draft.from_json(record.data) if record is not None else None)
            expires_at = int(self._clock.now() + KEPT_SECONDS)
            if record is None:
                if self._store.create(record_key, after.to_json(), expires_at):
                    return after
            elif self._store.replace(record_key, after.to_json(), record.version, expires_at):
                return after
