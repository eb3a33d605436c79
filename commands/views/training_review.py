"""The last step before somebody is asked: the pictures as they will be trained on, captions, time and cost."""

from __future__ import annotations

from collections.abc import Mapping

from backend_lambda.contract.limits import MAX_PROMPT_CHARS
from backend_lambda.contract.training_limits import MAX_TRAINING_PICTURES
from backend_lambda.contract.trainings import DatasetPicture, PictureState, Training
from commands.grammar.clean import escape, shorten
from commands.sentences_training import SET_CHANNEL
from commands.trouble import Trouble, code, trouble_text
from commands.views.blocks import ALT_CHARS, Block, actions, button, context, section
from commands.views.inputs import labelled, text_input
from commands.views.training_captions import CAPTION
from commands.views.training_form import TITLE, FormPlace, modal
from commands.views.training_ids import CHANGE_FORM, TRAINING_REVIEW
from commands.views.training_words import estimate_text, pictures_count, preset_name, settings_phrases

MAX_SHOWN = 44
"""So many pictures with their captions fit into a modal of Slack's, which has 100 blocks."""
SHOWN_KINDS = (".png", ".jpg", ".jpeg", ".gif")
"""What Slack shows in blocks; https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object"""


def accepted_pictures(training: Training) -> list[DatasetPicture]:
    """Those that it will be trained on."""
    return [one for one in training.pictures if one.state is PictureState.ACCEPTED]


def training_review(
    place: FormPlace,
    training: Training,
    approvals_channel: str,
    captions: Mapping[str, str],
    with_pictures: bool = True,
    trouble: Trouble | None = None,
) -> Block:
    """A draft that can be submitted. `captions` are those that were typed before, by picture.

    Its pictures are shown from Slack's own files: their keys are the files' ids.
    """
    pictures = accepted_pictures(training)
    with_pictures = with_pictures and len(pictures) <= MAX_SHOWN
    blocks: list[Block | None] = [
        section(f":warning: {trouble_text(trouble)}") if trouble is not None else None,
        section(f"*{pictures_count(len(pictures))}* for {code(training.name)}: {what_it_is(training)}"),
        section(f":stopwatch: *Estimate:* {estimate_text(training.estimate)}."),
        context(
            f"{escape(training.model)} · {preset_name(training.preset.value)} · "
            + " · ".join(phrase for phrase in settings_phrases(training.settings) if phrase)
        ),
        section(asked_whom(training, approvals_channel)),
        actions([button("Change something", CHANGE_FORM, place.key)]),
        section("*The pictures*, and captions that say what each of them shows. Change those that tell too little."),
    ]
    for one in pictures[:MAX_TRAINING_PICTURES]:
        is_shown = with_pictures and one.filename.lower().endswith(SHOWN_KINDS)
        if is_shown:
            blocks.append(_thumbnail(one))
        label = "Caption" if is_shown else one.filename
        element = text_input(captions.get(one.picture_id, one.caption), one.caption, MAX_PROMPT_CHARS)
        blocks.append(labelled(f"{CAPTION}{one.picture_id}", label, element, is_optional=True))
    return modal(TRAINING_REVIEW, place.to_metadata(), blocks, title=TITLE, submit="Ask for approval")


def _thumbnail(one: DatasetPicture) -> Block:
    size = f"\n{one.width} × {one.height}" if one.width and one.height else ""
    alt = f"{one.filename}, which shows {one.caption}"
    accessory = {"type": "image", "slack_file": {"id": one.key}, "alt_text": shorten(alt, ALT_CHARS)}
    return {**section(f"{code(one.filename)}{size}"), "accessory": accessory}


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
