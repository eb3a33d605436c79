"""A LoRA trained by the form, on the deployed template: the bot's, the backend's and SageMaker's parts together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.finetune import TEAM, VALUES, write_pictures
from deploy.local.follow_training import READY, TrainingNotDone, train_by_form
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.stack import LocalStack
from tests.e2e.jobs_on_the_stack import facts_of, wait_for_pictures, wait_for_text
from tests.e2e.test_admin import change

pytestmark = pytest.mark.stack

CHANNEL = "design"
SHORT = {"Steps": "12", "Rank": "4", "Seed": "3", "Prior preservation": "no"}


@pytest.fixture
def trainer(ada: ActingMember, grace: ActingMember) -> Iterator[ActingMember]:
    """Grace, for as long as she may train."""
    change(ada, "access grant @grace trainer")
    yield grace
    change(ada, "access revoke @grace")


def test_a_lora_is_trained_by_the_form_and_paints(
    stack: LocalStack, workspace: LocalWorkspace, ada: ActingMember, trainer: ActingMember, tmp_path: Path
) -> None:
    """Twelve steps teach nothing; `make finetune` judges what is learnt."""
    trained = train_by_form(
        workspace, trainer, ada, CHANNEL, write_pictures(tmp_path), {**VALUES, "name": "twelve"}, advanced=SHORT
    )
    assert trained.message.says(READY) and trained.message.says("--lora twelve") and trained.message.pictures
    below = trainer.messages(CHANNEL, trained.message.ts)
    assert any(message.says("before any training, and now") and len(message.pictures) == 2 for message in below)

    # What was trained is everybody's, and its pictures are gone.
    assert ada.run_command(CHANNEL, "/imagine a red ring --lora twelve:0.8 --steps 4 --seed 5").ok
    result = wait_for_pictures(ada, CHANNEL, "a red ring")
    assert [(one["name"], one["weight"]) for one in facts_of(workspace, result)["loras"]] == [("twelve", 0.8)]
    bucket = stack.outputs["PicturesBucketName"]
    listed = stack.session().client("s3").list_objects_v2(Bucket=bucket, Prefix=f"tenants/{TEAM}/trainings/")
    assert not [one["Key"] for one in listed.get("Contents", []) if "/dataset/" in one["Key"]]


def test_who_may_not_train_or_approve_is_told_so(
    workspace: LocalWorkspace, ada: ActingMember, trainer: ActingMember, tmp_path: Path
) -> None:
    linus = workspace.as_member("linus")
    with pytest.raises(TrainingNotDone, match="IAM role does not allow"):
        train_by_form(workspace, linus, ada, CHANNEL, write_pictures(tmp_path), {**VALUES, "name": "forbidden"})
    while linus.views():
        linus.close_view(linus.views()[-1], is_all=True)
    with pytest.raises(TrainingNotDone, match="Nothing more was heard"):
        train_by_form(
            workspace, trainer, linus, CHANNEL, write_pictures(tmp_path), {**VALUES, "name": "twice"}, timeout_seconds=5
        )
    [status] = [message for message in ada.messages(CHANNEL) if message.says("Training `twice`")]
    [request] = [message for message in ada.messages(CHANNEL, status.ts) if "Approve" in message.buttons]
    assert ada.press(request, "Deny").ok
    view = ada.wait_for_view()
    assert ada.fill_and_submit(view, {view.inputs()[0].block_id: "not ours to use"}).ok
    assert wait_for_text(trainer, CHANNEL, "not ours to use", thread_ts=status.ts, after=request.ts)
