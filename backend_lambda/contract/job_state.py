"""The states of a job and the moves between them."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is. A final state is left only by deleting the job's pictures."""

    ACCEPTED = "accepted"
    """Recorded; SageMaker does not have it yet."""
    QUEUED = "queued"
    """SageMaker has it and will run it when an instance is free."""
    RUNNING = "running"
    """The endpoint has reported progress."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    """Its pictures are gone; the record remains for the audit."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is going to happen by itself."""
        return self not in OPEN_STATES

    def may_become(self, state: JobState) -> bool:
        """Whether a job in this state may move to `state`."""
        return state in MOVES[self]


OPEN_STATES = frozenset({JobState.ACCEPTED, JobState.QUEUED, JobState.RUNNING})

MOVES: dict[JobState, frozenset[JobState]] = {
    # Messages overtake one another: a completion may arrive before the record says "queued".
    JobState.ACCEPTED: frozenset(
        {JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset({JobState.DELETED}),
    JobState.FAILED: frozenset({JobState.DELETED}),
    JobState.CANCELLED: frozenset({JobState.DELETED}),
    JobState.DELETED: frozenset(),
}


def sources_of(state: JobState) -> frozenset[JobState]:
    """All states from which a job may move to `state`."""
    return frozenset(source for source, targets in MOVES.items() if state in targets)
