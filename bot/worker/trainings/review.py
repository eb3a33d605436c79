"""The last step of the form: the draft as it would be trained."""

from __future__ import annotations

from backend_lambda.contract.trainings import Training
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import PictureGone
from bot.ports.slack import SlackRefused
from bot.uploading import upload_once, wait_until_ready
from bot.worker.deps import WorkerDeps
from bot.worker.trainings.desk import PICTURE_REFUSED_CODES, Desk
from bot.worker.trainings.drafts import Draft
from commands.training_offers import Trainables
from commands.trouble import Trouble
from commands.views.training_left import checked_message
from commands.views.training_review import training_review


def show_review(
    desk: Desk, draft: Draft, training: Training, listed: Trainables, trouble: Trouble | None = None
) -> None:
    """Show it, with the contact sheet where Slack has it ready."""
    place = draft.place(desk.key, desk.place.response_url)
    left = checked_message(draft.order.name, len(draft.accepted), (), desk.key)
    for sheet in (draft.sheet_file, None):
        view = training_review(place, training, listed.approvals_channel, sheet, draft.captions, trouble)
        try:
            desk.show_or_write(view, left)
            return
        except SlackRefused as refused:
            if sheet is None or refused.code not in PICTURE_REFUSED_CODES:
                raise
            log.info("contact sheet refused", extra={"training_id": training.training_id, "code": refused.code})


def upload_sheet(deps: WorkerDeps, work: Work, training: Training) -> str | None:
    """Bring the contact sheet into Slack; None where there is none, or Slack takes too long over it."""
    stored = training.contact_sheet
    if stored is None:
        return None
    try:
        content = deps.pictures.read(stored.bucket, stored.key)
    except PictureGone:
        return None
    name = f"{training.name}-pictures.png"
    file_id = upload_once(deps.slack, work, "sheet_file", name, f"The pictures to train {training.name} on", content)
    return file_id if wait_until_ready(deps.slack, deps.clock, file_id) else None
