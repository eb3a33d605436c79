"""Says a `Scene` in words, in one of the many ways people would."""

from __future__ import annotations

import random

from endpoint.tiny.world import COLORS, KINDS, NATURAL_COLORS, Scene, Thing, default_background

_SIZE_WORDS = {
    "small": ("small", "small", "small", "little", "tiny"),
    "medium": ("medium", "medium sized"),
    "large": ("large", "large", "large", "big", "huge"),
}
_PLACE_PHRASES = {
    "left": ("on the left", "on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right", "on the right side", "at the right"),
    "top": ("at the top", "at the top", "near the top", "on the top"),
    "bottom": ("at the bottom", "at the bottom", "near the bottom", "on the bottom"),
}
_MIDDLE_PHRASES = ("in the middle", "in the center", "in the centre")
_OPENINGS = ("a picture of", "a drawing of", "an image of", "a painting of", "draw", "paint", "an illustration of")
_SIDE_BY_SIDE = ("and", "next to", "beside", "with")
_LEFT_OF = ("left of", "left of", "to the left of", "on the left of")
_RIGHT_OF = ("right of", "to the right of", "on the right of")
_ABOVE = ("above", "above", "over", "on top of")
_BELOW = ("below", "under", "beneath")
_BACKGROUND_PHRASES = (
    "on a {} background",
    "on a {} background",
    "on a {} background",
    ", {} background",
    "on {}",
    "with a {} background",
    "against a {} background",
    "in front of a {} background",
)
_OTHER_WORDS = ["a", "an", "the", "one", "is", "shape", "colored", "coloured", "background", "grey", ",", "."]


def vocabulary() -> list[str]:
    """Every word that a caption can have; the tokenizer makes one token of each."""
    phrases = [*COLORS, *KINDS, *_MIDDLE_PHRASES, *_OPENINGS, *_SIDE_BY_SIDE, *_LEFT_OF, *_RIGHT_OF, *_ABOVE, *_BELOW]
    for group in (*_SIZE_WORDS.values(), *_PLACE_PHRASES.values()):
        phrases += group
    phrases += [phrase.replace("{}", "") for phrase in _BACKGROUND_PHRASES]
    words = [word for phrase in phrases for word in phrase.split()] + _OTHER_WORDS
    return list(dict.fromkeys(words))


def plain_caption(scene: Scene) -> str:
    """The scene in the plainest complete words: "a small red star on the left on a white background"."""
    things = [
        _article(f"{'' if thing.size == 'medium' else thing.size + ' '}{thing.color} {thing.kind}")
        for thing in scene.things
    ]
    words = [f" {scene.relation} ".join(things) if scene.relation else things[0]]
    if scene.place:
        words.append(_PLACE_PHRASES[scene.place][0])
    return " ".join([*words, f"on {_article(scene.background)} background"])


def random_caption(scene: Scene, rng: random.Random) -> str:
    """The scene in words that leave out, perhaps, what goes without saying: a default background, a natural colour."""
    background = _background(scene, rng)
    if scene.relation:
        return _join(rng, _related(scene, rng), None, background)
    place = rng.choice(_PLACE_PHRASES[scene.place]) if scene.place else None
    if not scene.place and rng.random() < 0.1:
        place = rng.choice(_MIDDLE_PHRASES)
    return _join(rng, _thing(scene.things[0], rng), place, background)


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _color(color: str, rng: random.Random) -> str:
    return "grey" if color == "gray" and rng.random() < 0.3 else color


def _thing(thing: Thing, rng: random.Random) -> str:
    color = _color(thing.color, rng)
    if NATURAL_COLORS[thing.kind] == thing.color and rng.random() < 0.25:
        color = ""
    size = rng.choice(_SIZE_WORDS[thing.size]) if thing.size != "medium" or rng.random() < 0.08 else ""
    kind = thing.kind
    roll = rng.random()
    if color and roll < 0.04:
        words = f"{size} {kind} in {color}"
    elif color and roll < 0.08:
        words = f"{kind}, {size} {color}" if rng.random() < 0.5 else f"{size} {kind}, {color}"
    elif color and roll < 0.16:
        words = f"{color} {size} {kind}"
    elif color and roll < 0.19:
        words = f"{size} {color} {rng.choice(('colored', 'coloured'))} {kind}"
    else:
        words = f"{size} {color} {kind}"
    words = " ".join(words.replace(" ,", ",").split())
    if rng.random() < 0.03:
        words += " shape"
    roll = rng.random()
    return (
        words if roll < 0.2 else f"the {words}" if roll < 0.25 else f"one {words}" if roll < 0.27 else _article(words)
    )


def _related(scene: Scene, rng: random.Random) -> str:
    first, second = (_thing(thing, rng) for thing in scene.things)
    roll = rng.random()
    if scene.relation == "left of":
        if roll < 0.6:
            return f"{first} {rng.choice(_LEFT_OF)} {second}"
        if roll < 0.8:
            return f"{second} {rng.choice(_RIGHT_OF)} {first}"
        if roll < 0.9:
            return f"{first} {rng.choice(_SIDE_BY_SIDE)} {second}"
        return f"{first} on the left and {second} on the right"
    if roll < 0.65:
        return f"{first} {rng.choice(_ABOVE)} {second}"
    if roll < 0.92:
        return f"{second} {rng.choice(_BELOW)} {first}"
    return f"{first} at the top and {second} at the bottom"


def _background(scene: Scene, rng: random.Random) -> str:
    if scene.background == default_background(*(thing.color for thing in scene.things)) and rng.random() < 0.5:
        return ""
    color = _color(scene.background, rng)
    phrase = rng.choice(_BACKGROUND_PHRASES).format(color)
    return phrase.replace(f"a {color}", _article(color)) if f"a {color}" in phrase else phrase


def _join(rng: random.Random, subject: str, place: str | None, background: str) -> str:
    parts = [subject, place or "", background]
    roll = rng.random()
    if place and roll < 0.12:
        parts = [subject, background, f", {place}" if rng.random() < 0.5 else place]
    elif place and roll < 0.2:
        parts = [f"{place},", subject, background]
    elif place and roll < 0.25:
        parts = [subject, f"is {place}", background]
    if roll > 0.88:
        parts.insert(0, rng.choice(_OPENINGS))
    caption = " ".join(part for part in parts if part).replace(" ,", ",").strip(" ,")
    return caption + "." if rng.random() < 0.05 else caption
