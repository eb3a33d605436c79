"""The policy simulator, where there is a node to run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policies.rendered import template
from tests.policies.simulator import NODE, WITHOUT_NODE, Simulator


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """With every policy of the template kept under its own name."""
    if NODE is None:
        pytest.skip(WITHOUT_NODE)
    with Simulator() as simulator:
        for policy in template().policies():
            simulator.keep(policy.name, policy.document)
        yield simulator
