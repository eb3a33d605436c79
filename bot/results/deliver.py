"""The end of a job: its message becomes the result, once."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from backend_lambda.contract.events import JobCancelled, JobEvent, JobFailed, JobSucceeded
from bot.board import FINAL, POSTING, Shown
from bot.leases import LeaseHeld, LeaseLost, Work, claim
from bot.logs import log
from bot.places import delivery_key
from bot.ports.backend import PictureGone
from bot.ports.records import Json
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.posting import post_once
from bot.results.deps import ResultsDeps
from bot.results.request import Request, order_of, settings_of
from bot.uploading import share_once, upload_once, wait_until_ready
from commands.sentences import job_trouble, picture_gone
from commands.views.blocks import Message
from commands.views.failure import failure
from commands.views.result import alt_text, cancelled, file_name, result
from commands.views.status import placeholder, posting_status

FILE_REFUSED_CODES = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "slack_file_not_found", "invalid_slack_file"}
)
BLOCK_TRIES = 3
BLOCK_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Delivery:
    """One claimed end of a job."""

    event: JobEvent
    request: Request
    work: Work


def deliver(deps: ResultsDeps, request: Request, event: JobEvent, message_id: str) -> None:
    """Show how a job ended. The first end that arrives counts; repeated and late ones change nothing."""
    work = claim(deps.store, deps.clock, delivery_key(event.job_id), message_id)
    if work is None:
        log.info("already delivered", extra={"job_id": event.job_id, "request_key": request.key})
        return
    try:
        _end(deps, Delivery(event, request, work))
    except (LeaseHeld, LeaseLost):
        raise
    except NotInstalled:
        # The app was taken out of the workspace meanwhile: nobody waits, and trying again would change nothing.
        work.finish(dropped=True)
        raise
    except Exception:
        with contextlib.suppress(LeaseLost):
            work.release()
        raise
    work.finish()
    log.info(
        "delivered",
        extra={
            "job_id": event.job_id,
            "request_key": request.key,
            "event": type(event).__name__,
            "seconds": round(deps.clock.now() - request.asked_at, 3),
        },
    )


def _end(deps: ResultsDeps, delivery: Delivery) -> None:
    event, request = delivery.event, delivery.request
    match event:
        case JobSucceeded():
            _deliver_pictures(deps, delivery, event)
        case JobFailed():
            names = [f"{lora.name}@{lora.version}" for lora in event.settings.loras]
            trouble = job_trouble(event.failure.code, event.failure.reference, names)
            _show_end(deps, delivery, failure(event.settings.prompt, request.member, trouble, request.key))
        case JobCancelled():
            _show_end(deps, delivery, cancelled(event.settings.prompt, request.member))
        case _:
            raise ValueError(f"{type(event).__name__} is no end")


def _deliver_pictures(deps: ResultsDeps, delivery: Delivery, event: JobSucceeded) -> None:
    request, work = delivery.request, delivery.work
    shown = event.grid or event.pictures[0]
    settings = settings_of(event)
    try:
        content = deps.pictures.read(shown.bucket, shown.key)
    except PictureGone:
        log.warning("pictures are gone", extra={"job_id": event.job_id})
        _show_end(deps, delivery, failure(settings.prompt, request.member, picture_gone(), request.key))
        return
    name, alt = file_name(settings.prompt, settings.seeds[0]), alt_text(settings)
    file_id = upload_once(deps.slack, work, "file_id", name, alt, content)
    _show_posting(deps, delivery)
    is_ready = wait_until_ready(deps.slack, deps.clock, file_id)

    def view(shown_file: str | None) -> Message:
        seconds = deps.clock.now() - request.asked_at
        return result(settings, request.member, event.job_id, shown_file, seconds, event.model_seconds)

    # Buttons work as soon as they are seen: what they need is noted before.
    facts: Json = {
        "pictures": [{"bucket": one.bucket, "key": one.key} for one in event.pictures],
        "settings": event.settings.model_dump() | {"model": event.model},
        "files": [file_id],
    }
    if is_ready and _show_with_file(deps, delivery, view(file_id), facts):
        return
    # Slack won't show the file in a block: it goes into the thread as a file of its own.
    place = request.place
    shared = share_once(deps.slack, work, "shared_file_id", name, alt, content, place.channel, place.root_ts)
    _show_end(deps, delivery, view(None), **{**facts, "files": [file_id, shared]})


def _show_with_file(deps: ResultsDeps, delivery: Delivery, view: Message, facts: Json) -> bool:
    """Show the result with its picture; False where Slack refuses the file, though it said that it is ready."""
    for attempt in range(BLOCK_TRIES):
        try:
            _show_end(deps, delivery, view, **facts)
            return True
        except SlackRefused as refused:
            if refused.code not in FILE_REFUSED_CODES:
                raise
            log.info("file refused", extra={"job_id": delivery.event.job_id, "code": refused.code})
            if attempt < BLOCK_TRIES - 1:
                deps.clock.sleep(BLOCK_RETRY_SECONDS)
    return False


def _show_posting(deps: ResultsDeps, delivery: Delivery) -> None:
    """A status while Slack processes the file, which has to be waited for anyway."""
    event, request = delivery.event, delivery.request
    view = placeholder(order_of(event), request.member, posting_status())
    try:
        deps.board.show(request.place, POSTING, view, job_id=event.job_id)
    except (SlackUnavailable, SlackRefused) as error:
        log.info("status not shown", extra={"job_id": event.job_id, "problem": str(error)})


def _show_end(deps: ResultsDeps, delivery: Delivery, view: Message, **facts: object) -> None:
    """Turn the job's message into its end; where somebody deleted it, into a new message."""
    event, request = delivery.event, delivery.request
    known = {
        "request_key": request.key,
        "requester": request.member,
        "job_id": event.job_id,
        "order": order_of(event).to_json(),
        "asked_at": request.asked_at,
        "is_final": True,
        **facts,
    }
    place = request.place
    if deps.board.show(place, FINAL, view, **known) is not Shown.GONE:
        return
    log.info("message was deleted, posting anew", extra={"job_id": event.job_id})
    thread_ts = place.thread_ts
    waiting = placeholder(order_of(event), request.member, posting_status())
    try:
        ts = post_once(
            deps.slack,
            deps.clock,
            delivery.work,
            "repost_ts",
            place.channel,
            thread_ts,
            waiting,
            f"{request.key}-again",
        )
    except SlackRefused as refused:
        if thread_ts is None or refused.code not in {"thread_not_found", "cannot_reply_to_message"}:
            raise
        raise SlackUnavailable("the thread is gone") from refused
    deps.board.show(replace(place, ts=ts), FINAL, view, **known)
