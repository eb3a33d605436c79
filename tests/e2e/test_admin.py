"""`/imagine-admin` on the deployed template: the functions' own rights, IAM's answers, the API, the grants table."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from backend_lambda.recent_access import FRESH_SECONDS
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.slack.client_types import Message
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import PATIENCE_SECONDS, jobs

pytestmark = pytest.mark.stack


@pytest.fixture
def linus(workspace: LocalWorkspace) -> Iterator[ActingMember]:
    return workspace.as_member("linus")


def answered(member: ActingMember, channel: str, ts: str | None = None) -> Message:
    """The newest answer that has no buttons: in place of a preview (`ts`), or a new one."""
    known = {message.ts for message in member.ephemerals(channel)} if ts is None else set()

    def look() -> Message | None:
        for message in reversed(member.ephemerals(channel)):
            if message.ts == ts if ts is not None else message.ts not in known:
                return message if not message.buttons else None
        return None

    return member.workspace.wait_for(look, timeout=PATIENCE_SECONDS)


def change(member: ActingMember, command: str, channel: str = "#design") -> Message:
    """Type it and confirm it; what stands in the preview's place."""
    assert member.run_command(channel, f"/imagine-admin {command}").ok
    shown = member.ephemerals(channel)[-1]
    assert shown.buttons == ["Confirm", "Cancel"], shown.block_texts
    assert member.press(shown, "Confirm").ok
    return answered(member, channel, shown.ts)


def ask(member: ActingMember, line: str, channel: str = "#design") -> Message:
    """Type it; the answer."""
    known = {message.ts for message in member.ephemerals(channel)}
    assert member.run_command(channel, line).ok

    def look() -> Message | None:
        return next((message for message in member.ephemerals(channel) if message.ts not in known), None)

    return member.workspace.wait_for(look, timeout=PATIENCE_SECONDS)


def test_a_grant_is_confirmed_used_explained_and_taken_back(
    stack: LocalStack, ada: ActingMember, linus: ActingMember
) -> None:
    assert ask(linus, "/imagine-admin access list").says("Your IAM role does not allow that")

    answer = change(ada, "access grant @linus trainer --until 8h --images 50/day --reason “a demo”")
    assert answer.says("acts as `trainer`") and answer.says("50 pictures a day") and answer.says("a demo")
    why = ask(ada, "/imagine-admin access why @linus")
    assert why.says("Acts as `trainer`") and why.says(":white_check_mark: paint with `tiny`"), why.block_texts
    assert why.says(":white_check_mark: train styles")
    assert why.says("grant, deny, limit, block words: no policy of the role allows it")

    limits = ask(linus, "/imagine limits")
    assert limits.says("Your pictures a day: 50 of 50 left"), limits.block_texts
    assert ask(ada, "/imagine-admin access list").says("acts as `trainer`")

    assert change(ada, "access revoke @linus").says("Nothing is granted to")
    audit = ask(ada, "/imagine-admin access audit @linus")
    assert audit.says("put_grant") and audit.says("remove_grant"), audit.block_texts


def test_a_deny_and_a_guardrail_hold_in_iam(stack: LocalStack, ada: ActingMember, linus: ActingMember) -> None:
    change(ada, "access deny @linus --reason spam")
    assert ask(linus, "/imagine a red ring --steps 4").says("A deny keeps you out of Easel")
    change(ada, "access revoke @linus deny")

    assert change(ada, "access guardrail #random see --models tiny").says("guardrail: see")
    why = ask(ada, "/imagine-admin access why @linus #random")
    assert why.says("paint with `tiny`: the channel's guardrail does not allow it"), why.block_texts
    before = len(jobs(stack))
    assert linus.run_command("#random", "/imagine a red ring --steps 4").ok
    refused = linus.wait_for_message("#random", lambda message: message.says("does not allow that"))
    assert refused.says("this channel's guardrail does not allow that") and len(jobs(stack)) == before
    # Whoever is in the channel is bound by it, its admin too; elsewhere the admin takes it away.
    assert change(ada, "access guardrail #random off", "#random").says("this channel's guardrail does not allow that")
    change(ada, "access guardrail #random off")


def test_nobody_can_lock_everyone_out(ada: ActingMember) -> None:
    for command in ("access revoke @ada", "access deny workspace", "access grant @ada artist"):
        assert change(ada, command).says("nobody would be left who may grant")
    assert ask(ada, "/imagine-admin access list").says("acts as `admin`")


def test_blocked_words_are_refused(ada: ActingMember, linus: ActingMember) -> None:
    assert change(ada, "words add gruesome, two words").says("2 words and phrases are blocked now")
    # A warm function may have read the words just before.
    time.sleep(FRESH_SECONDS)
    assert linus.run_command("#design", "/imagine a gruesome ring --steps 4").ok
    refused = linus.wait_for_message("#design", lambda message: message.says("this workspace has blocked"))
    assert refused.buttons == []
    assert change(ada, "words remove gruesome, two words").says("0 words and phrases are blocked now")
