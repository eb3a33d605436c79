"""Query parameters: a typing mistake must not go unnoticed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router

from backend_lambda.usecases.refusals import FieldRefused


def check_query(router: Router, known: tuple[str, ...]) -> None:
    """Raises `FieldRefused` for a query parameter that there is none of."""
    given: dict[str, Any] = router.current_event.raw_event.get("queryStringParameters") or {}
    for name in given:
        if name not in known:
            raise FieldRefused("There is no such query parameter.", field=name, given=name, allowed=", ".join(known))
