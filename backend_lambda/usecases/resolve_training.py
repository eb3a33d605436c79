"""What a training is going to be made with: the preset, and what overrides it."""

from __future__ import annotations

from collections.abc import Callable

from backend_lambda.contract.trainings import CreateTraining, TrainingKind, TrainingSettings
from backend_lambda.ports import TrainingMachine
from backend_lambda.usecases.refusals import FieldRefused
from endpoint.contract import ModelCard


def resolve_training(
    request: CreateTraining, card: ModelCard, machine: TrainingMachine, pick_seed: Callable[[], int]
) -> TrainingSettings:
    """Every setting, filled in. Raises `FieldRefused` for what this model can't do."""
    preset = machine.offer.presets.get(request.preset)
    if preset is None:
        raise FieldRefused(
            "This model has no such preset.",
            field="preset",
            given=request.preset.value,
            allowed=", ".join(machine.offer.presets),
            available=[one.value for one in machine.offer.presets],
        )
    named = request.options.model_dump(exclude_none=True)
    settings = preset.model_copy(update={"seed": pick_seed()} | named)
    most = int(card.max_pixels**0.5) // card.size_multiple * card.size_multiple
    if settings.resolution % card.size_multiple or settings.resolution > most:
        raise FieldRefused(
            f"This model trains at a multiple of {card.size_multiple} pixels, up to {most}.",
            field="options.resolution",
            given=str(settings.resolution),
            allowed=f"a multiple of {card.size_multiple}, at most {most}",
        )
    if settings.prior_preservation and not request.what.strip() and request.kind is TrainingKind.SUBJECT:
        raise FieldRefused(
            "Prior preservation needs to know what the subject is, such as mug. Say it, or turn that option off.",
            field="what",
            given="",
            allowed="one or two words",
        )
    return settings
