"""`/finetune`: looked up and changed as whoever asked, answered to them alone."""

from __future__ import annotations

from bot.invocation import Invocation, Kind
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import ApiRefused, RoleRefused
from bot.worker.admin import answer
from bot.worker.authorize import AccessRefused
from bot.worker.deps import WorkerDeps
from bot.worker.import_lora import import_lora
from bot.worker.lora_changes import change_registry
from bot.worker.lora_looks import look_up
from bot.worker.loras import offer_loras
from bot.worker.refusals import refusal_trouble
from commands.finetune import CONFIRMED, LOOKING, read_registry_text
from commands.grammar.subcommands import Instruction
from commands.sentences import Trouble, role_refused
from commands.sentences_access import confirmed_too_late
from commands.sentences_loras import changed_meanwhile
from commands.views.blocks import Message
from commands.views.trouble import trouble_message

FINETUNE_KINDS = frozenset({Kind.FINETUNE, Kind.FINETUNE_PAGE, Kind.FINETUNE_CONFIRMED, Kind.IMPORT_LORA})
CONFIRM_SECONDS = 3_600.0
"""For so long a preview can be confirmed."""


def finetune(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> None:
    """Do it and answer. Safe to repeat at any point: what was answered once is answered again, not done again."""
    noted = work.data.get("answer")
    view = Message.from_json(noted) if noted is not None else _outcome(deps, invocation, work, reference)
    if noted is None:
        work.note(answer=view.to_json())
    if not answer(deps, invocation, view) and view.has_pictures:
        # Slack takes no file in such an answer: the words say enough.
        answer(deps, invocation, view.without_pictures())
    work.finish(answer=None)


def _outcome(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> Message:
    instruction = read_registry_text(invocation.command) if invocation.command else None
    trouble = _doubt(invocation, instruction)
    if trouble is not None:
        log.warning("not offered", extra={"request_key": invocation.request_key, "member": invocation.member})
        return trouble_message(trouble)
    try:
        authorized = deps.authorize(invocation)
        credentials = deps.assume(authorized)
    except AccessRefused as refused:
        return trouble_message(refused.trouble)
    except RoleRefused:
        log.warning("role refused", extra={"request_key": invocation.request_key, "reference": reference})
        return trouble_message(role_refused(reference))
    try:
        if instruction is None:
            view = import_lora(deps, invocation, work, credentials)
        elif instruction.path in LOOKING:
            return look_up(deps, invocation, work, credentials, instruction)
        else:
            view = change_registry(deps, invocation, work, credentials, instruction, reference)
    except ApiRefused as refused:
        code = str(refused.body.get("code"))
        log.info("backend refused", extra={"request_key": invocation.request_key, "code": code, "reference": reference})
        model = str(invocation.fields.get("endpoint") or "") or None
        return trouble_message(refusal_trouble(refused, model, reference, authorized))
    offer_loras(deps, invocation, credentials, is_stale=True)
    return view


def _doubt(invocation: Invocation, instruction: Instruction | None) -> Trouble | None:
    """What a button carries is believed only where it is what Easel puts behind that button."""
    match invocation.kind:
        case Kind.IMPORT_LORA:
            return None
        case Kind.FINETUNE:
            is_right = instruction is not None and instruction.path not in CONFIRMED
        case Kind.FINETUNE_PAGE:
            is_right = instruction is not None and instruction.path in LOOKING
        case _:
            is_right = instruction is not None and instruction.path in CONFIRMED
            if is_right and _is_late(invocation):
                return confirmed_too_late()
    return None if is_right else changed_meanwhile()


def _is_late(invocation: Invocation) -> bool:
    try:
        return invocation.at - float(invocation.message_ts or "") > CONFIRM_SECONDS
    except ValueError:
        return True
