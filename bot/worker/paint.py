"""From an order to a job: placeholder, role, backend."""

from __future__ import annotations

from typing import Any

from bot.board import FINAL, QUEUED, WAITING
from bot.invocation import Invocation, Kind
from bot.leases import Work
from bot.logs import log
from bot.places import Place
from bot.ports.backend import AcceptedJob, ApiRefused, Credentials, RoleRefused
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.posting import UNREACHABLE_CODES, post_once, tell
from bot.worker.authorize import AccessRefused, Authorized
from bot.worker.deps import WorkerDeps
from bot.worker.models import models
from bot.worker.refusals import refusal_trouble
from bot.worker.threads import latest_order, note_latest
from commands.mention import Said, order_of
from commands.order import PaintOrder
from commands.sentences import Trouble, mistakes_text, not_in_channel, role_refused
from commands.views.blocks import Message, message, section
from commands.views.failure import failure
from commands.views.settings import FinishedSettings
from commands.views.status import placeholder, queued_status, waiting_status
from commands.views.trouble import trouble_message


def paint(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> None:
    """Start the job that the invocation asks for and leave its placeholder behind. Safe to repeat at any point."""
    order = _settled_order(deps, invocation, work)
    if order is None:
        return
    try:
        authorized = deps.authorize(invocation)
        credentials = deps.assume(authorized)
    except AccessRefused as refused:
        _refuse(deps, invocation, work, refused.trouble)
        return
    except RoleRefused:
        log.warning("role refused", extra={"request_key": invocation.request_key, "reference": reference})
        _refuse(deps, invocation, work, role_refused(reference))
        return
    place = _placeholder(deps, invocation, work, order)
    if place is None:
        return
    job = _submit(deps, invocation, work, place, order, (authorized, credentials), reference)
    if job is None:
        return
    _accepted(deps, invocation, place, order, job, credentials)
    work.finish()


def give_up(deps: WorkerDeps, invocation: Invocation, work: Work | None, trouble: Trouble) -> None:
    """Say that it did not work: in the placeholder where there is one, else to the person alone."""
    data = work.data if work is not None else {}
    order = data.get("order")
    if data.get("message_ts") and order:
        place = Place(invocation.team, invocation.channel, data["message_ts"], invocation.thread_ts)
        view = failure(order["prompt"], invocation.member, trouble, invocation.request_key)
        if deps.board.show_last_word(place, view):
            return
    _tell(deps, invocation, trouble_message(trouble))


def _settled_order(deps: WorkerDeps, invocation: Invocation, work: Work) -> PaintOrder | None:
    """What is to be painted, settled once and noted: a retry must ask the backend for the very same."""
    noted = work.data.get("order")
    if noted is not None:
        return PaintOrder.from_json(noted)
    if invocation.kind is Kind.SAY:
        latest = None
        if invocation.thread_ts is not None:
            latest = latest_order(deps.store, invocation.team, invocation.channel, invocation.thread_ts)
        settled = order_of(Said.from_json(invocation.said), latest)
        if isinstance(settled, tuple):
            text = mistakes_text(settled)
            _tell(deps, invocation, message(text, [section(text)]))
            work.finish()
            return None
        order = settled
    else:
        order = PaintOrder.from_json(invocation.order)
    work.note(order=order.to_json())
    return order


def _placeholder(deps: WorkerDeps, invocation: Invocation, work: Work, order: PaintOrder) -> Place | None:
    view = placeholder(order, invocation.member, queued_status())
    try:
        ts = post_once(
            deps.slack,
            deps.clock,
            work,
            "message_ts",
            invocation.channel,
            invocation.thread_ts,
            view,
            invocation.request_key,
        )
    except SlackRefused as refused:
        if refused.code not in UNREACHABLE_CODES:
            raise
        log.info("can't post here", extra={"request_key": invocation.request_key, "code": refused.code})
        _refuse(deps, invocation, work, not_in_channel())
        return None
    place = Place(invocation.team, invocation.channel, ts, invocation.thread_ts)
    deps.board.open(
        place,
        QUEUED,
        view,
        request_key=invocation.request_key,
        requester=invocation.member,
        order=order.to_json(),
        asked_at=invocation.at,
    )
    log.info("placeholder", extra={"request_key": invocation.request_key, "message_ts": ts})
    return place


def _submit(
    deps: WorkerDeps,
    invocation: Invocation,
    work: Work,
    place: Place,
    order: PaintOrder,
    session: tuple[Authorized, Credentials],
    reference: str,
) -> AcceptedJob | None:
    endpoint = order.model or deps.default_endpoint
    authorized, credentials = session
    try:
        job = deps.api.submit_job(credentials, endpoint, _body(invocation, place, order))
    except ApiRefused as refused:
        log.info(
            "backend refused",
            extra={"request_key": invocation.request_key, "code": refused.body.get("code"), "reference": reference},
        )
        trouble = refusal_trouble(refused, endpoint, reference, authorized)
        deps.board.show(place, FINAL, failure(order.prompt, invocation.member, trouble, invocation.request_key))
        work.finish()
        return None
    log.info("job accepted", extra={"request_key": invocation.request_key, "job_id": job.job_id})
    work.note(job_id=job.job_id)
    return job


def _accepted(
    deps: WorkerDeps,
    invocation: Invocation,
    place: Place,
    order: PaintOrder,
    job: AcceptedJob,
    credentials: Credentials,
) -> None:
    settings = FinishedSettings(**job.settings, model=job.model)
    deps.board.note(place, job_id=job.job_id, order=settings.order(job.endpoint).to_json())
    note_latest(deps.store, deps.clock, place)
    instances = {model.name: model.instances for model in models(deps, invocation.team, credentials)}
    status = waiting_status(is_starting=instances.get(job.endpoint) == 0)
    try:
        deps.board.show(place, WAITING, placeholder(order, invocation.member, status, job.job_id))
    except SlackUnavailable as error:
        # The next status or the result will be shown all the same.
        log.info("status not shown", extra={"job_id": job.job_id, "problem": str(error)})


def _body(invocation: Invocation, place: Place, order: PaintOrder) -> dict[str, Any]:
    context = {
        "team": place.team,
        "channel": place.channel,
        "thread_ts": place.thread_ts or "",
        "message_ts": place.ts,
        "member": invocation.member,
        "request_key": invocation.request_key,
        **({"enterprise": invocation.enterprise} if invocation.enterprise else {}),
    }
    settings = {key: value for key, value in order.to_json().items() if key not in {"model", "loras"}}
    if order.loras:
        settings["loras"] = [choice.to_json() for choice in order.chosen_loras]
    return {**settings, "idempotency_key": invocation.request_key, "context": context}


def _refuse(deps: WorkerDeps, invocation: Invocation, work: Work, trouble: Trouble) -> None:
    """An earlier try may have left a placeholder, before a grant ended or a deny came: it must not wait for ever."""
    give_up(deps, invocation, work, trouble)
    work.finish()


def _tell(deps: WorkerDeps, invocation: Invocation, view: Message) -> None:
    tell(deps.slack, invocation.channel, invocation.thread_ts, invocation.member, invocation.response_url, view)
