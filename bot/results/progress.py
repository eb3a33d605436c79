"""The status that moves."""

from __future__ import annotations

from backend_lambda.contract.events import JobProgressed
from bot.board import PAINTING, POSTING
from bot.logs import log
from bot.ports.slack import SlackUnavailable
from bot.results.deps import ResultsDeps
from bot.results.request import Request, order_of
from commands.views.status import painting_status, placeholder


def show_progress(deps: ResultsDeps, request: Request, event: JobProgressed) -> None:
    """Show how far a job is. Never after it ended, never backwards, never more often than `progress_seconds`."""
    place = request.place
    facts = deps.board.facts(place.team, place.channel, place.ts) or {}
    now = deps.clock.now()
    if now - facts.get("progress_at", 0.0) < deps.progress_seconds:
        return
    rank = min(PAINTING + event.step, POSTING - 1)
    if facts.get("rank", 0) >= rank:
        return
    status = painting_status(event.step, event.steps, now - request.asked_at)
    view = placeholder(order_of(event), request.member, status, event.job_id)
    try:
        deps.board.show(place, rank, view, progress_at=now, job_id=event.job_id)
    except SlackUnavailable as error:
        # The next one, or the result, says more than a late repetition of this one.
        log.info("progress not shown", extra={"job_id": event.job_id, "problem": str(error)})
