"""The backend's events as they come from the queue: EventBridge's envelope around the contract's documents."""

from __future__ import annotations

import json

from pydantic import ValidationError

from backend_lambda.contract.events import EVENT_TYPES, SOURCE, JobEvent, JobProgressed
from backend_lambda.contract.training_events import TRAINING_EVENT_TYPES, TrainingEvent
from bot.leases import LeaseHeld, LeaseLost
from bot.logs import log, new_reference
from bot.ports.slack import NotInstalled
from bot.results.deliver import deliver
from bot.results.deps import ResultsDeps, ResultsPorts
from bot.results.progress import show_progress
from bot.results.request import Request, request_of
from bot.results.trainings.follow import follow_training
from commands.sentences import unexpected
from commands.views.failure import failure
from commands.views.trouble import trouble_message


class MalformedEvent(Exception):
    """The queue's message is no event of ours."""


def read_event(body: str) -> JobEvent | TrainingEvent | None:
    """The event in an EventBridge envelope; None for kinds that this code does not know. Raises `MalformedEvent`."""
    try:
        envelope = json.loads(body)
        if envelope["source"] != SOURCE:
            raise MalformedEvent("another source")
        name, detail = envelope["detail-type"], envelope["detail"]
        if name in TRAINING_EVENT_TYPES:
            return TRAINING_EVENT_TYPES[name].model_validate(detail)
        return EVENT_TYPES[name].model_validate(detail) if name in EVENT_TYPES else None
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        # What pydantic says holds the document, and so the prompt: only the kind of error goes on.
        raise MalformedEvent(f"not an event ({type(error).__name__})") from None


def handle_event(ports: ResultsPorts, event: JobEvent | TrainingEvent, message_id: str, is_last_try: bool) -> None:
    """Handle one delivery of an event. Whatever it raises, the queue shall deliver it again."""
    if isinstance(event, TrainingEvent):
        follow_training(ports, event, message_id, is_last_try)
    else:
        _handle_job_event(ports, event, message_id, is_last_try)


def _handle_job_event(ports: ResultsPorts, event: JobEvent, message_id: str, is_last_try: bool) -> None:
    request = request_of(ports.store, event)
    if request is None:
        log.info("not ours", extra={"job_id": event.job_id})
        return
    deps = ports.deps_for(request.place.team, request.enterprise)
    try:
        if isinstance(event, JobProgressed):
            show_progress(deps, request, event)
        else:
            deliver(deps, request, event, message_id)
    except (LeaseHeld, LeaseLost):
        raise
    except NotInstalled as gone:
        log.info("not installed", extra={"job_id": event.job_id, "team": request.place.team, "code": gone.code})
    except Exception:
        reference = new_reference()
        log.exception(
            "event failed",
            extra={
                "job_id": event.job_id,
                "event": type(event).__name__,
                "reference": reference,
                "is_last_try": is_last_try,
            },
        )
        if is_last_try and not isinstance(event, JobProgressed):
            _give_up(deps, request, event, reference)
        raise


def _give_up(deps: ResultsDeps, request: Request, event: JobEvent, reference: str) -> None:
    """Tell the person: in the job's message, or in private where that is gone or out of reach."""
    trouble = unexpected(reference)
    view = failure(event.settings.prompt, request.member, trouble, request.key)
    if not deps.board.show_last_word(request.place, view):
        deps.slack.write_to(request.member, trouble_message(trouble))
