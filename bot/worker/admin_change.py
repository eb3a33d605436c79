"""A confirmed change of who may do what, made through the API as whoever pressed Confirm."""

from __future__ import annotations

from collections.abc import Mapping

from backend_lambda.contract.subjects import Subject, SubjectKind
from backend_lambda.contract.trainings import TrainingPolicy
from bot.invocation import Invocation
from bot.logs import log
from bot.ports.backend import ApiRefused, Credentials
from bot.ports.records import Json
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.worker.deps import WorkerDeps
from commands.admin.bodies import deny_body, grant_body, guardrail_body, limit_body
from commands.admin.settle import read_settled
from commands.admin.subcommands import (
    CHANNEL,
    DENY,
    EFFECT,
    GRANT,
    GUARDRAIL,
    LIMIT,
    REVOKE,
    UNTIL,
    WHO,
    WORDS,
    WORDS_ADD,
)
from commands.admin.training import TRAINING, policy_change
from commands.grammar.choices import split_phrases
from commands.grammar.options import Value
from commands.grammar.subcommands import Instruction
from commands.grammar.subjects import subject_of
from commands.grammar.until import fixed_end
from commands.sentences import Trouble
from commands.sentences_access import already_over, confirmed_too_late, group_members_unknown, not_confirmable
from commands.views.access_words import entry_line, everybody_meant, subject_text
from commands.views.admin_change import done
from commands.views.blocks import Message
from commands.views.training_policy import policy_sentences
from commands.views.trouble import trouble_message

WORDS_ATTEMPTS = 5
CONFIRM_SECONDS = 3_600.0
"""For so long a preview can be confirmed: later, what it says may no longer be what its reader has in mind."""


def make_change(deps: WorkerDeps, invocation: Invocation, credentials: Credentials) -> Message:
    """Make the change that the button carries and say what holds now. Nothing of a forged or outdated one is done.

    Making it twice is making it once. Raises `ApiRefused` and `ApiUnavailable`.
    """
    instruction = read_settled(invocation.command)
    trouble = not_confirmable() if instruction is None else _outdated(deps, invocation, instruction)
    if instruction is None or trouble is not None:
        log.warning("not confirmable", extra={"request_key": invocation.request_key, "member": invocation.member})
        return trouble_message(trouble or not_confirmable())
    view = _make(deps, invocation, credentials, instruction)
    facts = {"change": instruction.path, "team": invocation.team, "member": invocation.member}
    log.info("access changed", extra={"request_key": invocation.request_key, **facts})
    return view


def _make(deps: WorkerDeps, invocation: Invocation, credentials: Credentials, instruction: Instruction) -> Message:
    values, team, once = instruction.values, invocation.team, invocation.request_key
    match instruction.path:
        case GRANT.path:
            return _put(deps, credentials, subject_of(values[WHO.name], team), grant_body(values), once)
        case LIMIT.path:
            return _put(deps, credentials, subject_of(values[WHO.name], team), limit_body(values), once)
        case GUARDRAIL.path:
            return _put(deps, credentials, subject_of(values[CHANNEL.name], team), guardrail_body(values), once)
        case DENY.path:
            return _deny(deps, invocation, credentials, subject_of(values[WHO.name], team), values)
        case REVOKE.path:
            return _revoke(deps, credentials, subject_of(values[WHO.name], team), values, once)
        case TRAINING.path:
            return _training(deps, credentials, instruction)
        case _:
            return _words(deps, credentials, instruction)


def _outdated(deps: WorkerDeps, invocation: Invocation, instruction: Instruction) -> Trouble | None:
    try:
        asked_at = float(invocation.message_ts or "")
    except ValueError:
        return not_confirmable()
    if invocation.at - asked_at > CONFIRM_SECONDS:
        return confirmed_too_late()
    until = instruction.values.get(UNTIL.name)
    return already_over() if until is not None and fixed_end(until) <= deps.authority.now() else None


def _put(deps: WorkerDeps, credentials: Credentials, subject: Subject, body: Json, once: str) -> Message:
    """Replace a part of what is granted to a subject; where nothing is left of the grant, it is gone."""
    entry = deps.access.put_grant(credentials, subject, body, once)
    if entry.role_arn is None and entry.guardrail is None and not entry.is_limiting:
        return done(_nothing_granted(subject))
    return done("Done.", entry_line(entry))


def _nothing_granted(subject: Subject) -> str:
    return f"Nothing is granted to {subject_text(subject.kind, subject.id)} any more."


def _deny(
    deps: WorkerDeps, invocation: Invocation, credentials: Credentials, subject: Subject, values: Mapping[str, Value]
) -> Message:
    body = deny_body(values)
    if subject.kind is SubjectKind.USERGROUP:
        try:
            groups = deps.authority.usergroups.ask(deps.slack, invocation.team)
        except (SlackRefused, SlackUnavailable) as error:
            log.warning("user groups unknown", extra={"team": invocation.team, "code": str(error)})
            return trouble_message(group_members_unknown())
        body["reaches"] = sorted(groups.get(subject.id, frozenset()))
    entry = deps.access.put_deny(credentials, subject, body, invocation.request_key)
    return done("Done.", entry_line(entry))


def _revoke(
    deps: WorkerDeps, credentials: Credentials, subject: Subject, values: Mapping[str, Value], once: str
) -> Message:
    whom = everybody_meant(subject.kind, subject.id)
    if values.get(EFFECT.name) == "deny":
        deps.access.remove_deny(credentials, subject, once)
        return done(f"There is no deny any more for {whom}.")
    deps.access.remove_grant(credentials, subject, once)
    return done(_nothing_granted(subject))


def _words(deps: WorkerDeps, credentials: Credentials, instruction: Instruction) -> Message:
    named = {word.casefold(): word for word in split_phrases(instruction.values[WORDS.name])}
    for attempt in range(1, WORDS_ATTEMPTS + 1):
        was = deps.access.read_words(credentials)
        blocked = {word.casefold(): word for word in was}
        if instruction.path == WORDS_ADD.path:
            wanted = {**named, **blocked}
        else:
            wanted = {meaning: word for meaning, word in blocked.items() if meaning not in named}
        if wanted.keys() == blocked.keys():
            break
        try:
            was = deps.access.put_words(credentials, list(wanted.values()), was)
            break
        except ApiRefused as refused:
            # Somebody else's change stays: it is read, and this one made beside it.
            if refused.body.get("code") != "access_conflict" or attempt == WORDS_ATTEMPTS:
                raise
    return done(f"{len(was)} words and phrases are blocked now.")


def _training(deps: WorkerDeps, credentials: Credentials, instruction: Instruction) -> Message:
    before = deps.registry.read_training_policy(credentials)
    wanted = TrainingPolicy.model_validate({**before.model_dump(), **policy_change(instruction.values)})
    # Also where nothing changes by it: IAM shall say whether it may.
    policy = deps.registry.put_training_policy(credentials, wanted)
    return done("Done.", " ".join(policy_sentences(policy.model_dump())))
