"""A training as the API answers it and as events tell it."""

from __future__ import annotations

from backend_lambda.contract.trainings import DatasetPicture, PictureState, StoredPicture, Training, TrainingReport
from backend_lambda.training_ports import TrainingFiles
from backend_lambda.training_record import DATASET, PictureRecord, TrainingRecord


def view_training(record: TrainingRecord, files: TrainingFiles | None, *, with_pictures: bool = True) -> Training:
    """What a client sees. With `files`, what is stored comes with links that soon expire."""
    return Training(
        training_id=record.training_id,
        state=record.state,
        name=record.name,
        trigger=record.trigger,
        kind=record.kind,
        what=record.what,
        endpoint=record.endpoint,
        model=record.model,
        preset=record.preset,
        settings=record.settings,
        owner=record.owner,
        licence_note=record.licence_note,
        context=record.context,
        pictures=[view_picture(record, picture, files) for picture in record.pictures if with_pictures],
        contact_sheet=_linked(record.contact_sheet, files),
        estimate=record.estimate,
        created_at=record.created_at,
        submitted_at=record.submitted_at,
        expires_at=record.expires_at,
        decision=record.decision,
        is_only_approver=record.is_only_approver,
        report=_report(record.report, files),
        started_at=record.started_at,
        finished_at=record.finished_at,
        lora_version=record.lora_version,
        final_loss=record.final_loss,
        failure=record.failure,
        dataset_deleted=record.dataset_deleted,
    )


def view_picture(record: TrainingRecord, picture: PictureRecord, files: TrainingFiles | None) -> DatasetPicture:
    """One of its pictures."""
    is_stored = picture.state is PictureState.ACCEPTED and not record.dataset_deleted
    return DatasetPicture(
        **picture.model_dump(exclude={"bytes", "added_at", "look"}),
        url=files.link(dataset_key(record, picture.picture_id)) if files is not None and is_stored else None,
    )


def dataset_key(record: TrainingRecord, picture_id: str) -> str:
    """Where an accepted picture lies."""
    return f"{record.prefix}{DATASET}{picture_id}.png"


def _linked(picture: StoredPicture | None, files: TrainingFiles | None) -> StoredPicture | None:
    if picture is None or files is None:
        return picture
    return picture.model_copy(update={"url": files.link(picture.key)})


def _report(report: TrainingReport | None, files: TrainingFiles | None) -> TrainingReport | None:
    if report is None or files is None:
        return report
    return report.model_copy(
        update={"loss_plot": _linked(report.loss_plot, files), "samples": _linked(report.samples, files)}
    )
