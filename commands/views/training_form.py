"""The form behind `/finetune` and the shortcut: what is to be trained, and on which pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from backend_lambda.contract.training_limits import (
    MAX_LORA_NAME_CHARS,
    MAX_PICTURE_BYTES,
    MAX_TRAINING_PICTURES,
    MAX_TRIGGER_CHARS,
    MIN_TRAINING_PICTURES,
)
from commands.grammar.clean import clean, escape, shorten
from commands.grammar.loras import NONE, is_lora_name
from commands.grammar.options import Value
from commands.sentences_training import MEGABYTES, SET_CHANNEL, too_few, too_large_files, too_many
from commands.training_offers import Trainables, Wanted, estimate_for
from commands.training_order import PRESETS, STANDARD, STYLE, SUBJECT, TrainingOrder
from commands.trouble import Trouble, code, trouble_text
from commands.views.blocks import Block, actions, button, context, plain, section
from commands.views.inputs import (
    VALUE,
    choice,
    given_files,
    given_list,
    given_text,
    labelled,
    one_of,
    text_input,
)
from commands.views.training_ids import (
    BASE_SELECT,
    MORE_PICTURES,
    PRESET_SELECT,
    SHOW_ADVANCED,
    TRAINING_FORM,
    TRAINING_WAIT,
)
from commands.views.training_options import OPTION_BLOCKS, is_shown, option_blocks, read_options
from commands.views.training_words import PRESETS as PRESET_WORDS
from commands.views.training_words import estimate_text, pictures_count

NAME, TRIGGER, KIND, WHAT, BASE, PRESET, LICENCE = "name", "trigger", "kind", "what", "base", "preset", "licence"
LEFT_OUT, THREAD, PICTURES, ESTIMATE, MORE, ADVANCED = "left-out", "thread", "pictures", "estimate", "more", "advanced"
FIELDS = (NAME, TRIGGER, WHAT, LICENCE)

TITLE = "Train a LoRA"
FILES_A_BLOCK = 10
"""What Slack's file input takes; https://docs.slack.dev/reference/block-kit/block-elements/file-input-element"""
MAX_FILE_BLOCKS = MAX_TRAINING_PICTURES // FILES_A_BLOCK
FILE_TYPES = ("png", "jpg", "jpeg", "webp", "gif")
MAX_FORM_PICTURES = MAX_TRAINING_PICTURES
KEPT_NAME_CHARS = 20
MAX_WHAT_CHARS, MAX_LICENCE_CHARS = 60, 200
LISTED_FAULTS, LISTED_NAMES = 20, 15

TRIGGER_WORD = re.compile(r"[^\s<>@#:|`*_~]+")


@dataclass(frozen=True)
class Kept:
    """A picture that need not be uploaded again, by Slack's id of its file."""

    file: str
    name: str


@dataclass(frozen=True)
class FormPlace:
    """What a form of trainings carries in its private metadata: which one it is and where it was opened.

    `source_ts` is the root of the thread whose pictures may be used. `pictures` are those of the shortcut's message,
    `options` the advanced ones that were named and are hidden. `round` grows with each check: file inputs of another
    round are other inputs, so that none comes back filled.
    """

    key: str
    channel: str
    thread_ts: str | None = None
    response_url: str | None = None
    source_ts: str | None = None
    round: int = 0
    pictures: Sequence[Kept] = ()
    options: Mapping[str, Value] = field(default_factory=dict)
    team: str = ""
    """The workspace's id: an organisation's installation may not say it when the form comes back."""

    def to_metadata(self) -> str:
        """At most 3,000 characters."""
        document = {
            **asdict(self),
            "pictures": [[one.file, shorten(one.name, KEPT_NAME_CHARS)] for one in self.pictures],
        }
        return json.dumps({key: value for key, value in document.items() if value}, ensure_ascii=False)

    @classmethod
    def from_metadata(cls, metadata: str) -> FormPlace:
        """Read what `to_metadata` wrote; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        document = json.loads(metadata)
        known = {one.name for one in fields(cls)} - {"pictures"}
        pictures = tuple(Kept(file, name) for file, name in document.get("pictures", []))
        return cls(**{key: document[key] for key in known if key in document} | {"pictures": pictures})


@dataclass(frozen=True)
class Report:
    """What the last check said: the faults of refused pictures as sentences, and whatever else went wrong."""

    faults: Sequence[str] = ()
    accepted: int | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True)
class NewPicture:
    """A file that was added in the form."""

    file: str
    name: str


@dataclass(frozen=True)
class Filled:
    """A form that is filled in well."""

    place: FormPlace
    order: TrainingOrder
    added: Sequence[NewPicture]
    left_out: Sequence[str]
    with_thread: bool

    def to_json(self) -> dict[str, Any]:
        """For the queue."""
        return {
            "order": self.order.to_json(),
            "added": [[one.file, one.name] for one in self.added],
            "left_out": list(self.left_out),
            "with_thread": self.with_thread,
            "place": self.place.to_metadata(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Filled:
        """Read what `to_json` wrote; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        return cls(
            FormPlace.from_metadata(document["place"]),
            TrainingOrder.from_json(document["order"]),
            [NewPicture(file, name) for file, name in document["added"]],
            document["left_out"],
            document["with_thread"],
        )


def training_form(
    place: FormPlace,
    trainables: Trainables,
    default_endpoint: str,
    order: TrainingOrder | None = None,
    kept: Sequence[Kept] = (),
    report: Report | None = None,
) -> Block:
    """The form, filled with `order`; `kept` are pictures that came with it before. Something is trainable.

    Raises `IndexError` where nothing is.
    """
    base = trainables.first(order.endpoint if order is not None else default_endpoint)
    preset = order.preset if order is not None else STANDARD
    options = order.options if order is not None else place.options
    place = replace(place, options=options)
    blocks: list[Block | None] = [
        *_report_blocks(report or Report()),
        labelled(
            NAME, "Name", text_input(order.name if order else "", "mascot", MAX_LORA_NAME_CHARS),
            "Everyone will use it as --lora name. Small letters, digits and hyphens.",
        ),
        labelled(
            TRIGGER, "Trigger word", text_input(order.trigger if order else "", "zblx", MAX_TRIGGER_CHARS),
            "The word that calls it in prompts. Invent one: a word that means something already is harder to train.",
        ),
        labelled(
            KIND, "What the pictures show",
            one_of(
                "radio_buttons",
                [
                    choice("A subject", SUBJECT, "One thing, person or character again and again"),
                    choice("A style", STYLE, "Different things, drawn or photographed in one way"),
                ],
                order.kind if order else SUBJECT,
            ),
        ),
        labelled(
            WHAT, "In other words", text_input(order.what if order else "", "mug", MAX_WHAT_CHARS),
            "For a subject, the kind of thing it is: mug, dog, logo. For a style, what others call it: ink drawing.",
        ),
        *_picture_blocks(place, kept),
        _base_block(trainables, base.name),
        labelled(
            PRESET, "Quality",
            one_of(
                "radio_buttons",
                [choice(PRESET_WORDS[name][0], name, PRESET_WORDS[name][1]) for name in PRESETS],
                preset,
                PRESET_SELECT,
            ),
            is_told=True,
        ),
        estimate_block(trainables, base.name, Wanted(preset, options)),
        _advanced_button(is_open=bool(options)),
        *(option_blocks(options) if options else []),
        labelled(
            LICENCE, "Licence note",
            text_input(order.licence_note if order else "", "our own photos", MAX_LICENCE_CHARS),
            "Where the pictures come from and who may use the result.", is_optional=True,
        ),
        _approvers_block(trainables.approvals_channel),
    ]  # fmt: skip
    return modal(TRAINING_FORM, place.to_metadata(), blocks, submit="Check pictures")


def read_training_form(view: Mapping[str, Any]) -> Filled | dict[str, str]:
    """What a submitted form means, or an error for each wrong block, by block id. Pure: nothing is looked up."""
    state, blocks = view["state"]["values"], view["blocks"]
    place = FormPlace.from_metadata(view["private_metadata"])
    texts = {name: clean(given_text(state, name)) for name in FIELDS}
    kind = given_text(state, KIND) or SUBJECT
    options, errors = read_options(state) if is_shown(blocks) else (dict(place.options), {})
    errors |= _wrong_texts(texts, kind)
    kept = [option["value"] for option in _left_out_options(blocks)]
    left_out = [file for file in given_list(state, LEFT_OUT) if file in kept]
    with_thread = bool(given_list(state, THREAD))
    files = {file["id"]: file for block_id in file_blocks(blocks) for file in given_files(state, block_id)}
    added = {file_id: file for file_id, file in files.items() if file_id not in kept or file_id in left_out}
    count = len(kept) - len(left_out) + len(added)
    too_big = [_name(file) for file in added.values() if _size(file) > MAX_PICTURE_BYTES]
    where = (file_blocks(blocks) or [LEFT_OUT])[0]
    if too_big:
        errors[where] = too_large_files(too_big)
    elif count > MAX_TRAINING_PICTURES:
        errors[where] = too_many(count)
    elif count < MIN_TRAINING_PICTURES and not with_thread:
        errors[where] = too_few(count)
    if errors:
        return errors
    order = TrainingOrder(
        name=texts[NAME].lower(),
        trigger=texts[TRIGGER],
        endpoint=given_text(state, BASE),
        kind=kind,
        what=texts[WHAT],
        preset=given_text(state, PRESET) or STANDARD,
        options=options,
        licence_note=texts[LICENCE],
    )
    new = [NewPicture(file_id, _name(file)) for file_id, file in added.items()]
    return Filled(place, order, new, left_out, with_thread)


# ------------------------------------------------------------------ what changes while the form is open


def with_estimate(view: Mapping[str, Any], trainables: Trainables) -> Block:
    """The same form with the estimate of what is filled in now."""
    return _again(view, blocks=_estimated(view, list(view["blocks"]), trainables))


def with_advanced(view: Mapping[str, Any], trainables: Trainables) -> Block:
    """The same form with the advanced options shown, or hidden; what was filled in counts in both."""
    place, blocks = FormPlace.from_metadata(view["private_metadata"]), list(view["blocks"])
    if is_shown(blocks):
        options, _ = read_options(view["state"]["values"])
        place = replace(place, options=options)
        blocks = [block for block in blocks if block.get("block_id") not in OPTION_BLOCKS]
        is_open = False
    else:
        at = _index(blocks, ADVANCED) + 1
        blocks[at:at] = option_blocks(place.options)
        is_open = True
    blocks[_index(blocks, ADVANCED)] = _advanced_button(is_open)
    again = {**view, "private_metadata": place.to_metadata()}
    return _again(again, blocks=_estimated(again, blocks, trainables))


def with_more_room(view: Mapping[str, Any]) -> Block:
    """The same form with one more field for pictures, up to what a training takes."""
    place, blocks = FormPlace.from_metadata(view["private_metadata"]), list(view["blocks"])
    there = len(file_blocks(blocks))
    at = _index(blocks, MORE)
    if there < MAX_FILE_BLOCKS:
        blocks.insert(at, _file_block(place.round, there))
        at += 1
    if there + 1 >= MAX_FILE_BLOCKS:
        del blocks[at]
    return _again(view, blocks=blocks)


def file_blocks(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the file inputs."""
    ids = [str(block.get("block_id")) for block in blocks]
    return [block_id for block_id in ids if block_id.startswith(f"{PICTURES}-")]


# ------------------------------------------------------------------ views that wait


def waiting_view(title: str, text: str, place: FormPlace) -> Block:
    """Something is under way; it goes on though the view is closed."""
    hint = context("You can close this: Easel writes to you when it needs you.")
    return modal(TRAINING_WAIT, place.to_metadata(), [section(f":hourglass_flowing_sand: {text}"), hint], title=title)


def loading_view(place: FormPlace) -> Block:
    """The form is about to come."""
    return modal(
        TRAINING_WAIT, place.to_metadata(), [section(":hourglass_flowing_sand: Looking up what can be trained …")]
    )


def checking_view(place: FormPlace, done: int, total: int | None) -> Block:
    """The pictures are looked at."""
    count = f" {done} of {total} done." if total else ""
    return waiting_view(TITLE, f"Checking pictures …{count}", place)


def told_view(text: str, place: FormPlace) -> Block:
    """Nothing more to fill in: `text` (mrkdwn) says why."""
    return modal(TRAINING_WAIT, place.to_metadata(), [section(text)], close="Close")


def trouble_view(trouble: Trouble, place: FormPlace) -> Block:
    """Nothing more to fill in: something went wrong."""
    return told_view(f":warning: {trouble_text(trouble)}", place)


# ------------------------------------------------------------------ inside


def _wrong_texts(texts: Mapping[str, str], kind: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    name, trigger = texts[NAME].lower(), texts[TRIGGER]
    if not is_lora_name(name):
        suggested = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:MAX_LORA_NAME_CHARS].strip("-")
        suggestion = f" For example {suggested}." if suggested else ""
        errors[NAME] = f"A name has small letters, digits and hyphens, at most {MAX_LORA_NAME_CHARS}.{suggestion}"
        if name == NONE:
            errors[NAME] = "No LoRA can be called none: that is what --lora none is for."
    if not TRIGGER_WORD.fullmatch(trigger) or len(trigger) > MAX_TRIGGER_CHARS:
        errors[TRIGGER] = f"One word of at most {MAX_TRIGGER_CHARS} characters, without < > @ # : | ` * _ ~."
    if not texts[WHAT]:
        errors[WHAT] = (
            "Say what kind of thing it is, such as mug."
            if kind == SUBJECT
            else "Say what others call it, such as ink drawing."
        )
    for field_name, most in ((WHAT, MAX_WHAT_CHARS), (LICENCE, MAX_LICENCE_CHARS)):
        if len(texts[field_name]) > most:
            errors[field_name] = f"This has {len(texts[field_name])} characters. At most {most} are allowed."
    return errors


def _report_blocks(report: Report) -> list[Block]:
    blocks = []
    if report.trouble is not None:
        blocks.append(section(f":warning: {trouble_text(report.trouble)}"))
    if report.faults:
        shown = [f"• {sentence}" for sentence in report.faults[:LISTED_FAULTS]]
        more = len(report.faults) - len(shown)
        shown += [f"• … and {more} more"] if more > 0 else []
        head = f":warning: *{pictures_count(len(report.faults))} can't be used:*"
        blocks += [section("\n".join([head, *shown]))]
    if report.accepted is not None and report.accepted < MIN_TRAINING_PICTURES and report.trouble is None:
        blocks.append(section(f":point_right: {too_few(report.accepted)}"))
    return blocks


def _picture_blocks(place: FormPlace, before: Sequence[Kept]) -> list[Block | None]:
    blocks: list[Block | None] = []
    there = {one.file for one in before}
    kept = [*before, *(one for one in place.pictures if one.file not in there)]
    if kept:
        names = ", ".join(code(shorten(one.name, 40)) for one in kept[:LISTED_NAMES])
        more = f" and {len(kept) - LISTED_NAMES} more" if len(kept) > LISTED_NAMES else ""
        whence = "so far" if before else "of the message"
        blocks += [
            section(f"*{pictures_count(len(kept))} {whence}:* {names}{more}"),
            labelled(LEFT_OUT, "Leave out", _left_out_select(kept), is_optional=True),
        ]
    if place.source_ts is not None:
        option = choice("Take the pictures of its thread too", THREAD)
        element = {"type": "checkboxes", "action_id": VALUE, "options": [option]}
        blocks.append(labelled(THREAD, "Thread", element, is_optional=True))
    if len(kept) < MAX_TRAINING_PICTURES:
        more_button = button("Room for more pictures", MORE_PICTURES, "more")
        is_optional = bool(kept) or place.source_ts is not None
        first = _file_block(place.round, 0, is_more=bool(kept), is_optional=is_optional)
        blocks += [first, _actions(MORE, more_button)]
    return blocks


def _left_out_select(kept: Sequence[Kept]) -> Block:
    return {
        "type": "multi_static_select",
        "action_id": VALUE,
        "placeholder": plain("none", 150),
        "options": [choice(one.name, one.file) for one in kept[:MAX_TRAINING_PICTURES]],
    }


def _file_block(round_number: int, number: int, is_more: bool = False, is_optional: bool = True) -> Block:
    element = {
        "type": "file_input",
        "action_id": VALUE,
        "filetypes": list(FILE_TYPES),
        "max_files": FILES_A_BLOCK,
    }
    hint = (
        f"{MIN_TRAINING_PICTURES} to {MAX_TRAINING_PICTURES} in all, {FILES_A_BLOCK} in each field, at most "
        f"{MEGABYTES} MB each. 8 to 20 from different sides and before different backgrounds work best."
        if number == 0
        else ""
    )
    label = "More pictures" if number or is_more else "Pictures"
    return labelled(f"{PICTURES}-{round_number}-{number}", label, element, hint, is_optional)


def _base_block(trainables: Trainables, chosen: str) -> Block:
    options = [
        choice(one.title if one.title in {"", one.name} else f"{one.title} ({one.name})", one.name)
        if one.title
        else choice(one.name, one.name)
        for one in trainables.endpoints[:100]
    ]
    element = one_of("static_select", options, chosen, BASE_SELECT, "a model")
    return labelled(BASE, "Base model", element, "The LoRA will fit this model only.", is_told=True)


def estimate_block(trainables: Trainables, endpoint: str, wanted: Wanted) -> Block:
    """What a training with these settings takes."""
    trainable = trainables.named(endpoint)
    estimate = estimate_for(trainable, wanted) if trainable is not None else None
    text = "known once the settings are complete" if estimate is None else estimate_text(estimate)
    return {**section(f":stopwatch: *Estimate:* {text}."), "block_id": ESTIMATE}


def _estimated(view: Mapping[str, Any], blocks: list[Block], trainables: Trainables) -> list[Block]:
    state, place = view["state"]["values"], FormPlace.from_metadata(view["private_metadata"])
    # Options that are about to be shown are not in the state yet, and those that are hidden never are.
    options = read_options(state)[0] if is_shown(view["blocks"]) and is_shown(blocks) else dict(place.options)
    wanted = Wanted(given_text(state, PRESET) or STANDARD, options)
    at = _index(blocks, ESTIMATE)
    return [*blocks[:at], estimate_block(trainables, given_text(state, BASE), wanted), *blocks[at + 1 :]]


def _advanced_button(is_open: bool) -> Block:
    label = "Hide advanced options" if is_open else "Advanced options"
    return _actions(ADVANCED, button(label, SHOW_ADVANCED, "toggle"))


def _approvers_block(channel: str) -> Block:
    if channel:
        text = f"Nothing is trained before somebody approves it: that is asked in <#{escape(channel)}>."
    else:
        text = (
            "Nothing is trained before somebody approves it: that is asked where you opened this form. "
            f"An admin can name a channel for it: {code(SET_CHANNEL)}."
        )
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def modal(
    callback_id: str,
    metadata: str,
    blocks: Sequence[Block | None],
    title: str = TITLE,
    submit: str | None = None,
    close: str = "Cancel",
) -> Block:
    """A modal of trainings, of the blocks that are there."""
    view: Block = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, 24),
        "close": plain(close, 24),
        "private_metadata": metadata,
        "blocks": [block for block in blocks if block is not None],
    }
    if submit is not None:
        view["submit"] = plain(submit, 24)
    return view


def _again(view: Mapping[str, Any], **changes: Any) -> Block:
    kept = ("type", "callback_id", "title", "submit", "close", "private_metadata", "blocks")
    return {name: view[name] for name in kept if view.get(name) is not None} | changes


def _actions(block_id: str, *buttons: Block) -> Block:
    row = actions(buttons)
    assert row is not None
    return {**row, "block_id": block_id}


def _index(blocks: Sequence[Mapping[str, Any]], block_id: str) -> int:
    return next(index for index, block in enumerate(blocks) if block.get("block_id") == block_id)


def _left_out_options(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    for block in blocks:
        if block.get("block_id") == LEFT_OUT:
            return list(block["element"]["options"])
    return []


def _name(file: Mapping[str, Any]) -> str:
    return str(file.get("name") or "picture")


def _size(file: Mapping[str, Any]) -> int:
    size = file.get("size")
    return size if isinstance(size, int) else 0
