"""Look at one training."""

from __future__ import annotations

from backend_lambda.callers import Caller
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.refusals import NotAllowed, TrainingNotFound, TrainingNotInState
from backend_lambda.usecases.training_view import view_training


def read_training(caller: Caller, training_id: str, ports: TrainingPorts) -> Training:
    """The training, with links to its pictures. Raises `TrainingNotFound`, also where it is another tenant's."""
    return view_training(find_training(caller, training_id, ports), ports.files)


def find_training(caller: Caller, training_id: str, ports: TrainingPorts) -> TrainingRecord:
    """The caller's tenant's training. Raises `TrainingNotFound`: another tenant's looks exactly like none."""
    record = ports.trainings.get(training_id)
    if record is None or record.owner.tenant != caller.tenant:
        raise TrainingNotFound("There is no training of that id.", field="training_id", given=training_id)
    return record


def find_own_training(caller: Caller, training_id: str, ports: TrainingPorts) -> TrainingRecord:
    """The training, where the caller is the one who began it: nobody else may change what its pictures are, or the one
    who submits it could be another one than the one who approves. Raises `TrainingNotFound`, `NotAllowed`.
    """
    record = find_training(caller, training_id, ports)
    if record.owner.member != caller.member:
        raise NotAllowed(
            "Only who began this training may change or submit it. Begin one of your own.",
            field="training_id",
            given=training_id,
        )
    return record


def check_state(record: TrainingRecord, wanted: TrainingState, sentence: str) -> None:
    """Raises `TrainingNotInState`, whose message ends by saying how the training stands."""
    if record.state is not wanted:
        stands = record.state.value.replace("_", " ")
        raise TrainingNotInState(
            f"{sentence} This one is {stands}.", field="state", given=record.state.value, allowed=wanted.value
        )
