"""Look through a tenant's trainings."""

from __future__ import annotations

import re

from backend_lambda.callers import Caller
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingList
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.usecases.positions import read_position, write_position
from backend_lambda.usecases.training_view import view_training

_POSITION = re.compile(r"[0-9]{14}#trn-[a-z2-7]{26}")


def list_trainings(
    caller: Caller, ports: TrainingPorts, *, limit: int, position: str | None, state: TrainingState | None, mine: bool
) -> TrainingList:
    """A page of the tenant's trainings, newest first, without pictures. Raises `FieldRefused` for a position that this
    caller was not given for this very list.
    """
    member = caller.member if mine else None
    scope = f"trainings|{caller.tenant}|{state or ''}|{member or ''}"
    after = read_position(position, scope, _POSITION, "state and member") if position is not None else None
    page = ports.trainings.page(caller.tenant, limit=limit, after=after, state=state, member=member)
    return TrainingList(
        trainings=[view_training(record, ports.files, with_pictures=False) for record in page.records],
        next=write_position(page.after, scope) if page.after else None,
    )
