"""The changes of `/finetune`: shared, renamed, retired, noted, cancelled, deleted."""

from __future__ import annotations

from backend_lambda.contract.training_state import TrainingState
from bot.invocation import Invocation
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import ApiRefused, Credentials
from bot.ports.records import Json
from bot.worker.deps import WorkerDeps
from bot.worker.lora_looks import find_training, no_version
from commands.finetune import (
    CANCEL,
    DELETE,
    LORA,
    NEW_NAME,
    NOTE,
    NOTED,
    RENAME,
    RETIRE,
    SCOPE,
    SHARE,
    TRAINING,
    VERSIONED,
)
from commands.grammar.lora_names import is_training_id, split_version
from commands.grammar.subcommands import Instruction
from commands.sentences_loras import dataset_kept, training_has_ended, training_not_found, training_under_way
from commands.views.blocks import Message
from commands.views.lora_changes import (
    cancelled_training,
    deleted_lora,
    deleted_training,
    noted,
    renamed,
    retired,
    shared,
)
from commands.views.lora_words import state_text
from commands.views.trouble import trouble_message

GONE = "lora_not_found"


def change_registry(
    deps: WorkerDeps,
    invocation: Invocation,
    work: Work,
    credentials: Credentials,
    instruction: Instruction,
    reference: str,
) -> Message:
    """Make the change and say what holds now. Making it twice is making it once.

    Raises `ApiRefused` and `ApiUnavailable`.
    """
    values = instruction.values
    name = str(values.get(LORA.name, ""))
    facts = {"change": instruction.path, "team": invocation.team, "member": invocation.member}
    log.info("registry change", extra={"request_key": invocation.request_key, **facts})
    match instruction.path:
        case CANCEL.path:
            return _cancel(deps, work, credentials, str(values[TRAINING.name]))
        case DELETE.path:
            name, version = split_version(values[VERSIONED.name])
            if is_training_id(name):
                return _delete_training_alone(deps, credentials, name)
            return _delete(deps, work, credentials, name, version, reference)
        case RENAME.path:
            return _rename(deps, work, credentials, name, str(values[NEW_NAME.name]))
        case SHARE.path:
            return shared(deps.registry.change_lora(credentials, name, _scope(str(values[SCOPE.name]), invocation)))
        case NOTED.path:
            change: Json = {"licence_note": str(values[NOTE.name])}
            return noted(deps.registry.change_lora(credentials, name, change))
        case _:
            change = {"is_retired": instruction.path == RETIRE.path}
            return retired(deps.registry.change_lora(credentials, name, change))


def _scope(whom: str, invocation: Invocation) -> Json:
    match whom:
        case "workspace":
            return {"scope": "workspace"}
        case "here":
            return {"scope": "channel", "channel": invocation.channel}
        case _:
            return {"scope": "member"}


def _cancel(deps: WorkerDeps, work: Work, credentials: Credentials, name: str) -> Message:
    """The training is noted before it is cancelled: of several of one name, a repetition must not take the next one."""
    training_id = work.data.get("training_id")
    if training_id is None:
        training = find_training(deps, credentials, name, is_open=True)
        if training is None:
            ended = find_training(deps, credentials, name)
            trouble = training_not_found(name) if ended is None else training_has_ended(ended.name, state_text(ended))
            return trouble_message(trouble)
        if training.state.is_final:
            return trouble_message(training_has_ended(training.name, state_text(training)))
        training_id = training.training_id
        work.note(training_id=training_id)
    after = deps.registry.cancel_training(credentials, str(training_id))
    if after.state is not TrainingState.CANCELLED:
        return trouble_message(training_has_ended(after.name, state_text(after)))
    return cancelled_training(after.name)


def _rename(deps: WorkerDeps, work: Work, credentials: Credentials, name: str, new_name: str) -> Message:
    """Where the old name is gone at a repetition, the first try may have worked: its file tells."""
    sha256 = work.data.get("sha256")
    if sha256 is None:
        sha256 = deps.registry.read_lora(credentials, name)[0].sha256
        work.note(sha256=sha256)
    try:
        return renamed(name, deps.registry.change_lora(credentials, name, {"name": new_name}))
    except ApiRefused as refused:
        if refused.body.get("code") != GONE:
            raise
        now = deps.registry.read_lora(credentials, new_name)[0]
        if now.sha256 != sha256:
            raise
        return renamed(name, now)


def _delete(
    deps: WorkerDeps, work: Work, credentials: Credentials, name: str, version: int | None, reference: str
) -> Message:
    """The LoRA first: who may not delete it, deletes nothing. What it was made of is noted before it is gone."""
    trainings = work.data.get("trainings")
    if trainings is None:
        known = deps.registry.read_lora(credentials, name)
        versions = [one for one in known if version in {None, one.version}]
        if not versions:
            return trouble_message(no_version(name, version, known))
        trainings = sorted({one.training_id for one in versions if one.training_id is not None})
        work.note(trainings=trainings)
    try:
        deps.registry.delete_lora(credentials, name, version)
    except ApiRefused as refused:
        # It was there before: it is gone because of this very call, or of somebody who wanted the same.
        if refused.body.get("code") != GONE:
            raise
    kept = [training_id for training_id in trainings if not _delete_training(deps, credentials, training_id)]
    if kept:
        log.warning("data set kept", extra={"trainings": kept, "reference": reference})
        return trouble_message(dataset_kept(reference))
    return deleted_lora(name, version, len(trainings))


def _delete_training_alone(deps: WorkerDeps, credentials: Credentials, training_id: str) -> Message:
    """One that has ended; what is under way is cancelled by those who say so."""
    training = deps.registry.read_training(credentials, training_id)
    if not training.state.is_final:
        return trouble_message(training_under_way(training.name, state_text(training)))
    deps.registry.delete_training(credentials, training_id)
    return deleted_training(training.name)


def _delete_training(deps: WorkerDeps, credentials: Credentials, training_id: str) -> bool:
    """Whether the training's pictures are gone."""
    try:
        deps.registry.delete_training(credentials, training_id)
    except ApiRefused as refused:
        return refused.body.get("code") in {"training_not_found", "training_not_in_state"}
    return True
