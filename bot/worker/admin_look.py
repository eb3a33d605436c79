"""The questions of `/imagine-admin`: answered from the API as whoever asks, so that IAM decides who may know."""

from __future__ import annotations

from backend_lambda.contract.subjects import SubjectKind
from bot.invocation import Invocation
from bot.ports.backend import Credentials
from bot.worker.deps import WorkerDeps
from bot.worker.explain import explain
from commands.admin.subcommands import AUDIT, CHANNEL, LIST, MEMBER, SUBCOMMANDS, WHY, WORDS_LIST, is_change
from commands.admin.training import TRAINING
from commands.grammar.subcommands import Instruction, read_instruction
from commands.grammar.subjects import subject_of
from commands.sentences_access import not_confirmable
from commands.views.access_list import access_list, audit_list, words_list
from commands.views.access_why import access_why
from commands.views.blocks import Message
from commands.views.training_policy import policy_message
from commands.views.trouble import trouble_message

AUDITED = 20


def look(deps: WorkerDeps, invocation: Invocation, credentials: Credentials) -> Message:
    """The answer to a question; whatever would change something is none. Raises `ApiRefused` and `ApiUnavailable`."""
    instruction = read_instruction("", SUBCOMMANDS, invocation.command)
    if isinstance(instruction, tuple) or is_change(instruction):
        return trouble_message(not_confirmable())
    match instruction.path:
        case LIST.path:
            return access_list(deps.access.list_grants(credentials), deps.authority.now())
        case AUDIT.path:
            member = _id_of(instruction, MEMBER.name, invocation)
            return audit_list(deps.access.list_audit(credentials, member, AUDITED))
        case WHY.path:
            # Only who may read the grants may have them explained.
            deps.access.list_grants(credentials)
            member = str(_id_of(instruction, MEMBER.name, invocation))
            channel = _id_of(instruction, CHANNEL.name, invocation) or invocation.channel
            return access_why(explain(deps, invocation, member, channel))
        case WORDS_LIST.path:
            return words_list(deps.access.read_words(credentials))
        case TRAINING.path:
            return policy_message(deps.registry.read_training_policy(credentials).model_dump())
        case _:
            raise ValueError(f"{instruction.path} is no question")


def _id_of(instruction: Instruction, name: str, invocation: Invocation) -> str | None:
    value = instruction.values.get(name)
    if value is None:
        return None
    subject = subject_of(value, invocation.team)
    assert subject.kind in {SubjectKind.MEMBER, SubjectKind.CHANNEL}
    return subject.id
