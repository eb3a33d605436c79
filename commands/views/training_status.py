"""The message that follows a training from the request to the LoRA, and the pictures below it."""

from __future__ import annotations

import json

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training, TrainingReport
from commands.grammar.clean import escape
from commands.order import PaintOrder
from commands.sentences_training import training_trouble
from commands.trouble import Trouble, code, trouble_text
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
from commands.views.status import BAR_CELLS
from commands.views.training_ids import CANCEL_TRAINING, TRY_LORA
from commands.views.training_request import how_decided, person
from commands.views.training_review import what_it_is
from commands.views.training_words import about, settings_phrases


def asking_message(name: str, member: str) -> Message:
    """Posted before the backend is asked: there is nothing to cancel yet."""
    return message(
        f"Training {code(name)}: asking for approval",
        [section(f":seedling: *Training {code(name)}*"), section(":hourglass_flowing_sand: Asking for approval"),
         context(person(member))],
    )  # fmt: skip


def not_asked_message(name: str, member: str, trouble: Trouble) -> Message:
    """The backend did not take the request."""
    text = trouble_text(trouble)
    return message(
        f"Training {code(name)}: not asked",
        [section(f":seedling: *Training {code(name)}*"), section(f":warning: {text}"), context(person(member))],
    )


def status_message(training: Training, approvals_channel: str = "", samples: str | None = None) -> Message:
    """How a training stands. `samples` is the file of the final samples, shown with its success."""
    status = status_line(training, approvals_channel)
    return message(
        f"Training {code(training.name)}: {_without_emoji(status)}",
        [
            section(f":seedling: *Training {code(training.name)}*: {what_it_is(training)}"),
            section(status),
            picture(samples, f"Before and after training {training.name}") if samples else None,
            context(person(training.owner.member), _small_print(training)),
            actions(_buttons(training)),
        ],
    )


def status_line(training: Training, approvals_channel: str = "") -> str:
    """The status that moves, with its emoji (mrkdwn)."""
    match training.state:
        case TrainingState.DRAFT | TrainingState.AWAITING_APPROVAL:
            where = f" in <#{escape(approvals_channel)}>" if approvals_channel else ""
            return f":hourglass_flowing_sand: Waiting for an approval{where}"
        case TrainingState.APPROVED:
            return f":white_check_mark: {how_decided(training)}. Waiting for its turn"
        case TrainingState.STARTING:
            return _starting(training.report)
        case TrainingState.RUNNING:
            return _running(training.report)
        case TrainingState.SUCCEEDED:
            return _usage(training)
        case TrainingState.FAILED:
            failure = training.failure
            return f":warning: {trouble_text(training_trouble(failure.code, failure.reference))}" if failure else ""
        case TrainingState.DENIED:
            return (
                f":no_entry_sign: {how_decided(training)}.\nChange what is in the way and ask again with `/finetune`."
            )
        case TrainingState.EXPIRED:
            return ":hourglass: Nobody decided in time.\nAsk again with `/finetune`."
        case _:
            return ":no_entry_sign: Cancelled. Nothing more is trained or charged."


def end_reply(training: Training) -> Message | None:
    """A message of its own for whoever waits: changing a message notifies nobody. None where nothing has ended."""
    member = person(training.owner.member)
    match training.state:
        case TrainingState.SUCCEEDED:
            text = f"{member} {code(training.name)} is trained. Use it with {code(example(training))}."
        case TrainingState.FAILED | TrainingState.DENIED | TrainingState.EXPIRED:
            text = f"{member} {_without_emoji(status_line(training))}"
        case _:
            return None
    return message(text, [section(text)])


def pictures_message(training: Training, plot: str | None, samples: str | None) -> Message:
    """The loss so far, and the sample prompts before any training and now."""
    report = training.report
    step = f"after step {report.step:,} of {report.steps:,}" if report is not None else ""
    loss = f"The loss {step}" + (f": {report.loss:.4f}" if report is not None and report.loss is not None else "")
    return message(
        f"Training {code(training.name)} {step}",
        [
            section(f"*Samples* {step}: before any training, and now") if samples else None,
            picture(samples, f"Samples of {training.name} {step}, before any training and now") if samples else None,
            picture(plot, loss) if plot else None,
            context(loss),
        ],
    )


def example(training: Training) -> str:
    """A command that uses the LoRA."""
    return f"/imagine {example_prompt(training)} --lora {training.name}"


def example_prompt(training: Training) -> str:
    """Words that call it."""
    if training.kind.value == "style":
        return f"a house, {training.trigger} {training.what}".strip()
    return f"a {training.trigger} {training.what}".strip()


def try_value(training: Training) -> str:
    """What the button carries: the order that the form opens with."""
    order = PaintOrder(example_prompt(training), model=training.endpoint, loras=training.name)
    return json.dumps(order.to_json())


def _buttons(training: Training) -> list[Block]:
    if training.state is TrainingState.SUCCEEDED:
        return [button("Try it", TRY_LORA, try_value(training), style="primary")]
    if training.state.is_final:
        return []
    dialog = confirm_dialog(
        "Cancel this training?", "What has been trained so far is lost; what has run is charged.", "Cancel it", "Go on"
    )
    return [button("Cancel", CANCEL_TRAINING, training.training_id, confirm=dialog)]


def _small_print(training: Training) -> str:
    phrases = [phrase for phrase in settings_phrases(training.settings) if phrase]
    if training.state is TrainingState.SUCCEEDED:
        if training.final_loss is not None:
            phrases.append(f"final loss {training.final_loss:.4f}")
        if training.dataset_deleted:
            phrases.append("its pictures are deleted")
    return " · ".join([escape(training.model), *phrases])


def _starting(report: TrainingReport | None) -> str:
    if report is not None and report.step > 0:
        return (
            f":arrows_counterclockwise: Interrupted at step {report.step:,} of {report.steps:,}: AWS took the instance "
            "back. It goes on from its last checkpoint as soon as there is another one."
        )
    return ":zzz: Waiting for an instance"


def _running(report: TrainingReport | None) -> str:
    if report is None or report.phase == "preparing":
        return ":gear: Preparing: loading the model, reading the pictures"
    if report.phase == "finishing":
        return ":package: Finishing"
    share = min(1.0, max(0.0, report.step / report.steps)) if report.steps > 0 else 0.0
    done = int(share * BAR_CELLS)
    bar = "▰" * done + "▱" * (BAR_CELLS - done)
    left = f" · {about(report.seconds_left)} left" if report.seconds_left is not None else ""
    return f":zap: Training {bar} step {report.step:,} of {report.steps:,}{left}"


def _usage(training: Training) -> str:
    version = f" (version {training.lora_version})" if training.lora_version and training.lora_version > 1 else ""
    return f":tada: {code(training.name)}{version} is ready. Use it:\n{code(example(training))}"


def _without_emoji(status: str) -> str:
    return status.partition(": ")[2] if status.startswith(":") else status
