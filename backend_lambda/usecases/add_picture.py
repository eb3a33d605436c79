"""Add a picture to a draft: its record, and where to upload it."""

from __future__ import annotations

from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.training_limits import MAX_TRAINING_PICTURES
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import AddPicture, PictureState, PictureUpload
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.training_record import PictureRecord, TrainingRecord, make_picture_id
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.read_training import check_state, find_own_training
from backend_lambda.usecases.refusals import PicturesMissing
from backend_lambda.usecases.training_texts import caption_of, check_captions_together, check_words

MAX_PICTURES_EVER = MAX_TRAINING_PICTURES + 25
"""Those that were refused included: an event has them all, and must fit on the bus."""


def add_picture(caller: Caller, training_id: str, request: AddPicture, ports: TrainingPorts) -> PictureUpload:
    """The same key is the same picture: one that waits or was refused is awaited anew, an accepted one stays as it is.

    Raises `TrainingNotFound`, `NotAllowed`, `TrainingNotInState`, `FieldRefused`, `WordsBlocked`, `PicturesMissing`.
    """
    record = find_own_training(caller, training_id, ports)
    caption = caption_of(request.caption, record)
    check_words(caller.tenant, {"caption": caption}, ports.moderation)
    picture_id = make_picture_id(training_id, request.key)

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        check_state(current, TrainingState.DRAFT, "Pictures can be added to a draft only.")
        known = current.picture(picture_id)
        if known is not None and known.state is PictureState.ACCEPTED:
            return None
        added = PictureRecord(
            picture_id=picture_id,
            key=request.key,
            filename="".join(one if one.isprintable() else " " for one in request.filename),
            bytes=request.bytes,
            caption=caption,
            added_at=now,
        )
        changed = current.with_picture(added)
        usable = [picture for picture in changed.pictures if picture.state is not PictureState.REFUSED]
        if len(usable) > MAX_TRAINING_PICTURES or len(changed.pictures) > MAX_PICTURES_EVER:
            raise PicturesMissing(
                f"A training takes {MAX_TRAINING_PICTURES} pictures at most. Remove one to add another.",
                field="pictures",
                given=str(len(usable)),
                allowed=f"at most {MAX_TRAINING_PICTURES}",
            )
        check_captions_together(picture.caption for picture in changed.pictures)
        return changed

    record = change_training(record, plan, ports)
    upload = ports.files.upload(upload_key(record, picture_id), request.bytes)
    return PictureUpload(picture_id=picture_id, url=upload.url, headers=upload.headers, expires_at=upload.expires_at)


def upload_key(record: TrainingRecord, picture_id: str) -> str:
    """Where a picture lies as it was sent."""
    return f"{record.uploads_prefix}{picture_id}"
