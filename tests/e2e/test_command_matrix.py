"""Roles × commands, buttons and forms, on the deployed template: what a member may do in Slack is what IAM says.

The role's actions come from the contract (`ROLE_ACTIONS`), a channel's guardrail narrows them, a deny leaves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from backend_lambda.contract.actions import ROLE_ACTIONS, Action
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.slack.client_types import Message, WaitTimeout
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import PATIENCE_SECONDS, sagemaker_faults, set_sagemaker_faults, wait_for_pictures
from tests.e2e.test_admin import change

pytestmark = pytest.mark.stack

CHANNEL = "#random"
_DEED_SECONDS = 15.0
NOT_ALLOWED = "Your IAM role does not allow that"
NOT_ALLOWED_HERE = "Your IAM role or this channel's guardrail does not allow that"
DENIED = "A deny keeps you out of Easel"


@dataclass(frozen=True)
class Standing:
    """How the member stands: the commands that an admin gives, those that take it back, and what is allowed then."""

    name: str
    given: tuple[str, ...]
    taken: tuple[str, ...]
    allowed: frozenset[Action]
    refusal: str = NOT_ALLOWED


STANDINGS = [
    *(
        Standing(role, (f"access grant @linus {role}",), ("access revoke @linus",), frozenset(actions))
        for role, actions in ROLE_ACTIONS.items()
    ),
    Standing(
        "admin where a guardrail lets only see",
        ("access grant @linus admin", f"access guardrail {CHANNEL} see"),
        (f"access guardrail {CHANNEL} off", "access revoke @linus"),
        frozenset({Action.SEE}),
        NOT_ALLOWED_HERE,
    ),
    Standing("denied", ("access deny @linus",), ("access revoke @linus deny",), frozenset(), DENIED),
]


@dataclass(frozen=True)
class Asked:
    """What the member has asked for before they stood as they do: a result, a job under way, one that failed."""

    result: Message
    waiting: Message
    failed: Message


@dataclass(frozen=True)
class Deed:
    """One thing that a member can do in Slack, the action it needs (None: everybody's), and what is seen then."""

    name: str
    action: Action | None
    do: Callable[[ActingMember, Asked], None]
    seen: Callable[[Message], bool]


def typed(line: str) -> Callable[[ActingMember, Asked], None]:
    def run(member: ActingMember, _: Asked) -> None:
        assert member.run_command(CHANNEL, line).ok

    return run


def confirmed(line: str) -> Callable[[ActingMember, Asked], None]:
    def run(member: ActingMember, _: Asked) -> None:
        assert member.run_command(CHANNEL, f"/imagine-admin {line}").ok
        shown = member.ephemerals(CHANNEL)[-1]
        assert member.press(shown, "Confirm").ok

    return run


def submitted(member: ActingMember, _: Asked) -> None:
    assert member.run_command(CHANNEL, "/imagine").ok
    assert member.fill_and_submit(member.views()[-1], {"What shall Easel paint?": "a form of a ring", "Steps": "1"}).ok


def edited(member: ActingMember, asked: Asked) -> None:
    assert member.press(asked.result, "Edit").ok
    assert member.fill_and_submit(member.views()[-1], {"What shall Easel paint?": "an edited ring"}).ok


def pressed(button: str) -> Callable[[ActingMember, Asked], None]:
    def run(member: ActingMember, asked: Asked) -> None:
        assert member.press(asked.result, button).ok

    return run


def cancelled(member: ActingMember, asked: Asked) -> None:
    assert member.press(asked.waiting, "Cancel").ok


def tried_again(member: ActingMember, asked: Asked) -> None:
    assert member.press(asked.failed, "Try again").ok


def thought_better(member: ActingMember, _: Asked) -> None:
    assert member.run_command(CHANNEL, "/imagine-admin access deny @grace").ok
    assert member.press(member.ephemerals(CHANNEL)[-1], "Cancel").ok


def mentioned(member: ActingMember, asked: Asked) -> None:
    member.mention(asked.result, "a mentioned ring --steps 1")


def shows_a_picture(message: Message) -> bool:
    return bool(message.pictures)


def says(*texts: str) -> Callable[[Message], bool]:
    return lambda message: any(message.says(text) for text in texts)


DEEDS = [
    Deed("/imagine", Action.PAINT, typed("/imagine a typed ring --steps 1"), shows_a_picture),
    Deed("the form", Action.PAINT, submitted, shows_a_picture),
    Deed("a mention", Action.PAINT, mentioned, shows_a_picture),
    Deed("Redo", Action.PAINT, pressed("Redo"), shows_a_picture),
    Deed("Edit and its form", Action.PAINT, edited, shows_a_picture),
    Deed("a picture's button", Action.SEE, pressed("2"), shows_a_picture),
    Deed("/imagine limits", Action.SEE, typed("/imagine limits"), says("No limits hold", "left")),
    Deed("finetune list", Action.SEE, typed("/finetune list"), says("no LoRAs here yet", "LoRAs", "Trainings")),
    Deed("finetune card", Action.SEE, typed("/finetune card nobody"), says("There is no LoRA `nobody`")),
    Deed("finetune retire", Action.TRAIN, typed("/finetune retire nobody"), says("There is no LoRA `nobody`")),
    Deed(
        "the policy of trainings", Action.SEE, typed("/imagine-admin training"), says("A request that nobody answers")
    ),
    Deed(
        "the policy's change",
        Action.GRANT,
        confirmed("training --approval-days 7"),
        says("A request that nobody answers is given up after 7 days"),
    ),
    Deed("access list", Action.GRANT, typed("/imagine-admin access list"), says("acts as")),
    Deed("access why", Action.GRANT, typed("/imagine-admin access why @ada"), says("Acts as")),
    Deed("access audit", Action.GRANT, typed("/imagine-admin access audit"), says("put_grant")),
    Deed("words list", Action.GRANT, typed("/imagine-admin words list"), says("word")),
    Deed("access grant", Action.GRANT, confirmed("access grant #general artist"), says("acts as `artist`")),
    Deed("access limit", Action.GRANT, confirmed("access limit #general --images 5/day"), says("5 pictures a day")),
    Deed("access revoke", Action.GRANT, confirmed("access revoke #general"), says("granted")),
    Deed("access deny", Action.GRANT, confirmed("access deny @grace"), says("kept out", "denied", "deny")),
    Deed("access revoke deny", Action.GRANT, confirmed("access revoke @grace deny"), says("deny", "denied")),
    Deed("words add", Action.GRANT, confirmed("words add unheard-of"), says("blocked now")),
    Deed("words remove", Action.GRANT, confirmed("words remove unheard-of"), says("blocked now")),
    Deed("Cancel of a preview", None, thought_better, says("Nothing was changed")),
    Deed("Try again", Action.PAINT, tried_again, says("The model failed")),
    Deed("Cancel", Action.DELETE, cancelled, says("Cancelled")),
    Deed("Delete", Action.DELETE, pressed("Delete"), says("Deleted by")),
]


def seen_by(member: ActingMember, result: Message) -> dict[tuple[str, str], Message]:
    """Everything that the member sees in the channel and in the result's thread, by ts and content."""
    messages = [*member.messages(CHANNEL), *member.messages(CHANNEL, result.ts), *member.ephemerals()]
    return {(message.ts, repr(message.block_texts) + repr(message.pictures)): message for message in messages}


def outcome(member: ActingMember, asked: Asked, deed: Deed, refusal: str) -> str:
    """ "done" or "refused", by what appears."""
    result = asked.result
    before = seen_by(member, result)
    deed.do(member, asked)

    def look() -> str | None:
        fresh = [message for key, message in seen_by(member, result).items() if key not in before]
        fresh = [message for message in fresh if "Confirm" not in message.buttons]
        if any(message.says(refusal) for message in fresh):
            return "refused"
        return "done" if any(deed.seen(message) for message in fresh) else None

    try:
        return member.workspace.wait_for(look, timeout=_DEED_SECONDS)
    except WaitTimeout:
        return f"neither: {[key for key in seen_by(member, result) if key not in before]}"


@pytest.fixture
def linus(workspace: LocalWorkspace) -> Iterator[ActingMember]:
    yield workspace.as_member("linus")


@pytest.mark.parametrize("standing", STANDINGS, ids=lambda standing: standing.name)
def test_what_a_member_may_do_in_slack_is_what_iam_says(
    stack: LocalStack, broken: None, ada: ActingMember, linus: ActingMember, standing: Standing
) -> None:
    asked = ask(stack, linus, f"before being {standing.name}")
    for command in standing.given:
        change(ada, command, "#design")
    try:
        found = {deed.name: outcome(linus, asked, deed, standing.refusal) for deed in DEEDS}
    finally:
        for command in standing.taken:
            change(ada, command, "#design")
    assert found == {
        deed.name: "done" if deed.action is None or deed.action in standing.allowed else "refused" for deed in DEEDS
    }


def ask(stack: LocalStack, member: ActingMember, when: str) -> Asked:
    """A result with two pictures, a job whose end is never told, and one whose model fails."""
    set_sagemaker_faults(stack, drop_completions=1)
    assert member.run_command(CHANNEL, f"/imagine a ring under way {when} --steps 1").ok
    member.workspace.wait_for(lambda: not sagemaker_faults(stack)["drop_completions"], timeout=PATIENCE_SECONDS)
    # The boat comes first: the model reads no further than its tokenizer's length.
    for line in (f"{when} rings --n 2", f"a failing boat {when} --model broken"):
        assert member.run_command(CHANNEL, f"/imagine {line} --steps 1").ok
    return Asked(
        result=wait_for_pictures(member, CHANNEL, f"{when} rings"),
        waiting=member.wait_for_message(CHANNEL, lambda m: m.says(f"under way {when}") and "Cancel" in m.buttons),
        failed=member.wait_for_message(
            CHANNEL, lambda m: m.says(f"a failing boat {when}") and "Try again" in m.buttons, PATIENCE_SECONDS
        ),
    )
