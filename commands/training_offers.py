"""What can be trained here, and what it would take: facts that the form shows before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from commands.grammar.options import Value

if TYPE_CHECKING:
    from backend_lambda.contract.trainings import Estimate, TrainingSettings


@dataclass(frozen=True)
class Trainable:
    """An endpoint whose model can be trained. `offer` is the contract's `TrainingOffer` as JSON."""

    name: str
    title: str
    model: str
    offer: Mapping[str, Any]


@dataclass(frozen=True)
class Trainables:
    """What can be trained in a workspace, and the channel (its id, or empty) where approvals are asked."""

    endpoints: Sequence[Trainable] = ()
    approvals_channel: str = ""
    listed_at: float = 0.0

    def named(self, name: str) -> Trainable | None:
        """The endpoint of this name."""
        return next((one for one in self.endpoints if one.name == name), None)

    def first(self, preferred: str) -> Trainable:
        """The preferred one, else the first; raises `IndexError` where there is none."""
        return self.named(preferred) or self.endpoints[0]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Trainables:
        """Read what `to_json` wrote."""
        endpoints = [Trainable(**one) for one in document["endpoints"]]
        return cls(endpoints, document["approvals_channel"], document["listed_at"])


@dataclass(frozen=True)
class Wanted:
    """The preset and the options that override it."""

    preset: str
    options: Mapping[str, Value] = field(default_factory=dict)


def settings_for(trainable: Trainable, wanted: Wanted) -> TrainingSettings | None:
    """Every setting of such a training; None where preset or options are not to be understood."""
    # pydantic is slow to import: only who asks for figures pays for it.
    from backend_lambda.contract.training_estimate import TrainingOffer
    from backend_lambda.contract.trainings import TrainingOptions, TrainingPreset

    try:
        offer = TrainingOffer.model_validate(trainable.offer)
        options = TrainingOptions.model_validate(dict(wanted.options)).model_dump(exclude_none=True)
        return offer.presets[TrainingPreset(wanted.preset)].model_copy(update=options)
    except (ValueError, KeyError):
        return None


def estimate_for(trainable: Trainable, wanted: Wanted) -> Estimate | None:
    """What such a training takes; None where preset or options are not to be understood."""
    from backend_lambda.contract.training_estimate import TrainingOffer, estimate

    settings = settings_for(trainable, wanted)
    return None if settings is None else estimate(TrainingOffer.model_validate(trainable.offer), settings)
