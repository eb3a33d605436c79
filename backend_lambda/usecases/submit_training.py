"""Ask for a training's approval."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from backend_lambda.callers import Caller
from backend_lambda.contract.training_events import TrainingRequested
from backend_lambda.contract.training_limits import MAX_TRAINING_PICTURES, MIN_TRAINING_PICTURES
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import PictureState, StoredPicture, SubmitTraining, Training
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import CONTACT_SHEET, PictureRecord, TrainingRecord
from backend_lambda.usecases.announce_training import announce, with_event
from backend_lambda.usecases.approvers import is_only_approver
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.read_training import check_state, find_own_training
from backend_lambda.usecases.refusals import FieldRefused, PicturesMissing, TrainingNotInState
from backend_lambda.usecases.remove_picture import kept_keys
from backend_lambda.usecases.training_texts import caption_of, check_captions_together, check_words
from backend_lambda.usecases.training_view import view_training

logger = logging.getLogger(__name__)

_MOST_BYTES = 1_000_000
"""Of a thumbnail."""


def submit_training(caller: Caller, training_id: str, request: SubmitTraining, ports: TrainingPorts) -> Training:
    """Hand a draft in: its pictures and captions are settled, its contact sheet made, its request announced. One that
    was handed in already is answered as it is.

    Raises `TrainingNotFound`, `NotAllowed`, `TrainingNotInState`, `PicturesMissing`, `FieldRefused`, `WordsBlocked`,
    `LoraNameTaken`.
    """
    record = find_own_training(caller, training_id, ports)
    policy = ports.trainings.policy(caller.tenant)
    entries = ports.access.read(caller.tenant).entries
    sheet_of: tuple[str, ...] = ()

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        nonlocal sheet_of
        if current.submitted_at is not None:
            return None
        check_state(current, TrainingState.DRAFT, "Only a draft can be submitted.")
        ready = _with_captions(current, request)
        _check_pictures(ready)
        check_captions_together(picture.caption for picture in ready.pictures)
        for picture in ready.accepted:
            check_words(caller.tenant, {"caption": picture.caption}, ports.moderation)
        check_words(
            caller.tenant,
            {"name": ready.name, "trigger": ready.trigger, "what": ready.what, "licence_note": ready.licence_note},
            ports.moderation,
        )
        # The name may have been taken since; better now than when it is trained.
        ports.loras.check_name(current.owner, current.name, now)
        shown = tuple(picture.picture_id for picture in ready.accepted)
        if shown != sheet_of:
            _make_contact_sheet(ready, ports)
            sheet_of = shown
        submitted = ready.model_copy(
            update={
                "state": TrainingState.AWAITING_APPROVAL,
                "submitted_at": now,
                "expires_at": now + timedelta(days=policy.approval_days),
                "is_only_approver": is_only_approver(caller, entries, now),
                "contact_sheet": StoredPicture(bucket=ports.files.bucket, key=ready.prefix + CONTACT_SHEET),
            }
        )
        return with_event(submitted, TrainingRequested, now, approvals_place=policy.approvals_place)

    record = announce(change_training(record, plan, ports), ports)
    logger.info("training submitted", extra={"training_id": training_id, "pictures": len(record.accepted)})
    return view_training(record, ports.files)


def _with_captions(record: TrainingRecord, request: SubmitTraining) -> TrainingRecord:
    for picture_id, caption in request.captions.items():
        picture = record.picture(picture_id)
        if picture is None:
            raise FieldRefused(
                "This training has no such picture (any more).", field=f"captions.{picture_id[:60]}", given=picture_id
            )
        record = record.with_picture(picture.model_copy(update={"caption": caption_of(caption, record)}))
    return record


def _check_pictures(record: TrainingRecord) -> None:
    waiting = [picture for picture in record.pictures if picture.state is PictureState.WAITING]
    if waiting:
        one = len(waiting) == 1
        raise TrainingNotInState(
            f"{len(waiting)} {'picture is' if one else 'pictures are'} not checked yet. "
            f"Check {'it' if one else 'them'}, or remove {'it' if one else 'them'}.",
            field="pictures",
            given=f"{len(waiting)} waiting",
            allowed="none waiting",
        )
    accepted = len(record.accepted)
    if not MIN_TRAINING_PICTURES <= accepted <= MAX_TRAINING_PICTURES:
        raise PicturesMissing(
            f"A training needs {MIN_TRAINING_PICTURES} to {MAX_TRAINING_PICTURES} pictures, and {accepted} "
            f"{'was' if accepted == 1 else 'were'} accepted. Add more.",
            field="pictures",
            given=str(accepted),
            allowed=f"{MIN_TRAINING_PICTURES} to {MAX_TRAINING_PICTURES}",
        )


def _make_contact_sheet(record: TrainingRecord, ports: TrainingPorts) -> None:
    # As in `check_picture`: not every function pays for Pillow.
    from backend_lambda.dataset.contact_sheet import contact_sheet

    sheet = contact_sheet([_thumbnail(record, picture, ports) for picture in record.accepted])
    ports.files.write(record.prefix + CONTACT_SHEET, sheet, "image/png")


def _thumbnail(record: TrainingRecord, picture: PictureRecord, ports: TrainingPorts) -> bytes:
    found = ports.files.read(kept_keys(record, picture.picture_id)[1], _MOST_BYTES)
    if found is None:
        # A removal that came late took the files of a picture that was added again.
        raise TrainingNotInState(
            f"{picture.filename} is no longer stored. Remove it and add it again.",
            field="pictures",
            given=picture.picture_id,
            allowed="pictures that are stored",
        )
    return found.content
