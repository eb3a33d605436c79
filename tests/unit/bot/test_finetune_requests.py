"""`/finetune`, `--lora` and `/imagine-admin training` in the worker: done as whoever asks, once, answered to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend_lambda.contract.access import Guardrail
from backend_lambda.contract.actions import Action
from backend_lambda.contract.loras import LoraScope
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import StoredPicture, TrainingPolicy, TrainingReport
from bot.invocation import Invocation, Kind
from bot.leases import LEASE_SECONDS
from bot.places import loras_key
from bot.ports.backend import ApiUnavailable
from bot.ports.slack import SlackUnavailable
from commands.command import ConfirmRegistry, ManageRegistry
from commands.finetune import plan
from commands.views.action_ids import FINETUNE_CONFIRM
from tests.fakes.bot import START, Crash, CrashPlan
from tests.fakes.bot_stage import MAX_RECEIVES, Stage, painting, saying
from tests.unit.bot.test_admin_requests import asking as asking_admin
from tests.unit.bot.test_admin_requests import confirming as confirming_admin

URL = "https://hooks.example/1"
FILE = (2).to_bytes(8, "little") + b"{}"


@pytest.fixture
def stage() -> Stage:
    return prepared()


def prepared() -> Stage:
    """U1 is a trainer, U2 paints, UADMIN may do everything; `mascot` is U1's, with two versions."""
    stage = Stage()
    stage.access.grant("T1", "member", "U1", "trainer")
    stage.access.grant("T1", "member", "U3", "trainer")
    for _ in range(2):
        training = stage.registry.add_training("T1", "mascot", TrainingState.SUCCEEDED)
        stage.registry.add_lora("T1", "mascot", training_id=training.training_id)
    stage.slack.people_files["F1"] = FILE
    return stage


def asking(text: str, key: str = "ask-1", member: str = "U1", **facts: Any) -> Invocation:
    """`/finetune <text>` was typed, or what it asks about first was confirmed."""
    planned = plan(text)
    assert isinstance(planned, ManageRegistry | ConfirmRegistry), planned
    kind, given = Kind.FINETUNE, {"response_url": URL, "command": planned.text, "actor_team": "T1", **facts}
    if isinstance(planned, ConfirmRegistry):
        kind, given = Kind.FINETUNE_CONFIRMED, {"message_ts": f"{START - 20:.6f}", **given}
    return Invocation(**{"kind": kind, "request_key": key, "team": "T1", "channel": "C1", "member": member,
                         "at": START, **given})  # fmt: skip


def importing(key: str = "import-1", member: str = "U1", **fields: Any) -> Invocation:
    """The form for files was submitted."""
    given = {
        "name": "ink",
        "file_id": "F1",
        "endpoint": "tiny",
        "trigger": "",
        "licence_note": "from our press",
        **fields,
    }
    facts: Any = {"response_url": URL, "fields": given, "actor_team": "T1"}
    return Invocation(Kind.IMPORT_LORA, key, "T1", "C1", member, START, **facts)


def answered(stage: Stage) -> str:
    """The latest answer, wherever it stands."""
    shown = stage.slack.replaced or stage.slack.told
    return json.dumps(shown[-1][1].to_json(), ensure_ascii=False)


def told(stage: Stage) -> str:
    return json.dumps(stage.slack.told[-1][1].to_json(), ensure_ascii=False)


def offered(stage: Stage, member: str = "U1", channel: str = "C1") -> list[str] | None:
    record = stage.store.get(loras_key("T1", channel, member))
    return [one["name"] for one in record.data["loras"]] if record is not None else None


# ---------------------------------------------------------------- painting


def test_a_job_paints_with_loras_and_a_redo_with_the_very_same_versions(stage: Stage) -> None:
    job_id, posted = stage.paint(order={"loras": "mascot:0.8", "prompt": "a zblx"})
    assert stage.api.jobs[job_id]["body"]["loras"] == [{"name": "mascot", "weight": 0.8}]
    assert posted.says("mascot 0.8")
    stage.finish(job_id)
    assert posted.says("mascot@2 0.8")

    stage.registry.add_lora("T1", "mascot")
    assert stage.work(stage.press(posted, Kind.REDO, "easel_redo"))
    again = stage.api.jobs[list(stage.api.jobs)[-1]]["body"]
    assert again["loras"] == [{"name": "mascot", "version": 2, "weight": 0.8}] and "seed" not in again

    assert stage.work(saying("", posted.ts, {"lora": "mascot:0.5"}, key="mention-1"))
    assert stage.api.jobs[list(stage.api.jobs)[-1]]["body"]["loras"][0] == {
        "name": "mascot", "version": 2, "weight": 0.5,
    }  # fmt: skip
    assert stage.work(saying("make it green", posted.ts, {"lora": "none"}, key="mention-2"))
    assert "loras" not in stage.api.jobs[list(stage.api.jobs)[-1]]["body"]


def test_a_job_without_loras_asks_as_it_did_before_there_were_any(stage: Stage) -> None:
    job_id, posted = stage.paint("a red boat")
    assert "loras" not in stage.api.jobs[job_id]["body"]
    assert "loras" not in (stage.worker_deps().board.facts("T1", "C1", posted.ts) or {})["order"]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"loras": "masct"}, "There is no LoRA `masct` that you may use here. Did you mean `mascot`? There are:"),
        ({"loras": "mascot@7"}, "The LoRA mascot has no version 7.\\nIt has `@1`, `@2`."),
        ({"loras": "mascot", "model": "large"}, "made for the model tiny-world and does not fit the model large-wor"),
    ],
)  # fmt: skip
def test_a_lora_that_can_not_be_used_is_explained(stage: Stage, order: dict[str, str], said: str) -> None:
    assert stage.work(painting("a zblx", order=order))
    assert stage.slack.messages[-1].says(said) and stage.api.jobs == {}


def test_one_that_fails_in_the_model_is_named(stage: Stage) -> None:
    job_id, posted = stage.paint(order={"loras": "mascot", "prompt": "a zblx"})
    failure = {"code": "lora_unusable", "message": "x", "reference": "ref12"}
    stage.announce(stage.api.event(job_id, "JobFailed", failure=failure))
    assert posted.says("The LoRA `mascot@2` could not be used") and posted.says("ref12")


# ---------------------------------------------------------------- what the form offers


def refresh(member: str = "U1", channel: str = "C1", key: str = "models-1") -> Invocation:
    return Invocation(Kind.REFRESH_MODELS, key, "T1", channel, member, START, actor_team="T1")


def test_each_member_is_offered_what_they_may_use_where_they_are(stage: Stage) -> None:
    stage.registry.add_lora("T1", "secret", "U3", scope=LoraScope.MEMBER)
    stage.registry.add_lora("T1", "here", "U3", scope=LoraScope.CHANNEL, channel="C2")
    stage.registry.add_lora("T1", "old", "U3", is_retired=True)
    stage.registry.add_lora("T2", "theirs", "U9")
    for member, channel in (("U1", "C1"), ("U3", "C1"), ("U1", "C2")):
        stage.work(refresh(member, channel))
    assert offered(stage) == ["mascot"]
    assert offered(stage, "U3") == ["mascot", "secret"] and offered(stage, "U1", "C2") == ["here", "mascot"]


def test_the_list_is_fresh_after_a_change_and_else_kept_for_a_moment(stage: Stage) -> None:
    stage.work(refresh())
    stage.registry.add_lora("T1", "ink")
    stage.work(refresh())
    assert offered(stage) == ["mascot"]
    stage.clock.sleep(31)
    stage.work(refresh())
    assert offered(stage) == ["ink", "mascot"]
    stage.work(asking("rename ink to pen"))
    assert offered(stage) == ["mascot", "pen"]


def test_who_may_no_longer_look_is_offered_nothing(stage: Stage) -> None:
    stage.work(refresh())
    stage.clock.sleep(31)
    stage.access.deny("T1", "member", "U1")
    stage.work(refresh())
    assert offered(stage) == []
    stage.access.grant("T1", "channel", "C9", guardrail=Guardrail(actions=[Action.PAINT]))
    stage.work(refresh("U3", "C9"))
    assert offered(stage, "U3", "C9") == []


def test_an_outdated_list_stays_while_the_backend_does_not_answer(stage: Stage) -> None:
    stage.work(refresh())
    stage.clock.sleep(3_600)

    def unavailable(*args: Any) -> Any:
        raise ApiUnavailable("HTTP 500")

    stage.registry.list_loras = unavailable  # type: ignore[method-assign]
    assert stage.work(refresh()) and offered(stage) == ["mascot"]


# ---------------------------------------------------------------- looking


def test_the_list_shows_what_the_caller_may_see_to_them_alone(stage: Stage) -> None:
    stage.registry.add_lora("T1", "secret", "U3", scope=LoraScope.MEMBER)
    stage.registry.add_training("T1", "hero", TrainingState.AWAITING_APPROVAL, "U3")
    stage.work(asking("list", member="U2"))
    assert [whom for whom, _ in stage.slack.told] == [URL] and stage.slack.messages == []
    assert "*mascot@2*" in told(stage) and "*hero* · waits for an approval" in told(stage)
    assert "secret" not in told(stage)
    stage.work(asking("list --mine", key="ask-2", member="U3"))
    assert "secret@1" in told(stage) and "hero" in told(stage) and "mascot" not in told(stage)


def test_a_page_is_turned_in_place_and_only_pages_are(stage: Stage) -> None:
    for at in range(40):
        stage.registry.add_lora("T1", f"lora-{at:02d}")
    page = {"kind": Kind.FINETUNE_PAGE, "message_ts": "1.1"}
    stage.work(asking("list --page 2", **page))
    assert stage.slack.replaced[-1][0] == URL and "Page 2 of 3" in answered(stage)
    stage.work(asking("retire mascot", key="ask-2", **page))
    assert "can't be done" in answered(stage) and not stage.registry.loras["T1"]["mascot"][-1].is_retired


def test_a_card_shows_samples_settings_and_versions(stage: Stage) -> None:
    stage.work(asking("card mascot", member="U2"))
    card = told(stage)
    assert "*mascot@2* · fits tiny-world · for everybody" in card and "Trained on 8 pictures by <@U1>" in card
    assert "400 steps, rank 8" in card and "mascot@1 · by" in card and '"slack_file"' in card
    [uploaded] = stage.slack.files.values()
    assert uploaded.shared_in == [] and b"loras/mascot/2-samples.png" in (uploaded.content or b"")


def test_a_card_without_its_picture_is_still_a_card(stage: Stage) -> None:
    stage.pictures.gone = True
    stage.work(asking("card mascot@1"))
    assert "*mascot@1*" in told(stage) and "slack_file" not in told(stage)
    stage.pictures.gone = False
    stage.slack.refuses_files_in_blocks = True
    stage.work(asking("card mascot@1", key="ask-4"))
    assert "*mascot@1*" in told(stage) and "slack_file" not in told(stage)
    stage.work(asking("card mascot@9", key="ask-2"))
    assert "has no version 9. It has `@2`, `@1`." in told(stage)
    stage.work(asking("card masct", key="ask-3"))
    assert "Did you mean `mascot`?" in told(stage)


def test_a_status_is_of_what_is_under_way_before_what_has_ended(stage: Stage) -> None:
    report = TrainingReport(
        phase="training", step=100, steps=400, loss=0.12, seconds_left=60,
        samples=StoredPicture(bucket="pictures", key="tenants/T1/trainings/t/samples-100.png"),
    )  # fmt: skip
    running = stage.registry.add_training("T1", "hero", TrainingState.RUNNING, report=report)
    stage.registry.add_training("T1", "hero", TrainingState.DENIED)
    stage.work(asking("status hero", member="U2"))
    assert "running: step 100 of 400, 1 min 0 s left" in told(stage) and "Loss 0.1200" in told(stage)
    assert running.training_id in told(stage) and '"slack_file"' in told(stage)
    stage.work(asking("status mascot", key="ask-2"))
    assert "*mascot* · finished" in told(stage)
    for key, name in (("ask-3", "nobody"), ("ask-4", "trn-" + "a" * 26)):
        stage.work(asking(f"status {name}", key=key))
        assert f"There is no training `{name}` here" in told(stage)


def test_another_workspaces_things_are_not_there(stage: Stage) -> None:
    theirs = stage.registry.add_training("T2", "theirs", TrainingState.RUNNING, "U9")
    stage.registry.add_lora("T2", "theirs", "U9")
    for at, text in enumerate((f"status {theirs.training_id}", f"cancel {theirs.training_id}", "card theirs")):
        stage.work(asking(text, key=f"ask-{at}", member="UADMIN"))
        assert "There is no" in told(stage)
    assert stage.registry.trainings[theirs.training_id].state is TrainingState.RUNNING


# ---------------------------------------------------------------- changing


@pytest.mark.parametrize(
    ("text", "said", "facts"),
    [
        ("share mascot with me", "is there for <@U1> alone now", {"scope": "member", "channel": None}),
        ("share mascot here", "is there for everybody in <#C1> now", {"scope": "channel", "channel": "C1"}),
        ("share mascot with workspace", "is there for everybody now", {"scope": "workspace"}),
        ("retire mascot", "no longer offered", {"is_retired": True}),
        ("restore mascot", "is offered again", {"is_retired": False}),
        ("note mascot our mug", "Noted about `mascot`: our mug", {"licence_note": "our mug"}),
        ('note mascot ""', "has no note any more", {"licence_note": ""}),
    ],
)
def test_a_change_is_made_and_said(stage: Stage, text: str, said: str, facts: dict[str, Any]) -> None:
    for _ in range(3):
        assert stage.work(asking(text))
    assert said in told(stage) and len(stage.slack.told) == 1
    for version in stage.registry.loras["T1"]["mascot"]:
        assert {name: getattr(version, name) for name in facts} == facts


@pytest.mark.parametrize("text", ["share mascot with me", "rename mascot to hero", "retire mascot", "delete mascot"])
def test_who_may_not_is_told_so(stage: Stage, text: str) -> None:
    before = dict(stage.registry.loras["T1"])
    # A painter's role does not allow it; another trainer's does, but it is not theirs.
    refusals = {"U2": "Your IAM role does not allow that. <@UADMIN>", "U3": "Only who made this LoRA or an admin may"}
    for member, refusal in refusals.items():
        stage.work(asking(text, key=f"ask-{member}", member=member))
        assert refusal in answered(stage)
    assert stage.registry.loras["T1"] == before
    assert all(one.state is TrainingState.SUCCEEDED for one in stage.registry.trainings.values())


def test_a_denied_member_does_nothing(stage: Stage) -> None:
    stage.access.deny("T1", "member", "U1")
    stage.work(asking("retire mascot"))
    assert "A deny keeps you out" in told(stage) and not stage.registry.loras["T1"]["mascot"][-1].is_retired


def test_a_name_that_is_taken(stage: Stage) -> None:
    stage.registry.add_lora("T1", "hero")
    stage.work(asking("rename mascot to hero"))
    assert "Another LoRA has the name `hero` already" in told(stage) and "mascot" in stage.registry.loras["T1"]


def test_cancelling_ends_the_newest_that_is_open_and_nothing_else(stage: Stage) -> None:
    first = stage.registry.add_training("T1", "hero", TrainingState.RUNNING)
    second = stage.registry.add_training("T1", "hero", TrainingState.AWAITING_APPROVAL)
    stage.work(asking("cancel hero"))
    assert "The training of `hero` is cancelled" in told(stage)
    states = stage.registry.trainings
    assert states[second.training_id].state is TrainingState.CANCELLED
    assert states[first.training_id].state is TrainingState.RUNNING
    stage.work(asking(f"cancel {first.training_id}", key="ask-2"))
    assert states[first.training_id].state is TrainingState.CANCELLED


def test_what_has_ended_is_not_cancelled_and_never_deleted_by_it(stage: Stage) -> None:
    stage.work(asking("cancel mascot"))
    assert "is not under way any more: finished" in told(stage)
    [first, _] = stage.registry.trainings.values()
    stage.work(asking(f"cancel {first.training_id}", key="ask-2"))
    stage.work(asking("cancel nobody", key="ask-3"))
    assert "There is no training `nobody`" in told(stage)
    assert all(one.state is TrainingState.SUCCEEDED for one in stage.registry.trainings.values())


def test_one_that_ends_while_it_is_cancelled_is_left_alone(stage: Stage) -> None:
    training = stage.registry.add_training("T1", "hero", TrainingState.RUNNING)
    cancel = stage.registry.cancel_training

    def late(credentials: Any, training_id: str) -> Any:
        done = {"state": TrainingState.SUCCEEDED, "lora_version": 1}
        stage.registry.trainings[training_id] = training.model_copy(update=done)
        return cancel(credentials, training_id)

    stage.registry.cancel_training = late  # type: ignore[method-assign]
    stage.work(asking("cancel hero"))
    assert "finished as hero@1" in told(stage)
    assert stage.registry.trainings[training.training_id].state is TrainingState.SUCCEEDED


def test_a_deletion_takes_the_data_sets_too(stage: Stage) -> None:
    stage.work(asking("delete mascot@1"))
    assert "`mascot@1` is deleted, and so are the pictures that it was trained on" in answered(stage)
    [first, second] = stage.registry.trainings.values()
    assert [one.version for one in stage.registry.loras["T1"]["mascot"]] == [2]
    assert (first.state, second.state) == (TrainingState.DELETED, TrainingState.SUCCEEDED)
    stage.work(asking("delete mascot", key="ask-2"))
    assert "mascot" not in stage.registry.loras["T1"]
    assert all(one.dataset_deleted for one in stage.registry.trainings.values())
    stage.work(asking("delete mascot", key="ask-3"))
    assert "There is no LoRA `mascot`" in answered(stage)


def test_a_data_set_that_is_kept_is_said(stage: Stage) -> None:
    stage.iam.denies["arn:aws:iam::000000000001:role/easel-trainer"] = ["*/DELETE/trainings/*"]
    stage.work(asking("delete mascot"))
    assert "The LoRA is deleted, but not all pictures that it was trained on" in answered(stage)
    assert "mascot" not in stage.registry.loras["T1"]


def test_a_training_is_deleted_by_its_id_when_it_has_ended(stage: Stage) -> None:
    denied = stage.registry.add_training("T1", "hero", TrainingState.DENIED)
    running = stage.registry.add_training("T1", "hero", TrainingState.RUNNING)
    stage.work(asking(f"delete {denied.training_id}"))
    assert "The training of `hero` is deleted, with the pictures" in answered(stage)
    stage.work(asking(f"delete {running.training_id}", key="ask-2"))
    assert "is under way: running. Cancel it first" in answered(stage)
    stage.work(asking("delete trn-" + "a" * 26, key="ask-3"))
    assert "There is no such training here" in answered(stage)
    states = [stage.registry.trainings[one.training_id].state for one in (denied, running)]
    assert states == [TrainingState.DELETED, TrainingState.RUNNING]


@pytest.mark.parametrize(
    "value",
    ["", "retire mascot", "delete  mascot", "DELETE mascot", "delete none", "list", "import mascot", "\x00", "job-1"],
)
def test_a_value_that_easel_did_not_write_deletes_nothing(stage: Stage, value: str) -> None:
    pressed = Invocation(
        Kind.FINETUNE_CONFIRMED,
        "p1",
        "T1",
        "C1",
        "U1",
        START,
        message_ts=f"{START:.6f}",
        response_url=URL,
        command=value,
    )
    assert stage.work(pressed)
    assert "mascot" in stage.registry.loras["T1"] and not stage.registry.loras["T1"]["mascot"][-1].is_retired
    assert FINETUNE_CONFIRM not in answered(stage)


def test_a_deletion_needs_its_button_and_a_fresh_one(stage: Stage) -> None:
    stage.work(asking("delete mascot", kind=Kind.FINETUNE))
    assert "can't be done" in told(stage)
    stage.work(asking("delete mascot", key="ask-2", message_ts=f"{START - 3_700:.6f}"))
    assert "too long ago" in answered(stage)
    assert len(stage.registry.loras["T1"]["mascot"]) == 2


# ---------------------------------------------------------------- files from elsewhere


def test_an_import_is_read_from_slack_checked_and_listed(stage: Stage) -> None:
    assert stage.work(importing(trigger="qrx"))
    assert "Imported as `ink@1`" in told(stage) and "/imagine a qrx --lora ink" in told(stage)
    [lora] = stage.registry.loras["T1"]["ink"]
    assert (lora.owner.member, lora.scope, lora.licence_note) == ("U1", LoraScope.MEMBER, "from our press")
    assert list(stage.registry.uploaded.values()) == [FILE] and offered(stage) == ["ink", "mascot"]
    assert "X-Amz-Signature" not in told(stage)


def test_a_file_that_is_no_lora_is_refused_with_the_reason(stage: Stage) -> None:
    stage.slack.people_files["F1"] = b"PK\x03\x04" + b"pickled" * 4
    stage.work(importing())
    assert "This is a pickle, which can carry programs. Choose the .safetensors file" in told(stage)
    assert "ink" not in stage.registry.loras["T1"]


def test_a_file_that_can_not_be_had(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.work(importing(file_id="F9"))
    assert "Slack did not hand over the file" in told(stage)
    monkeypatch.setattr("bot.worker.import_lora.MAX_FILE_BYTES", 3)
    stage.work(importing(key="import-2"))
    assert "can be imported through Slack" in told(stage) and stage.registry.uploaded == {}


def test_who_may_not_import_is_told_so(stage: Stage) -> None:
    stage.work(importing(member="U2"))
    assert "Your IAM role does not allow that" in told(stage) and stage.registry.uploaded == {}


# ---------------------------------------------------------------- once, whatever happens


def _crashing(name: str) -> Invocation:
    return importing() if name == "import" else asking(name)


def _count_calls(name: str) -> int:
    stage, plan_ = prepared(), CrashPlan()
    stage.registry.add_training("T1", "hero", TrainingState.RUNNING)
    stage.work(_crashing(name), plan=plan_)
    return plan_.calls


CRASHING = ["rename mascot to pen", "delete mascot@1", "cancel hero", "retire mascot", "import", "card mascot"]


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize(("name", "at"), [(name, at) for name in CRASHING for at in range(1, _count_calls(name) + 1)])
def test_dying_at_any_call_leaves_it_done_and_answered(name: str, at: int, is_after: bool) -> None:
    stage = prepared()
    older = stage.registry.add_training("T1", "hero", TrainingState.STARTING)
    newer = stage.registry.add_training("T1", "hero", TrainingState.RUNNING)
    with pytest.raises(Crash):
        stage.work(_crashing(name), message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)

    assert stage.work(_crashing(name), message_id="m", receives=2)
    assert stage.work(_crashing(name), message_id="another")
    said, loras = answered(stage), stage.registry.loras["T1"]
    match name.partition(" ")[0]:
        case "rename":
            assert "is called `pen` now" in said and sorted(loras) == ["pen"]
        case "delete":
            assert "`mascot@1` is deleted" in said and [one.version for one in loras["mascot"]] == [2]
        case "cancel":
            assert "is cancelled" in said
            assert stage.registry.trainings[newer.training_id].state is TrainingState.CANCELLED
            assert stage.registry.trainings[older.training_id].state is TrainingState.STARTING
        case "import":
            assert "Imported as `ink@1`" in said and len(loras["ink"]) == 1
        case "card":
            assert "*mascot@2*" in said
        case _:
            assert "no longer offered" in said


def test_a_rename_whose_answer_was_lost_is_a_rename(stage: Stage) -> None:
    change = stage.registry.change_lora

    def twice(*args: Any) -> Any:
        change(*args)
        return change(*args)

    stage.registry.change_lora = twice  # type: ignore[method-assign]
    stage.work(asking("rename mascot to pen"))
    assert "is called `pen` now" in told(stage)


def test_a_lora_that_took_the_name_of_a_deleted_one_is_no_rename(stage: Stage) -> None:
    stage.registry.add_lora("T1", "pen")

    def gone(credentials: Any, name: str, change: Any) -> Any:
        del stage.registry.loras["T1"][name]
        return stage.registry._owned(credentials, _caller(), name)

    def _caller() -> Any:
        return stage.sessions.assumed[-1][1]

    stage.registry.change_lora = gone  # type: ignore[method-assign]
    stage.work(asking("rename mascot to pen"))
    assert "There is no LoRA `mascot`" in told(stage)


def test_when_the_backend_stays_away_the_last_try_says_so(stage: Stage) -> None:
    def unavailable(*args: Any) -> Any:
        raise ApiUnavailable("HTTP 500")

    stage.registry.change_lora = unavailable  # type: ignore[method-assign]
    for receives in range(1, MAX_RECEIVES + 1):
        assert not stage.work(asking("retire mascot"), message_id="m", receives=receives)
        stage.clock.sleep(LEASE_SECONDS + 1)
    assert "Something went wrong on Easel's side" in told(stage) and "Reference" in told(stage)


def test_when_slack_stays_away_the_file_is_asked_for_again(stage: Stage) -> None:
    look_at = stage.slack.look_at

    def unavailable(file_id: str) -> Any:
        raise SlackUnavailable("HTTP 503")

    stage.slack.look_at = unavailable  # type: ignore[method-assign]
    assert not stage.work(importing(), message_id="m")
    stage.slack.look_at = look_at  # type: ignore[method-assign]
    stage.clock.sleep(LEASE_SECONDS + 1)
    assert stage.work(importing(), message_id="m", receives=2) and "Imported as `ink@1`" in told(stage)


# ---------------------------------------------------------------- how a workspace trains


def test_the_policy_is_shown_and_changed_in_what_was_named(stage: Stage) -> None:
    stage.work(asking_admin("training", member="U1"))
    assert "posted where the training is asked for" in told(stage) and "deleted as soon as it has ended" in told(stage)
    stage.work(confirming_admin("training --approvals <#C9|styles> --keep-pictures 30d", key="a"))
    assert "posted in <#C9>" in answered(stage) and "given up after 7 days" in answered(stage)
    stage.work(confirming_admin("training --approval-days 3 --keep-pictures off", key="b"))
    assert stage.registry.policies["T1"] == TrainingPolicy(approvals_place="C9", approval_days=3, keep_dataset_days=0)
    stage.work(confirming_admin("training --approvals off", key="c"))
    assert stage.registry.policies["T1"].approvals_place == ""


def test_only_who_may_grant_changes_the_policy(stage: Stage) -> None:
    for text in ("training --approvals <#C9|styles>", "training --approval-days 7"):
        stage.work(confirming_admin(text, key=text, member="U1"))
        assert "Your IAM role does not allow that" in answered(stage) and stage.registry.policies == {}
