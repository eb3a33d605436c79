"""What `/finetune` has changed, or is about to delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.grammar.clean import escape
from commands.grammar.lora_names import is_training_id
from commands.trouble import code
from commands.views.action_ids import FINETUNE_CANCEL, FINETUNE_CONFIRM
from commands.views.admin_change import done
from commands.views.blocks import Message, actions, button, context, message, section
from commands.views.lora_words import lora_line, scope_text

if TYPE_CHECKING:
    from backend_lambda.contract.loras import Lora


def delete_preview(name: str, version: int | None, text: str) -> Message:
    """What is going to be gone; the deletion itself is behind the button, as `text`."""
    if is_training_id(name):
        return _asked(
            f"The training {code(name)} is going to be deleted for good, with the pictures that it was made of, where "
            "they are still kept.\nA LoRA that came of it stays.",
            text,
        )
    what = f"*{escape(name)}@{version}*, this version alone," if version else f"*{escape(name)}* with all its versions"
    return _asked(
        f"{what} is going to be deleted for good: its file, its samples, and the pictures that it was trained on, "
        "where they are still kept.\nPictures that were painted with it stay; jobs that are already running finish.",
        text,
        f"{code(f'/finetune retire {name}')} only stops offering it.",
    )


def _asked(asked: str, text: str, instead: str = "") -> Message:
    return message(
        f"Please confirm: {asked}",
        [
            section(asked),
            context(f"Nothing is deleted yet. Only you see this. {instead}".strip()),
            actions(
                [
                    button("Delete", FINETUNE_CONFIRM, text, style="danger"),
                    button("Keep", FINETUNE_CANCEL, "keep"),
                ]
            ),
        ],
    )


def kept() -> Message:
    """The person pressed Keep."""
    return message("Nothing was deleted.", [context("Nothing was deleted.")])


def deleted_lora(name: str, version: int | None, trainings: int) -> Message:
    """It is gone; `trainings`: how many data sets went with it."""
    what = f"{code(f'{name}@{version}')} is deleted" if version else f"{code(name)} is deleted with all its versions"
    data = ", and so are the pictures that it was trained on" if trainings else ""
    return done(f"{what}{data}.")


def deleted_training(name: str) -> Message:
    """It is gone with its pictures."""
    return done(f"The training of {code(name)} is deleted, with the pictures that it was made of.")


def shared(lora: Lora) -> Message:
    """Who may use it now."""
    return done(f"{code(lora.name)} is there {scope_text(lora)} now.")


def renamed(before: str, lora: Lora) -> Message:
    """What it is called now."""
    return done(f"{code(before)} is called {code(lora.name)} now. Old pictures keep the old name in their settings.")


def retired(lora: Lora) -> Message:
    """Offered or not."""
    if lora.is_retired:
        return done(f"{code(lora.name)} is no longer offered. Where it is named, it still paints.")
    return done(f"{code(lora.name)} is offered again.")


def noted(lora: Lora) -> Message:
    """The note as it stands."""
    if not lora.licence_note:
        return done(f"{code(lora.name)} has no note any more.")
    return done(f"Noted about {code(lora.name)}: {escape(lora.licence_note)}")


def cancelled_training(name: str) -> Message:
    """It is over."""
    return done(f"The training of {code(name)} is cancelled.")


def imported(lora: Lora) -> Message:
    """It is listed."""
    prompt = f"a {lora.trigger}" if lora.trigger else "a boat"
    return done(
        f"Imported as {code(f'{lora.name}@{lora.version}')}. "
        f"Try {code(f'/imagine {prompt} --lora {lora.name}')}; {code(f'/finetune share {lora.name} with workspace')} "
        "lets everybody use it.",
        lora_line(lora),
    )
