"""What is left out of a request, and what a model can't do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.limits import MAX_SEED, MAX_SIDE, MIN_SIDE
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.usecases.applicable_limits import ApplicableLimits, Ceiling
from backend_lambda.usecases.refusals import FieldRefused
from backend_lambda.usecases.resolve_settings import resolve_settings
from endpoint.contract import GenerateRequest, ModelCard, OutputLocation
from tests.fakes.backend import TINY, ask

SD15 = TINY.model_copy(
    update={"native_width": 512, "native_height": 512, "size_multiple": 8, "max_pixels": 768 * 768, "max_steps": 100}
)


def resolve(card: ModelCard = TINY, **more: object) -> tuple[int, int]:
    settings = resolve_settings(ask(**more), card, lambda: 7)
    return settings.width, settings.height


def test_defaults_are_the_models() -> None:
    settings = resolve_settings(ask("a boat", pictures=2), TINY, lambda: 7)
    assert settings.model_dump() == {
        "prompt": "a boat",
        "negative_prompt": "",
        "width": 128,
        "height": 128,
        "seeds": [7, 8],
        "steps": 20,
        "guidance_scale": 5.0,
        "loras": [],
    }


def test_what_is_given_stays() -> None:
    request = ask(negative_prompt="red", seed=0, steps=1, guidance_scale=0, width=64, height=160)
    settings = resolve_settings(request, TINY, lambda: 7)
    assert (settings.negative_prompt, settings.seeds, settings.steps, settings.guidance_scale) == ("red", [0], 1, 0)
    assert (settings.width, settings.height) == (64, 160)


def test_seeds_wrap_around() -> None:
    assert resolve_settings(ask(seed=MAX_SEED, pictures=3), TINY, lambda: 7).seeds == [MAX_SEED, 0, 1]


@pytest.mark.parametrize(
    ("card", "ratio", "size"),
    [
        (TINY, "1:1", (128, 128)),
        (TINY, "3:2", (144, 96)),
        (TINY, "2:3", (96, 144)),
        (TINY, "16:9", (176, 96)),
        (TINY, "4:1", (256, 64)),
        (TINY, "1:4", (64, 256)),
        (SD15, "1:1", (512, 512)),
        (SD15, "3:2", (624, 416)),
        (SD15, "16:9", (680, 384)),
        (SD15, "1000:999", (512, 512)),
    ],
)
def test_an_aspect_ratio_becomes_a_size(card: ModelCard, ratio: str, size: tuple[int, int]) -> None:
    assert resolve(card, aspect_ratio=ratio) == size


def test_a_size_is_rounded_to_what_the_model_takes() -> None:
    assert resolve(width=100, height=130) == (96, 128)
    assert resolve(width=64, height=64) == (64, 64)
    assert resolve(width=256, height=256) == (256, 256)


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("steps", {"steps": 51}),
        ("width", {"width": 272, "height": 256}),
        ("width", {"width": 2048, "height": 2048}),
        ("width", {"width": 512, "height": 64}),
    ],
)
def test_what_the_model_cannot_do_is_refused_with_facts(field: str, more: dict[str, object]) -> None:
    with pytest.raises(FieldRefused) as refused:
        resolve_settings(ask(**more), TINY, lambda: 7)
    assert refused.value.field == field
    assert refused.value.given
    assert refused.value.allowed
    assert refused.value.message.endswith(".")


MULTIPLES = st.sampled_from([8, 16, 32, 64])


@st.composite
def cards(draw: st.DrawFn) -> ModelCard:
    multiple = draw(MULTIPLES)
    sides = st.integers(max(2, 128 // multiple), 1024 // multiple).map(lambda n: n * multiple)
    width, height = draw(sides), draw(sides)
    most = draw(st.integers(width * height, MAX_SIDE * MAX_SIDE))
    return TINY.model_copy(
        update={"native_width": width, "native_height": height, "size_multiple": multiple, "max_pixels": most}
    )


@st.composite
def ratios(draw: st.DrawFn) -> tuple[int, int]:
    short = draw(st.integers(1, 2000))
    long = draw(st.integers(short, min(4 * short, 9999)))
    return draw(st.sampled_from([(short, long), (long, short)]))


def check(width: int, height: int, card: ModelCard) -> None:
    for side in (width, height):
        assert side % card.size_multiple == 0
        assert MIN_SIDE <= side <= MAX_SIDE
    assert width * height <= card.max_pixels


@given(cards(), ratios())
def test_any_ratio_becomes_a_size_that_the_model_takes(card: ModelCard, ratio: tuple[int, int]) -> None:
    width, height = resolve(card, aspect_ratio=f"{ratio[0]}:{ratio[1]}")
    check(width, height, card)
    wanted = ratio[0] / ratio[1]
    # Each side is off by at most one multiple.
    assert (width - card.size_multiple) / (height + card.size_multiple) <= wanted
    assert (width + card.size_multiple) / max(height - card.size_multiple, 1) >= wanted


@given(cards(), st.integers(MIN_SIDE, MAX_SIDE), st.integers(MIN_SIDE, MAX_SIDE))
def test_any_size_is_taken_or_refused(card: ModelCard, width: int, height: int) -> None:
    try:
        found = resolve(card, width=width, height=height)
    except FieldRefused:
        assert width * height > card.max_pixels or max(width, height) > 4 * min(width, height)
        return
    check(*found, card)
    assert abs(found[0] - width) < 2 * card.size_multiple
    assert abs(found[1] - height) < 2 * card.size_multiple


@given(cards(), ratios(), st.integers(1, 4), st.integers(0, MAX_SEED))
def test_what_was_resolved_fits_the_endpoints_contract(
    card: ModelCard, ratio: tuple[int, int], pictures: int, seed: int
) -> None:
    request = ask(aspect_ratio=f"{ratio[0]}:{ratio[1]}", pictures=pictures, seed=seed)
    settings = resolve_settings(request, card, lambda: 7)
    GenerateRequest(job_id="job-x", output=OutputLocation(bucket="bucket", prefix="p/"), **settings.model_dump())


SIZES = st.one_of(
    st.just({}),
    ratios().map(lambda ratio: {"aspect_ratio": f"{ratio[0]}:{ratio[1]}"}),
    st.tuples(st.integers(MIN_SIDE, MAX_SIDE), st.integers(MIN_SIDE, MAX_SIDE)).map(
        lambda size: {"width": size[0], "height": size[1]}
    ),
)


@settings(deadline=None)
@given(cards(), SIZES, st.none() | st.integers(1, 150), st.integers(1, MAX_SIDE**2), st.integers(1, 150))
def test_nothing_is_resolved_beyond_a_ceiling(
    card: ModelCard, size: dict[str, object], steps: int | None, max_pixels: int, max_steps: int
) -> None:
    limits = ApplicableLimits(
        max_pixels=Ceiling(max_pixels, SubjectKind.CHANNEL), max_steps=Ceiling(max_steps, SubjectKind.MEMBER)
    )
    request = ask(steps=steps, **size)
    try:
        found = resolve_settings(request, card, lambda: 7, limits)
    except FieldRefused as refused:
        # What is left out is never refused for what was asked: only where no size at all is small enough.
        smallest = -(-MIN_SIDE // card.size_multiple) * card.size_multiple
        if refused.field == "steps":
            assert steps is not None
            assert steps > min(card.max_steps, max_steps)
        elif "width" not in size:
            assert smallest**2 > max_pixels
        return
    assert found.steps <= min(card.max_steps, max_steps)
    assert found.width * found.height <= min(card.max_pixels, max_pixels)
    check(found.width, found.height, card)
