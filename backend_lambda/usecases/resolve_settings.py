"""Fill in everything that decides a job's pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import sqrt

from backend_lambda.contract.jobs import Settings, SubmitJob, UsedLora
from backend_lambda.contract.limits import MAX_ASPECT, MAX_SEED, MAX_SIDE, MIN_SIDE
from backend_lambda.usecases.applicable_limits import ApplicableLimits, Ceiling
from backend_lambda.usecases.limit_sentences import allows_at_most
from backend_lambda.usecases.refusals import FieldRefused
from endpoint.contract import ModelCard

NO_LIMITS = ApplicableLimits()


def resolve_settings(
    request: SubmitJob,
    card: ModelCard,
    pick_seed: Callable[[], int],
    limits: ApplicableLimits = NO_LIMITS,
    loras: Sequence[UsedLora] = (),
) -> Settings:
    """The request with the model's defaults filled in, or with what `limits` allow where that is less. Raises
    `FieldRefused` for what this model can't do and for what is asked for beyond the limits.

    An aspect ratio becomes the size that fits it best at about the model's native number of pixels. Sides are always
    multiples of the model's `size_multiple`, and the size is never over its `max_pixels`. `loras` are the request's,
    each with its version.
    """
    steps = _steps(request, card, limits)
    if limits.max_pixels is not None and limits.max_pixels.most < card.max_pixels:
        card = _within(limits.max_pixels, request, card)
    width, height = _size(request, card)
    seed = request.seed if request.seed is not None else pick_seed()
    guidance = request.guidance_scale if request.guidance_scale is not None else card.default_guidance_scale
    return Settings(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=width,
        height=height,
        seeds=[(seed + picture) % (MAX_SEED + 1) for picture in range(request.pictures)],
        steps=steps,
        guidance_scale=guidance,
        loras=list(loras),
    )


def _steps(request: SubmitJob, card: ModelCard, limits: ApplicableLimits) -> int:
    steps = request.steps if request.steps is not None else card.default_steps
    if steps > card.max_steps:
        raise FieldRefused(
            f"The model {card.title} takes at most {card.max_steps} steps.",
            field="steps",
            given=str(steps),
            allowed=f"1 to {card.max_steps}",
        )
    ceiling = limits.max_steps
    if ceiling is None or steps <= ceiling.most:
        return steps
    if request.steps is None:
        return ceiling.most
    raise FieldRefused(
        f"{allows_at_most(ceiling.by)} {ceiling.most} steps.",
        field="steps",
        given=str(steps),
        allowed=f"1 to {ceiling.most}",
    )


def _within(ceiling: Ceiling, request: SubmitJob, card: ModelCard) -> ModelCard:
    """The card of the same model, were it made for no more pixels. Raises `FieldRefused` where the request asks for
    more, or no size is small enough.
    """
    smallest = -(-MIN_SIDE // card.size_multiple) * card.size_multiple
    side = int(sqrt(ceiling.most)) // card.size_multiple * card.size_multiple
    asked = (request.width or 0) * (request.height or 0)
    if asked > ceiling.most or side < smallest:
        such_as = f", such as {side}x{side}" if side >= smallest else ""
        raise FieldRefused(
            f"{allows_at_most(ceiling.by)} {ceiling.most} pixels in a picture.",
            field="width",
            given=f"{request.width}x{request.height}" if asked else f"{card.native_width}x{card.native_height}",
            allowed=f"at most {ceiling.most} pixels in all{such_as}",
        )
    native = (card.native_width, card.native_height)
    if native[0] * native[1] > ceiling.most:
        native = (side, side)
    return card.model_copy(update={"max_pixels": ceiling.most, "native_width": native[0], "native_height": native[1]})


def _size(request: SubmitJob, card: ModelCard) -> tuple[int, int]:
    if request.width is not None and request.height is not None:
        return _explicit_size(request.width, request.height, card)
    if request.aspect_ratio is not None:
        across, down = (int(part) for part in request.aspect_ratio.split(":"))
        return size_for_ratio(across / down, card)
    return card.native_width, card.native_height


def _explicit_size(width: int, height: int, card: ModelCard) -> tuple[int, int]:
    given = f"{width}x{height}"
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise FieldRefused(
            f"The longer side may be at most {MAX_ASPECT} times the shorter one.",
            field="width",
            given=given,
            allowed=f"a ratio between 1:{MAX_ASPECT} and {MAX_ASPECT}:1",
        )
    if width * height > card.max_pixels:
        side = int(sqrt(card.max_pixels)) // card.size_multiple * card.size_multiple
        raise FieldRefused(
            f"The size {given} is too large for the model {card.title}.",
            field="width",
            given=given,
            allowed=f"at most {card.max_pixels} pixels in all, such as {side}x{side}",
        )
    choices = product(_multiples_around(width, card.size_multiple), _multiples_around(height, card.size_multiple))
    return min(
        ((across, down) for across, down in choices if across * down <= card.max_pixels),
        key=lambda size: abs(size[0] - width) + abs(size[1] - height),
        default=(card.native_width, card.native_height),
    )


def size_for_ratio(ratio: float, card: ModelCard) -> tuple[int, int]:
    """Width and height with about this ratio (width / height) and about the model's native number of pixels."""
    pixels = min(card.native_width * card.native_height, card.max_pixels)
    width, height = sqrt(pixels * ratio), sqrt(pixels / ratio)
    choices = product(_multiples_around(width, card.size_multiple), _multiples_around(height, card.size_multiple))
    return min(
        ((across, down) for across, down in choices if across * down <= card.max_pixels),
        # A wrong shape is worse than a few pixels more or less.
        key=lambda size: 2 * _apart(size[0] / size[1], ratio) + _apart(size[0] * size[1], pixels),
        default=(card.native_width, card.native_height),
    )


def _apart(value: float, wanted: float) -> float:
    """How many times larger the larger one is, less one."""
    return max(value / wanted, wanted / value) - 1


def _multiples_around(side: float, multiple: int) -> list[int]:
    """The multiples below and above `side`, within what a side may be."""
    smallest = -(-MIN_SIDE // multiple) * multiple
    largest = MAX_SIDE // multiple * multiple
    below = int(side) // multiple * multiple
    return sorted({min(max(value, smallest), largest) for value in (below, below + multiple)})
