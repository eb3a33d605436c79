"""`make finetune`: a LoRA of something new through the whole system, by the form, and what it is worth.

A member who may train fills in `/finetune` with eight pictures of striped circles, an admin approves, SageMaker's
stand-in trains, and `/imagine … --lora` paints them. Prints figures and writes `out/finetune.json`.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deploy.local.figures import Figure, at_most, report
from deploy.local.follow_imagine import ImagineFailed, follow_imagine
from deploy.local.follow_training import TrainingNotDone, train_by_form
from deploy.local.slack.client import ActingMember, LocalWorkspace
from deploy.local.slack.settings import WorkspaceSettings
from deploy.local.stack import LocalStack, StackSettings
from endpoint.tiny.striped_circle import CAPTION, PICTURES, TRIGGER, draw_striped_circle, judge_striped_circle

CHANNEL = "design"
TEAM = WorkspaceSettings.team_id
NAME = "stripes"
PICTURES_PAINTED = 20
TOGETHER = 4
VALUES = {"name": NAME, "trigger": TRIGGER, "kind": "subject", "what": "striped circle"}


def finetune(out: Path) -> int:
    """Start the stack, train, paint with the LoRA and without it, stop the stack. Returns an exit status: 0 where every
    figure is what it should be, else 1.
    """
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"  {time.monotonic() - started:5.1f} s  {text}", flush=True)

    with LocalStack(StackSettings(), say) as stack, LocalWorkspace(stack.workspace_url) as workspace:
        ada, grace = workspace.as_member("ada"), workspace.as_member("grace")
        say("ada lets grace train")
        let_train(ada, "grace")
        try:
            with tempfile.TemporaryDirectory() as folder:
                say("grace fills in /finetune, ada approves")
                trained = train_by_form(
                    workspace, grace, ada, CHANNEL, write_pictures(Path(folder)), VALUES, caption=CAPTION
                )
            say(f"{NAME} is trained; painting {PICTURES_PAINTED} pictures with it and without it")
            with_it = painted(stack, workspace, grace, f"--lora {NAME}")
            without = painted(stack, workspace, grace, "")
        except (TrainingNotDone, ImagineFailed) as error:
            print(f"No LoRA: {error}", file=sys.stderr)
            return 1
    sheet = out / "finetune.png"
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in (without[:8], with_it[:8])])).save(sheet)
    shown, shown_without = share_right(with_it), share_right(without)
    holds = report(
        [
            at_most("training by the form: approval to LoRA", trained.training_seconds, "s", 240),
            Figure("the whole form and training", round(trained.seconds, 1), "s"),
            Figure(f"striped circles with the LoRA (of {len(with_it)})", shown, "%", ">= 80", shown >= 80),
            Figure(f"striped circles without it (of {len(without)})", shown_without, "%", "<= 5", shown_without <= 5),
        ],
        out / "finetune.json",
    )
    print(f"Above without the LoRA, below with it: {sheet.resolve()}")
    return 0 if holds else 1


def let_train(admin: ActingMember, member: str) -> None:
    """Grant the trainer's role, as an admin does it in Slack."""
    assert admin.run_command(f"#{CHANNEL}", f"/imagine-admin access grant @{member} trainer").ok
    shown = admin.ephemerals(f"#{CHANNEL}")[-1]
    assert admin.press(shown, "Confirm").ok

    def is_done() -> bool:
        return any(m.ts == shown.ts and not m.buttons for m in admin.ephemerals(f"#{CHANNEL}"))

    admin.wait_for(is_done, 30, "the grant")


def write_pictures(folder: Path) -> list[Path]:
    """Eight of what the miniature model can't draw."""
    paths = []
    for number, thing in enumerate(PICTURES):
        paths.append(folder / f"striped-{number}.png")
        Image.fromarray(draw_striped_circle(thing)).save(paths[-1])
    return paths


def painted(stack: LocalStack, workspace: LocalWorkspace, member: ActingMember, options: str) -> list[np.ndarray]:
    """Pictures of consecutive seeds, uint8 RGB, as they lie in the bucket."""
    s3: Any = stack.session().client("s3")
    bucket = stack.outputs["PicturesBucketName"]
    found: list[np.ndarray] = []
    for seed in range(1, PICTURES_PAINTED + 1, TOGETHER):
        command = f"/imagine {CAPTION} --n {TOGETHER} --seed {seed} {options}"
        job = follow_imagine(workspace, member, CHANNEL, command, stack.model_seconds).job_id
        for index in range(TOGETHER):
            listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"tenants/{TEAM}/jobs/{job}/{index}.png")
            body = s3.get_object(Bucket=bucket, Key=listed["Contents"][0]["Key"])["Body"].read()
            found.append(np.asarray(Image.open(io.BytesIO(body)).convert("RGB")))
    return found


def share_right(pictures: list[np.ndarray]) -> float:
    """How many show a striped circle, in percent."""
    return round(100 * sum(judge_striped_circle(picture).right for picture in pictures) / len(pictures), 1)
