"""The catalog of endpoints in DynamoDB: hash key `name`; `sagemaker_endpoint_name`; `card`, a `ModelCard` as JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from pydantic import ValidationError

from backend_lambda.aws.clients import Client
from backend_lambda.ports import CatalogEntry
from endpoint.contract import ModelCard

logger = logging.getLogger(__name__)

_FRESH_SECONDS = 30.0


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


def _read(item: Mapping[str, Any]) -> CatalogEntry | None:
    """An item that can't be read is no endpoint: the others stay usable."""
    name = item["name"]["S"]
    try:
        return CatalogEntry(
            name=name,
            sagemaker_endpoint_name=item["sagemaker_endpoint_name"]["S"],
            card=ModelCard.model_validate_json(item["card"]["S"]),
        )
    except (KeyError, ValidationError):
        logger.exception("endpoint that can't be read", extra={"endpoint": name})
        return None
