"""Asking for the approval: a message that will follow the training, then the submission."""

from __future__ import annotations

from dataclasses import replace

from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import Training
from bot.board import GIVEN_UP, QUEUED, WAITING
from bot.invocation import Invocation
from bot.leases import Work
from bot.logs import log
from bot.places import Place
from bot.ports.backend import ApiRefused, Credentials
from bot.ports.slack import SlackRefused
from bot.posting import UNREACHABLE_CODES, post_once
from bot.training_records import TrainingRecords
from bot.worker.deps import WorkerDeps
from bot.worker.refusals import refusal_of, refusal_trouble
from bot.worker.trainings.desk import Desk, is_reviewed
from bot.worker.trainings.drafts import ASKED, Draft
from bot.worker.trainings.review import show_review
from bot.worker.trainings.trainables import trainables
from commands.sentences import Trouble, not_in_channel
from commands.sentences_training import draft_expired, form_gone, not_your_form, training_refusal
from commands.training_offers import Trainables
from commands.trouble import code
from commands.views.training_form import FormPlace, told_view
from commands.views.training_left import trouble_left_message
from commands.views.training_status import asking_message, not_asked_message, status_message


def ask_for_approval(deps: WorkerDeps, invocation: Invocation, work: Work, reference: str) -> None:
    """Submit the form's draft, and leave the message behind that follows it. Safe to repeat at any point."""
    place = FormPlace.from_metadata(invocation.training["place"])
    desk = Desk(deps, invocation, place)
    draft = desk.drafts.load(place.key)
    if draft is None:
        desk.trouble(form_gone())
        return
    if draft.member != invocation.member:
        desk.trouble(not_your_form())
        return
    captions = {**draft.captions, **invocation.training.get("captions", {})}
    draft = desk.drafts.change(place.key, lambda now: replace(now, captions=captions))
    credentials = deps.credentials_for(invocation)
    listed = trainables(deps, invocation.team, credentials)
    if draft.stage != ASKED and not is_reviewed(draft):
        # Something was changed in another window since: first the pictures.
        desk.show_form(draft, listed)
        return
    training = deps.trainings.see_training(credentials, str(draft.training_id))
    if training.state is not TrainingState.DRAFT and training.submitted_at is None:
        desk.trouble(draft_expired(), draft)
        return
    message_place = _message(desk, draft, work, training, listed)
    if message_place is None:
        return
    try:
        training = _submit(deps, credentials, training, captions)
    except ApiRefused as refused:
        trouble = training_refusal(refusal_of(refused, reference)) or refusal_trouble(refused, None, reference)
        view = not_asked_message(training.name, invocation.member, trouble)
        deps.board.show(message_place, GIVEN_UP, view)
        desk.trouble(trouble, draft)
        return
    desk.drafts.change(place.key, lambda now: replace(now, stage=ASKED))
    deps.board.show(message_place, WAITING, status_message(training, listed.approvals_channel))
    where = f"in <#{listed.approvals_channel}>" if listed.approvals_channel else "there too"
    text = (
        f":white_check_mark: Approval for {code(training.name)} is asked {where}. "
        f"<#{draft.channel}> shows how it goes; you can close this."
    )
    desk.show(told_view(text, place))
    log.info("approval asked", extra={"training_id": training.training_id, "member": invocation.member})


def _message(desk: Desk, draft: Draft, work: Work, training: Training, listed: Trainables) -> Place | None:
    """The message that will follow the training, and the record by which events find it."""
    deps, invocation = desk.deps, desk.invocation
    view = asking_message(training.name, invocation.member)
    key = invocation.request_key
    try:
        ts = post_once(deps.slack, deps.clock, work, "message_ts", draft.channel, draft.thread_ts, view, key)
    except SlackRefused as refused:
        if refused.code not in UNREACHABLE_CODES:
            raise
        _unreachable(desk, draft, training, listed, not_in_channel())
        return None
    place = Place(invocation.team, draft.channel, ts, draft.thread_ts)
    deps.board.open(place, QUEUED, view, training_id=training.training_id, requester=invocation.member)
    records = TrainingRecords(deps.store, deps.clock)
    records.begin(training.training_id, place, invocation.member, invocation.enterprise)
    return place


def _unreachable(desk: Desk, draft: Draft, training: Training, listed: Trainables, trouble: Trouble) -> None:
    show_review(desk, draft, training, listed, trouble)
    if not desk.invocation.view_id:
        desk.deps.slack.write_to(desk.invocation.member, trouble_left_message(trouble, desk.key, desk.invocation.team))


def _submit(deps: WorkerDeps, credentials: Credentials, training: Training, captions: dict[str, str]) -> Training:
    """Submit it; one that a lost answer or an earlier try has submitted stays as it is."""
    if training.submitted_at is not None:
        return training
    stored = {one.picture_id: one.caption for one in training.pictures}
    changed = {
        picture_id: caption
        for picture_id, caption in captions.items()
        if picture_id in stored and stored[picture_id] != caption
    }
    return deps.trainings.submit_training(credentials, training.training_id, changed)
