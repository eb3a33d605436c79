"""A job's record as a DynamoDB item: texts and numbers; what has a structure is kept as JSON text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from backend_lambda.contract.errors import JobFailure
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobGrid, JobPicture, Owner, Settings
from backend_lambda.job_record import JobChanges, JobRecord
from backend_lambda.usage import Count, Measure
from endpoint.contract import LoraWeights

Attribute = dict[str, str]
Item = dict[str, Attribute]


def written_time(time: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds: sorts as text."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _text(value: str) -> Attribute:
    return {"S": value}


def _number(value: float) -> Attribute:
    return {"N": str(value)}


def _time(value: datetime) -> Attribute:
    return {"S": written_time(value)}


def _model(value: Any) -> Attribute:
    return {"S": value.model_dump_json()}


def _pictures(value: tuple[JobPicture, ...]) -> Attribute:
    return {"S": json.dumps([picture.model_dump(mode="json") for picture in value])}


def _holds(value: tuple[Count, ...]) -> Attribute:
    return {"S": json.dumps([[count.counter, count.measure.value, count.amount] for count in value])}


_WRITE: dict[str, Callable[[Any], Attribute]] = {
    "state": lambda state: _text(state.value),
    "due_at": _time,
    "attempts": _number,
    "attempted_at": _time,
    "step": _number,
    "output_location": _text,
    "failure_location": _text,
    "started_at": _time,
    "finished_at": _time,
    "pictures": _pictures,
    "grid": _model,
    "model_seconds": _number,
    "failure": _model,
    "holds": _holds,
}


def to_attributes(changes: JobChanges) -> dict[str, Attribute | None]:
    """The attributes to set; None for those to remove."""
    attributes: dict[str, Attribute | None] = {
        name: None if value is None else _WRITE[name](value) for name, value in cast(Mapping[str, Any], changes).items()
    }
    if "due_at" in changes:
        attributes["unsettled"] = None if changes["due_at"] is None else _text("yes")
    return attributes


def to_item(record: JobRecord) -> Item:
    """The whole record."""
    changing = JobChanges(
        **{name: getattr(record, name) for name in _WRITE if getattr(record, name) is not None}  # type: ignore[typeddict-item]
    )
    item: Item = {
        "job_id": _text(record.job_id),
        "tenant": _text(record.owner.tenant),
        "member": _text(record.owner.member),
        "created_order": _text(record.order),
        "endpoint": _text(record.endpoint),
        "sagemaker_endpoint_name": _text(record.sagemaker_endpoint_name),
        "model": _text(record.model),
        "settings": _model(record.settings),
        "context": _text(json.dumps(record.context)),
        "fingerprint": _text(record.fingerprint),
        "created_at": _time(record.created_at),
    }
    if record.loras:
        item["loras"] = _text(json.dumps([lora.model_dump(mode="json") for lora in record.loras]))
    return item | {name: value for name, value in to_attributes(changing).items() if value is not None}


def from_item(item: Mapping[str, Attribute]) -> JobRecord:
    """The record that was written."""

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    def time(name: str) -> datetime | None:
        return datetime.fromisoformat(item[name]["S"]) if name in item else None

    grid, failure, seconds = text("grid"), text("failure"), item.get("model_seconds")
    return JobRecord(
        job_id=item["job_id"]["S"],
        owner=Owner(tenant=item["tenant"]["S"], member=item["member"]["S"]),
        endpoint=item["endpoint"]["S"],
        sagemaker_endpoint_name=item["sagemaker_endpoint_name"]["S"],
        model=item["model"]["S"],
        settings=Settings.model_validate_json(item["settings"]["S"]),
        context=json.loads(item["context"]["S"]),
        fingerprint=item["fingerprint"]["S"],
        created_at=datetime.fromisoformat(item["created_at"]["S"]),
        state=JobState(item["state"]["S"]),
        due_at=time("due_at") if "unsettled" in item else None,
        attempts=int(item["attempts"]["N"]),
        attempted_at=datetime.fromisoformat(item["attempted_at"]["S"]),
        step=int(item["step"]["N"]),
        output_location=text("output_location"),
        failure_location=text("failure_location"),
        started_at=time("started_at"),
        finished_at=time("finished_at"),
        pictures=tuple(JobPicture.model_validate(picture) for picture in json.loads(text("pictures") or "[]")),
        grid=JobGrid.model_validate_json(grid) if grid else None,
        model_seconds=float(seconds["N"]) if seconds else None,
        failure=JobFailure.model_validate_json(failure) if failure else None,
        holds=tuple(
            Count(counter, Measure(measure), amount) for counter, measure, amount in json.loads(text("holds") or "[]")
        ),
        loras=tuple(LoraWeights.model_validate(lora) for lora in json.loads(text("loras") or "[]")),
    )
