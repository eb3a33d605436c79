"""The states of a training and the moves between them."""

from __future__ import annotations

from enum import StrEnum


class TrainingState(StrEnum):
    """Where a training is. A final state is left only by deleting the training."""

    DRAFT = "draft"
    """Pictures are added and checked; nobody has been asked anything."""
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    """Someone who may has said yes; SageMaker does not have it yet."""
    STARTING = "starting"
    """SageMaker has it: it waits for an instance, or an interrupted one starts again."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DENIED = "denied"
    EXPIRED = "expired"
    """Nobody said yes or no in time, or a draft was left alone."""
    DELETED = "deleted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is going to happen by itself."""
        return self not in OPEN_TRAININGS

    def may_become(self, state: TrainingState) -> bool:
        """Whether a training in this state may move to `state`."""
        return state in TRAINING_MOVES[self]


OPEN_TRAININGS = frozenset(
    {
        TrainingState.DRAFT,
        TrainingState.AWAITING_APPROVAL,
        TrainingState.APPROVED,
        TrainingState.STARTING,
        TrainingState.RUNNING,
    }
)

_SETTLED = frozenset({TrainingState.SUCCEEDED, TrainingState.FAILED, TrainingState.CANCELLED})

TRAINING_MOVES: dict[TrainingState, frozenset[TrainingState]] = {
    TrainingState.DRAFT: frozenset({TrainingState.AWAITING_APPROVAL, TrainingState.CANCELLED, TrainingState.EXPIRED}),
    TrainingState.AWAITING_APPROVAL: frozenset(
        {TrainingState.APPROVED, TrainingState.DENIED, TrainingState.CANCELLED, TrainingState.EXPIRED}
    ),
    # Messages overtake one another: the end may be told before the beginning.
    TrainingState.APPROVED: _SETTLED | {TrainingState.STARTING, TrainingState.RUNNING},
    TrainingState.STARTING: _SETTLED | {TrainingState.RUNNING},
    # A spot instance that is taken away goes back to waiting.
    TrainingState.RUNNING: _SETTLED | {TrainingState.STARTING},
    **{state: frozenset({TrainingState.DELETED}) for state in (*_SETTLED, TrainingState.DENIED, TrainingState.EXPIRED)},
    TrainingState.DELETED: frozenset(),
}


def training_sources_of(state: TrainingState) -> frozenset[TrainingState]:
    """All states from which a training may move to `state`."""
    return frozenset(source for source, targets in TRAINING_MOVES.items() if state in targets)
