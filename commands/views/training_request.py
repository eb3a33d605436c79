"""The message that asks for an approval, what becomes of it, and the form that asks why not."""

from __future__ import annotations

import re

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from commands.grammar.clean import escape
from commands.sentences_training import SET_CHANNEL
from commands.trouble import code
from commands.views.admin_change import IN_WORKSPACE
from commands.views.blocks import (
    Block,
    Message,
    actions,
    button,
    confirm_dialog,
    context,
    message,
    picture,
    section,
)
from commands.views.moments import moment
from commands.views.training_ids import (
    APPROVE_TRAINING,
    DENY_TRAINING,
    SELF_APPROVE_TRAINING,
)
from commands.views.training_review import accepted_pictures, what_it_is
from commands.views.training_words import estimate_text, pictures_count, preset_name, settings_phrases

MEMBER_ID = re.compile(r"[UW][A-Z0-9]{1,20}")


def person(member: str) -> str:
    """A mention; other principals by their name."""
    return f"<@{member}>" if MEMBER_ID.fullmatch(member) else code(member)


def request_message(training: Training, sheet: str | None, is_in_place: bool, out_of_reach: str = "") -> Message:
    """An open request with its buttons. `is_in_place`: no channel is set, so it is asked where the form was opened;
    `out_of_reach` is the channel that is set and that the bot is not in.
    """
    by = person(training.owner.member)
    expiry = f" It expires {moment(training.expires_at)}." if training.expires_at is not None else ""
    return message(
        f"{by} asks to train {code(training.name)}",
        [
            section(f":seedling: *{by} asks to train {code(training.name)}*: {what_it_is(training)}"),
            *_facts(training, sheet),
            section(_lonely(training)) if training.is_only_approver else None,
            actions(
                [
                    button("Approve", APPROVE_TRAINING, training.training_id, style="primary"),
                    button("Deny", DENY_TRAINING, training.training_id, style="danger"),
                ]
            ),
            context(
                f"Your own IAM role decides whether you may.{expiry}",
                f"An admin can name a channel for requests: {code(SET_CHANNEL)}." if is_in_place else "",
                f":warning: It could not be asked in <#{escape(out_of_reach)}>: Easel is not in there. "
                f"Type {code('/invite @easel')} there."
                if out_of_reach
                else "",
            ),
        ],
    )


def decided_message(training: Training, sheet: str | None) -> Message:
    """What stays of a request: no button is left."""
    by, how = person(training.owner.member), how_decided(training)
    return message(
        f"{code(training.name)}: {how}",
        [
            section(f"*{by} asked to train {code(training.name)}*: {what_it_is(training)}"),
            *_facts(training, sheet),
            section(f"{_sign(training)} {how}."),
        ],
    )


def how_decided(training: Training) -> str:
    """In one phrase: who said what, or that nobody did (mrkdwn, without a full stop)."""
    decision = training.decision
    if decision is not None:
        said = "Approved" if decision.approved else "Denied"
        if decision.by.member == training.owner.member and decision.approved:
            said = "Self-approved"
        reason = f": {escape(decision.reason)}" if decision.reason else ""
        return f"{said} by {person(decision.by.member)}{reason}".rstrip(".")
    match training.state:
        case TrainingState.EXPIRED:
            return "Expired: nobody decided in time"
        case TrainingState.CANCELLED | TrainingState.DELETED:
            return "Withdrawn before anybody decided"
        case TrainingState.AWAITING_APPROVAL | TrainingState.DRAFT:
            return "Not decided yet"
        case _:
            return "Approved"


def self_approval_offer(training_id: str, workspace: str) -> Message:
    """To whoever pressed Approve below their own request; only they see it, so there is no record of it."""
    text = "This is your own training. Somebody else should look at the pictures before it costs anything."
    dialog = confirm_dialog(
        "Approve your own training?",
        "Nobody else has looked at these pictures. You vouch alone that they may be used, and for what it costs. "
        "The audit record will say that you approved it yourself.",
        "Approve it myself",
        "Wait for somebody",
    )
    return message(
        text,
        [
            section(f":eyes: {text}"),
            actions(
                [button("Approve it myself", SELF_APPROVE_TRAINING, training_id, confirm=dialog)],
                f"{IN_WORKSPACE}{workspace}",
            ),
            context("Whether you may is up to your own IAM role. Only you see this."),
        ],
    )


def decision_told(training: Training) -> Message:
    """To whoever pressed, where the message itself can't be seen to change."""
    text = f"{code(training.name)}: {how_decided(training)}."
    return message(text, [section(text)])


def _facts(training: Training, sheet: str | None) -> list[Block | None]:
    count = len(accepted_pictures(training))
    licence = f"Licence note: {escape(training.licence_note)}" if training.licence_note else ""
    settings = " · ".join(phrase for phrase in settings_phrases(training.settings) if phrase)
    return [
        picture(sheet, f"The {count} pictures that {training.name} is to be trained on") if sheet else None,
        section(f":stopwatch: *Estimate:* {estimate_text(training.estimate)}."),
        context(
            f"{pictures_count(count)} · {escape(training.model)} · {preset_name(training.preset.value)} · {settings}",
            licence,
        ),
    ]


def _lonely(training: Training) -> str:
    return (
        f":warning: Nobody but {person(training.owner.member)}, who asks, may approve trainings here: nobody else "
        "would look at it. An admin can grant the right to somebody else."
    )


def _sign(training: Training) -> str:
    if training.decision is not None:
        return ":white_check_mark:" if training.decision.approved else ":no_entry_sign:"
    return ":hourglass:" if training.state is TrainingState.EXPIRED else ":no_entry_sign:"
