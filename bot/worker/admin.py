"""`/imagine-admin` and `/imagine limits`: done as whoever asked, answered to them alone."""

from __future__ import annotations

from bot.invocation import Invocation, Kind
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import ApiRefused, Credentials, RoleRefused
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.posting import tell
from bot.worker.admin_change import make_change
from bot.worker.admin_look import look
from bot.worker.authorize import AccessRefused
from bot.worker.deps import WorkerDeps
from bot.worker.refusals import refusal_trouble
from commands.sentences import role_refused
from commands.views.blocks import Message
from commands.views.limits import limits_message
from commands.views.trouble import trouble_message

ADMIN_KINDS = frozenset({Kind.ADMIN, Kind.ADMIN_CONFIRMED, Kind.LIMITS})
REPLACING = frozenset({Kind.ADMIN_CONFIRMED, Kind.FINETUNE_CONFIRMED, Kind.FINETUNE_PAGE})
"""What is answered in place of the message whose button was pressed."""


def administer(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> None:
    """Do it and answer. Safe to repeat at any point: what was answered once is answered again, not done again."""
    noted = work.data.get("answer")
    view = Message.from_json(noted) if noted is not None else _outcome(deps, invocation, reference)
    if noted is None and invocation.kind is Kind.ADMIN_CONFIRMED:
        work.note(answer=view.to_json())
    answer(deps, invocation, view)
    work.finish(answer=None)


def answer(deps: WorkerDeps, invocation: Invocation, view: Message) -> bool:
    """Show it to the person alone: in place of the preview, else where they asked, else in a direct message.

    Whether it could be shown.
    """
    if invocation.response_url:
        try:
            deps.slack.respond(invocation.response_url, view, replaces=invocation.kind in REPLACING)
            return True
        except (SlackRefused, SlackUnavailable) as error:
            log.info("could not respond", extra={"request_key": invocation.request_key, "code": str(error)})
    return tell(deps.slack, invocation.channel, invocation.thread_ts, invocation.member, None, view)


def _outcome(deps: WorkerDeps, invocation: Invocation, reference: str) -> Message:
    try:
        authorized = deps.authorize(invocation)
    except AccessRefused as refused:
        return trouble_message(refused.trouble)
    try:
        return _carry_out(deps, invocation, deps.assume(authorized))
    except RoleRefused:
        log.warning("role refused", extra={"request_key": invocation.request_key, "reference": reference})
        return trouble_message(role_refused(reference))
    except ApiRefused as refused:
        code = str(refused.body.get("code"))
        log.info("backend refused", extra={"request_key": invocation.request_key, "code": code, "reference": reference})
        return trouble_message(refusal_trouble(refused, None, reference, authorized))


def _carry_out(deps: WorkerDeps, invocation: Invocation, credentials: Credentials) -> Message:
    match invocation.kind:
        case Kind.LIMITS:
            return limits_message(deps.access.read_limits(credentials))
        case Kind.ADMIN:
            return look(deps, invocation, credentials)
        case _:
            return make_change(deps, invocation, credentials)
