"""What the container is told to train."""

from __future__ import annotations

from backend_lambda.contract.trainings import TrainingKind
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.training_texts import default_caption
from endpoint.contract import OutputLocation
from endpoint.training_contract import MAX_PRIOR_PICTURES, TrainingPicture, TrainingRequest
from endpoint.training_contract import TrainingKind as WireKind

_PRIOR_PICTURES_EACH = 4
"""Pictures of the class for each one of the subject."""
_SAMPLES = 5
"""So many sets of samples in a training, and one at its end."""


def training_request(record: TrainingRecord, bucket: str) -> TrainingRequest:
    """The same for the same training, however often it is started."""
    settings = record.settings
    pictures = [
        TrainingPicture(file=f"{picture.picture_id}.png", caption=picture.caption) for picture in record.accepted
    ]
    prior = min(MAX_PRIOR_PICTURES, _PRIOR_PICTURES_EACH * len(pictures)) if settings.prior_preservation else 0
    subject = record.kind is TrainingKind.SUBJECT
    shown = default_caption(record.trigger, record.what, record.kind)
    plain = f"a {record.what}" if subject and record.what else record.what
    return TrainingRequest(
        training_id=record.training_id,
        name=record.name,
        trigger=record.trigger,
        kind=WireKind(record.kind.value),
        base_model=record.model,
        pictures=pictures,
        resolution=settings.resolution,
        rank=settings.rank,
        steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        text_encoder=settings.text_encoder,
        prior_pictures=prior,
        class_prompt=(plain or "a picture") if prior else "",
        seed=settings.seed,
        # What it learns, in another place, and what must not change.
        sample_prompts=[
            shown,
            f"{shown} on a white background" if subject else f"a house, {shown}",
            *([plain] if plain else []),
        ],
        sample_every=max(1, settings.steps // _SAMPLES),
        output=OutputLocation(bucket=bucket, prefix=record.prefix),
    )
