"""The form behind `/finetune import`: one safetensors file, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend_lambda.contract.training_limits import MAX_LORA_BYTES, MAX_LORA_NAME_CHARS, MAX_TRIGGER_CHARS
from commands.finetune import MAX_NOTE_CHARS
from commands.grammar.clean import clean
from commands.grammar.lora_names import NAME_ALLOWED
from commands.grammar.loras import is_lora_name
from commands.imagine import MODEL
from commands.views.action_ids import IMPORT_FORM, MODEL_SELECT
from commands.views.blocks import Block, plain
from commands.views.form import VALUE, FormOrigin, given_text

NAME, FILE, TRIGGER, NOTE = "name", "file", "trigger", "note"
SUFFIX = ".safetensors"
# As in the contract's `Trigger`: nothing that Slack or the grammar would read as something else.
NOT_IN_TRIGGERS = frozenset("<>@#:|`*_~")


@dataclass(frozen=True)
class ImportOrder:
    """What is to be imported: a file in Slack, and what it is said to be."""

    name: str
    file_id: str
    endpoint: str
    trigger: str = ""
    licence_note: str = ""


def import_form(origin: FormOrigin, name: str, default_model: str) -> Block:
    """The modal, with the name that was typed."""
    return {
        "type": "modal",
        "callback_id": IMPORT_FORM,
        "title": plain("Import a LoRA", 24),
        "submit": plain("Import", 24),
        "close": plain("Cancel", 24),
        "private_metadata": origin.to_metadata(),
        "blocks": [
            _input(FILE, "File", {"type": "file_input", "action_id": VALUE, "max_files": 1},
                   "One .safetensors file in the naming of diffusers or kohya. Slack takes files up to 10 MB here."),
            _input(NAME, "Name", _text(MAX_LORA_NAME_CHARS, name), "What stands behind --lora."),
            _input(MODEL.name, "Model", _model_select(default_model), "The only model that it fits."),
            _input(TRIGGER, "Trigger word", _text(MAX_TRIGGER_CHARS), "The word that calls it, if it has one.", True),
            _input(NOTE, "Note", _text(MAX_NOTE_CHARS), "Where it is from, and what it may be used for.", True),
        ],
    }  # fmt: skip


def read_import_form(state: Mapping[str, Any], default_model: str) -> ImportOrder | dict[str, str]:
    """What a submitted form means, or an error for each wrong block, by block id."""
    errors: dict[str, str] = {}
    files = _given_files(state)
    file = files[0] if len(files) == 1 else {}
    size = file.get("size")
    if len(files) != 1:
        errors[FILE] = "Choose one file."
    elif not str(file.get("name") or "").lower().endswith(SUFFIX):
        errors[FILE] = f"This takes a {SUFFIX} file. Other formats can carry programs, so they are never read."
    elif isinstance(size, int) and not 0 < size <= MAX_LORA_BYTES:
        errors[FILE] = f"The file is empty, or larger than {MAX_LORA_BYTES // 2**20} MB."
    name = clean(given_text(state, NAME)).lower()
    if not is_lora_name(name):
        errors[NAME] = f"This takes {NAME_ALLOWED}."
    endpoint = MODEL.read(clean(given_text(state, MODEL.name)) or default_model)
    if endpoint is None:
        errors[MODEL.name] = f"This takes {MODEL.allowed}."
    trigger = clean(given_text(state, TRIGGER))
    if len(trigger) > MAX_TRIGGER_CHARS or " " in trigger or NOT_IN_TRIGGERS & set(trigger):
        errors[TRIGGER] = f"This takes one word of at most {MAX_TRIGGER_CHARS} characters, without <>@#:|`*_~."
    note = clean(given_text(state, NOTE))
    if len(note) > MAX_NOTE_CHARS:
        errors[NOTE] = f"This has {len(note)} characters. At most {MAX_NOTE_CHARS} are allowed."
    return errors or ImportOrder(name, str(file.get("id")), str(endpoint), trigger, note)


def _given_files(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    block = state.get(FILE)
    elements = block.values() if isinstance(block, Mapping) else ()
    given = [element.get("files") for element in elements if isinstance(element, Mapping)]
    files = next((found for found in given if isinstance(found, list)), [])
    return [file for file in files if isinstance(file, Mapping) and isinstance(file.get("id"), str) and file["id"]]


def _input(block_id: str, label: str, element: Block, hint: str, is_optional: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2000),
        "element": element,
        "hint": plain(hint, 2000),
        "optional": is_optional,
    }


def _text(most: int, initial: str = "") -> Block:
    element: Block = {"type": "plain_text_input", "action_id": VALUE, "max_length": most}
    return {**element, "initial_value": initial} if initial else element


def _model_select(initial: str) -> Block:
    return {
        "type": "external_select",
        "action_id": MODEL_SELECT,
        "min_query_length": 0,
        "initial_option": {"text": plain(initial, 75), "value": initial[:150]},
    }
