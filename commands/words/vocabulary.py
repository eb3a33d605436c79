"""The word classes that refinements know."""

from __future__ import annotations

COLOUR_NAMES = """
    red orange yellow green cyan blue purple pink brown black white gray grey turquoise teal magenta violet indigo
    beige gold golden silver crimson scarlet maroon olive lime navy coral salmon lavender ivory cream bronze copper
    amber emerald rainbow pastel transparent
"""
COLOURS = frozenset(COLOUR_NAMES.split())

LARGE, SMALL = "large", "small"
SIZES = {
    **dict.fromkeys(("large", "larger", "big", "bigger", "huge", "giant", "enormous", "gigantic"), LARGE),
    **dict.fromkeys(("small", "smaller", "tiny", "little", "miniature"), SMALL),
}

POSITIONS = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
    "middle": "in the middle",
    "center": "in the center",
    "centre": "in the centre",
}

ARTICLES = frozenset({"a", "an", "the", "one", "some"})
# What joins one thing of a picture to another.
CONNECTIVES = ("and", "with", "plus", "beside", "above", "below", "under", "over", "near", "behind", "and also")


def article_for(word: str, article: str) -> str:
    """`a` or `an`, as the word wants it; other articles stay."""
    if article.lower() not in {"a", "an"}:
        return article
    wanted = "an" if word[:1].lower() in "aeiou" else "a"
    return wanted.capitalize() if article[0].isupper() else wanted
