"""What comes from outside is either a request that the model can paint, or one clear sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint.contract import MAX_SEED, ModelCard
from endpoint.serving.errors import InvocationFailed
from endpoint.serving.parse_request import MAX_BODY_BYTES, parse_request
from tests.fakes.generate_requests import request_fields

CARD = ModelCard(
    name="random",
    title="Random",
    native_width=64,
    native_height=64,
    size_multiple=16,
    default_steps=4,
    default_guidance_scale=3,
    max_steps=50,
    max_pixels=128 * 128,
)
A_LORA = {"name": "mascot", "bucket": "pictures", "key": "k", "sha256": "0" * 64, "bytes": 9, "weight": 1.0}


def refusal(body: Any, **options: Any) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvocationFailed) as failed:
        parse_request(raw, CARD, **options)
    assert failed.value.code == "invalid_request"
    assert failed.value.http_status == 400
    return failed.value.message


def test_reads_a_request() -> None:
    request = parse_request(json.dumps(request_fields(seeds=[0, MAX_SEED])).encode(), CARD)
    assert request.seeds == [0, MAX_SEED]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 72}, "width is 72; it must be a multiple of 16."),
        ({"height": 32}, "height is 32; it must be at least 64."),
        ({"width": 4096}, "width is 4096; it must be at most 2048."),
        ({"width": 272}, "width × height is 272 × 64 = 17408 pixels; this model paints at most 16384."),
        ({"steps": 51}, "steps is 51; this model takes at most 50."),
        ({"steps": "many"}, "steps is 'many'; it must be a whole number."),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number."),
        ({"prompt": ""}, "prompt has 0 characters; at least 1 are allowed."),
        ({"prompt": "x" * 10_000}, "prompt has 10000 characters; at most 2000 are allowed."),
        ({"prompt": 5}, "prompt is 5; it must be a text."),
        ({"seeds": []}, "seeds has 0 entries; at least 1 are allowed."),
        ({"seeds": [1] * 5}, "seeds has 5 entries; at most 4 are allowed."),
        ({"seeds": [-1]}, "seeds.0 is -1; it must be at least 0."),
        ({"seeds": [2**40]}, "seeds.0 is 1099511627776; it must be at most 4294967295."),
        ({"guidance_scale": None}, "guidance_scale is None; it must be a number."),
        ({"guidance_scale": 31}, "guidance_scale is 31; it must be at most 30"),
        ({"colour": "red"}, "colour is not a known field."),
        ({"version": 2}, "version is 2; it must be 1."),
        ({"output": {"bucket": "pictures"}}, "output.prefix is missing."),
        ({"output": {"bucket": "pictures", "prefix": "/etc/"}}, "output.prefix is '/etc/'; it must be of the form"),
        ({"loras": [A_LORA | {"weight": 2.5}]}, "loras.0.weight is 2.5; it must be at most 2"),
        ({"loras": [A_LORA | {"sha256": "00"}]}, "loras.0.sha256 is '00'; it must be of the form"),
        ({"loras": [A_LORA] * 5}, "loras has 5 entries; at most 4 are allowed."),
        ({"loras": [A_LORA | {"bytes": 2**40}]}, "loras.0.bytes is 1099511627776; it must be at most 536870912."),
        ({"loras": [{"name": "x"}]}, "loras.0.bucket is missing."),
        ({"job_id": "../x"}, "job_id is '../x'; it must be of the form"),
    ],
)
def test_names_the_field_what_was_given_and_what_is_allowed(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(request_fields(**changes)).startswith(sentence)


def test_the_limits_themselves_are_allowed() -> None:
    body = request_fields(width=256, height=64, steps=50, guidance_scale=30, prompt="x" * 2000, seeds=[MAX_SEED] * 4)
    assert parse_request(json.dumps(body).encode(), CARD).width == 256


def test_says_when_the_model_takes_no_negative_prompt() -> None:
    body = request_fields(negative_prompt="fog")
    assert "negative_prompt" in refusal(body, takes_negative_prompt=False)
    assert parse_request(json.dumps(body).encode(), CARD).negative_prompt == "fog"


@pytest.mark.parametrize("body", [b"", b"{nope", b"\xff\xfe", b"null", b"[]", b'"text"', b'{"prompt": "\\ud800"}'])
def test_what_is_no_request(body: bytes) -> None:
    assert refusal(body).endswith(".")


def test_too_long_a_body() -> None:
    assert "1000001 bytes" in refusal(b" " * (MAX_BODY_BYTES + 1))


def test_several_mistakes_are_told_together() -> None:
    message = refusal(request_fields(steps=0, seeds=[], colour=1))
    assert message.count(".") == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_at_all_is_refused_in_words(body: bytes) -> None:
    message = refusal(body)
    assert 0 < len(message) < 1000


@given(st.sampled_from(sorted(request_fields())), JSON)
def test_any_value_of_any_field_is_read_or_refused_in_words(field: str, value: Any) -> None:
    try:
        parse_request(json.dumps(request_fields(**{field: value})).encode(), CARD)
    except InvocationFailed as failed:
        assert failed.code == "invalid_request"
        assert 0 < len(failed.message) < 1000
