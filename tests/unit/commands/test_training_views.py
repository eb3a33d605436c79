"""Views of trainings stay within Slack's limits, whatever is put into them, and read back what was filled in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_limits import MAX_TRAINING_PICTURES
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    CreateTraining,
    DatasetPicture,
    Decision,
    PictureFault,
    PictureState,
    Training,
    TrainingFailure,
    TrainingFailureCode,
    TrainingKind,
    TrainingOptions,
    TrainingPreset,
    TrainingReport,
)
from commands.sentences_training import FAULTS, picture_fault, training_trouble
from commands.training_offers import Trainable, Trainables, Wanted, estimate_for
from commands.training_order import PRESETS, STYLE, SUBJECT, TrainingOrder
from commands.trouble import Trouble
from commands.views.blocks import Message
from commands.views.training_captions import CAPTION, read_captions
from commands.views.training_denial import denial_form, read_reason
from commands.views.training_form import (
    Filled,
    FormPlace,
    Kept,
    Report,
    checking_view,
    loading_view,
    read_training_form,
    training_form,
    trouble_view,
    waiting_view,
    with_advanced,
    with_more_room,
)
from commands.views.training_left import checked_message, trouble_left_message
from commands.views.training_options import NAMES, option_blocks, read_options
from commands.views.training_request import (
    decided_message,
    decision_told,
    request_message,
    self_approval_offer,
)
from commands.views.training_review import MAX_SHOWN, training_review
from commands.views.training_status import (
    asking_message,
    end_reply,
    not_asked_message,
    pictures_message,
    status_message,
)
from commands.views.training_words import PRESETS as PRESET_WORDS
from tests.fakes.bot_trainings import OFFER
from tests.unit.commands.block_kit import check_message, check_modal

TEXTS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from(["x" * 2_000, "&" * 2_000, "<!channel>" * 200, "👩‍🚀" * 600, "سفينة " * 300, "`*_~" * 500, " . "]),
)
SHORT = TEXTS.map(lambda text: text[:60])
AT = datetime(2026, 11, 25, tzinfo=UTC)
TRAINABLES = Trainables(
    [Trainable(f"m{number}", f"Model {number}" * 9, "big", OFFER.model_dump(mode="json")) for number in range(120)],
    "C1",
    0.0,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "rank": st.integers(1, 128),
        "steps": st.integers(10, 10_000),
        "learning_rate": st.sampled_from([1e-6, 1e-4, 0.00025, 1e-2]),
        "resolution": st.integers(128, 2_048),
        "prior_preservation": st.booleans(),
        "text_encoder": st.booleans(),
        "seed": st.integers(0, 2**32 - 1),
    },
)
ORDERS = st.builds(
    TrainingOrder,
    name=st.sampled_from(["a", "m" * 32]),
    trigger=st.sampled_from(["zblx", "🚣" * 40]),
    endpoint=st.sampled_from(["m1", "gone"]),
    kind=st.sampled_from([SUBJECT, STYLE]),
    what=SHORT,
    preset=st.sampled_from(PRESETS),
    options=OPTIONS,
    licence_note=TEXTS.map(lambda text: text[:200]),
)


@st.composite
def trainings(draw: Any) -> Training:
    """In any state, with anything in it."""
    count = draw(st.sampled_from([0, 1, 8, MAX_SHOWN, MAX_TRAINING_PICTURES]))
    pictures = [
        DatasetPicture(
            picture_id=f"pic-{number:012d}",
            key=f"F{number}",
            filename=draw(SHORT) + ".png" if number < 3 else f"{number}.png",
            caption=draw(TEXTS) if number < 3 else "a zblx mug",
            state=PictureState.ACCEPTED,
            width=1_000,
            height=2_000,
        )
        for number in range(count)
    ]
    by = Owner(tenant="T1", member=draw(st.sampled_from(["U1", "UADMIN", "role/<x>`"])))
    decision = Decision(approved=draw(st.booleans()), by=by, reason=draw(TEXTS)[:300], at=AT)
    report = TrainingReport(
        phase=draw(st.sampled_from(["preparing", "training", "finishing"])),
        step=draw(st.integers(0, 10_000)),
        steps=draw(st.integers(0, 10_000)),
        loss=draw(st.none() | st.floats(0, 10)),
        seconds_left=draw(st.none() | st.floats(0, 1e6)),
    )
    code = draw(st.sampled_from(list(TrainingFailureCode)))
    return Training(
        training_id="trn-" + "a" * 26,
        state=draw(st.sampled_from(list(TrainingState))),
        name="m" * 32,
        trigger=draw(st.sampled_from(["zblx", "🚣" * 40])),
        kind=draw(st.sampled_from(list(TrainingKind))),
        what=draw(SHORT),
        endpoint="tiny",
        model="tiny-world",
        preset=TrainingPreset.STANDARD,
        settings=OFFER.presets[TrainingPreset.STANDARD],
        owner=Owner(tenant="T1", member="U1"),
        licence_note=draw(TEXTS)[:200],
        context={},
        pictures=pictures,
        estimate=_estimate(),
        created_at=AT,
        submitted_at=AT,
        expires_at=draw(st.sampled_from([None, AT])),
        decision=draw(st.sampled_from([None, decision])),
        is_only_approver=draw(st.booleans()),
        report=draw(st.sampled_from([None, report])),
        lora_version=draw(st.sampled_from([None, 1, 3])),
        final_loss=draw(st.sampled_from([None, 0.1])),
        failure=TrainingFailure(code=code, message="x", reference="ref"),
        dataset_deleted=draw(st.booleans()),
    )


def _estimate() -> Any:
    found = estimate_for(TRAINABLES.endpoints[0], Wanted("standard"))
    assert found is not None
    return found


def _place(pictures: int = 0, **facts: Any) -> FormPlace:
    kept = tuple(
        Kept(f"F{number:010d}", f'📷 a long file name, "quoted", number {number}.png') for number in range(pictures)
    )
    return FormPlace("training-" + "a" * 32, "C1", pictures=kept, **facts)


def _sent(view: dict[str, Any], values: dict[str, Any] | None = None) -> dict[str, Any]:
    """A view as Slack sends it when it is submitted; `values` by block id."""
    state: dict[str, Any] = {}
    view = {**view, "blocks": [{"block_id": f"slack{n}", **block} for n, block in enumerate(view["blocks"])]}
    for block in view["blocks"]:
        element = block.get("element")
        if not isinstance(element, dict):
            continue
        entry: dict[str, Any] = {"type": element["type"], "value": element.get("initial_value")}
        if element["type"] in {"static_select", "radio_buttons"}:
            entry = {"type": element["type"], "selected_option": element.get("initial_option")}
        if element["type"] in {"multi_static_select", "checkboxes"}:
            entry = {"type": element["type"], "selected_options": []}
        if element["type"] == "file_input":
            entry = {"type": "file_input", "files": []}
        given = (values or {}).get(block["block_id"])
        if given is not None:
            entry |= given if isinstance(given, dict) else {"value": given}
        state[block["block_id"]] = {element["action_id"]: entry}
    return {**view, "state": {"values": state}}


def _files(*ids: str, size: int = 1_000) -> dict[str, Any]:
    return {"files": [{"id": file_id, "name": f"{file_id}.png", "size": size} for file_id in ids]}


@settings(max_examples=80, deadline=None)
@given(
    order=st.none() | ORDERS,
    pictures=st.sampled_from([0, 3, 50]),
    kept=st.sampled_from([0, 2, 50]),
    faults=st.lists(TEXTS.map(lambda text: picture_fault(text, "duplicate", text)), max_size=30),
    accepted=st.none() | st.integers(0, 50),
)
def test_forms(order: TrainingOrder | None, pictures: int, kept: int, faults: list[str], accepted: int | None) -> None:
    place = _place(pictures, response_url="https://hooks.slack.com/actions/" + "x" * 90, source_ts="1764000000.000001")
    before = [Kept(f"G{number}", "x" * 255) for number in range(kept)]
    report = Report(faults, accepted, Trouble("<oops>", "Try.", "ref"))
    view = training_form(place, TRAINABLES, "m1", order, before, report)
    check_modal(view)
    assert len(view["private_metadata"]) <= 3_000
    read = FormPlace.from_metadata(view["private_metadata"])
    assert read.key == place.key and len(read.pictures) == pictures
    for changed in (with_advanced(_sent(view), TRAINABLES), *_roomier(view)):
        check_modal(changed)
        assert len(changed["private_metadata"]) <= 3_000


def _roomier(view: dict[str, Any]) -> list[dict[str, Any]]:
    views = []
    while any(block.get("block_id") == "more" for block in view["blocks"]):
        view = with_more_room(_sent(view))
        views.append(view)
    return views


@settings(max_examples=80, deadline=None)
@given(order=ORDERS)
def test_a_form_that_is_sent_back_unchanged_means_the_same_order(order: TrainingOrder) -> None:
    order = TrainingOrder(**{**order.to_json(), "endpoint": "m1", "what": "mug", "licence_note": "our own"})
    view = training_form(_place(), TRAINABLES, "m1", order)
    read = read_training_form(_sent(view, {"pictures-0-0": _files("F1", "F2", "F3")}))
    assert isinstance(read, Filled) and read.order == order, read
    assert Filled.from_json(json.loads(json.dumps(read.to_json()))).order == order
    if order.options:
        hidden = with_advanced(_sent(view), TRAINABLES)
        read = read_training_form(_sent(hidden, {"pictures-0-0": _files("F1", "F2", "F3")}))
        assert isinstance(read, Filled) and read.order == order, "hidden options count"
    body = {**order.to_json(), "idempotency_key": "k", "context": {}}
    assert CreateTraining.model_validate_json(json.dumps(body)).options == TrainingOptions(**order.options)


@pytest.mark.parametrize(
    ("block", "given", "said"),
    [
        ("name", "", "small letters"),
        ("name", "x" * 33, "at most 32"),
        ("name", "none", "can be called none"),
        ("trigger", "a b", "One word"),
        ("trigger", "@here", "One word"),
        ("what", "", "what kind of thing"),
        ("option-rank", "0", "from 1 to 128"),
        ("option-steps", "9", "from 10 to"),
        ("option-learning_rate", "1", "1e-06 to 0.01"),
        ("option-learning_rate", "fast", "1e-06 to 0.01"),
        ("option-seed", "4294967296", "from 0 to"),
        ("pictures-0-0", _files("F1"), "Add 2 more"),
        ("pictures-0-0", _files("F1", "F2", "F3", size=11_000_000), "At most 10 MB a picture: F1.png"),
        ("pictures-0-0", _files(*(f"F{number}" for number in range(51))), "at most 50 pictures"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(block: str, given: Any, said: str) -> None:
    order = TrainingOrder("mascot", "zblx", "m1", what="mug", options={"rank": 4})
    view = training_form(_place(), TRAINABLES, "m1", order)
    values = {"pictures-0-0": _files("F1", "F2", "F3"), block: given}
    read = read_training_form(_sent(view, values))
    assert isinstance(read, dict) and list(read) == [block] and said in read[block], read


def test_a_picture_that_is_left_out_does_not_count() -> None:
    place = _place(3)
    view = training_form(place, TRAINABLES, "m1", TrainingOrder("mascot", "zblx", "m1", what="mug"))
    left = {"selected_options": [{"value": place.pictures[0].file}]}
    read = read_training_form(_sent(view, {"left-out": left}))
    assert isinstance(read, dict) and "Add 1 more" in read["pictures-0-0"]
    read = read_training_form(_sent(view, {"left-out": left, "pictures-0-0": _files("F1")}))
    assert isinstance(read, Filled) and read.left_out == [place.pictures[0].file]
    thread = training_form(_place(source_ts="1.1"), TRAINABLES, "m1", TrainingOrder("mascot", "zblx", "m1", what="mug"))
    read = read_training_form(_sent(thread, {"thread": {"selected_options": [{"value": "thread"}]}}))
    assert isinstance(read, Filled) and read.with_thread, "how many those are, only Slack knows"


@settings(max_examples=60, deadline=None)
@given(options=OPTIONS)
def test_options_are_read_as_they_were_written(options: dict[str, Any]) -> None:
    view = {"blocks": option_blocks(options)}
    assert read_options(_sent(view)["state"]["values"]) == (options, {})


@settings(max_examples=80, deadline=None)
@given(training=trainings(), caption=TEXTS, sheet=st.none() | st.just("F1"))
def test_messages_and_reviews(training: Training, caption: str, sheet: str | None) -> None:
    captions = {one.picture_id: caption for one in training.pictures[:2]}
    for shown in (True, False):
        view = training_review(_place(), training, "C1", captions, shown, Trouble("oops", "Try."))
        check_modal(view)
        captioned = [one for one in view["blocks"] if str(one.get("block_id")).startswith(CAPTION)]
        assert len(captioned) == len(training.pictures)
    views = [
        request_message(training, sheet, True),
        request_message(training, sheet, False, "C9"),
        decided_message(training, sheet),
        decision_told(training),
        self_approval_offer(training.training_id, "T1"),
        status_message(training, "C1", sheet),
        pictures_message(training, sheet, sheet),
        asking_message(training.name, "U1"),
        not_asked_message(training.name, "U1", Trouble("oops")),
        checked_message(training.name, 2, [picture_fault(caption, "too_small")] * 30, "k", "T1"),
        trouble_left_message(Trouble(picture_fault(caption, "duplicate", caption)), "k", "T1"),
    ]
    reply = end_reply(training)
    for message in [*views, *([reply] if reply is not None else [])]:
        check_message(message)
        assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message
        assert "<!channel>" not in "".join(_shown(message.to_json()))


def _shown(part: Any) -> list[str]:
    """All texts but what buttons carry."""
    if isinstance(part, str):
        return [part]
    values = [value for key, value in part.items() if key != "value"] if isinstance(part, dict) else part
    return [text for value in values for text in _shown(value)] if isinstance(values, list) else []


def test_waiting_views_and_the_denial() -> None:
    place = _place(50, response_url="https://hooks.slack.com/" + "x" * 100)
    for view in (
        loading_view(place),
        checking_view(place, 3, 50),
        waiting_view("Train a LoRA", "Asking …", place),
        trouble_view(Trouble("oops", "Try."), place),
        denial_form(FormPlace("trn-" + "a" * 26, "C1", "1.1", "https://hooks", source_ts="2.2")),
    ):
        check_modal(view)
        assert len(view["private_metadata"]) <= 3_000
    where = FormPlace.from_metadata(view["private_metadata"])
    assert where.key == "trn-" + "a" * 26 and where.source_ts == "2.2"
    assert read_reason({"reason": {"value": {"value": "  not ours \n"}}}) == "not ours"


def test_captions_are_read_by_picture() -> None:
    state = {"caption-pic-1": {"value": {"value": " a mug "}}, "caption-pic-2": {"value": {"value": None}}, "x": {}}
    assert read_captions(state) == {"pic-1": "a mug"}


def test_every_fault_preset_kind_and_failure_has_its_words() -> None:
    for fault in PictureFault:
        assert fault.value in FAULTS or fault is PictureFault.DUPLICATE
        assert "refused" not in picture_fault("a.png", fault.value)
    assert "another one" in picture_fault("a.png", "duplicate") and "was refused" in picture_fault("a.png", "new")
    assert set(PRESETS) == {one.value for one in TrainingPreset} == set(PRESET_WORDS)
    assert {SUBJECT, STYLE} == {one.value for one in TrainingKind}
    assert set(NAMES) == set(TrainingOptions.model_fields)
    said = {training_trouble(code.value, "ref").sentence for code in TrainingFailureCode}
    assert len(said) == len(TrainingFailureCode)


@pytest.mark.parametrize("state", [{}, {"name": 1}, {"name": {"value": 3}}, {"name": {"value": {"value": 3}}}])
def test_a_state_of_another_shape_is_an_empty_form(state: dict[str, Any]) -> None:
    view = training_form(_place(), TRAINABLES, "m1")
    read = read_training_form({**view, "state": {"values": state}})
    assert isinstance(read, dict) and {"name", "trigger", "what", "pictures-0-0"} <= set(read)
