"""The OpenAPI document that is committed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import backend_lambda.api
from backend_lambda.api.openapi import document
from backend_lambda.contract.jobs import SubmitJob

COMMITTED = Path(backend_lambda.api.__file__).with_name("openapi.json")


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    return json.loads(COMMITTED.read_text())


def test_the_committed_document_is_the_codes(committed: dict[str, Any]) -> None:
    assert committed == document(), "stale: run `make generated`"


def test_it_is_printed_the_same_every_time() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-m", "backend_lambda.api.openapi"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=COMMITTED.parents[2],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1] == COMMITTED.read_text()


def test_every_route_is_signed_and_described(committed: dict[str, Any]) -> None:
    assert committed["security"] == [{"sigv4": []}]
    assert committed["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    operations = [operation for path in committed["paths"].values() for operation in path.values()]
    assert len(operations) == 35
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        for status, answer in operation["responses"].items():
            [content] = answer["content"].values()
            assert (content["schema"]["$ref"] == "#/components/schemas/ErrorBody") == (not status.startswith("2"))


def test_every_reference_leads_somewhere(committed: dict[str, Any]) -> None:
    text = json.dumps(committed)
    schemas = committed["components"]["schemas"]
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.split('"')[0] in schemas
    assert set(schemas["SubmitJob"]["properties"]) == set(SubmitJob.model_fields)
    assert schemas["SubmitJob"]["additionalProperties"] is False
