"""`/words`: what the workspace does not want in prompts."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.responses import errors
from backend_lambda.contract.access import BlockedWords, PutWords
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.usecases.blocked_words import put_words, read_words

router = Router()  # type: ignore[no-untyped-call]


@router.get(
    "/words",
    tags=["access"],
    operation_id="readWords",
    summary="Read the blocked words",
    description="Prompts with one of them are refused.",
    response_description="All of them, in alphabetical order",
    responses=errors(200, BlockedWords),
)
def read() -> BlockedWords:
    """`GET /words`."""
    return read_words(caller_of(router), backend_of(router).access)


@router.put(
    "/words",
    tags=["access"],
    operation_id="putWords",
    summary="Replace the blocked words",
    description="The same words again change nothing.",
    response_description="The words as they stand now, without repetitions, in alphabetical order",
    responses=errors(
        200,
        BlockedWords,
        ErrorCode.MALFORMED_REQUEST,
        ErrorCode.ACCESS_CONFLICT,
        ErrorCode.TOO_LARGE,
        ErrorCode.INVALID_REQUEST,
    ),
)
def put(request: PutWords) -> BlockedWords:
    """`PUT /words`."""
    return put_words(caller_of(router), request, backend_of(router).access)
