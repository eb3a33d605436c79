"""Approve, Deny, Cancel: done as whoever pressed. IAM decides whether they may; the bot only tells."""

from __future__ import annotations

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from bot.board import FINAL, Shown
from bot.invocation import Invocation, Kind
from bot.logs import log
from bot.places import Place
from bot.ports.backend import ApiRefused, Credentials
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.posting import tell
from bot.training_records import TrainingRecords
from bot.worker.deps import WorkerDeps
from commands.sentences_training import (
    already_decided,
    may_not_approve_own,
    may_not_cancel,
    may_not_decide,
    training_finishing,
    training_over,
)
from commands.views.blocks import Message
from commands.views.training_request import (
    decided_message,
    decision_told,
    how_decided,
    self_approval_offer,
)
from commands.views.trouble import trouble_message


def decide(deps: WorkerDeps, invocation: Invocation) -> None:
    """Approve or deny, and leave no live button behind. Pressing twice is pressing once.

    Raises `AccessRefused`, `RoleRefused`, and `ApiRefused` for what is not about deciding.
    """
    authorized = deps.authorize(invocation)
    credentials = deps.assume(authorized)
    try:
        training = _call(deps, invocation, credentials)
    except ApiRefused as refused:
        match refused.body.get("code"):
            case "not_allowed" if invocation.kind is Kind.TRAINING_SELF_APPROVE:
                _tell(deps, invocation, trouble_message(may_not_approve_own(authorized.admins)))
                return
            case "not_allowed":
                _tell(deps, invocation, trouble_message(may_not_decide(authorized.admins)))
                return
            case "self_approval":
                _tell(deps, invocation, self_approval_offer(invocation.value, invocation.team))
                return
            case "training_not_in_state":
                # It has expired or was withdrawn.
                training = deps.trainings.see_training(credentials, invocation.value)
            case _:
                raise
    show_decision(deps, training)
    if not _is_this_decision(invocation, training):
        _tell(deps, invocation, trouble_message(already_decided(how_decided(training))))
        return
    log.info("training decided", extra={"training_id": training.training_id, "member": invocation.member})
    if invocation.kind is Kind.TRAINING_SELF_APPROVE:
        _replace(deps, invocation, decision_told(training))


def cancel(deps: WorkerDeps, invocation: Invocation) -> None:
    """Cancel what is open; what has ended stays."""
    credentials = deps.credentials_for(invocation)
    training = deps.trainings.see_training(credentials, invocation.value)
    try:
        training = deps.trainings.cancel_training(credentials, training.training_id)
    except ApiRefused as refused:
        match refused.body.get("code"):
            case "not_allowed":
                _tell(deps, invocation, trouble_message(may_not_cancel(training.owner.member)))
            case "training_not_in_state":
                _tell(deps, invocation, trouble_message(training_finishing()))
            case _:
                raise
        return
    if training.state is not TrainingState.CANCELLED:
        _tell(deps, invocation, trouble_message(training_over()))
        return
    log.info("training cancelled", extra={"training_id": training.training_id, "member": invocation.member})
    show_decision(deps, training)


def show_decision(deps: WorkerDeps, training: Training) -> None:
    """Take the buttons off the message that asked, where it is known by now; the event does it too."""
    found = TrainingRecords(deps.store, deps.clock).find(training.training_id)
    place: Place | None = found.approval if found is not None else None
    if found is None or place is None or training.state is TrainingState.AWAITING_APPROVAL:
        return
    if deps.board.show(place, FINAL, decided_message(training, found.sheet_file)) is Shown.GONE:
        log.info("request was deleted", extra={"training_id": training.training_id})


def _call(deps: WorkerDeps, invocation: Invocation, credentials: Credentials) -> Training:
    api, training_id = deps.trainings, invocation.value
    match invocation.kind:
        case Kind.TRAINING_SELF_APPROVE:
            return api.approve_own_training(credentials, training_id)
        case Kind.TRAINING_DENY:
            reason = str(invocation.training.get("reason") or "")
            return api.decide_training(credentials, training_id, approve=False, reason=reason)
        case _:
            return api.decide_training(credentials, training_id, approve=True, reason="")


def _is_this_decision(invocation: Invocation, training: Training) -> bool:
    """Whether what holds is what was pressed, by whoever pressed: now, or in an earlier try or press."""
    decision = training.decision
    is_approval = invocation.kind is not Kind.TRAINING_DENY
    return decision is not None and decision.by.member == invocation.member and decision.approved == is_approval


def _tell(deps: WorkerDeps, invocation: Invocation, view: Message) -> None:
    """Beside the message whose button was pressed, to whoever pressed it."""
    tell(deps.slack, invocation.channel, invocation.thread_ts, invocation.member, invocation.response_url, view)


def _replace(deps: WorkerDeps, invocation: Invocation, view: Message) -> None:
    if invocation.response_url is None:
        return
    try:
        deps.slack.respond(invocation.response_url, view, replaces=True)
    except NotInstalled:
        raise
    except (SlackRefused, SlackUnavailable) as error:
        log.info("offer not replaced", extra={"code": str(error)})
