"""What holds for all tests: how they are shared out where several processes run them (`make test`), and patience."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# A busy machine is no wrong result.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Several processes with torch on few cores: threads that wait for work must not spin. Containers inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_END_TO_END = "tests/e2e/"
_SECOND_STACK_FROM = "tests/e2e/test_g"


class _ByFile(LoadScopeScheduling):
    """The tests of a file stay together, because they share what the file makes. The end-to-end tests stay together in
    two halves, each on a stack of its own. (`--dist loadgroup` would say so by marks; with pytest 9, xdist 3.8 does not
    get them across.)
    """

    def _split_scope(self, nodeid: str) -> str:
        path: str = nodeid.split("::", 1)[0]
        if not path.startswith(_END_TO_END):
            return path
        return "the second stack" if path >= _SECOND_STACK_FROM else "the first stack"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    """How tests are shared out; called where `-n` is given."""
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The end-to-end tests come first: they take longest, mostly waiting."""
    items.sort(key=lambda item: not item.nodeid.startswith(_END_TO_END))
