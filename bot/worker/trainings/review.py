"""The last step of the form: the draft as it would be trained."""

from __future__ import annotations

from backend_lambda.contract.trainings import Training
from bot.logs import log
from bot.ports.slack import SlackRefused
from bot.worker.trainings.desk import PICTURE_REFUSED_CODES, Desk
from bot.worker.trainings.drafts import Draft
from commands.training_offers import Trainables
from commands.trouble import Trouble
from commands.views.training_left import checked_message
from commands.views.training_review import training_review

PROCESSING_SECONDS = 1.5


def show_review(
    desk: Desk, draft: Draft, training: Training, listed: Trainables, trouble: Trouble | None = None
) -> None:
    """Show it, with the pictures where Slack takes them."""
    # Checked at the same time, they were added in any order; people know theirs.
    order = {one.file: number for number, one in enumerate(draft.pictures)}
    pictures = sorted(training.pictures, key=lambda one: order.get(one.key, len(order)))
    training = training.model_copy(update={"pictures": pictures})
    place = draft.place(desk.key, desk.place.response_url, desk.invocation.team)
    left = checked_message(draft.order.name, len(draft.accepted), (), desk.key, desk.invocation.team)
    for attempt, with_pictures in enumerate((True, True, False)):
        view = training_review(place, training, listed.approvals_channel, draft.captions, with_pictures, trouble)
        try:
            desk.show_or_write(view, left)
            return
        except SlackRefused as refused:
            if not with_pictures or refused.code not in PICTURE_REFUSED_CODES:
                raise
            log.info("pictures refused", extra={"training_id": training.training_id, "code": refused.code})
            if attempt == 0:
                # Slack may still be processing what was just uploaded.
                desk.deps.clock.sleep(PROCESSING_SECONDS)
