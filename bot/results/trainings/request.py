"""Asking the approvers."""

from __future__ import annotations

from dataclasses import replace

from backend_lambda.contract.training_events import TrainingRequested
from backend_lambda.contract.trainings import Training
from bot.board import FINAL, QUEUED, Shown
from bot.leases import Work
from bot.logs import log
from bot.places import Place
from bot.ports.slack import NotInstalled, SlackRefused
from bot.posting import UNREACHABLE_CODES, post_once
from bot.results.deps import ResultsDeps
from bot.results.trainings.files import upload
from bot.training_records import TrainingPlace, TrainingRecords
from commands.views.blocks import Message
from commands.views.training_request import decided_message, request_message


def ask_approvers(deps: ResultsDeps, found: TrainingPlace, event: TrainingRequested, work: Work, channel: str) -> None:
    """Post the request where the tenant wants it, else (or where the bot is not in there) where it was made.

    Whatever has been decided meanwhile shows: the events may come in any order.
    """
    records, training = TrainingRecords(deps.store, deps.clock), event.training
    if records.note(training.training_id, approvals_channel=channel).is_decided:
        return
    alt = f"The pictures that {training.name} is to be trained on"
    sheet = upload(deps, work, "sheet_file", training.contact_sheet, f"{training.name}-pictures.png", alt)
    own = Place(found.place.team, found.place.channel, "", found.place.root_ts)
    wanted = Place(found.place.team, channel, "") if channel else own
    posted = _post(deps, work, "asked_ts", wanted, training, sheet)
    if posted is None and wanted != own:
        log.info("approvers out of reach", extra={"training_id": training.training_id, "channel": channel})
        posted = _post(deps, work, "asked_here_ts", own, training, sheet, out_of_reach=channel)
    if posted is None:
        return
    place, sheet = posted
    noted = records.note(training.training_id, approval=vars(place), sheet_file=sheet)
    if noted.facts.get("decided"):
        # It was decided while this was being posted.
        decided = Training.model_validate(noted.facts["decided"])
        deps.board.show(place, FINAL, decided_message(decided, sheet))


def settle_request(deps: ResultsDeps, found: TrainingPlace, training: Training) -> None:
    """Nobody has to decide any more: remember it, and take the buttons off the message where there is one."""
    records = TrainingRecords(deps.store, deps.clock)
    if not found.is_decided:
        # First: a request that is being posted looks for it afterwards.
        found = records.note(training.training_id, is_decided=True, decided=training.model_dump(mode="json"))
    place = found.approval
    if place is None:
        return
    if deps.board.show(place, FINAL, decided_message(training, found.sheet_file)) is Shown.GONE:
        log.info("request was deleted", extra={"training_id": training.training_id})


def _post(
    deps: ResultsDeps,
    work: Work,
    fact: str,
    wanted: Place,
    training: Training,
    sheet: str | None,
    out_of_reach: str = "",
) -> tuple[Place, str | None] | None:
    """Post the request and begin its record; where it is and which sheet it shows. None where the bot can't post."""
    is_in_place = wanted.thread_ts is not None and not out_of_reach
    key = f"{training.training_id}-{fact.replace('_', '-')}"

    def view(shown: str | None) -> Message:
        return request_message(training, shown, is_in_place, out_of_reach)

    def post(shown: str | None) -> str:
        return post_once(deps.slack, deps.clock, work, fact, wanted.channel, wanted.thread_ts, view(shown), key)

    try:
        try:
            ts = post(sheet)
        except SlackRefused as refused:
            if sheet is None or refused.code in UNREACHABLE_CODES or isinstance(refused, NotInstalled):
                raise
            # Slack says that the file is ready and won't show it: the request matters more.
            log.info("contact sheet refused", extra={"training_id": training.training_id, "code": refused.code})
            sheet = None
            ts = post(None)
    except SlackRefused as refused:
        if refused.code not in UNREACHABLE_CODES:
            raise
        return None
    place = replace(wanted, ts=ts)
    deps.board.open(place, QUEUED, view(sheet), training_id=training.training_id)
    return place, sheet
