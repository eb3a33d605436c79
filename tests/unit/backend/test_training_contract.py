"""The backend's words for trainings are those of the container, and the moves between states hold together."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backend_lambda.contract import training_limits, trainings
from backend_lambda.contract.training_state import (
    OPEN_TRAININGS,
    TRAINING_MOVES,
    TrainingState,
    training_sources_of,
)
from backend_lambda.usecases.change_training import next_due
from backend_lambda.usecases.describe_training_failure import SENTENCES
from endpoint import training_contract
from endpoint.contract import MAX_SIDE
from tests.fakes.backend import NOON
from tests.fakes.backend_trainings import FakeTrainings


def test_limits_are_the_containers() -> None:
    shared = {name for name in vars(training_limits) if name.isupper()} & set(vars(training_contract))
    assert len(shared) >= 9
    for name in shared:
        assert getattr(training_limits, name) == getattr(training_contract, name), name
    assert training_limits.MAX_RESOLUTION == MAX_SIDE


def test_kinds_are_the_containers() -> None:
    assert [*trainings.TrainingKind] == [*training_contract.TrainingKind]


def test_moves_are_between_states_and_no_final_one_comes_back() -> None:
    assert set(TRAINING_MOVES) == set(TrainingState)
    for state, targets in TRAINING_MOVES.items():
        if state.is_final:
            assert targets <= {TrainingState.DELETED}
    assert TrainingState.SUCCEEDED not in {
        target for state in (TrainingState.DRAFT, TrainingState.AWAITING_APPROVAL) for target in TRAINING_MOVES[state]
    }
    assert training_sources_of(TrainingState.CANCELLED) == OPEN_TRAININGS


@pytest.mark.parametrize("state", TrainingState)
def test_whatever_is_open_is_looked_after_and_what_is_settled_is_not(state: TrainingState) -> None:
    fakes = FakeTrainings()
    record = fakes.record(fakes.submitted()).model_copy(update={"state": state})
    if state in OPEN_TRAININGS:
        assert next_due(record, NOON, fakes.timing) is not None
        return
    assert next_due(record, NOON, fakes.timing) is not None
    assert next_due(record.model_copy(update={"dataset_deleted": True}), NOON, fakes.timing) is None
    running = record.model_copy(update={"dataset_deleted": True, "is_job_over": False})
    assert next_due(running, NOON, fakes.timing) is not None


def test_every_failure_has_a_sentence() -> None:
    assert set(SENTENCES) == set(trainings.TrainingFailureCode)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_only_who_looks_into_pictures_pays_for_pillow() -> None:
    code = (
        "import sys, backend_lambda.api.handler, backend_lambda.events.trainings, backend_lambda.events.sweep;"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
