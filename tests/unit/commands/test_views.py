"""Views stay within Slack's limits, whatever is put into them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.errors import ErrorCode, JobFailureCode
from commands.command import Command
from commands.imagine import IMAGINE
from commands.order import PaintOrder
from commands.registry import COMMANDS
from commands.sentences import ApiRefusal, Trouble, api_trouble, job_trouble, trouble_text
from commands.views.action_ids import IMAGINE_FORM, PICTURE, picture_number
from commands.views.blocks import Message
from commands.views.failure import failure
from commands.views.form import FormOrigin, imagine_form, model_options, read_form
from commands.views.help import all_options, help_message
from commands.views.result import alt_text, cancelled, deleted, file_name, result, single_picture
from commands.views.settings import FinishedSettings
from commands.views.status import duration, painting_status, placeholder, posting_status, queued_status, waiting_status
from commands.views.trouble import trouble_message
from tests.unit.commands.block_kit import check_message, check_modal

# Long, full of markup, of everything that is hard to display.
TEXTS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from(["x" * 2_000, "&" * 2_000, "<!channel>" * 200, "👩‍🚀" * 600, "سفينة " * 300, "*_~`" * 500, " . "]),
)
NAMES = st.sampled_from(["U1", "W" + "9" * 20])
ORDERS = st.builds(
    PaintOrder,
    prompt=TEXTS,
    negative_prompt=st.none() | TEXTS,
    aspect_ratio=st.none() | st.sampled_from(["3:2", "7:5", "1:4"]),
    pictures=st.none() | st.integers(1, 4),
    seed=st.none() | st.integers(0, 2**32 - 1),
    steps=st.none() | st.integers(1, 150),
    guidance_scale=st.none() | st.floats(0, 30),
    model=st.none() | st.sampled_from(["tiny", "m" * 63]),
    loras=st.none()
    | st.sampled_from(["mascot@2:0.8", ",".join(f"{letter * 32}@999999:-0.123456" for letter in "abc")]),
)
FINISHED = st.builds(
    FinishedSettings,
    prompt=TEXTS,
    negative_prompt=st.just("") | TEXTS,
    width=st.integers(64, 2048),
    height=st.integers(64, 2048),
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4),
    steps=st.integers(1, 150),
    guidance_scale=st.floats(0, 30),
    model=st.sampled_from(["tiny-world", "m" * 63]),
    loras=st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["mascot", "x" * 32]), "version": st.integers(1, 999), "weight": st.floats(-2, 2)}
        ),
        max_size=4,
    ),
)


@settings(max_examples=120, deadline=None)
@given(order=ORDERS, member=NAMES, step=st.integers(-5, 200), steps=st.integers(0, 150), seconds=st.floats(-5, 1e6))
def test_placeholders(order: PaintOrder, member: str, step: int, steps: int, seconds: float) -> None:
    waiting = (queued_status(), waiting_status(True), waiting_status(False), posting_status())
    for status in (*waiting, painting_status(step, steps, seconds)):
        check_message(placeholder(order, member, status, "job-1"))
        check_message(placeholder(order, member, status))


@settings(max_examples=120, deadline=None)
@given(finished=FINISHED, member=NAMES, seconds=st.floats(0, 1e6), file_id=st.none() | st.just("F123"))
def test_results(finished: FinishedSettings, member: str, seconds: float, file_id: str | None) -> None:
    view = result(finished, member, "job-" + "a" * 26, file_id, seconds, seconds / 2)
    check_message(view)
    assert Message.from_json(json.loads(json.dumps(view.to_json()))) == view
    for index in range(len(finished.seeds)):
        check_message(single_picture(finished, index, file_id, member))
    check_message(cancelled(finished.prompt, member))
    check_message(deleted(member))
    assert len(alt_text(finished)) > 0
    name = file_name(finished.prompt, finished.seeds[0], 2)
    assert name.endswith(f"-2-seed-{finished.seeds[0]}.png") and len(name) < 120 and "/" not in name and " " not in name


@settings(max_examples=120, deadline=None)
@given(prompt=st.just("") | TEXTS, sentence=TEXTS, next_step=st.just("") | TEXTS, reference=st.none() | TEXTS)
def test_failures(prompt: str, sentence: str, next_step: str, reference: str | None) -> None:
    trouble = Trouble(sentence, next_step, reference)
    check_message(failure(prompt, "U1", trouble, "command-1"))
    check_message(trouble_message(trouble))


@settings(max_examples=120, deadline=None)
@given(order=st.none() | ORDERS, default=st.sampled_from(["", "tiny"]))
def test_the_form(order: PaintOrder | None, default: str) -> None:
    view = imagine_form(FormOrigin("C1", "1.1", "https://hooks.slack.example/" + "x" * 300), order, default)
    check_modal(view)
    assert view["callback_id"] == IMAGINE_FORM
    origin = FormOrigin.from_metadata(view["private_metadata"])
    assert (origin.channel, origin.thread_ts) == ("C1", "1.1")


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: Command) -> None:
    view = help_message(command)
    check_message(view)
    text = json.dumps(view.to_json())
    assert all(f"`--{option.name}" in text and option.summary in text for option in all_options(command))
    assert all(f"{command.name} {one.path}" in text and one.summary in text for one in command.subcommands)
    assert ("slash commands be used in threads" in text and "@easel" in text) is command.is_prompt_taken
    assert '…"' not in text.replace("…`", ""), "nothing was cut"


def test_what_people_write_is_never_read_as_markup() -> None:
    evil = "<!channel> <@U1> *x* `y` & <https://a.example|b>"
    finished = FinishedSettings(evil, evil, 128, 128, [1], 20, 7.5, "tiny")
    order = PaintOrder(evil, negative_prompt=evil)
    for view in (
        result(finished, "U2", "job-1", "F1", 1, 1),
        placeholder(order, "U2", queued_status()),
        failure(evil, "U2", Trouble("x"), "k"),
        cancelled(evil, "U2"),
    ):
        for text in _mrkdwn(view):
            assert "<!channel>" not in text and "<@U1>" not in text and "<https" not in text
        assert "<!channel>" not in view.text


def _mrkdwn(view: Message) -> list[str]:
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == "mrkdwn":
                found.append(value["text"])
            for inner in value.values():
                look(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                look(inner)

    look(view.blocks)
    return found


# ---------------------------------------------------------------- the form's values


def _state(**values: Any) -> dict[str, Any]:
    def element(value: Any) -> dict[str, Any]:
        return {"selected_option": {"value": value[1:]}} if str(value).startswith("!") else {"value": value}

    return {block: {"value": element(value)} for block, value in values.items()}


def test_a_filled_form_is_an_order() -> None:
    order = read_form(
        _state(prompt="a red\n boat", ar="!3:2", n="!2", seed="7", cfg="7.5", no="x", model="!tiny", steps=None)
    )
    assert order == PaintOrder(
        "a red boat", "x", aspect_ratio="3:2", pictures=2, seed=7, guidance_scale=7.5, model="tiny"
    )


def test_each_wrong_field_is_named() -> None:
    errors = read_form(_state(prompt=" ", seed="-1", steps="1000", cfg="99", ar="!9:1", n="!7"))
    assert isinstance(errors, dict) and set(errors) == {"prompt", "seed", "steps", "cfg", "ar", "n"}
    too_long = read_form(_state(prompt="x" * 2_001))
    assert isinstance(too_long, dict) and "2,001" in too_long["prompt"]


@settings(max_examples=150, deadline=None)
@given(order=ORDERS.map(lambda order: PaintOrder.from_json({**order.to_json(), "prompt": "a boat"})))
def test_editing_without_a_change_asks_for_the_same(order: PaintOrder) -> None:
    state: dict[str, Any] = {}
    for block in imagine_form(FormOrigin("C1"), order, "")["blocks"]:
        element = block["element"]
        state[block["block_id"]] = {
            element["action_id"]: {
                "value": element.get("initial_value"),
                "selected_option": element.get("initial_option"),
                "selected_options": element.get("initial_options"),
            }
        }
    again = read_form(state)
    assert isinstance(again, PaintOrder)
    assert again.loras == order.loras
    assert again.seed == order.seed and again.steps == order.steps and again.model == order.model
    if order.aspect_ratio is not None:
        assert again.aspect_ratio == order.aspect_ratio
    if order.guidance_scale is not None:
        assert again.guidance_scale == pytest.approx(order.guidance_scale, abs=1e-8)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda inner: st.dictionaries(
            st.sampled_from(["prompt", "seed", "value", "selected_option", "x"]), inner, max_size=4
        ),
        max_leaves=12,
    ).filter(lambda value: isinstance(value, dict))
)
def test_no_state_crashes_the_form(state: dict[str, Any]) -> None:
    read = read_form(state)
    assert isinstance(read, PaintOrder) or all(isinstance(text, str) and text for text in read.values())


def test_models_are_found_by_name_and_title() -> None:
    models = [("tiny", "Picture book"), ("sdxl", "SDXL")] + [(f"m{i}", "") for i in range(200)]
    assert [option["value"] for option in model_options(models, "PICTURE")["options"]] == ["tiny"]
    assert [option["value"] for option in model_options(models, "sd")["options"]] == ["sdxl"]
    assert len(model_options(models, "")["options"]) == 100


# ---------------------------------------------------------------- sentences and small things


@pytest.mark.parametrize("code", [code.value for code in ErrorCode] + ["something_new"])
def test_every_error_of_the_backend_has_a_sentence(code: str) -> None:
    trouble = api_trouble(ApiRefusal(code, reference="r1"), "tiny")
    assert trouble.sentence.strip().endswith((".", "?")) and len(trouble_text(trouble)) > 20


@pytest.mark.parametrize("code", [code.value for code in JobFailureCode] + ["something_new"])
def test_every_failure_of_a_job_has_a_sentence_of_its_own(code: str) -> None:
    trouble = job_trouble(code, "r1")
    assert trouble.sentence and trouble.reference == "r1"
    if code != "something_new":
        assert trouble.sentence != job_trouble("something_new", "r1").sentence


def test_the_field_is_named_as_it_is_typed() -> None:
    from backend_lambda.contract.jobs import SubmitJob
    from commands.sentences import SAID_AS

    said = set(SubmitJob.model_fields) - {"idempotency_key", "context"}
    assert said <= set(SAID_AS)
    assert api_trouble(
        ApiRefusal("invalid_request", field="guidance_scale", given="99", allowed="0 to 30"), None
    ).sentence == ("`--cfg` can't be `99`. Allowed: 0 to 30.")


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3_599, "59 min 59 s"), (7_380, "2 h 3 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_picture_numbers() -> None:
    assert [picture_number(f"{PICTURE}{text}") for text in ("1", "4", "5", "0", "", "x", "١")] == [
        1,
        4,
        None,
        None,
        None,
        None,
        None,
    ]
    assert picture_number("easel_redo") is None
    assert IMAGINE.usage_hint.startswith("a red boat [--ar 3:2] [--n 1-4]")
