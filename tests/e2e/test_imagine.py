"""`/imagine` on the deployed template: from the signed command to the picture, with what goes wrong on the way."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from deploy.local.follow_imagine import ENDED_WITHOUT_PICTURE, follow_imagine, picture_file
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import facts_of, jobs, set_sagemaker_faults, wait_for_pictures

pytestmark = pytest.mark.stack


def test_a_command_becomes_a_picture_that_carries_its_settings(
    stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember
) -> None:
    painted = follow_imagine(
        workspace,
        ada,
        "general",
        "/imagine a large red circle on a white background --seed 7 —steps 12 —no “blue stars”",
        stack.model_seconds,
    )
    facts = facts_of(workspace, painted.message)
    assert facts["prompt"] == "a large red circle on a white background"
    assert (facts["seeds"], facts["steps"], facts["negative_prompt"]) == ([7], 12, "blue stars")
    with Image.open(io.BytesIO(painted.png)) as picture:
        assert picture.format == "PNG"
        assert "Steps: 12" in picture.info["parameters"]
    record = next(job for job in jobs(stack) if job["job_id"] == painted.job_id)
    assert record["state"] == "succeeded"
    assert painted.ack_seconds < 3
    assert {"Redo", "Delete"} <= set(painted.message.buttons)


def test_the_same_seed_paints_the_same_picture_alone_and_beside_others(
    workspace: LocalWorkspace, ada: ActingMember, grace: ActingMember
) -> None:
    command = "/imagine a small blue star on a yellow background --steps 8 --seed 11"
    ada.run_command("design", command)
    alone = wait_for_pictures(ada, "design", "small blue star")
    for _ in range(2):
        grace.run_command("design", "/imagine a pink heart --steps 15")
    ada.run_command("design", command)
    beside = wait_for_pictures(ada, "design", "small blue star", after=alone.ts)
    first, second = (workspace.download(picture_file(message)) for message in (alone, beside))
    with Image.open(io.BytesIO(first)) as one, Image.open(io.BytesIO(second)) as other:
        assert one.tobytes() == other.tobytes()


def test_three_deliveries_of_one_command_make_one_job(
    stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember
) -> None:
    workspace.repeat_deliveries(times=3, kind="command")
    ada.run_command("random", "/imagine a green cross delivered thrice --steps 4")
    wait_for_pictures(ada, "random", "delivered thrice")
    time.sleep(2)
    assert len([job for job in jobs(stack) if "delivered thrice" in str(job)]) == 1
    assert len([m for m in ada.messages("random") if m.is_from_app and "delivered thrice" in m.text]) == 1


def test_a_lost_answer_to_slack_loses_no_picture(workspace: LocalWorkspace, ada: ActingMember) -> None:
    workspace.drop_acks(kind="command")
    outcome = ada.run_command("random", "/imagine a gray moon with a lost answer --steps 4")
    assert outcome.error == "operation_timeout"
    wait_for_pictures(ada, "random", "with a lost answer")


def test_slack_that_answers_429_and_errors_still_gets_the_picture(workspace: LocalWorkspace, ada: ActingMember) -> None:
    workspace.answer_status("chat.postMessage", 429, retry_after=1)
    workspace.answer_status("chat.update", 429, count=2, retry_after=1)
    workspace.answer_error("files.completeUploadExternal", "internal_error")
    ada.run_command("random", "/imagine a cyan boat against a busy Slack --steps 4")
    wait_for_pictures(ada, "random", "against a busy Slack")
    assert len([m for m in ada.messages("random") if m.is_from_app and "against a busy Slack" in m.text]) == 1


def test_completions_that_come_twice_make_one_result(
    stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember
) -> None:
    set_sagemaker_faults(stack, duplicate_completions=1)
    ada.run_command("random", "/imagine an orange fish completed twice --steps 4")
    message = wait_for_pictures(ada, "random", "completed twice")
    time.sleep(2)
    again = [m for m in ada.messages("random") if m.is_from_app and "completed twice" in m.text]
    assert [m.ts for m in again] == [message.ts]
    assert len([f for f in workspace.files() if f["id"] == picture_file(message)]) == 1


def test_four_pictures_come_as_one_grid_and_each_can_be_had_in_full(
    workspace: LocalWorkspace, ada: ActingMember
) -> None:
    ada.run_command("design", "/imagine a yellow sun in four --n 4 --steps 4 --seed 3")
    message = wait_for_pictures(ada, "design", "in four")
    assert len(message.pictures) == 1
    assert facts_of(workspace, message)["seeds"] == [3, 4, 5, 6]
    with Image.open(io.BytesIO(workspace.download(picture_file(message)))) as grid:
        assert grid.width > 256
        assert grid.height > 256
    assert ada.press(message, "2").ok
    single = ada.wait_for_message("design", lambda m: bool(m.pictures) and m.ts != message.ts, 30, message.ts)
    assert facts_of(workspace, single)["seeds"] == [4]


def test_a_thread_refines_its_result(workspace: LocalWorkspace, ada: ActingMember, grace: ActingMember) -> None:
    ada.run_command("design", "/imagine a red square on a white background --steps 6 --seed 21")
    root = wait_for_pictures(ada, "design", "red square")
    grace.mention(root, "make it green")
    green = wait_for_pictures(grace, "design", "green square", thread_ts=root.ts, after=root.ts)
    facts = facts_of(workspace, green)
    assert (facts["prompt"], facts["seeds"], facts["steps"]) == ("a green square on a white background", [21], 6)
    grace.mention(root, "--seed 5")
    other = wait_for_pictures(grace, "design", "green square", thread_ts=root.ts, after=green.ts)
    assert facts_of(workspace, other)["seeds"] == [5]


def test_a_mention_in_any_thread_paints_there(ada: ActingMember) -> None:
    root = ada.post("general", "What should the poster look like?")
    ada.mention(root, "a purple tree --n 2 --steps 4")
    message = wait_for_pictures(ada, "general", "purple tree", thread_ts=root.ts)
    assert message.thread_ts == root.ts


def test_redo_paints_anew_and_delete_takes_message_file_and_pictures_away(
    stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember, grace: ActingMember
) -> None:
    ada.run_command("random", "/imagine a brown house to redo --steps 4 --seed 9")
    first = wait_for_pictures(ada, "random", "house to redo")
    assert ada.press(first, "Redo").ok
    second = wait_for_pictures(ada, "random", "house to redo", thread_ts=first.ts, after=first.ts)
    assert facts_of(workspace, second)["seeds"] != [9]
    job_id = facts_of(workspace, first)["job_id"]
    # Somebody else's press changes nothing.
    grace.press(first, "Delete")
    time.sleep(1.5)

    def shown() -> bool:
        # Slack keeps an empty stone in place of a deleted message that has replies.
        return any(m.ts == first.ts and m.pictures for m in ada.messages("random"))

    assert shown()
    assert ada.press(first, "Delete").ok
    ada.wait_for(lambda: not shown(), 20, "the message to go")
    record = next(job for job in jobs(stack) if job["job_id"] == job_id)
    assert record["state"] == "deleted"
    objects = stack.session().client("s3").list_objects_v2(Bucket=stack.outputs["PicturesBucketName"])
    assert not [entry["Key"] for entry in objects.get("Contents", []) if job_id in entry["Key"]]


def test_a_cancelled_job_stops_and_says_so(stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember) -> None:
    ada.run_command("random", "/imagine a black cloud that nobody wants --n 4 --steps 50")
    waiting = ada.wait_for_message("random", lambda m: "nobody wants" in m.text and "Cancel" in m.buttons, 30)
    assert ada.press(waiting, "Cancel").ok
    ended = ada.wait_for_message(
        "random", lambda m: "nobody wants" in m.text and m.text.startswith(ENDED_WITHOUT_PICTURE), 30
    )
    assert ended.ts == waiting.ts
    record = next(job for job in jobs(stack) if "nobody wants" in str(job))
    assert record["state"] == "cancelled"


def test_the_form_paints_and_names_mistakes_under_their_fields(workspace: LocalWorkspace, ada: ActingMember) -> None:
    ada.run_command("design", "/imagine")
    view = ada.wait_for_view()
    wrong = ada.fill_and_submit(view, {"prompt": "a form-made flower", "seed": "7", "steps": "2.5"})
    assert set(wrong.errors) == {"steps"}
    done = ada.fill_and_submit(view, {"prompt": "a form-made flower", "seed": "7", "steps": "4"})
    assert done.ok
    assert not done.errors
    wait_for_pictures(ada, "design", "form-made flower")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("/imagine a boat --stepz 5", "--steps"),
        ("/imagine a boat --n 9", "--n"),
        ("/imagine a boat --ar 100:1", "--ar"),
        ("/imagine " + "very " * 2000 + "red boat", "10,0"),
        ("/imagine help", "thread"),
    ],
)
def test_a_mistake_is_answered_at_once_and_makes_no_job(
    stack: LocalStack, ada: ActingMember, command: str, says: str
) -> None:
    before = len(jobs(stack))
    known = {m.ts for m in ada.ephemerals("general")}
    assert ada.run_command("general", command).ok
    answer = next(m for m in ada.ephemerals("general") if m.ts not in known)
    assert answer.says(says), answer.block_texts
    assert len(jobs(stack)) == before


@pytest.mark.parametrize("prompt", ["🐙🎨 a red star 🦑", "נجمة حمراء كبيرة", 'a <b>bold</b> & "quoted" `star` *here*'])
def test_emoji_right_to_left_and_markup_are_painted_and_shown(
    workspace: LocalWorkspace, ada: ActingMember, prompt: str
) -> None:
    known = max((m.ts for m in ada.messages("random")), default="0")
    ada.run_command("random", f"/imagine {prompt} --steps 4")
    message = ada.wait_for_message(
        "random", lambda m: m.ts > known and (bool(m.pictures) or m.text.startswith(ENDED_WITHOUT_PICTURE)), 60
    )
    assert message.pictures, message.block_texts
    assert facts_of(workspace, message)["prompt"].startswith(prompt[:2])


def test_a_model_that_does_not_exist_is_named_with_those_that_do(ada: ActingMember) -> None:
    ada.run_command("random", "/imagine a boat for nobody --model no-such-model")
    message = ada.wait_for_message(
        "random", lambda m: m.text.startswith(ENDED_WITHOUT_PICTURE) and m.says("boat for nobody"), 30
    )
    assert message.says("no-such-model")
    assert message.says("tiny")


def test_a_model_that_fails_in_the_middle_ends_in_a_sentence_with_a_reference(
    stack: LocalStack, broken: None, ada: ActingMember
) -> None:
    ada.run_command("random", "/imagine a doomed boat --model broken --steps 4")
    message = ada.wait_for_message("random", lambda m: m.text.startswith("That did not work") and m.says("doomed"), 90)
    assert message.says("Reference")
    assert not message.says("Traceback")
    record = next(job for job in jobs(stack) if "doomed boat" in str(job))
    assert record["state"] == "failed"
