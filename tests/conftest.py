"""What holds for all tests: how they are shared out where several processes run them (`make test`), and patience."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no wrong result.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Several processes with torch on few cores: threads that wait for work must not spin. Containers inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HERE = Path(__file__).parent
_END_TO_END = "e2e"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The end-to-end tests stay together, on one stack, and come first: they take longest, mostly waiting.

    The tests of any other file stay together too, because they share what the file makes.
    """
    for item in items:
        folder, *rest = item.path.relative_to(_HERE).parts
        item.add_marker(pytest.mark.xdist_group(folder if folder == _END_TO_END else "/".join([folder, *rest])))
    items.sort(key=lambda item: _END_TO_END not in item.path.relative_to(_HERE).parts)
