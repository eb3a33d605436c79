"""Who else could approve a training, as far as the tenant's grants tell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry
from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from backend_lambda.contract.subjects import SubjectKind


def is_only_approver(caller: Caller, entries: Iterable[Entry], now: datetime) -> bool:
    """Whether surely nobody but the caller may approve.

    A grant to more than one member, or of a role of the customer's own, may reach others who may: then nobody is alone
    for sure. An IAM principal's tenant has no other approvers: see `is_self`.
    """
    if not caller.is_of_workspace:
        return True
    counting = [entry for entry in entries if not entry.has_ended(now)]
    denied = {entry.id for entry in counting if entry.effect is Effect.DENY and entry.kind is SubjectKind.MEMBER} | {
        member for entry in counting if entry.effect is Effect.DENY for member in entry.reaches
    }
    approving = [entry for entry in counting if entry.effect is Effect.GRANT and _may_approve(entry)]
    if any(entry.kind is not SubjectKind.MEMBER for entry in approving):
        return False
    return {entry.id for entry in approving} - denied == {caller.member}


def is_self(caller: Caller, submitter: str) -> bool:
    """Whether the caller counts as who submitted it. The sessions of an IAM principal of its own choose their names, so
    all of them count as one.
    """
    return caller.member == submitter or not caller.is_of_workspace


def _may_approve(entry: Entry) -> bool:
    if entry.role is not None:
        return Action.APPROVE in ROLE_ACTIONS.get(entry.role, ())
    # Only IAM knows what a role of the customer's own may do.
    return entry.role_arn is not None
