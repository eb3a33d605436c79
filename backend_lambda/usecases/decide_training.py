"""Say yes or no to a training."""

from __future__ import annotations

import logging
from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.access import AuditEntry
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_events import TrainingDecided
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import DecideTraining, Decision, Training
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.announce_training import with_event
from backend_lambda.usecases.approvers import is_self
from backend_lambda.usecases.change_access import record as audit_record
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.conclude_training import conclude, conclude_training
from backend_lambda.usecases.read_training import check_state, find_training
from backend_lambda.usecases.refusals import FieldRefused, NotAllowed, SelfApproval, TrainingNotInState
from backend_lambda.usecases.settle_training import settle_training
from backend_lambda.usecases.start_training import start_training
from backend_lambda.usecases.training_view import view_training

logger = logging.getLogger(__name__)


def decide_training(
    caller: Caller, training_id: str, request: DecideTraining, ports: TrainingPorts, *, by_submitter: bool
) -> Training:
    """Approve it, which starts it, or deny it with a reason. Decided once: whoever comes later reads what was decided.
    `by_submitter`: on the route for who submitted it, of which a policy can speak by itself.

    Raises `TrainingNotFound`, `SelfApproval`, `NotAllowed`, `FieldRefused`, `TrainingNotInState`.
    """
    record = find_training(caller, training_id, ports)
    _check_route(caller, record, by_submitter)
    if not request.approve and not request.reason:
        raise FieldRefused(
            "A denial has a reason. Say in a few words why.", field="reason", given="", allowed="at least 1 character"
        )
    days = ports.trainings.policy(record.owner.tenant).keep_dataset_days
    is_mine = False

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        nonlocal is_mine
        is_mine = False
        if current.decision is not None:
            return None
        check_state(current, TrainingState.AWAITING_APPROVAL, "Only what waits for an approval can be decided.")
        if current.expires_at is not None and current.expires_at <= now:
            raise _Expired
        is_mine = True
        decision = Decision(
            approved=request.approve,
            by=Owner(tenant=caller.tenant, member=caller.member),
            reason=request.reason,
            at=now,
        )
        if not request.approve:
            return conclude(current, TrainingState.DENIED, now, days, {"decision": decision})
        approved = current.model_copy(
            update={"state": TrainingState.APPROVED, "decision": decision, "expires_at": None}
        )
        return with_event(approved, TrainingDecided, now)

    def audit(before: TrainingRecord, after: TrainingRecord) -> AuditEntry:
        assert after.decision is not None
        action = "approve_training" if request.approve else "deny_training"
        if by_submitter:
            action = f"self_{action}"
        return audit_record(caller, after.decision.at, action, f"training#{training_id}", None, after.decision)

    try:
        record = change_training(record, plan, ports, audit)
    except _Expired:
        settle_training(conclude_training(record, TrainingState.EXPIRED, ports), ports)
        raise TrainingNotInState(
            "This request has expired: nobody decided in time. It has to be submitted anew.",
            field="state",
            given=TrainingState.EXPIRED.value,
            allowed=TrainingState.AWAITING_APPROVAL.value,
        ) from None
    if is_mine:
        logger.info(
            "training decided", extra={"training_id": training_id, "approved": request.approve, "by": caller.arn}
        )
        record = settle_training(record, ports)
        if record.state is TrainingState.APPROVED:
            record = start_training(record, ports)
    return view_training(record, ports.files)


class _Expired(Exception):
    """Its time is up, and nobody has noted that yet."""


def _check_route(caller: Caller, record: TrainingRecord, by_submitter: bool) -> None:
    submitted_it = is_self(caller, record.owner.member)
    if submitted_it and not by_submitter:
        raise SelfApproval(
            "You submitted this training yourself, so somebody else has to decide. "
            "Ask another approver, or approve it as your own where your policies allow that.",
            field="training_id",
            given=record.training_id,
            allowed="POST /trainings/{training_id}/self-approval",
        )
    if by_submitter and not submitted_it:
        raise NotAllowed(
            "This is for who submitted the training, and somebody else did. Use the approval instead.",
            field="training_id",
            given=record.training_id,
            allowed="POST /trainings/{training_id}/approval",
        )
