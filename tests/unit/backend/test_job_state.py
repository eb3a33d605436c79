"""The states of a job, and the contract's numbers."""

from __future__ import annotations

import endpoint.contract as endpoint_contract
from backend_lambda.contract import limits
from backend_lambda.contract.job_state import MOVES, OPEN_STATES, JobState, sources_of


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(JobState)


def test_an_open_state_can_reach_every_end() -> None:
    for state in OPEN_STATES:
        assert {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED} <= MOVES[state]
        assert JobState.DELETED not in MOVES[state]


def test_a_final_state_is_left_by_deleting_alone() -> None:
    for state in set(JobState) - OPEN_STATES - {JobState.DELETED}:
        assert MOVES[state] == {JobState.DELETED}
        assert state.is_final
    assert not MOVES[JobState.DELETED]


def test_no_state_is_entered_twice() -> None:
    def reachable(state: JobState) -> set[JobState]:
        return set(MOVES[state]).union(*(reachable(following) for following in MOVES[state]))

    for state in JobState:
        assert state not in reachable(state)
        assert sources_of(state) == {source for source in JobState if source.may_become(state)}


def test_the_callers_limits_are_the_endpoints() -> None:
    names = [
        "MAX_PROMPT_CHARS",
        "MAX_PICTURES",
        "MAX_SEED",
        "MAX_STEPS",
        "MAX_GUIDANCE_SCALE",
        "MIN_SIDE",
        "MAX_SIDE",
    ]
    assert {name: getattr(limits, name) for name in names} == {name: getattr(endpoint_contract, name) for name in names}
