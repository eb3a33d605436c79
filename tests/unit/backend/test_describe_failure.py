"""Finding the endpoint's error in whatever is said about a failure."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.usecases.describe_failure import SENTENCES, describe, describe_endpoint_error, find_endpoint_error
from endpoint.contract import EndpointError, EndpointErrorCode

ERRORS = st.builds(
    EndpointError,
    job_id=st.none() | st.just("job-x"),
    code=st.sampled_from(EndpointErrorCode),
    message=st.text(max_size=100),
    reference=st.none() | st.text(max_size=40),
)
# What may stand before it: not a brace that opens nothing.
WORDS = st.text(st.characters(exclude_characters='{\\"'), max_size=100)


@given(WORDS, ERRORS, st.text(max_size=100))
def test_an_error_is_found_between_other_words(before: str, error: EndpointError, after: str) -> None:
    assert find_endpoint_error(before + error.model_dump_json() + after) == error


@given(ERRORS)
def test_an_error_is_found_behind_braces_that_open_nothing(error: EndpointError) -> None:
    assert find_endpoint_error('a { b {} {"code": 1} ' + error.model_dump_json()) == error


def test_an_error_is_found_as_an_escaped_text() -> None:
    error = EndpointError(code=EndpointErrorCode.MODEL_FAILED, message="It failed.", reference="r")
    reason = f"Received server error (500) from model with message {json.dumps(error.model_dump_json())}. See x"
    assert find_endpoint_error(reason) == error


@given(st.none() | st.text(st.sampled_from('{}[]"\\:,aé0 \x00\n'), max_size=300) | st.text(max_size=300))
def test_any_text_is_survived(text: str | None) -> None:
    find_endpoint_error(text)


@pytest.mark.parametrize(
    "text", ["{" * 100_000, "[" * 100_000, '{"a":' * 20_000, "\\" * 100_000, '{"a": ' + "9" * 9000]
)
def test_texts_made_to_hurt_are_survived(text: str) -> None:
    assert find_endpoint_error(text) is None


@given(ERRORS.filter(lambda error: error.code is not EndpointErrorCode.CANCELLED))
def test_a_failure_is_a_short_sentence_with_a_reference(error: EndpointError) -> None:
    failure = describe_endpoint_error(error)
    assert 0 < len(failure.message) <= 300
    assert "\n" not in failure.message
    assert 0 < len(failure.reference) <= 64
    assert failure.reference.isprintable()


def test_every_failure_has_its_sentence() -> None:
    assert set(SENTENCES) == set(JobFailureCode)
    assert describe(JobFailureCode.LOST).reference != describe(JobFailureCode.LOST).reference
    unavailable = EndpointError(code=EndpointErrorCode.UNAVAILABLE, message="x")
    assert describe_endpoint_error(unavailable).message.endswith("Please try again.")
