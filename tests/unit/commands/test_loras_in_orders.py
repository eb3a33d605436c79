"""LoRAs on their way: in orders, threads, the form, and the settings below a picture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend_lambda.contract.jobs import LoraChoice as ApiLoraChoice
from backend_lambda.contract.training_limits import MAX_LORA_NAME_CHARS, MAX_LORA_WEIGHT, MAX_LORAS
from commands.command import Paint
from commands.grammar.loras import is_lora_name
from commands.imagine import plan
from commands.mention import Said, order_of, plan_mention
from commands.order import PaintOrder
from commands.views.form import FormOrigin, imagine_form, read_form
from commands.views.form_loras import lora_options
from commands.views.settings import FinishedSettings, finished_settings, named_settings
from tests.unit.commands.block_kit import check_modal

FINISHED = FinishedSettings(
    "a zblx", "", 128, 128, [7], 20, 7.5, "tiny-world",
    [{"name": "mascot", "version": 2, "weight": 0.8}, {"name": "ink", "version": 1, "weight": 1.0}],
)  # fmt: skip
LATEST = FINISHED.order("tiny")


def said(words: str) -> PaintOrder:
    """The order that a mention below the picture means."""
    read = plan_mention(words, None, in_thread=True)
    assert isinstance(read, Said), read
    order = order_of(Said.from_json(json.loads(json.dumps(read.to_json()))), LATEST)
    assert isinstance(order, PaintOrder), order
    return order


def test_the_order_carries_what_the_api_takes() -> None:
    planned = plan("a zblx --lora mascot@2:0.8 --lora ink")
    assert isinstance(planned, Paint)
    bodies = [choice.to_json() for choice in PaintOrder.from_json(planned.order.to_json()).chosen_loras]
    assert bodies == [{"name": "mascot", "version": 2, "weight": 0.8}, {"name": "ink", "weight": 1.0}]
    assert [ApiLoraChoice.model_validate(one).model_dump(exclude_none=True) for one in bodies] == bodies
    assert is_lora_name("x" * MAX_LORA_NAME_CHARS) and not is_lora_name("x" * (MAX_LORA_NAME_CHARS + 1))
    assert (MAX_LORAS, MAX_LORA_WEIGHT) == (4, 2.0)


def test_an_order_without_loras_is_what_it_was_before_there_were_any() -> None:
    planned = plan("a boat --lora none")
    assert planned == plan("a boat") == Paint(PaintOrder("a boat"))
    assert "loras" not in PaintOrder("a boat").to_json()


@pytest.mark.parametrize(
    ("words", "loras"),
    [
        ("make it green", "mascot@2:0.8,ink@1"),
        ("--seed 9", "mascot@2:0.8,ink@1"),
        ("--lora mascot:0.5", "mascot@2:0.5"),
        ("a zblx in the snow --lora mascot:0.5,grain", "mascot@2:0.5,grain"),
        ("--lora mascot@3", "mascot@3"),
        ("--lora none", None),
    ],
)
def test_in_a_thread_the_picture_keeps_its_loras_unless_others_are_named(words: str, loras: str | None) -> None:
    assert said(words).loras == loras


def test_a_finished_picture_is_painted_again_with_the_very_versions() -> None:
    assert LATEST.loras == "mascot@2:0.8,ink@1"
    assert PaintOrder.from_json(LATEST.to_json()) == LATEST


def test_the_settings_line_names_version_and_weight() -> None:
    assert "mascot@2 0.8, ink@1 1" in finished_settings(FINISHED)
    assert "mascot 0.8" in named_settings(PaintOrder("x", loras="mascot:0.8"))
    assert named_settings(PaintOrder("x")) == []


def _state(loras: list[str], weight: str = "") -> dict[str, Any]:
    options = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in loras]
    return {
        "prompt": {"value": {"type": "plain_text_input", "value": "a zblx"}},
        "lora": {"easel_lora": {"type": "multi_external_select", "selected_options": options}},
        "lora_weight": {"value": {"type": "plain_text_input", "value": weight or None}},
    }


@pytest.mark.parametrize(
    ("loras", "weight", "read"),
    [
        ([], "", None),
        (["mascot"], "", "mascot"),
        (["mascot@2", "ink"], "0.8", "mascot@2:0.8,ink:0.8"),
        (["mascot", "ink"], "0,8; -0.5", "mascot:0.8,ink:-0.5"),
        (["mascot", "ink"], "0.8,0.5", "mascot:0.8,ink:0.5"),
        (["mascot", "ink"], " 0,8 0,5 ", "mascot:0.8,ink:0.5"),
    ],
)
def test_the_form_is_read(loras: list[str], weight: str, read: str | None) -> None:
    assert read_form(_state(loras, weight)) == PaintOrder("a zblx", loras=read)


@pytest.mark.parametrize(
    ("loras", "weight", "block", "sentence"),
    [
        ([], "0.8", "lora", "Choose what the weight is for"),
        (["mascot"], "9", "lora_weight", "a number from -2 to 2"),
        (["mascot"], "much", "lora_weight", "a number from -2 to 2"),
        (["mascot", "ink"], "1 1 1", "lora_weight", "one for each of the 2 LoRAs"),
        (["mascot", "mascot@2"], "", "lora", "each once"),
        (["a", "b", "c", "d", "e"], "", "lora", "up to 4"),
        (["none"], "", "lora", "up to 4"),
        (["<!channel>"], "", "lora", "up to 4"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(loras: list[str], weight: str, block: str, sentence: str) -> None:
    read = read_form(_state(loras, weight))
    assert isinstance(read, dict) and list(read) == [block] and sentence in read[block]


@pytest.mark.parametrize("state", [{"lora": None}, {"lora": {"x": None}}, {"lora": {"x": {"selected_options": [1]}}}])
def test_a_state_of_another_shape_is_nothing_chosen(state: dict[str, Any]) -> None:
    assert read_form({**_state([]), **state}) == PaintOrder("a zblx")


def test_edit_shows_the_exact_versions_and_gives_them_back() -> None:
    view = imagine_form(FormOrigin("C1"), LATEST, "tiny")
    check_modal(view)
    [select] = [block["element"] for block in view["blocks"] if block["block_id"] == "lora"]
    chosen = [option["value"] for option in select["initial_options"]]
    [weight] = [block["element"]["initial_value"] for block in view["blocks"] if block["block_id"] == "lora_weight"]
    assert (chosen, weight) == (["mascot@2", "ink@1"], "0.8, 1")
    read = read_form(_state(chosen, weight))
    assert isinstance(read, PaintOrder) and read.loras == LATEST.loras


def test_the_type_ahead_finds_names_triggers_and_exact_versions() -> None:
    listed = [
        {"name": "ink", "version": 1, "model": "tiny-world", "trigger": None},
        {"name": "big-mascot", "version": 1, "model": "tiny-world", "trigger": "zblx"},
        {"name": "mascot", "version": 3, "model": "tiny-world", "trigger": "m" * 40},
    ]

    def offered(typed: str) -> list[str]:
        options = lora_options(listed, typed)["options"]
        assert all(len(option["text"]["text"]) <= 75 for option in options)
        return [option["value"] for option in options]

    assert offered("") == ["big-mascot", "ink", "mascot"]
    assert offered("MAS") == ["mascot", "big-mascot"]
    assert offered("zbl") == ["big-mascot"]
    assert offered("mascot@2") == ["mascot@2"] and offered("mascot@4") == offered("mascot@0") == []
    many = [{"name": f"l{at}", "version": 1, "model": "m", "trigger": ""} for at in range(300)]
    assert len(lora_options(many, "")["options"]) == 100
