"""The catalog of endpoints in DynamoDB: hash key `name`; `sagemaker_endpoint_name`; `card`, a `ModelCard` as JSON;
`training`, a `TrainingOffer` with `image_uri` and `warm_pool_seconds` as JSON, where something can be trained on it.

`paced_jobs`, `paced_ms`, `paced_work` are sums over the jobs of late: how many, their milliseconds, their work in steps
of a thousand pixels.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from backend_lambda.aws.clients import Client
from backend_lambda.contract.training_estimate import TrainingOffer
from backend_lambda.ports import CatalogEntry, TrainingMachine
from endpoint.contract import ModelCard

logger = logging.getLogger(__name__)

_FRESH_SECONDS = 30.0
_REMEMBERED_JOBS = 64
"""When so many jobs are summed up, the sums are halved: the pace is that of about the last fifty."""


class DynamoEndpointCatalog:
    """`EndpointCatalog` on a DynamoDB table. What was found is remembered for half a minute; what was not is asked
    again, so that a new endpoint can be used at once.
    """

    def __init__(self, client: Client, table: str, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._found: dict[str, tuple[float, CatalogEntry]] = {}

    def find(self, name: str) -> CatalogEntry | None:
        if not name:
            return None
        remembered = self._found.get(name)
        if remembered is not None and self._clock() - remembered[0] < _FRESH_SECONDS:
            return remembered[1]
        answer = self._client().get_item(TableName=self._table, Key={"name": {"S": name}})
        entry = _read(answer["Item"]) if "Item" in answer else None
        if entry is None:
            self._found.pop(name, None)
        else:
            self._found[name] = (self._clock(), entry)
        return entry

    def entries(self) -> list[CatalogEntry]:
        # A handful of items: a scan of the whole table is what is wanted.
        pages = self._client().get_paginator("scan").paginate(TableName=self._table)
        found = [_read(item) for page in pages for item in page["Items"]]
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name)


class DynamoPaceBook:
    """`PaceBook` on the same table. Sums are added to in one step, so that no job is lost between two writers."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def note(self, endpoint: str, *, steps_of_megapixels: float, seconds: float) -> None:
        work, milliseconds = round(steps_of_megapixels * 1_000), round(seconds * 1_000)
        if work < 1:
            return
        try:
            # An endpoint that is gone must not come back as half an item.
            sums = self._add(endpoint, "attribute_exists(#name)", 1, milliseconds, work)
            if sums[0] >= _REMEMBERED_JOBS:
                # Of those who come here at the same time, one halves.
                self._add(endpoint, "paced_jobs >= :most", *(-(part // 2) for part in sums))
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return
            logger.warning("an endpoint's pace was not noted", extra={"endpoint": endpoint}, exc_info=True)

    def _add(self, endpoint: str, condition: str, jobs: int, milliseconds: int, work: int) -> tuple[int, int, int]:
        values = {":jobs": jobs, ":ms": milliseconds, ":work": work}
        if ":most" in condition:
            values[":most"] = _REMEMBERED_JOBS
        answer = self._client().update_item(
            TableName=self._table,
            Key={"name": {"S": endpoint}},
            UpdateExpression="ADD paced_jobs :jobs, paced_ms :ms, paced_work :work",
            ConditionExpression=condition,
            **({"ExpressionAttributeNames": {"#name": "name"}} if "#name" in condition else {}),
            ExpressionAttributeValues={name: {"N": str(value)} for name, value in values.items()},
            ReturnValues="UPDATED_NEW",
        )
        found = answer["Attributes"]
        return int(found["paced_jobs"]["N"]), int(found["paced_ms"]["N"]), int(found["paced_work"]["N"])


def _pace(item: Mapping[str, Any]) -> float | None:
    work = float(item["paced_work"]["N"]) if "paced_work" in item else 0.0
    # Milliseconds by steps of a thousand pixels are seconds by steps of a million.
    return float(item["paced_ms"]["N"]) / work if work > 0 else None


def _read(item: Mapping[str, Any]) -> CatalogEntry | None:
    """An item that can't be read is no endpoint: the others stay usable."""
    name = item["name"]["S"]
    try:
        return CatalogEntry(
            name=name,
            sagemaker_endpoint_name=item["sagemaker_endpoint_name"]["S"],
            card=ModelCard.model_validate_json(item["card"]["S"]),
            pace=_pace(item),
            training=_machine(name, item),
        )
    except (KeyError, ValueError):
        logger.exception("endpoint that can't be read", extra={"endpoint": name})
        return None


def _machine(name: str, item: Mapping[str, Any]) -> TrainingMachine | None:
    """What can't be read is no offer: the endpoint paints all the same."""
    if "training" not in item:
        return None
    try:
        found = json.loads(item["training"]["S"])
        image_uri, warm_pool_seconds = str(found.pop("image_uri")), int(found.pop("warm_pool_seconds", 0))
        return TrainingMachine(TrainingOffer.model_validate(found), image_uri, warm_pool_seconds)
    except (KeyError, TypeError, ValueError, AttributeError):
        logger.exception("an endpoint's training that can't be read", extra={"endpoint": name})
        return None
