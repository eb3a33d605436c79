"""Find the very files that a job paints with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend_lambda.callers import Caller
from backend_lambda.contract.jobs import LoraChoice, UsedLora
from backend_lambda.lora_record import LoraRecord, LoraVersion
from backend_lambda.lora_store import LoraStore
from backend_lambda.usecases.lora_access import lora_not_found, may_use
from backend_lambda.usecases.refusals import FieldRefused, LoraNotFitting, LoraNotFound
from endpoint.contract import LoraWeights


@dataclass(frozen=True)
class ResolvedLora:
    """A LoRA as clients see it, and as the endpoint gets it."""

    used: UsedLora
    weights: LoraWeights


def resolve_loras(
    caller: Caller, choices: Sequence[LoraChoice], model: str, loras: LoraStore, bucket: str
) -> list[ResolvedLora]:
    """Each choice's version: the one it names, else the newest. A retired one still paints.

    Raises `LoraNotFound` for a LoRA that there is not, that is another tenant's or that the caller may not use, and for
    a version that there is not; `LoraNotFitting` where it was made for another model than `model`; `FieldRefused` where
    a LoRA comes twice.
    """
    names = [choice.name for choice in choices]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise FieldRefused(
                f"The LoRA {name} comes twice.",
                field=f"loras.{index}.name",
                given=name,
                allowed="each LoRA once; a larger weight makes it stronger",
            )
    return [_resolve(caller, index, choice, model, loras, bucket) for index, choice in enumerate(choices)]


def _resolve(caller: Caller, index: int, choice: LoraChoice, model: str, loras: LoraStore, bucket: str) -> ResolvedLora:
    record = loras.get(caller.tenant, choice.name)
    if not may_use(record, caller):
        raise lora_not_found(caller, choice.name, loras, model=model, field=f"loras.{index}.name")
    version = record.version(choice.version)
    if version is None:
        raise version_not_found(record, choice.version, field=f"loras.{index}.version")
    if version.model != model:
        raise LoraNotFitting(
            f"The LoRA {choice.name} was made for the model {version.model} and does not fit the model {model}.",
            field=f"loras.{index}.name",
            given=version.model,
            allowed=model,
        )
    return ResolvedLora(
        UsedLora(name=record.name, version=version.number, weight=choice.weight), _weights(choice, version, bucket)
    )


def _weights(choice: LoraChoice, version: LoraVersion, bucket: str) -> LoraWeights:
    return LoraWeights(
        name=choice.name,
        bucket=bucket,
        key=version.key,
        sha256=version.sha256,
        bytes=version.bytes,
        weight=choice.weight,
    )


def version_not_found(record: LoraRecord, number: int | None, *, field: str = "version") -> LoraNotFound:
    """Says which versions there are."""
    available = [str(version.number) for version in record.versions]
    return LoraNotFound(
        f"The LoRA {record.name} has no version {number}.",
        field=field,
        given=str(number),
        allowed=", ".join(available),
        available=available,
    )
