"""A LoRA's file on its way through the deployed template: from Slack's form to the registry, looked after, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from diffusers import StableDiffusionPipeline
from PIL import Image

from deploy.local.slack.client import ActingMember
from deploy.local.slack.client_types import Message
from deploy.local.stack import StackSettings
from tests.e2e.jobs_on_the_stack import PATIENCE_SECONDS, wait_for_pictures
from tests.e2e.test_admin import change
from tests.fakes.loras import lora_file
from tests.fakes.random_loras import kohya_lora

pytestmark = pytest.mark.stack

CHANNEL = "#design"


@pytest.fixture
def trainer(ada: ActingMember, grace: ActingMember) -> Iterator[ActingMember]:
    """Grace, for as long as she may train."""
    change(ada, "access grant @grace trainer")
    yield grace
    change(ada, "access revoke @grace")


def ask(member: ActingMember, command: str) -> Message:
    """Type a command; the answer to the member alone."""
    before = len(member.ephemerals(CHANNEL))
    assert member.run_command(CHANNEL, command).ok
    return answer(member, before)


def answer(member: ActingMember, before: int) -> Message:
    """The newest one, once there are more than `before`."""

    def look() -> Message | None:
        shown = member.ephemerals(CHANNEL)
        return shown[-1] if len(shown) > before else None

    found = member.workspace.wait_for(look, timeout=PATIENCE_SECONDS, what="an answer")
    assert found is not None
    return found


def submit_import(member: ActingMember, name: str, path: Path) -> Message:
    """Fill in the form; what is answered."""
    assert member.run_command(CHANNEL, f"/finetune import {name}").ok
    before = len(member.ephemerals(CHANNEL))
    values = {"File": [member.upload(path)["id"]], "Trigger word": "qrx", "Note": "from our press"}
    outcome = member.fill_and_submit(member.views()[-1], values)
    assert outcome.ok and not outcome.errors
    return answer(member, before)


def test_a_file_is_imported_shared_offered_renamed_and_deleted(
    trainer: ActingMember, ada: ActingMember, tmp_path: Path
) -> None:
    path = tmp_path / "ink.safetensors"
    path.write_bytes(lora_file())
    assert submit_import(trainer, "ink", path).says("Imported as `ink@1`")
    assert ask(trainer, "/finetune list --mine").says("*ink@1*")
    assert not ask(ada, "/finetune list").says("*ink@1*")

    assert ask(trainer, "/finetune share ink with workspace").says("for everybody now")
    assert ask(trainer, "/finetune rename ink to pen").says("`ink` is called `pen` now")
    assert ask(ada, "/finetune card pen").says("Note: from our press")

    assert ada.run_command(CHANNEL, "/imagine").ok
    view = ada.views()[-1]

    def offered() -> bool:
        return [one["value"] for one in ada.suggestions(view, "LoRAs", "qr")] == ["pen"]

    ada.workspace.wait_for(offered, timeout=PATIENCE_SECONDS, what="the LoRA in the form")
    ada.close_view(view)

    assert trainer.run_command(CHANNEL, "/finetune delete pen").ok
    shown = trainer.ephemerals(CHANNEL)[-1]
    assert trainer.press(shown, "Delete").ok

    def deleted() -> bool:
        replaced = next(one for one in trainer.ephemerals(CHANNEL) if one.ts == shown.ts)
        return replaced.says("`pen` is deleted with all its versions")

    trainer.workspace.wait_for(deleted, timeout=PATIENCE_SECONDS, what="the deletion")
    assert ask(ada, "/finetune card pen").says("There is no LoRA `pen`")


@pytest.fixture(scope="module")
def kohyas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA for the miniature model, as kohya's tools write it."""
    pipeline = StableDiffusionPipeline.from_pretrained(StackSettings().model, safety_checker=None)
    return kohya_lora(tmp_path_factory.mktemp("lora") / "grain.safetensors", pipeline, seed=1)


def test_a_picture_is_painted_with_it_and_its_thread_goes_on_with_its_version(
    trainer: ActingMember, kohyas: Path
) -> None:
    assert submit_import(trainer, "grain", kohyas).says("Imported as `grain@1`")
    prompt = "a boat of paper"
    assert trainer.run_command(CHANNEL, f"/imagine {prompt} --seed 7 --steps 4 --lora grain:0.5").ok
    grained = wait_for_pictures(trainer, CHANNEL, prompt)
    assert grained.says("grain@1 0.5")
    trainer.mention(grained, "--seed 8")
    again = wait_for_pictures(trainer, CHANNEL, prompt, thread_ts=grained.ts, after=grained.ts)
    assert again.says("grain@1 0.5") and again.says("`8`")

    trainer.mention(grained, "--seed 7 --lora none")
    plain = wait_for_pictures(trainer, CHANNEL, prompt, thread_ts=grained.ts, after=again.ts)
    assert plain.says("`7`") and not plain.says("grain")
    assert pixels(trainer, plain) != pixels(trainer, grained), "the LoRA changes the picture"


def pixels(member: ActingMember, picture: Message) -> bytes:
    """Of the picture that a message shows."""
    content = member.workspace.download(picture.pictures[0]["slack_file"]["id"])
    return Image.open(BytesIO(content)).convert("RGB").tobytes()


def test_one_that_does_not_fit_after_all_is_named_when_it_is_painted_with(
    trainer: ActingMember, tmp_path: Path
) -> None:
    """The header tells less than the model: what it says of its own modules shows when they are looked for."""
    path = tmp_path / "odd.safetensors"
    path.write_bytes(lora_file())
    assert submit_import(trainer, "odd", path).says("Imported as `odd@1`")
    assert trainer.run_command(CHANNEL, "/imagine a boat painted oddly --steps 1 --lora odd:0.5").ok
    failed = trainer.wait_for_message(
        CHANNEL, lambda one: one.says("a boat painted oddly") and "Try again" in one.buttons, timeout=PATIENCE_SECONDS
    )
    assert failed.says("The LoRA `odd@1` could not be used")


def test_a_pickle_is_refused(trainer: ActingMember, tmp_path: Path) -> None:
    path = tmp_path / "ink.safetensors"
    path.write_bytes(b"\x80\x04\x95" + b"x" * 500)
    assert submit_import(trainer, "ink", path).says("This is a pickle")
    assert not ask(trainer, "/finetune list --mine").says("*ink@1*")
