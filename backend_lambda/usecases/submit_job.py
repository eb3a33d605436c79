"""Take a new job: record it once, then hand it to SageMaker."""

from __future__ import annotations

import hashlib
import json
import logging

from backend_lambda.callers import Caller
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job, Owner, SubmitJob
from backend_lambda.job_record import JobRecord, make_job_id
from backend_lambda.ports import (
    CatalogEntry,
    EndpointCatalog,
    Moderation,
    OverLimit,
    Overtaken,
    SubmittingPorts,
)
from backend_lambda.usecases.applicable_limits import ApplicableLimits, applicable_limits
from backend_lambda.usecases.job_view import view_job
from backend_lambda.usecases.limit_sentences import allowance, hardest, limit_sentence, models_sentence
from backend_lambda.usecases.refusals import (
    EndpointNotFound,
    FieldRefused,
    IdempotencyConflict,
    LimitReached,
    Refusal,
    WordsBlocked,
)
from backend_lambda.usecases.reserve_usage import reserve
from backend_lambda.usecases.resolve_loras import resolve_loras
from backend_lambda.usecases.resolve_settings import resolve_settings
from backend_lambda.usecases.start_job import claim_start, start_job

logger = logging.getLogger(__name__)


def submit_job(caller: Caller, endpoint: str, request: SubmitJob, ports: SubmittingPorts) -> Job:
    """Record the job, count what it takes of the caller's limits, and start it. The same key from the same tenant
    answers the job that there is, whatever is refused by now, and starts it again where whoever recorded it did not get
    that far.

    Raises `EndpointNotFound`, `FieldRefused`, `LoraNotFound`, `LoraNotFitting`, `WordsBlocked`, `LimitReached`, or
    `IdempotencyConflict` where the key came with another request.
    """
    entry = ports.catalog.find(endpoint)
    if entry is None:
        raise endpoint_not_found(endpoint, ports.catalog)
    now = ports.clock.now()
    limits = applicable_limits(ports.recent_access.read(caller.tenant).entries, caller, now)
    try:
        record, existing = _record(caller, entry, request, ports, limits)
    except Refusal as refusal:
        # That a limit is reached says that there is no such job: the store looks for it first.
        is_new = isinstance(refusal, LimitReached)
        existing = None if is_new else ports.jobs.get(make_job_id(caller.tenant, request.idempotency_key))
        if existing is None:
            # What was remembered may be out of date: what refuses is what holds now.
            current = applicable_limits(ports.access.read(caller.tenant).entries, caller, now)
            if current == limits:
                raise
            record, existing = _record(caller, entry, request, ports, current)
    if existing is None:
        logger.info("job accepted", extra={"job_id": record.job_id, "endpoint": endpoint, "tenant": caller.tenant})
        return view_job(start_job(record, ports), ports.pictures)
    if existing.fingerprint != fingerprint(endpoint, request):
        raise IdempotencyConflict(
            "This idempotency key was already used with another request.",
            field="idempotency_key",
            given=request.idempotency_key,
            allowed="a new key for a new request",
        )
    return view_job(_resume(existing, ports), ports.pictures)


def _record(
    caller: Caller, entry: CatalogEntry, request: SubmitJob, ports: SubmittingPorts, limits: ApplicableLimits
) -> tuple[JobRecord, JobRecord | None]:
    """The new job's record, and the one that was there already, if there was one. Raises `Refusal`."""
    now = ports.clock.now()
    if limits.models is not None and entry.name not in limits.models.names:
        raise FieldRefused(
            models_sentence(limits.models),
            field="endpoint",
            given=entry.name,
            allowed=", ".join(limits.models.names) or "none",
            available=list(limits.models.names),
        )
    loras = resolve_loras(caller, request.loras, entry.card.name, ports.loras, ports.pictures.bucket)
    settings = resolve_settings(request, entry.card, ports.pick_seed, limits, [lora.used for lora in loras])
    _check_prompt(caller, settings.prompt, ports.moderation)
    reserved = reserve(limits, caller, settings, entry.pace, now)
    reservations = [reservation for _, reservation in reserved]
    record = JobRecord(
        job_id=make_job_id(caller.tenant, request.idempotency_key),
        owner=Owner(tenant=caller.tenant, member=caller.member),
        endpoint=entry.name,
        sagemaker_endpoint_name=entry.sagemaker_endpoint_name,
        model=entry.card.name,
        settings=settings,
        context=request.context,
        fingerprint=fingerprint(entry.name, request),
        created_at=now,
        state=JobState.ACCEPTED,
        due_at=now + ports.timing.start,
        attempts=1,
        attempted_at=now,
        holds=tuple(reservation.count for reservation in reservations),
        loras=tuple(lora.weights for lora in loras),
    )
    try:
        return record, ports.jobs.create(record, reservations)
    except OverLimit as over:
        limit_of = {reservation: limit for limit, reservation in reserved}
        reached = {limit_of[reservation]: (reservation, used) for reservation, used in over.reached}
        limit, used = hardest([(limit, used) for limit, (_, used) in reached.items()])
        raise LimitReached(
            limit_sentence(limit, used, reached[limit][0].count.amount), limit=allowance(limit, used, now)
        ) from None


def _check_prompt(caller: Caller, prompt: str, moderation: Moderation) -> None:
    """Raises `WordsBlocked`."""
    word = moderation.check_prompt(caller.tenant, prompt).refused_for
    if word is not None:
        raise WordsBlocked(f'The prompt has "{word}" in it, which is blocked here.', field="prompt", given=word)


def _resume(record: JobRecord, ports: SubmittingPorts) -> JobRecord:
    """Start an accepted job again, unless whoever recorded it is likely still at it."""
    if record.state is not JobState.ACCEPTED or record.attempts >= ports.timing.starts:
        return record
    if ports.clock.now() < record.attempted_at + ports.timing.retry:
        return record
    try:
        claimed = claim_start(record, ports)
    except Overtaken as overtaken:
        return overtaken.record or record
    logger.info("job resumed", extra={"job_id": record.job_id, "attempts": claimed.attempts})
    return start_job(claimed, ports)


def endpoint_not_found(name: str, catalog: EndpointCatalog) -> EndpointNotFound:
    """Says which endpoints there are."""
    available = [entry.name for entry in catalog.entries()]
    return EndpointNotFound(
        "There is no endpoint of that name.",
        field="endpoint",
        given=name,
        allowed=", ".join(available) or "none yet",
        available=available,
    )


def fingerprint(endpoint: str, request: SubmitJob) -> str:
    """Tells whether two requests ask for the same pictures. The context is not part of it: a client that tries again
    may have a new message to fill, and must get its job all the same.
    """
    asked = request.model_dump(mode="json", exclude={"idempotency_key", "context"})
    if not asked["loras"]:
        # As it was told before there were LoRAs: a repeated request must find a job from then.
        del asked["loras"]
    return hashlib.sha256(json.dumps([endpoint, asked], sort_keys=True).encode()).hexdigest()
