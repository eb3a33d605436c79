"""The whole one-machine stack, started once for all tests that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.stack import LocalStack, StackSettings
from tests.e2e.broken_model import model_that_paints_nothing


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """The deployed template with its endpoint in service, and two workspaces with the app."""
    with LocalStack(StackSettings(rate_limit_factor=None, two_workspaces=True)) as stack:
        yield stack


@pytest.fixture(scope="session")
def broken(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An endpoint `broken`, whose model fails at prompts with a boat."""
    stack.add_endpoint("broken", model_that_paints_nothing(tmp_path_factory.mktemp("model") / "broken"))


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
