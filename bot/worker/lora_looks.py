"""The questions of `/finetune`: lists, cards, how far a training is."""

from __future__ import annotations

from collections.abc import Sequence

from backend_lambda.contract.loras import Lora
from backend_lambda.contract.trainings import StoredPicture, Training
from bot.invocation import Invocation
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import ApiRefused, Credentials, PictureGone
from bot.ports.slack import SlackRefused, SlackUnavailable
from bot.uploading import upload_once, wait_until_ready
from bot.worker.deps import WorkerDeps
from commands.finetune import CARD, LIST, MINE, PAGE, TRAINING, VERSIONED
from commands.grammar.lora_names import is_training_id, split_version
from commands.grammar.subcommands import Instruction
from commands.sentences import Trouble
from commands.sentences_loras import lora_version_not_found, training_not_found
from commands.views.blocks import Message
from commands.views.lora_card import lora_card, training_status
from commands.views.lora_list import registry_list
from commands.views.trouble import trouble_message

MOST_LORAS = 1_000
MOST_TRAININGS = 100


def look_up(
    deps: WorkerDeps, invocation: Invocation, work: Work, credentials: Credentials, instruction: Instruction
) -> Message:
    """The answer to a question. Raises `ApiRefused` and `ApiUnavailable`."""
    values = instruction.values
    match instruction.path:
        case LIST.path:
            return registry_list(
                deps.registry.list_loras(credentials, MOST_LORAS),
                deps.registry.list_trainings(credentials, MOST_TRAININGS),
                invocation.member,
                is_mine=bool(values.get(MINE.name)),
                page=int(values.get(PAGE.name, 1)),
            )
        case CARD.path:
            return _card(deps, work, credentials, *split_version(values[VERSIONED.name]))
        case _:
            name = str(values[TRAINING.name])
            training = find_training(deps, credentials, name)
            if training is None:
                return trouble_message(training_not_found(name))
            samples = training.report.samples if training.report is not None else None
            file_id = _samples(deps, work, samples, f"{training.name}-samples.png", f"Samples of {training.name}")
            return training_status(training, file_id)


def find_training(deps: WorkerDeps, credentials: Credentials, name: str, is_open: bool = False) -> Training | None:
    """The training of this id, else the newest one of this name (with `is_open` the newest open one), or None."""
    if is_training_id(name):
        try:
            return deps.registry.read_training(credentials, name)
        except ApiRefused as refused:
            if refused.body.get("code") != "training_not_found":
                raise
            return None
    named = [one for one in deps.registry.list_trainings(credentials, MOST_TRAININGS) if one.name == name]
    open_ones = [one for one in named if not one.state.is_final]
    # A training that is under way is meant rather than one that has ended.
    found = next(iter(open_ones if is_open else open_ones or named), None)
    # Lists may be a moment old, and leave out what a single one says.
    return deps.registry.read_training(credentials, found.training_id) if found is not None else None


def _card(deps: WorkerDeps, work: Work, credentials: Credentials, name: str, version: int | None) -> Message:
    versions = deps.registry.read_lora(credentials, name)
    shown = _version_of(versions, version)
    if shown is None:
        return trouble_message(no_version(name, version, versions))
    title = f"{name}-{shown.version}-samples.png"
    file_id = _samples(deps, work, shown.samples, title, f"Samples of {name}@{shown.version}")
    return lora_card(shown, versions, file_id)


def no_version(name: str, version: int | None, versions: Sequence[Lora]) -> Trouble:
    """The LoRA is there, the version is not."""
    return lora_version_not_found(f"The LoRA {name} has no version {version}.", [str(one.version) for one in versions])


def _version_of(versions: Sequence[Lora], version: int | None) -> Lora | None:
    return next((one for one in versions if version in {None, one.version}), None)


def _samples(deps: WorkerDeps, work: Work, samples: StoredPicture | None, title: str, alt_text: str) -> str | None:
    """The samples as a file in Slack; None where there are none, or Slack does not take them: the words say enough."""
    if samples is None:
        return None
    try:
        content = deps.pictures.read(samples.bucket, samples.key)
        file_id = upload_once(deps.slack, work, "file_id", title, alt_text, content)
        return file_id if wait_until_ready(deps.slack, deps.clock, file_id) else None
    except (PictureGone, SlackRefused, SlackUnavailable) as error:
        log.info("samples not shown", extra={"key": samples.key, "problem": type(error).__name__})
        return None
