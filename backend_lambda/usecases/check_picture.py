"""Look at a picture that was uploaded: decode it, keep its pixels, or say why not."""

from __future__ import annotations

import logging
from datetime import datetime

from backend_lambda.callers import Caller
from backend_lambda.contract.training_limits import MAX_PICTURE_BYTES
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import DatasetPicture, PictureFault, PictureState
from backend_lambda.dataset.faults import fault_sentence
from backend_lambda.dataset.look import same_look
from backend_lambda.dataset.verdicts import BadPicture, GoodPicture
from backend_lambda.training_ports import ReadTooLarge, TrainingPorts
from backend_lambda.training_record import PictureRecord, TrainingRecord
from backend_lambda.usecases.add_picture import upload_key
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.read_training import check_state, find_own_training
from backend_lambda.usecases.refusals import FieldRefused
from backend_lambda.usecases.remove_picture import kept_keys
from backend_lambda.usecases.training_view import view_picture

logger = logging.getLogger(__name__)

_PNG = "image/png"
_TURNS = 5


class _AddedAnew(Exception):
    """The pictures have changed while this one was looked at, so that the look no longer counts."""


def check_picture(caller: Caller, training_id: str, picture_id: str, ports: TrainingPorts) -> DatasetPicture:
    """Accepted or refused, and why. Twice answers the same; a refused picture that was uploaded again is looked at
    again. What was uploaded is deleted: its metadata is nobody's business.

    Raises `TrainingNotFound`, `NotAllowed`, `TrainingNotInState`, and `FieldRefused` where there is no such picture.
    """
    record = find_own_training(caller, training_id, ports)
    for _ in range(_TURNS):
        picture = _find(record, picture_id)
        if picture.state is PictureState.ACCEPTED:
            return view_picture(record, picture, ports.files)
        check_state(record, TrainingState.DRAFT, "Pictures of a draft are checked, and no others.")
        try:
            record = _look_at(record, picture, ports)
        except _AddedAnew:
            record = find_own_training(caller, training_id, ports)
            continue
        return view_picture(record, _find(record, picture_id), ports.files)
    raise FieldRefused(
        "This picture is removed and added again all the time. Check it when it stays.",
        field="picture_id",
        given=picture_id,
    )


def _look_at(record: TrainingRecord, picture: PictureRecord, ports: TrainingPorts) -> TrainingRecord:
    upload = upload_key(record, picture.picture_id)
    seen = _decode(upload, ports)
    if seen is None and picture.state is PictureState.REFUSED:
        # It was looked at, and its upload deleted.
        return record
    is_stored = isinstance(seen, GoodPicture) and _judge(record, picture, seen).state is PictureState.ACCEPTED
    if isinstance(seen, GoodPicture) and is_stored:
        # Before the record says so: what it names is there. Where the record won't say so in the end, since the picture
        # is removed or its like accepted meanwhile, this stays unnamed until the training's files are deleted: somebody
        # else may be about to name it.
        large, small = kept_keys(record, picture.picture_id)
        ports.files.write(large, seen.png, _PNG)
        ports.files.write(small, seen.thumbnail, _PNG)

    def plan(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        present = _find(current, picture.picture_id)
        if present.state is PictureState.ACCEPTED or (seen is None and present.state is PictureState.REFUSED):
            # Another check of the same picture was faster.
            return None
        if present.added_at != picture.added_at:
            raise _AddedAnew
        check_state(current, TrainingState.DRAFT, "Pictures of a draft are checked, and no others.")
        judged = _judge(current, present, seen)
        if judged.state is PictureState.ACCEPTED and not is_stored:
            # What it is like was removed meanwhile: once more, from the start.
            raise _AddedAnew
        return current.with_picture(judged) if judged != present else None

    record = change_training(record, plan, ports)
    judged = _find(record, picture.picture_id)
    ports.files.delete(upload)
    logger.info(
        "picture checked",
        extra={"training_id": record.training_id, "picture": judged.picture_id, "fault": judged.fault},
    )
    return record


def _decode(key: str, ports: TrainingPorts) -> GoodPicture | BadPicture | None:
    # Only those who check pictures pay for Pillow: not every function that imports the API's routes.
    from backend_lambda.dataset.check import check_picture as look_into

    try:
        uploaded = ports.files.read(key, MAX_PICTURE_BYTES)
    except ReadTooLarge:
        return BadPicture(PictureFault.TOO_LARGE)
    return look_into(uploaded.content) if uploaded is not None else None


def _judge(record: TrainingRecord, picture: PictureRecord, seen: GoodPicture | BadPicture | None) -> PictureRecord:
    if seen is None:
        return _refused(picture, PictureFault.NOT_UPLOADED)
    if isinstance(seen, BadPicture):
        return _refused(picture, seen.fault, width=seen.width, height=seen.height)
    for other in record.accepted:
        if other.sha256 == seen.sha256 or (other.look is not None and same_look(other.look, seen.look)):
            return _refused(
                picture, PictureFault.DUPLICATE, same_as=other.filename, width=seen.width, height=seen.height
            )
    return picture.model_copy(
        update={
            "state": PictureState.ACCEPTED,
            "fault": None,
            "same_as": None,
            "message": None,
            "width": seen.width,
            "height": seen.height,
            "sha256": seen.sha256,
            "look": seen.look,
        }
    )


def _refused(
    picture: PictureRecord,
    fault: PictureFault,
    *,
    width: int | None = None,
    height: int | None = None,
    same_as: str | None = None,
) -> PictureRecord:
    message = fault_sentence(fault, picture.filename, width=width, height=height, same_as=same_as or "")
    return picture.model_copy(
        update={
            "state": PictureState.REFUSED,
            "fault": fault,
            "same_as": same_as,
            "message": message,
            "width": width,
            "height": height,
        }
    )


def _find(record: TrainingRecord, picture_id: str) -> PictureRecord:
    picture = record.picture(picture_id)
    if picture is None:
        raise FieldRefused("This training has no such picture (any more).", field="picture_id", given=picture_id)
    return picture
