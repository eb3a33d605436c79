"""The last step before somebody is asked: the pictures as they will be trained on, captions, time and cost."""

from __future__ import annotations

from collections.abc import Mapping

from backend_lambda.contract.limits import MAX_PROMPT_CHARS
from backend_lambda.contract.trainings import DatasetPicture, PictureState, Training
from commands.grammar.clean import escape
from commands.sentences_training import SET_CHANNEL
from commands.trouble import Trouble, code, trouble_text
from commands.views.blocks import Block, actions, button, context, picture, section
from commands.views.inputs import labelled, text_input
from commands.views.training_captions import CAPTION
from commands.views.training_form import TITLE, FormPlace, modal
from commands.views.training_ids import CHANGE_FORM, TRAINING_REVIEW
from commands.views.training_words import estimate_text, pictures_count, preset_name, settings_phrases

MAX_CAPTIONS = 50


def accepted_pictures(training: Training) -> list[DatasetPicture]:
    """Those that it will be trained on."""
    return [one for one in training.pictures if one.state is PictureState.ACCEPTED]


def training_review(
    place: FormPlace,
    training: Training,
    approvals_channel: str,
    sheet: str | None,
    captions: Mapping[str, str],
    trouble: Trouble | None = None,
) -> Block:
    """A draft that can be submitted. `sheet` is the contact sheet's file; `captions` those typed before, by picture."""
    pictures = accepted_pictures(training)
    blocks: list[Block | None] = [
        section(f":warning: {trouble_text(trouble)}") if trouble is not None else None,
        section(f"*{pictures_count(len(pictures))}* for {code(training.name)}: {what_it_is(training)}"),
        picture(sheet, f"The {len(pictures)} pictures as they will be trained on") if sheet else None,
        None if sheet else context(", ".join(code(one.filename) for one in pictures[:20])),
        section(f":stopwatch: *Estimate:* {estimate_text(training.estimate)}."),
        context(
            f"{escape(training.model)} · {preset_name(training.preset.value)} · "
            + " · ".join(phrase for phrase in settings_phrases(training.settings) if phrase)
        ),
        section(asked_whom(training, approvals_channel)),
        actions([button("Change something", CHANGE_FORM, place.key)]),
        *([section("*Captions* say what each picture shows. Change those that tell too little.")] if pictures else []),
        *(
            labelled(
                f"{CAPTION}{one.picture_id}",
                one.filename,
                text_input(captions.get(one.picture_id, one.caption), one.caption, MAX_PROMPT_CHARS),
                is_optional=True,
            )
            for one in pictures[:MAX_CAPTIONS]
        ),
    ]
    return modal(TRAINING_REVIEW, place.to_metadata(), blocks, title=TITLE, submit="Ask for approval")


def what_it_is(training: Training) -> str:
    """The kind of thing in other words, and the trigger."""
    what = f"a {training.kind.value}" + (f" ({escape(training.what)})" if training.what else "")
    return f"{what}, called by {code(training.trigger)}"


def asked_whom(training: Training, approvals_channel: str) -> str:
    """Where the approval is asked, and whether anybody else can give it."""
    where = (
        f"in <#{escape(approvals_channel)}>"
        if approvals_channel
        else f"where you opened this form (an admin can name a channel: {code(SET_CHANNEL)})"
    )
    lonely = " Nobody but you may approve trainings here." if training.is_only_approver else ""
    return f"Approval is asked {where}.{lonely} Nothing is trained before."
