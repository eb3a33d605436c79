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


class _ByFile(LoadScopeScheduling):
    """The tests of a file stay together, because they share what the file makes, and all end-to-end tests do, on one
    stack. (`--dist loadgroup` would say so by marks; xdist 3.8 does not get them across with pytest 9.)
    """

    def _split_scope(self, nodeid: str) -> str:
        path: str = nodeid.split("::", 1)[0]
        return _END_TO_END if path.startswith(_END_TO_END) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    """How tests are shared out; called where `-n` is given."""
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The end-to-end tests come first: they take longest, mostly waiting."""
    items.sort(key=lambda item: not item.nodeid.startswith(_END_TO_END))
