"""A change of who may do what: shown before it is made, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from backend_lambda.contract.subjects import SubjectKind
from commands.admin.amounts import limits_named
from commands.admin.roles import is_own_role
from commands.admin.settle import Settled
from commands.admin.subcommands import (
    ACTIONS,
    CHANNEL,
    DENY,
    EFFECT,
    EXTERNAL_ID,
    GRANT,
    GUARDRAIL,
    LIMIT,
    LIMITS_OFF,
    MODELS,
    OFF,
    REASON,
    REVOKE,
    ROLE,
    UNTIL,
    WHO,
    WORDS,
    WORDS_ADD,
)
from commands.admin.training import TRAINING, policy_change
from commands.grammar.choices import split_names, split_phrases
from commands.grammar.clean import escape
from commands.grammar.options import Value
from commands.grammar.subcommands import Instruction
from commands.grammar.subjects import subject_of
from commands.grammar.until import fixed_end
from commands.trouble import code
from commands.views.access_words import (
    everybody_meant,
    limit_phrases,
    models_text,
    names_text,
    role_text,
    subject_text,
    until_text,
)
from commands.views.action_ids import ADMIN_CANCEL, ADMIN_CONFIRM
from commands.views.blocks import Message, actions, button, context, message, section
from commands.views.training_policy import policy_sentences

SHOWN_WORDS = 20
IN_WORKSPACE = "easel_in_"
"""Before the workspace's id in the block id: Slack need not say in which one a preview was answered."""


def preview(change: Settled, workspace: str) -> Message:
    """What will hold once it is confirmed, with the buttons to do so; the change itself is behind Confirm."""
    text = "\n".join(consequences(change.instruction, workspace))
    is_taking = change.instruction.path in {DENY.path, REVOKE.path}
    return message(
        f"Please confirm: {text}",
        [
            section(text),
            context("Nothing has changed yet. Only you see this."),
            actions(
                [
                    button("Confirm", ADMIN_CONFIRM, change.text, style="danger" if is_taking else "primary"),
                    button("Cancel", ADMIN_CANCEL, "cancel"),
                ],
                f"{IN_WORKSPACE}{workspace}",
            ),
        ],
    )


def confirmed_workspace(block_id: str) -> str:
    """The workspace that a preview with this block is for, or an empty text."""
    return block_id.removeprefix(IN_WORKSPACE) if block_id.startswith(IN_WORKSPACE) else ""


def done(sentence: str, now_holds: str = "") -> Message:
    """It was made; `now_holds` says what stands for the subject now (mrkdwn)."""
    text = f":white_check_mark: {sentence}"
    return message(text, [section(f"{text}\nNow: {now_holds}" if now_holds else text)])


def withdrawn() -> Message:
    """The person pressed Cancel."""
    return message("Cancelled. Nothing was changed.", [context("Cancelled. Nothing was changed.")])


def consequences(instruction: Instruction, workspace: str) -> list[str]:
    """What a change means, in sentences."""
    values = instruction.values
    match instruction.path:
        case GRANT.path:
            return _grant(values, workspace)
        case DENY.path:
            return _deny(values, workspace)
        case REVOKE.path:
            return _revoke(values, workspace)
        case GUARDRAIL.path:
            return _guardrail(values, workspace)
        case LIMIT.path:
            return _limit(values, workspace)
        case TRAINING.path:
            return [*policy_sentences(policy_change(values)), "What is not named here stays as it is."]
        case _:
            return [_words(instruction)]


def _grant(values: Mapping[str, Value], workspace: str) -> list[str]:
    whom = _whom(values, workspace)
    role = str(values[ROLE.name])
    named = role_text(None, role) if is_own_role(role) else role_text(role, None)
    limits = limit_phrases(**limits_named(values))
    is_member = subject_of(values[WHO.name], workspace).kind is SubjectKind.MEMBER
    external_id = values.get(EXTERNAL_ID.name)
    sentences = [
        f"*{_capital(whom)}* may act as {named}{_until(values)}.",
        f"Limits: {', '.join(limits)}." if limits else "Limits that were set before stay.",
        f"The role is assumed with the external id {code(str(external_id))}." if external_id else "",
        "It replaces the role that was granted before."
        if is_member
        else "It replaces the role that was granted before. A grant to something more specific goes first.",
        _reason(values),
    ]
    return [sentence for sentence in sentences if sentence]


def _deny(values: Mapping[str, Value], workspace: str) -> list[str]:
    sentences = [
        f"*{_capital(_whom(values, workspace))}* can't use Easel any more{_until(values)}, whatever is granted.",
        _reason(values),
    ]
    return [sentence for sentence in sentences if sentence]


def _revoke(values: Mapping[str, Value], workspace: str) -> list[str]:
    subject = subject_of(values[WHO.name], workspace)
    whom = subject_text(subject.kind, subject.id)
    if values.get(EFFECT.name) == "deny":
        return [f"*{_capital(_whom(values, workspace))}* is no longer kept out. What is granted counts again."]
    guardrail = ", limits and guardrail" if subject.kind is SubjectKind.CHANNEL else " and limits"
    return [
        f"What was granted to *{whom}* is taken back: role{guardrail}.",
        "What is granted to something less specific counts from then on. A deny stays.",
    ]


def _guardrail(values: Mapping[str, Value], workspace: str) -> list[str]:
    subject = subject_of(values[CHANNEL.name], workspace)
    channel = subject_text(subject.kind, subject.id)
    if values[ACTIONS.name] == OFF:
        return [f"*{channel}* has no guardrail any more: everybody there can do what their role allows."]
    models = split_names(values.get(MODELS.name))
    with_models = f", with {models_text(models)} only" if models else ""
    return [
        f"In *{channel}* nobody can do more than {names_text(split_names(values[ACTIONS.name]))}{with_models}, "
        "whatever their role allows.",
        "Role and limits of the channel stay. A guardrail set before is replaced.",
    ]


def _limit(values: Mapping[str, Value], workspace: str) -> list[str]:
    subject = subject_of(values[WHO.name], workspace)
    whom = subject_text(subject.kind, subject.id)
    if LIMITS_OFF.name in values:
        return [f"*{_capital(whom)}* has no limits of its own any more. The role stays."]
    limits = limits_named(values)
    is_shared = subject.kind is not SubjectKind.MEMBER and not limits.get("each_member")
    sentences = [
        f"Limits of *{whom}*: {', '.join(limit_phrases(**limits))}.",
        "What is counted is counted for all in it together." if is_shared else "",
        "They replace the limits that were set before. The role stays.",
    ]
    return [sentence for sentence in sentences if sentence]


def _words(instruction: Instruction) -> str:
    words = split_phrases(instruction.values[WORDS.name])
    shown = [code(word) for word in words[:SHOWN_WORDS]]
    more = [f"{len(words) - len(shown)} more"] if len(words) > len(shown) else []
    listed = names_text([*shown, *more])
    if instruction.path == WORDS_ADD.path:
        return f"Prompts with {listed} are refused in this workspace."
    return f"Prompts with {listed} are no longer refused for that."


def _whom(values: Mapping[str, Value], workspace: str) -> str:
    subject = subject_of(values[WHO.name], workspace)
    return everybody_meant(subject.kind, subject.id)


def _until(values: Mapping[str, Value]) -> str:
    until = values.get(UNTIL.name)
    return until_text(fixed_end(until)) if until is not None else ""


def _reason(values: Mapping[str, Value]) -> str:
    reason = values.get(REASON.name)
    return f"Reason: {escape(str(reason))}" if reason else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
