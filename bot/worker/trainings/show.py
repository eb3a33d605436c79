"""Filling a modal that was opened while something had to be looked up."""

from __future__ import annotations

from dataclasses import replace

from backend_lambda.contract.training_state import TrainingState
from bot.invocation import Invocation
from bot.leases import Work
from bot.ports.backend import ApiRefused
from bot.worker.deps import WorkerDeps
from bot.worker.trainings.desk import Desk, is_reviewed
from bot.worker.trainings.drafts import ASKED, FILLING
from bot.worker.trainings.review import show_review
from bot.worker.trainings.trainables import trainables
from commands.sentences_training import form_gone, not_your_form, nothing_trainable
from commands.views.training_form import FormPlace, told_view, training_form

KNOWN, CHANGE = "is_known", "is_change"
"""In an invocation's `training`: the form must be remembered; the member wants to change what is filled in."""


def show_form(deps: WorkerDeps, invocation: Invocation, work: Work) -> None:
    """Show the form as far as it is: empty, filled in, ready to be asked for. Safe to repeat."""
    said = invocation.training
    place = FormPlace.from_metadata(said["place"])
    desk = Desk(deps, invocation, place)
    draft = desk.drafts.load(place.key)
    if draft is None and said.get(KNOWN):
        desk.trouble(form_gone())
        return
    if draft is not None and draft.member != invocation.member:
        desk.trouble(not_your_form())
        return
    credentials = deps.credentials_for(invocation)
    listed = trainables(deps, invocation.team, credentials)
    if not listed.endpoints:
        desk.trouble(nothing_trainable())
    elif draft is None:
        desk.show(training_form(place, listed, deps.default_endpoint))
    elif draft.stage == ASKED:
        desk.show(told_view(":white_check_mark: Approval has been asked for this one already.", place))
    elif said.get(CHANGE) or not is_reviewed(draft):
        captions = {**draft.captions, **said.get("captions", {})}
        draft = desk.drafts.change(place.key, lambda now: replace(now, captions=captions, stage=FILLING))
        desk.show_form(draft, listed)
    else:
        try:
            training = deps.trainings.see_training(credentials, str(draft.training_id))
        except ApiRefused:
            # The draft has expired or is gone; checking the pictures again makes a new one.
            desk.show_form(draft, listed)
            return
        if training.state is TrainingState.DRAFT:
            show_review(desk, draft, training, listed)
        else:
            desk.show_form(draft, listed)
