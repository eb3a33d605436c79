"""Ids of one workspace in what another one's member sends, signed as by Slack, on the deployed template."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from commands.sentences import stale_button
from commands.views.action_ids import CANCEL, DELETE, EDIT, PICTURE, REDO, RETRY
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.slack.client_types import Message
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import jobs
from tests.scenario.signed_interactions import press_payload, signed_request, submit_payload

pytestmark = pytest.mark.stack

QUEUED = (REDO, RETRY, DELETE, CANCEL, f"{PICTURE}1")


def send(stack: LocalStack, payload: dict[str, Any]) -> httpx.Response:
    body, headers = signed_request(stack.slack.settings.signing_secret, payload)
    return httpx.post(f"{stack.api_url}/slack/events", content=body, headers=headers, trust_env=False, timeout=60)


def picture(ada: ActingMember) -> Message:
    return ada.wait_for_message(
        "#design", lambda message: bool(message.pictures) and message.says("a green triangle"), timeout=120
    )


def test_buttons_and_forms_with_another_workspaces_ids_do_nothing(stack: LocalStack, ada: ActingMember) -> None:
    ours, theirs = (one.settings.team_id for one in stack.slack.workspaces)
    assert ada.run_command("#design", "/imagine a green triangle --steps 4").ok
    shown = picture(ada)
    [job] = [one for one in jobs(stack) if "a green triangle" in str(one)]
    count = len(jobs(stack))
    with LocalWorkspace(stack.slack.urls[1]) as other:
        member = other.as_member("ada")
        for action_id in (*QUEUED, EDIT):
            assert send(stack, press_payload(shown, action_id, job["job_id"], theirs, member.id)).status_code == 200

        def stale() -> bool:
            return len([one for one in member.messages("@easel") if one.says(stale_button().sentence)]) == len(QUEUED)

        other.wait_for(stale, timeout=60, what="stale button told for each")
        metadata = {"channel": shown.channel, "thread_ts": None, "response_url": None, "team": ours}
        refused = send(stack, submit_payload(theirs, member.id, metadata, "a blue house"))
        assert refused.status_code == 200 and refused.json()["response_action"] == "errors"
        assert member.views() == []
    assert picture(ada) == shown and len(jobs(stack)) == count
    [still] = [one for one in jobs(stack) if one["job_id"] == job["job_id"]]
    assert still == job

    # The same press in the workspace that it is from.
    assert send(stack, press_payload(shown, DELETE, job["job_id"], ours, ada.id)).status_code == 200
    ada.wait_for(lambda: not any(one.pictures for one in ada.messages("#design") if one.ts == shown.ts), timeout=60)
