"""The whole one-machine stack, started once for all tests that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.stack import LocalStack, StackSettings


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """The deployed template with its endpoint in service, and two workspaces with the app."""
    with LocalStack(StackSettings(rate_limit_factor=None, two_workspaces=True)) as stack:
        yield stack


@pytest.fixture
def workspace(stack: LocalStack) -> Iterator[LocalWorkspace]:
    """The workspace, without faults before and after."""
    with LocalWorkspace(stack.workspace_url) as workspace:
        workspace.clear_faults()
        yield workspace
        workspace.clear_faults()


@pytest.fixture
def ada(workspace: LocalWorkspace) -> ActingMember:
    """A full member."""
    return workspace.as_member("ada")


@pytest.fixture
def grace(workspace: LocalWorkspace) -> ActingMember:
    """Another full member."""
    return workspace.as_member("grace")
