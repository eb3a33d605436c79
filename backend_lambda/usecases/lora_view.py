"""A LoRA as the API answers it."""

from __future__ import annotations

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import Lora, LoraScope
from backend_lambda.contract.trainings import StoredPicture
from backend_lambda.lora_record import LoraRecord, LoraVersion
from backend_lambda.lora_store import LoraFiles


def view_lora(record: LoraRecord, version: LoraVersion, files: LoraFiles) -> Lora:
    """One version's card; its samples come with a link that soon expires."""
    samples = version.samples_key
    return Lora(
        name=record.name,
        version=version.number,
        model=version.model,
        trigger=version.trigger,
        kind=version.kind,
        scope=record.scope,
        channel=record.channel if record.scope is LoraScope.CHANNEL else None,
        is_retired=record.is_retired,
        owner=Owner(tenant=record.tenant, member=version.made_by),
        training_id=version.training_id,
        settings=version.settings,
        rank=version.rank,
        bytes=version.bytes,
        sha256=version.sha256,
        licence_note=version.licence_note,
        final_loss=version.final_loss,
        dataset_sha256=version.dataset_sha256,
        dataset_pictures=version.dataset_pictures,
        samples=StoredPicture(bucket=files.bucket, key=samples, url=files.link(samples)) if samples else None,
        created_at=version.created_at,
    )
