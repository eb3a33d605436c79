"""Take what a training has made: verify it, list it as a LoRA, conclude the training."""

from __future__ import annotations

import logging
from datetime import datetime

from pydantic import ValidationError

from backend_lambda.contract.training_limits import MAX_LORA_BYTES
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import StoredPicture, TrainingFailureCode, TrainingReport
from backend_lambda.lora_ports import LoraNotRegistrable, NewLora
from backend_lambda.training_ports import ReadTooLarge, TrainingPorts
from backend_lambda.training_record import OUTPUT, TrainingRecord
from backend_lambda.usecases.change_training import change_training
from backend_lambda.usecases.conclude_training import conclude_training, fail_training
from backend_lambda.usecases.describe_training_failure import UNFIT, describe_training
from endpoint.training_contract import LORA_NAME, MANIFEST_NAME, TrainingManifest

logger = logging.getLogger(__name__)

_MOST_MANIFEST_BYTES = 100_000


def finish_training(record: TrainingRecord, ports: TrainingPorts) -> TrainingRecord:
    """Settle a training whose job has completed, once, however often this is told: the registry lists a training's LoRA
    once. From the moment in which it is being listed it can't be cancelled any more, so that no LoRA is listed of a
    training that was. Raises what the ports raise; then it is to be told again.
    """

    def listing(current: TrainingRecord, now: datetime) -> TrainingRecord | None:
        is_open = current.state.may_become(TrainingState.SUCCEEDED)
        return current.model_copy(update={"is_listing": True}) if is_open and not current.is_listing else None

    record = change_training(record, listing, ports)
    if record.state.is_final:
        return record
    prefix = ports.jobs.output_prefix(record.training_id, record.prefix + OUTPUT)
    manifest, wrong = _manifest(record, prefix, ports)
    if manifest is None:
        return _unfit(record, wrong, ports)
    digest = ports.files.digest(prefix + LORA_NAME)
    if digest is None or digest.bytes > MAX_LORA_BYTES or digest.sha256 != manifest.sha256:
        return _unfit(record, "the file is not the one that the manifest names", ports)
    samples = manifest.samples_key if _belongs(manifest.samples_key, record.prefix) else None
    plot = manifest.loss_key if _belongs(manifest.loss_key, record.prefix) else None
    try:
        version = ports.loras.register(
            NewLora(
                training_id=record.training_id,
                owner=record.owner,
                name=record.name,
                model=record.model,
                trigger=record.trigger,
                kind=record.kind,
                settings=record.settings,
                rank=manifest.rank,
                bytes=digest.bytes,
                sha256=digest.sha256,
                licence_note=record.licence_note,
                final_loss=manifest.final_loss,
                dataset_sha256=manifest.dataset_sha256,
                dataset_pictures=len(record.accepted),
                file_key=prefix + LORA_NAME,
                samples_key=samples,
                channel=record.channel,
                created_at=record.created_at,
            )
        )
    except LoraNotRegistrable as refused:
        failure = describe_training(TrainingFailureCode.TRAINING_FAILED, refused.message)
        logger.warning("LoRA not listed", extra={"training_id": record.training_id, "reference": failure.reference})
        return fail_training(record, failure, ports, is_job_over=True)
    bucket = ports.files.bucket
    return conclude_training(
        record,
        TrainingState.SUCCEEDED,
        ports,
        is_job_over=True,
        lora_version=version,
        final_loss=manifest.final_loss,
        report=TrainingReport(
            phase="finishing",
            step=manifest.steps,
            steps=manifest.steps,
            loss=manifest.final_loss,
            seconds_left=0,
            loss_plot=StoredPicture(bucket=bucket, key=plot) if plot else None,
            samples=StoredPicture(bucket=bucket, key=samples) if samples else None,
        ),
    )


def _manifest(record: TrainingRecord, prefix: str, ports: TrainingPorts) -> tuple[TrainingManifest | None, str]:
    """The manifest, or what is wrong with it."""
    try:
        found = ports.files.read(prefix + MANIFEST_NAME, _MOST_MANIFEST_BYTES)
        if found is None:
            return None, "there is no manifest"
        manifest = TrainingManifest.model_validate_json(found.content)
    except ReadTooLarge:
        return None, "the manifest is too large"
    except ValidationError as error:
        # The errors' places and kinds, not their input.
        return None, str([(problem["loc"], problem["type"]) for problem in error.errors()])
    if manifest.training_id != record.training_id:
        return None, "the manifest is another training's"
    return manifest, ""


def _unfit(record: TrainingRecord, wrong: str, ports: TrainingPorts) -> TrainingRecord:
    failure = describe_training(TrainingFailureCode.TRAINING_FAILED, UNFIT)
    logger.error(
        "training left nothing of use",
        extra={"training_id": record.training_id, "reference": failure.reference, "reason": wrong},
    )
    return fail_training(record, failure, ports, is_job_over=True)


def _belongs(key: str, prefix: str) -> bool:
    """Whether a key names a file of the training itself."""
    return key.startswith(prefix) and len(key) > len(prefix) and "/" not in key[len(prefix) :]
