"""What can be said to `/finetune`, and that what it answers stays within Slack's limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import ChangeLora, ImportLora, Lora, LoraScope
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    Decision,
    Training,
    TrainingFailure,
    TrainingFailureCode,
    TrainingPolicy,
    TrainingReport,
)
from commands.admin.settle import Settled, read_settled, settle
from commands.admin.training import policy_change
from commands.command import (
    Change,
    ConfirmRegistry,
    Look,
    ManageRegistry,
    OpenImportForm,
    OpenTrainingForm,
    Refuse,
    ShowHelp,
)
from commands.finetune import MAX_NOTE_CHARS, SUBCOMMANDS, list_text, plan, read_registry_text
from commands.grammar.lora_names import is_training_id, split_version
from commands.grammar.subcommands import render_instruction
from commands.imagine_admin import plan as plan_admin
from commands.sentences import ApiRefusal, api_trouble, job_trouble, mistakes_text, trouble_text
from commands.views.admin_change import preview
from commands.views.form import FormOrigin
from commands.views.import_form import import_form, read_import_form
from commands.views.lora_card import lora_card, training_status
from commands.views.lora_changes import delete_preview, deleted_lora, imported, noted, renamed, retired, shared
from commands.views.lora_list import registry_list
from commands.views.training_policy import policy_message
from tests.fakes.bot_registry import SETTINGS
from tests.unit.commands.block_kit import check_message, check_modal

NOW = datetime(2026, 11, 25, 14, 30, 20, tzinfo=UTC)
TRAINING_ID = "trn-" + "a2" * 13
LONG = "&<!channel>*`" * 15


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("list", "list"),
        ("List —mine", "list --mine"),
        ("list --page 3 --mine", "list --mine --page 3"),
        ("status Mascot", "status mascot"),
        (f"status {TRAINING_ID}", f"status {TRAINING_ID}"),
        ("cancel mascot,", "cancel mascot"),
        ("card mascot@2", "card mascot@2"),
        ("share mascot with workspace", "share mascot with workspace"),
        ("share mascot here", "share mascot with here"),
        ("share mascot to ME.", "share mascot with me"),
        ("rename mascot to hero", "rename mascot hero"),
        ("rename mascot hero", "rename mascot hero"),
        ("rename mascot to", "rename mascot to"),
        ("note mascot our own mug, “fine” for ads", 'note mascot "our own mug, fine for ads"'),
        ('note mascot ""', 'note mascot ""'),
        ("retire mascot", "retire mascot"),
        ("restore mascot", "restore mascot"),
    ],
)
def test_what_is_done_in_the_worker(text: str, canonical: str) -> None:
    assert plan(text) == ManageRegistry(canonical)
    instruction = read_registry_text(canonical)
    assert instruction is not None and render_instruction(SUBCOMMANDS, instruction) == canonical


def test_a_deletion_is_asked_about_first() -> None:
    for text, version in (("delete Mascot", None), ("delete mascot@12", 12)):
        planned = plan(text)
        assert isinstance(planned, ConfirmRegistry) and planned.text == text.lower()
        assert split_version(planned.instruction.values["name"]) == ("mascot", version)
        view = delete_preview("mascot", version, planned.text)
        check_message(view)
        assert "the pictures that it was trained on" in json.dumps(view.to_json())


def test_a_training_is_deleted_by_its_id_and_its_lora_stays() -> None:
    planned = plan(f"delete {TRAINING_ID}")
    assert isinstance(planned, ConfirmRegistry)
    shown = text_of(delete_preview(*split_version(planned.instruction.values["name"]), planned.text))
    assert "A LoRA that came of it stays" in shown and "retire" not in shown


def test_forms_and_help() -> None:
    assert plan("") == plan(" \u200b") == OpenTrainingForm()
    assert plan("help") == plan("share help") == plan("—help") == ShowHelp()
    assert plan("import Mascot") == OpenImportForm("mascot")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lst", "Did you mean `list`?"),
        ("train mascot", "It knows `list`, `status`, "),
        ("list all", "does not know what `all` means there."),
        ("list --page 0", "`--page` can't be `0`."),
        ("list --mien", "Did you mean `--mine`?"),
        ("status", "`/finetune status` lacks the name: lower-case letters, digits and hyphens"),
        ("card mascot@two", "can't be `mascot@two`. It takes the name of a LoRA, such as mascot"),
        ("delete none", "can't be `none`."),
        ("share mascot", "`/finetune share` lacks the whom: with workspace (everybody)"),
        ("share mascot with wrkspace", "can't be `with wrkspace`."),
        ("share mascot wrkspace", "Did you mean `workspace`?"),
        ("rename mascot to my hero", "The new name of `/finetune rename` can't be `to my hero`."),
        ("rename mascot to none", "can't be `to none`."),
        ("note mascot " + "x" * 201, "It takes at most 200 characters."),
        ("import", "`/finetune import` lacks the name"),
        ("retire a/b", "can't be `a/b`."),
    ],
)
def test_each_mistake_is_named(text: str, sentence: str) -> None:
    planned = plan(text)
    assert isinstance(planned, Refuse), planned
    assert sentence in mistakes_text(planned.mistakes)


@pytest.mark.parametrize(
    "text",
    ["", "import mascot", "list  --mine", "LIST", "rename a to b", "share a here", "delete a@0", "x" * 3_000, "\x00"],
)
def test_what_plan_did_not_write_is_nothing(text: str) -> None:
    assert read_registry_text(text) is None


PIECES = st.sampled_from(
    ["list", "--mine", "—page 2", "status", "delete", "rename", "note", "share", "mascot", "@2", "to", "with", "me",
     '"', "“", "&amp;", "<@U1>", "--", "here", "import", "none", TRAINING_ID, ",", "\u202e", "x" * 40]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=10)), max_size=8).map(" ".join))
def test_planning_never_raises_and_what_it_writes_is_read_as_the_same(text: str) -> None:
    planned = plan(text)
    if isinstance(planned, Refuse):
        assert 1 <= len(planned.mistakes) <= 5 and mistakes_text(planned.mistakes)
    if isinstance(planned, ManageRegistry | ConfirmRegistry):
        instruction = read_registry_text(planned.text)
        assert instruction is not None
        assert plan(planned.text) == planned


def test_names_notes_and_scopes_are_those_of_the_api() -> None:
    name = "x" * 32
    assert plan(f"retire {name}") == ManageRegistry(f"retire {name}")
    assert isinstance(plan(f"retire {name}x"), Refuse)
    ChangeLora(name=name, licence_note="x" * MAX_NOTE_CHARS)
    assert {scope.value for scope in LoraScope} == {"workspace", "channel", "member"}
    assert is_training_id(TRAINING_ID) and not is_training_id("mascot")


# ---------------------------------------------------------------- what is shown


def lora(**facts: Any) -> Lora:
    known: dict[str, Any] = {
        "name": "mascot",
        "version": 2,
        "model": "tiny-world",
        "trigger": "zblx",
        "scope": LoraScope.WORKSPACE,
        "owner": Owner(tenant="T1", member="U1"),
        "rank": 8,
        "bytes": 3_400_000,
        "sha256": "ab" * 32,
        "created_at": NOW,
    }
    return Lora(**{**known, **facts})


def training(state: TrainingState = TrainingState.RUNNING, **facts: Any) -> Training:
    known: dict[str, Any] = {
        "training_id": TRAINING_ID,
        "state": state,
        "name": "mascot",
        "trigger": "zblx",
        "kind": "subject",
        "what": "mug",
        "endpoint": "tiny",
        "model": "tiny-world",
        "preset": "standard",
        "settings": SETTINGS,
        "owner": {"tenant": "T1", "member": "U1"},
        "licence_note": "",
        "context": {},
        "pictures": [],
        "estimate": {"seconds": 240, "dollars": 0.04, "instance_type": "ml.g5.xlarge", "spot": True},
        "created_at": NOW,
    }
    return Training(**{**known, **facts})


def text_of(view: Any) -> str:
    check_message(view)
    return json.dumps(view.to_json(), ensure_ascii=False)


def test_the_list_is_paged_within_slacks_limits() -> None:
    loras = [
        lora(name=f"lora-{at:03d}-" + "x" * 22, model="m" * 63, trigger="t" * 40, is_retired=at % 7 == 0)
        for at in range(200)
    ]
    states = list(TrainingState)
    trainings = [training(states[at % len(states)], name="n" * 32) for at in range(60)]
    seen = ""
    page = 1
    while True:
        view = registry_list(loras, trainings, "U1", is_mine=False, page=page)
        seen += text_of(view)
        buttons = [one for block in view.blocks if block["type"] == "actions" for one in block["elements"]]
        following = [one["value"] for one in buttons if one["action_id"].endswith("_next")]
        assert all(read_registry_text(one["value"]) is not None for one in buttons)
        if not following:
            break
        page += 1
        assert following == [list_text(False, page)]
    assert all(one.name in seen for one in loras) and page > 10
    assert registry_list(loras, trainings, "U1", False, 99) == registry_list(loras, trainings, "U1", False, page)


def test_the_list_of_ones_own_and_others_drafts() -> None:
    loras = [lora(), lora(name="ink", owner=Owner(tenant="T1", member="U2"))]
    trainings = [
        training(TrainingState.DRAFT, name="mine"),
        training(TrainingState.DRAFT, name="theirs", owner=Owner(tenant="T1", member="U2")),
        training(TrainingState.AWAITING_APPROVAL, name="asked", owner=Owner(tenant="T1", member="U2"), expires_at=NOW),
        training(TrainingState.SUCCEEDED, name="done"),
    ]
    everything = text_of(registry_list(loras, trainings, "U1", False, 1))
    assert "*mine*" in everything and "*theirs*" not in everything and "*done*" not in everything
    assert "*asked* · waits for an approval until <!date^" in everything and "*ink@2*" in everything
    own = text_of(registry_list(loras, trainings, "U1", True, 1))
    assert "*mascot@2* · say `zblx` · fits tiny-world · for everybody · by <@U1>" in own and "ink" not in own
    assert "You have trained nothing yet" in text_of(registry_list(loras, trainings, "U9", True, 1))
    assert "no LoRAs here yet" in text_of(registry_list([], [], "U9", False, 1))


@pytest.mark.parametrize(
    ("state", "facts", "said"),
    [
        (TrainingState.RUNNING, {"report": TrainingReport(phase="training", step=120, steps=400, seconds_left=95)},
         "running: step 120 of 400, 1 min 35 s left"),
        (TrainingState.RUNNING, {"report": TrainingReport(phase="preparing", step=0, steps=400)}, "running: preparing"),
        (TrainingState.FAILED, {"failure": TrainingFailure(
            code=TrainingFailureCode.OUT_OF_MEMORY, message="The GPU ran out of <memory>.", reference="r1")},
         "failed: The GPU ran out of &lt;memory&gt;."),
        (TrainingState.DENIED, {"decision": Decision(
            approved=False, by=Owner(tenant="T1", member="U7"), reason="not *ours*", at=NOW)},
         "denied by <@U7>: not *ours*"),
        (TrainingState.SUCCEEDED, {"lora_version": 3}, "finished as mascot@3"),
        (TrainingState.EXPIRED, {}, "nobody answered in time"),
        (TrainingState.STARTING, {}, "waits for a machine"),
        (TrainingState.AWAITING_APPROVAL, {"is_only_approver": True}, "Nobody but who asked may approve it."),
    ],
)  # fmt: skip
def test_how_a_training_is(state: TrainingState, facts: dict[str, Any], said: str) -> None:
    assert said in text_of(training_status(training(state, **facts), "F1"))


def test_cards_and_answers_hold_whatever_stands_in_them() -> None:
    hard = lora(
        model="m" * 200, trigger="`" * 40, licence_note=LONG, scope=LoraScope.CHANNEL, channel="C1", is_retired=True,
        settings=SETTINGS, training_id=TRAINING_ID, final_loss=0.07, dataset_pictures=8, dataset_sha256="ab" * 32,
    )  # fmt: skip
    card = text_of(lora_card(hard, [lora(version=at) for at in range(60, 0, -1)], "F1"))
    assert "for everybody in <#C1>" in card and "48 older ones" in card and "on 8 pictures" in card
    assert "<!channel>" not in card
    plain = text_of(lora_card(lora(scope=LoraScope.MEMBER, trigger=None), [lora()], None))
    assert "Imported by <@U1>" in plain and "its trigger word is not known" in plain.lower()
    assert "for <@U1> alone" in plain and '"image"' not in plain
    for view in (shared(hard), renamed("a", hard), retired(hard), noted(hard), imported(hard), deleted_lora("a", 1, 2)):
        assert "<!channel>" not in text_of(view)


def test_an_unknown_name_is_answered_with_the_nearest_and_with_what_there_is() -> None:
    refusal = ApiRefusal("lora_not_found", given="mascott", available=("ink", "mascot"))
    assert trouble_text(api_trouble(refusal, "tiny")) == (
        "There is no LoRA `mascott` that you may use here. Did you mean `mascot`? There are: `ink`, `mascot`. "
        "`/finetune list` says more about them."
    )
    many = ApiRefusal("lora_not_found", given="q", available=tuple(f"l{at}" for at in range(50)))
    assert "and 30 more." in trouble_text(api_trouble(many, None))
    assert "There is none yet." in trouble_text(api_trouble(ApiRefusal("lora_not_found"), None))
    facts: dict[str, Any] = {"field": "loras.0.version", "given": "9", "available": ("1", "2")}
    version = ApiRefusal("lora_not_found", "The LoRA ink has no version 9.", **facts)
    assert trouble_text(api_trouble(version, None)) == "The LoRA ink has no version 9. It has `@1`, `@2`."
    fitting = trouble_text(api_trouble(ApiRefusal("lora_not_fitting", "The LoRA <ink> was made for x."), "large"))
    assert fitting.startswith("The LoRA &lt;ink&gt; was made for x. Name a model that it fits")
    assert "The LoRA `ink@2` could not be used" in trouble_text(job_trouble("lora_unusable", "r1", ["ink@2"]))
    assert "One of the LoRAs (`a@1`, `b@2`)" in trouble_text(job_trouble("lora_unusable", "r1", ["a@1", "b@2"]))


# ---------------------------------------------------------------- the form for files


def _state(**given: Any) -> dict[str, Any]:
    file = {"id": "F1", "name": "mascot.safetensors", "size": 4_000, **given.pop("file", {})}
    files = given.pop("files", [file])
    texts = {"name": "mascot", "trigger": "", "note": "", **given}
    return {
        "file": {"value": {"type": "file_input", "files": files}},
        "model": {"easel_model": {"type": "external_select", "selected_option": {"value": "large"}}},
        **{block: {"value": {"type": "plain_text_input", "value": text}} for block, text in texts.items()},
    }


def test_the_import_form_is_one_that_slack_takes_and_says_what_the_api_takes() -> None:
    check_modal(import_form(FormOrigin("C1", response_url="https://hooks.example/1"), "x" * 32, "tiny"))
    order = read_import_form(_state(name=" Mascot ", trigger="zblx", note="ours & theirs"), "tiny")
    assert not isinstance(order, dict)
    assert (order.name, order.file_id, order.endpoint, order.trigger) == ("mascot", "F1", "large", "zblx")
    facts = {key: value for key, value in vars(order).items() if key != "file_id"}
    ImportLora(**facts, bytes=1, idempotency_key="k")


@pytest.mark.parametrize(
    ("given", "block", "sentence"),
    [
        ({"files": []}, "file", "Choose one file."),
        ({"files": [{"id": "F1", "name": "a.safetensors"}] * 2}, "file", "Choose one file."),
        ({"file": {"name": "mascot.ckpt"}}, "file", "can carry programs"),
        ({"file": {"size": 0}}, "file", "empty"),
        ({"file": {"size": 2**30}}, "file", "larger than 512 MB"),
        ({"name": "My Mascot"}, "name", "lower-case letters"),
        ({"name": "none"}, "name", "not none"),
        ({"trigger": "two words"}, "trigger", "one word"),
        ({"trigger": "<!channel>"}, "trigger", "one word"),
        ({"note": "x" * 201}, "note", "At most 200"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(given: dict[str, Any], block: str, sentence: str) -> None:
    read = read_import_form(_state(**given), "tiny")
    assert isinstance(read, dict) and list(read) == [block] and sentence in read[block]


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["file", "name", "value", "files", "id", "size", "model", "x"]), inner, max_size=4
        )
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["file", "name", "model", "trigger", "note"]), JSON))
def test_any_state_is_read_or_refused(state: dict[str, Any]) -> None:
    read = read_import_form(state, "tiny")
    assert not isinstance(read, dict) or all(read.values())


@pytest.mark.parametrize("state", [{}, {"file": None}, {"file": {"value": {"files": [None, {"id": 1}]}}}])
def test_a_form_of_another_shape_is_refused(state: dict[str, Any]) -> None:
    assert isinstance(read_import_form(state, "tiny"), dict)


# ---------------------------------------------------------------- how a workspace trains


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("training --approvals <#C9|styles>", {"approvals_place": "C9"}),
        ("training —approvals OFF --approval-days 30", {"approvals_place": "", "approval_days": 30}),
        ("training --keep-pictures off", {"keep_dataset_days": 0}),
        ("training --keep 30", {"keep_dataset_days": 30}),
        ("training --keep-pictures 365d --approval-days 1", {"keep_dataset_days": 365, "approval_days": 1}),
    ],
)
def test_the_policy_is_changed_after_it_was_shown(text: str, change: dict[str, Any]) -> None:
    planned = plan_admin(text)
    assert isinstance(planned, Change) and policy_change(planned.instruction.values) == change
    TrainingPolicy(**change)
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled) and read_settled(settled.text) == settled.instruction
    check_message(preview(settled, "T1"))


def test_without_options_the_policy_is_shown() -> None:
    assert plan_admin("training") == Look("training")
    assert read_settled("training") is None
    shown = text_of(policy_message(TrainingPolicy(approvals_place="C9", keep_dataset_days=1).model_dump()))
    assert "posted in <#C9>" in shown and "after 7 days" in shown and "kept for a day" in shown
    assert "posted where the training is asked for" in text_of(policy_message(TrainingPolicy().model_dump()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("training --approvals <@U1>", "It takes a #channel"),
        ("training --approvals of", "Did you mean `off`?"),
        ("training --approval-days 31", "a whole number from 1 to 30"),
        ("training --keep-pictures 366d", "from 1d to 365d, or off"),
        ("training --keep-pictures 0d", "from 1d to 365d, or off"),
        ("training off", "does not know what `off` means there."),
        ("trainig", "Did you mean `training`?"),
    ],
)
def test_each_mistake_about_the_policy_is_named(text: str, sentence: str) -> None:
    planned = plan_admin(text)
    assert isinstance(planned, Refuse), planned
    assert sentence in mistakes_text(planned.mistakes)
