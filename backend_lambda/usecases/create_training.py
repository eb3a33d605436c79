"""Begin a training: a draft that pictures are added to."""

from __future__ import annotations

import hashlib
import json
import logging

from backend_lambda.callers import Caller
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.limits import MAX_CONTEXT_CHARS
from backend_lambda.contract.training_estimate import estimate
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import CreateTraining, Training
from backend_lambda.training_ports import TooManyTrainings, TrainingPorts
from backend_lambda.training_record import TrainingRecord, make_training_id
from backend_lambda.usecases.refusals import (
    FieldRefused,
    IdempotencyConflict,
    LimitReached,
    NoTrainingHere,
    Refusal,
)
from backend_lambda.usecases.resolve_training import resolve_training
from backend_lambda.usecases.submit_job import endpoint_not_found
from backend_lambda.usecases.training_texts import check_words
from backend_lambda.usecases.training_view import view_training

logger = logging.getLogger(__name__)

MAX_OPEN_TRAININGS = 20
"""So many of a tenant's trainings may be open at once, drafts included."""


def create_training(caller: Caller, request: CreateTraining, ports: TrainingPorts) -> Training:
    """Record the draft. The same key from the same member answers the training that there is, whatever would be refused
    by now.

    Raises `EndpointNotFound`, `NoTrainingHere`, `FieldRefused`, `WordsBlocked`, `LoraNameTaken`, `LimitReached`,
    or `IdempotencyConflict` where the key came with another request.
    """
    training_id = make_training_id(caller.tenant, caller.member, request.idempotency_key)
    try:
        record = _draft(caller, training_id, request, ports)
        existing = ports.trainings.create(record, most_open=MAX_OPEN_TRAININGS)
    except (Refusal, TooManyTrainings) as refused:
        existing = ports.trainings.get(training_id)
        if existing is None and isinstance(refused, TooManyTrainings):
            raise LimitReached(
                f"{MAX_OPEN_TRAININGS} trainings of this workspace are open already. "
                "Cancel one, or wait until one has ended.",
                field="trainings_at_once",
                given=str(MAX_OPEN_TRAININGS),
                allowed=f"at most {MAX_OPEN_TRAININGS} at once",
            ) from None
        if existing is None:
            raise
    if existing is None:
        logger.info("training begun", extra={"training_id": training_id, "tenant": caller.tenant})
        return view_training(record, ports.files)
    if existing.fingerprint != _fingerprint(request):
        raise IdempotencyConflict(
            "This idempotency key was already used with another request.",
            field="idempotency_key",
            given=request.idempotency_key,
            allowed="a new key for a new request",
        )
    return view_training(existing, ports.files)


def _draft(caller: Caller, training_id: str, request: CreateTraining, ports: TrainingPorts) -> TrainingRecord:
    size = len(json.dumps(request.context, ensure_ascii=False))
    if size > MAX_CONTEXT_CHARS:
        raise FieldRefused(
            f"The context has {size} characters; at most {MAX_CONTEXT_CHARS} are allowed.",
            field="context",
            given=f"{size} characters",
            allowed=f"at most {MAX_CONTEXT_CHARS} characters",
        )
    entry = ports.catalog.find(request.endpoint)
    if entry is None:
        raise endpoint_not_found(request.endpoint, ports.catalog)
    if entry.training is None:
        able = [one.name for one in ports.catalog.entries() if one.training is not None]
        raise NoTrainingHere(
            "The model of this endpoint can't be trained. Choose another one, or ask whoever runs Easel to enable it.",
            field="endpoint",
            given=entry.name,
            allowed=", ".join(able) or "none yet",
            available=able,
        )
    settings = resolve_training(request, entry.card, entry.training, ports.pick_seed)
    texts = {
        "name": request.name,
        "trigger": request.trigger,
        "what": request.what,
        "licence_note": request.licence_note,
    }
    check_words(caller.tenant, texts, ports.moderation)
    now = ports.clock.now()
    ports.loras.check_name(Owner(tenant=caller.tenant, member=caller.member), request.name, now)
    expires_at = now + ports.timing.draft
    return TrainingRecord(
        training_id=training_id,
        state=TrainingState.DRAFT,
        name=request.name,
        trigger=request.trigger,
        kind=request.kind,
        what=" ".join(request.what.split()),
        endpoint=entry.name,
        model=entry.card.name,
        preset=request.preset,
        settings=settings,
        owner=Owner(tenant=caller.tenant, member=caller.member),
        channel=caller.channel,
        licence_note=request.licence_note,
        context=request.context,
        fingerprint=_fingerprint(request),
        estimate=estimate(entry.training.offer, settings),
        created_at=now,
        expires_at=expires_at,
        due_at=expires_at,
    )


def _fingerprint(request: CreateTraining) -> str:
    """Tells whether two requests ask for the same training. The context is not part of it: a client that tries again
    may have a new message to fill, and must get its training all the same.
    """
    asked = request.model_dump(mode="json", exclude={"idempotency_key", "context"})
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
