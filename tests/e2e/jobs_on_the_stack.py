"""What tests read of the stack's jobs."""

from __future__ import annotations

from typing import Any

import httpx

from deploy.local.follow_imagine import picture_file, read_facts
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.slack.client_types import Message
from deploy.local.stack import LocalStack

PATIENCE_SECONDS = 60.0


def jobs(stack: LocalStack) -> list[dict[str, Any]]:
    """All job records: id, state, prompt."""
    answer = stack.session().client("dynamodb").scan(TableName=stack.outputs["JobsTableName"], ConsistentRead=True)
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in answer["Items"]]


def wait_for_pictures(
    member: ActingMember, channel: str, prompt: str, *, thread_ts: str | None = None, after: str = "0"
) -> Message:
    """The result whose prompt contains this text and that came after a message."""
    return member.wait_for_message(
        channel,
        lambda m: m.is_from_app and m.ts > after and bool(m.pictures) and prompt in m.text,
        PATIENCE_SECONDS,
        thread_ts,
    )


def wait_for_text(
    member: ActingMember, channel: str, text: str, *, thread_ts: str | None = None, after: str = "0"
) -> Message:
    """A message of the app that says this."""
    return member.wait_for_message(
        channel, lambda m: m.is_from_app and m.ts > after and m.says(text), PATIENCE_SECONDS, thread_ts
    )


def facts_of(workspace: LocalWorkspace, message: Message) -> dict[str, Any]:
    """Easel's own metadata of a result's picture."""
    return read_facts(workspace.download(picture_file(message)))


def set_sagemaker_faults(stack: LocalStack, **faults: float) -> None:
    """Switch mishaps of the SageMaker stand-in on (`deploy.local.sagemaker.faults`)."""
    httpx.post(f"{stack.sagemaker_url}/control/faults", json=faults).raise_for_status()


def sagemaker_faults(stack: LocalStack) -> dict[str, float]:
    """Those that are on, and how much of each is left."""
    faults: dict[str, float] = httpx.post(f"{stack.sagemaker_url}/control/faults", json={}).raise_for_status().json()
    return faults
