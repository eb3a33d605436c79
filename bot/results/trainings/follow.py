"""A training's events, in any order and twice: the latest one is what its messages show."""

from __future__ import annotations

from dataclasses import replace

from backend_lambda.contract.training_events import TrainingEvent, TrainingProgressed, TrainingRequested
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from bot.board import DELETED, FINAL, GIVEN_UP, WAITING, Shown
from bot.leases import LeaseHeld, LeaseLost, Work
from bot.logs import log, new_reference
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.posting import post_once
from bot.results.deps import ResultsDeps, ResultsPorts
from bot.results.trainings.files import drop, upload
from bot.results.trainings.once import once
from bot.results.trainings.pictures import show_pictures
from bot.results.trainings.request import ask_approvers, settle_request
from bot.training_records import TrainingPlace, TrainingRecords, channel_of
from commands.sentences import unexpected
from commands.views.blocks import Message
from commands.views.training_status import asking_message, end_reply, not_asked_message, status_message
from commands.views.trouble import trouble_message

STATUS_SECONDS = 3.0
"""The least time between two statuses of a running training."""
THREAD_GONE_CODES = frozenset({"thread_not_found", "cannot_reply_to_message", "message_not_found"})


def follow_training(ports: ResultsPorts, event: TrainingEvent, message_id: str, is_last_try: bool) -> None:
    """Handle one delivery of an event. Whatever it raises, the queue shall deliver it again."""
    training_id = event.training.training_id
    found = TrainingRecords(ports.store, ports.clock).find(training_id)
    if found is None or event.training.owner.tenant != found.place.team:
        log.info("not ours", extra={"training_id": training_id})
        return
    if event.training.submitted_at is None:
        # A draft that was never handed in has ended; its form knows.
        log.info("a draft", extra={"training_id": training_id})
        return
    deps = ports.deps_for(found.place.team, found.enterprise)
    try:
        _follow(deps, found, event, message_id)
    except (LeaseHeld, LeaseLost):
        raise
    except NotInstalled as gone:
        log.info("not installed", extra={"training_id": training_id, "team": found.place.team, "code": gone.code})
    except Exception:
        reference = new_reference()
        facts = {"training_id": training_id, "event": type(event).__name__, "reference": reference}
        log.exception("event failed", extra={**facts, "is_last_try": is_last_try})
        if is_last_try and not isinstance(event, TrainingProgressed):
            _give_up(deps, found, event.training, reference)
        raise


def _follow(deps: ResultsDeps, found: TrainingPlace, event: TrainingEvent, message_id: str) -> None:
    training, rank = event.training, rank_of(event)
    if isinstance(event, TrainingProgressed):
        _progress(deps, found, training, rank, message_id)
        return
    if isinstance(event, TrainingRequested):
        channel = channel_of(event.approvals_place)

        def ask(work: Work) -> None:
            ask_approvers(deps, found, event, work, channel)

        once(deps, training.training_id, f"request-{event.sequence}", message_id, ask)
        deps.board.show(found.place, rank, status_message(training, channel))
        return
    settle_request(deps, found, training)
    if training.state.is_final:
        _end(deps, found, training, rank, message_id)
    else:
        deps.board.show(found.place, rank, status_message(training), state=training.state.value)


def rank_of(event: TrainingEvent) -> int:
    """The later event's is the larger one, and every end's is larger than all others'."""
    if event.training.state.is_final:
        return min(FINAL + event.sequence, DELETED - 1)
    return min(WAITING + event.sequence, GIVEN_UP - 1)


def _progress(deps: ResultsDeps, found: TrainingPlace, training: Training, rank: int, message_id: str) -> None:
    """Show how far it is. What can't be shown now is outdated soon: nothing is tried again for it."""
    if not found.is_decided:
        # The event of the decision may be late, or never come.
        settle_request(deps, found, training)
    place = found.place
    facts = deps.board.facts(place.team, place.channel, place.ts) or {}
    now = deps.clock.now()
    is_news = facts.get("state") != training.state.value
    is_due = is_news or now - facts.get("progress_at", 0.0) >= STATUS_SECONDS
    try:
        if is_due and facts.get("rank", -1) < rank:
            view = status_message(training)
            deps.board.show(place, rank, view, state=training.state.value, progress_at=now)
        if facts.get("rank", -1) < FINAL:
            show_pictures(deps, found, training, rank, message_id)
    except NotInstalled:
        raise
    except (SlackRefused, SlackUnavailable) as error:
        log.info("progress not shown", extra={"training_id": training.training_id, "problem": str(error)})


def _end(deps: ResultsDeps, found: TrainingPlace, training: Training, rank: int, message_id: str) -> None:
    """Show how it ended, and tell whoever asked for it."""

    def end(work: Work) -> None:
        samples = None
        if training.state is TrainingState.SUCCEEDED and training.report is not None:
            name, alt = f"{training.name}-samples.png", f"Before and after training {training.name}"
            samples = upload(deps, work, "samples", training.report.samples, name, alt)
        place = _show_end(deps, found, training, rank, work, samples)
        reply = end_reply(training)
        if place is not None and reply is not None:
            _reply(deps, place, training, work, reply)
        if place is not None:
            _last_pictures(deps, place, training, rank, message_id)

    once(deps, training.training_id, f"end-{rank}", message_id, end)


def _last_pictures(deps: ResultsDeps, found: TrainingPlace, training: Training, rank: int, message_id: str) -> None:
    """The whole loss, and the last samples, in the thread too."""
    try:
        show_pictures(deps, found, training, rank, message_id, is_last=True)
    except NotInstalled:
        raise
    except (SlackRefused, SlackUnavailable) as error:
        log.info("last pictures not shown", extra={"training_id": training.training_id, "problem": str(error)})


def _show_end(
    deps: ResultsDeps, found: TrainingPlace, training: Training, rank: int, work: Work, samples: str | None
) -> TrainingPlace | None:
    """Turn the message into its end; where somebody deleted it, into a new one. None where a later end is there."""
    shown = _show(deps, found, training, rank, samples)
    if shown is Shown.OUTDATED:
        drop(deps, samples)
        return None
    if shown is Shown.SHOWN:
        return found
    log.info("message was deleted, posting anew", extra={"training_id": training.training_id})
    place, key = found.place, f"{training.training_id}-again"
    view = asking_message(training.name, training.owner.member)
    thread_ts = place.thread_ts
    ts = post_once(deps.slack, deps.clock, work, "repost_ts", place.channel, thread_ts, view, key)
    again = replace(found, place=replace(place, ts=ts))
    _show(deps, again, training, rank, samples)
    return again


def _show(deps: ResultsDeps, found: TrainingPlace, training: Training, rank: int, samples: str | None) -> Shown:
    facts = {"state": training.state.value, "training_id": training.training_id, "files": [samples] if samples else []}
    try:
        return deps.board.show(found.place, rank, status_message(training, samples=samples), **facts)
    except NotInstalled:
        raise
    except SlackRefused as refused:
        if samples is None:
            raise
        # Slack says that the file is ready and won't show it: the end matters more.
        log.info("samples refused", extra={"training_id": training.training_id, "code": refused.code})
        return deps.board.show(found.place, rank, status_message(training), **facts)


def _reply(deps: ResultsDeps, found: TrainingPlace, training: Training, work: Work, view: Message) -> None:
    place, key = found.place, f"{training.training_id}-end"
    try:
        post_once(deps.slack, deps.clock, work, "reply_ts", place.channel, place.root_ts, view, key)
    except NotInstalled:
        raise
    except SlackRefused as refused:
        if refused.code not in THREAD_GONE_CODES:
            raise
        log.info("thread is gone", extra={"training_id": training.training_id})


def _give_up(deps: ResultsDeps, found: TrainingPlace, training: Training, reference: str) -> None:
    """Tell the person: in the training's message, or in private where that is gone or out of reach."""
    trouble = unexpected(reference)
    if training.state.is_final:
        view = not_asked_message(training.name, training.owner.member, trouble)
        if deps.board.show_last_word(found.place, view):
            return
    deps.slack.write_to(found.member, trouble_message(trouble))
