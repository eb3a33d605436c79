"""Prints the REST API's OpenAPI document: `python -m backend_lambda.api.openapi`."""

from __future__ import annotations

import json
import sys
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, License, Tag

from backend_lambda.api.handler import app
from backend_lambda.contract.errors import ErrorBody

VERSION = "1"
_SCHEME = "sigv4"
_DESCRIPTION = """Easel's platform: ask a model to paint, follow the job, fetch its pictures.

Every request is signed with AWS Signature Version 4 (service `execute-api`) by an IAM principal that the API's policies
admit; who asks is read from the signature alone. Every answer that is not 2xx and comes from the backend is an
`ErrorBody`; API Gateway itself answers `{"message": …}` where it refuses a request (403, 429)."""


def document() -> dict[str, Any]:
    """The document, the same for the same code."""
    found: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(
            title="Easel",
            version=VERSION,
            description=_DESCRIPTION,
            license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
            tags=[
                Tag(name="jobs", description="Asking for pictures."),
                Tag(name="endpoints", description="The models that can be asked."),
                Tag(name="limits", description="How much of it is left."),
                Tag(name="access", description="Who may do what, and what was changed about it."),
                Tag(name="loras", description="What was trained or imported, to paint with."),
                Tag(name="trainings", description="Training LoRAs on a team's own pictures."),
                Tag(name="webhooks", description="Being told of events."),
            ],
            security_schemes={
                _SCHEME: APIKey(name="Authorization", in_=APIKeyIn.header, description="AWS Signature Version 4")
            },
            security=[{_SCHEME: []}],
        )
    )
    found["components"]["securitySchemes"][_SCHEME]["x-amazon-apigateway-authtype"] = "awsSigv4"
    # What the framework says of its own errors is not what this API answers.
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        found["components"]["schemas"].pop(name, None)
    for path in found["paths"].values():
        for operation in path.values():
            _own_errors_only(operation["responses"])
    return found


def _own_errors_only(responses: dict[str, Any]) -> None:
    reference = f"#/components/schemas/{ErrorBody.__name__}"
    for status in list(responses):
        text = json.dumps(responses[status])
        if "ValidationError" in text:
            if reference in text:
                raise AssertionError(f"the answer {status} has two forms")
            del responses[status]


def main() -> None:
    """Print it."""
    json.dump(document(), sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
