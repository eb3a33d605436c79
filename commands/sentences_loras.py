"""Every sentence that says that something is wrong with a LoRA, or with a training that somebody asks about."""

from __future__ import annotations

from collections.abc import Sequence

from commands.grammar.clean import clean, escape, shorten
from commands.grammar.parse import nearest_name
from commands.trouble import Trouble, code

LISTED_NAMES = 20
MESSAGE_CHARS = 300


def lora_not_found(given: str | None, available: Sequence[str]) -> Trouble:
    """No LoRA of that name that the person may use here; `available` are the names there are."""
    name = given or ""
    nearest = nearest_name(name, list(available)) if name else None
    meant = f" Did you mean {code(nearest)}?" if nearest is not None and nearest != name else ""
    listed = ", ".join(code(one) for one in list(available)[:LISTED_NAMES])
    more = f" and {len(available) - LISTED_NAMES} more" if len(available) > LISTED_NAMES else ""
    there = f" There are: {listed}{more}." if listed else " There is none yet."
    what = f"There is no LoRA {code(name)} that you may use here." if name else "There is no such LoRA here."
    return Trouble(f"{what}{meant}{there}", "`/finetune list` says more about them.", can_retry=False)


def lora_version_not_found(message: str, available: Sequence[str]) -> Trouble:
    """The LoRA is there, the version is not; `message` is the backend's own sentence, `available` the versions."""
    listed = ", ".join(code(f"@{one}") for one in list(available)[:LISTED_NAMES])
    return Trouble(
        _said(message, "That LoRA has no such version."),
        f"It has {listed}." if listed else "`/finetune list` says which versions there are.",
        can_retry=False,
    )


def lora_not_fitting(message: str) -> Trouble:
    """It was made for another model; `message` is the backend's own sentence, which names them."""
    return Trouble(
        _said(message, "One of the LoRAs was made for another model."),
        "Name a model that it fits with `--model`, or leave it out with `--lora none`.",
        can_retry=False,
    )


def not_yours(message: str) -> Trouble:
    """IAM would allow it, but it is somebody else's; `message` is the backend's own sentence."""
    return Trouble(_said(message, "Only who made it, or an Easel admin, may do that."), can_retry=False)


def lora_unusable(names: Sequence[str], reference: str) -> Trouble:
    """The endpoint could not load what the job named; `names` are all of its LoRAs."""
    what = f"The LoRA {code(names[0])}" if len(names) == 1 else "One of the LoRAs"
    listed = f" ({', '.join(map(code, names))})" if len(names) > 1 else ""
    return Trouble(
        f"{what}{listed} could not be used: its file is gone, is not what was stored, or does not fit the model.",
        "Try again; if it stays, train or import it anew, or paint with `--lora none`.",
        reference,
    )


def lora_name_taken(given: str | None) -> Trouble:
    """Another one has that name already, perhaps one that the person may not see."""
    name = f" {code(given)}" if given else ""
    return Trouble(f"Another LoRA has the name{name} already.", "Choose another name.", can_retry=False)


def lora_file_unusable(message: str) -> Trouble:
    """The uploaded file is no LoRA for that model; `message` is the backend's own sentence."""
    return Trouble(
        _said(message, "This file is not a LoRA for that model."),
        "Choose the .safetensors file of a LoRA that was made for that model.",
        can_retry=False,
    )


def file_not_read() -> Trouble:
    """Slack did not hand over the file that was put into the form."""
    return Trouble(
        "Slack did not hand over the file.", "Put it into the form again: `/finetune import`.", can_retry=False
    )


def file_too_large(most_bytes: int) -> Trouble:
    """More than the bot carries."""
    return Trouble(
        f"This file is larger than the {most_bytes // 2**20} MB that can be imported through Slack.",
        "Larger ones are imported through the REST API (`POST /loras`).",
        can_retry=False,
    )


def training_not_found(name: str) -> Trouble:
    """No training of that name or id."""
    what = f"There is no training {code(name)} here." if name else "There is no such training here."
    return Trouble(what, "`/finetune list` shows those that there are.", can_retry=False)


def training_has_ended(name: str, state: str) -> Trouble:
    """It is final, so there is nothing to cancel."""
    return Trouble(
        f"The training of {code(name)} is not under way any more: {state}.",
        "`/finetune list` shows what came of it.",
        can_retry=False,
    )


def training_under_way(name: str, state: str) -> Trouble:
    """It is open, so there is nothing to delete yet."""
    return Trouble(
        f"The training of {code(name)} is under way: {state}.",
        f"Cancel it first: {code(f'/finetune cancel {name}')}.",
        can_retry=False,
    )


def training_not_in_state(message: str) -> Trouble:
    """What was asked is not possible as the training stands."""
    return Trouble(
        _said(message, "That is not possible as the training stands now."),
        "`/finetune status` says how it stands.",
        can_retry=False,
    )


def dataset_kept(reference: str) -> Trouble:
    """The LoRA is deleted; what it was trained on could not be."""
    return Trouble(
        "The LoRA is deleted, but not all pictures that it was trained on: that was refused.",
        "An Easel admin can delete the training by its id, which `/finetune list` or its thread shows.",
        reference,
        can_retry=False,
    )


def changed_meanwhile() -> Trouble:
    """A button carried what Easel had not put there."""
    return Trouble("This can't be done: it is not what Easel offered.", "Type the command again.", can_retry=False)


def _said(message: str, otherwise: str) -> str:
    text = clean(message)
    return escape(shorten(text, MESSAGE_CHARS)) if text else otherwise
