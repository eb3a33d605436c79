"""Refinements in words."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.grammar.mistakes import PromptMissing, PromptTooLong
from commands.mention import Said, order_of, plan_mention
from commands.order import PaintOrder
from commands.words.refine import Wording, refine
from commands.words.vocabulary import COLOURS, POSITIONS, SIZES

BOAT = "a red boat on a white background"


@pytest.mark.parametrize(
    ("prompt", "words", "becomes"),
    [
        (BOAT, "make it green", "a green boat on a white background"),
        (BOAT, "make it orange.", "an orange boat on a white background"),
        (BOAT, "please make it bright blue", "a blue boat on a white background"),
        (BOAT, "in blue", "a blue boat on a white background"),
        (BOAT, "green", "a green boat on a white background"),
        (BOAT, "make it bigger", "a large red boat on a white background"),
        (BOAT, "smaller!", "a small red boat on a white background"),
        (BOAT, "make it green and smaller", "a small green boat on a white background"),
        (BOAT, "make the boat smaller", "a small red boat on a white background"),
        ("a large red boat", "make it tiny", "a small red boat"),
        (BOAT, "make the background yellow", "a red boat on a yellow background"),
        (BOAT, "on an orange background", "a red boat on an orange background"),
        (BOAT, "black background", "a red boat on a black background"),
        ("a red boat", "make the background yellow", "a red boat on a yellow background"),
        (BOAT, "on the left", "a red boat on the left on a white background"),
        ("a red boat on the left", "move it to the right", "a red boat on the right"),
        ("a cat at the top, white background", "put it at the bottom", "a cat at the bottom, white background"),
        (BOAT, "add a star", "a red boat and a star on a white background"),
        (BOAT, "also a yellow moon", "a red boat and a yellow moon on a white background"),
        ("a red boat and a moon on a white background", "without the moon", BOAT),
        ("a moon and a red boat", "remove the moon", "a red boat"),
        ("a red boat with a large yellow moon", "no moon", "a red boat"),
        (BOAT, "change the boat to an apple", "a red apple on a white background"),
        (BOAT, "a star instead of the boat", "a red star on a white background"),
        (BOAT, "more clouds", "a red boat on a white background, more clouds"),
        (BOAT, "less blur", "a red boat on a white background, less blur"),
        (BOAT, "make it look like winter", "a red boat on a white background, look like winter"),
        ("a house and a blue tree", "make the tree red", "a house and a red tree"),
        ("a red circle left of a blue star", "make the star yellow", "a red circle left of a yellow star"),
        ("boat", "make it green", "green boat"),
    ],
)
def test_refinements(prompt: str, words: str, becomes: str) -> None:
    refined = refine(Wording(prompt), words)
    assert refined is not None and refined.prompt == becomes


@pytest.mark.parametrize("words", ["a blue house", "a large yellow star on the left", "two cats playing chess", "boat"])
def test_other_words_are_a_prompt_of_their_own(words: str) -> None:
    assert refine(Wording(BOAT), words) is None


def test_what_is_left_out_goes_into_the_negative_prompt_and_comes_back_when_added() -> None:
    without = refine(Wording("a boat and a moon", "text"), "without the moon")
    assert without == Wording("a boat", "text, moon")
    assert refine(without, "add a moon") == Wording("a boat and a moon", "text")


SOME_WORDS = "a an the red boat star large small on left background and with moon , make it green add more to of"
WORDS = st.sampled_from(SOME_WORDS.split())
PROMPTS = st.lists(WORDS, min_size=1, max_size=14).map(" ".join)
THINGS = st.sampled_from(["boat", "house", "star", "old tree", "cat"])
REFINEMENTS = st.one_of(
    PROMPTS,
    st.text(max_size=40),
    st.sampled_from(sorted(COLOURS)).map("make it {}".format),
    st.sampled_from(sorted(SIZES)).map("make the boat {}".format),
    st.sampled_from(sorted(POSITIONS)).map("move it to the {}".format),
    THINGS.map("add a {}".format),
    THINGS.map("without the {}".format),
)


@settings(max_examples=400, deadline=None)
@given(prompt=PROMPTS, words=REFINEMENTS)
def test_refining_never_raises_and_never_leaves_nothing(prompt: str, words: str) -> None:
    refined = refine(Wording(prompt), words)
    if refined is not None:
        assert refined.prompt.strip()
        assert len(refined.prompt) <= len(prompt) + len(words) + 30


@settings(max_examples=200, deadline=None)
@given(
    colour=st.sampled_from(sorted(COLOURS)),
    old=st.sampled_from(sorted(COLOURS)),
    thing=THINGS,
    background=st.sampled_from(["", " on a white background", " at the top", " and a moon"]),
)
def test_make_it_a_colour_changes_the_colour_and_its_article_alone(
    colour: str, old: str, thing: str, background: str
) -> None:
    prompt = f"a {old} {thing}{background}"
    refined = refine(Wording(prompt), f"make it {colour}")
    assert refined is not None
    article = "an" if colour[0] in "aeiou" else "a"
    assert refined.prompt == f"{article} {colour} {thing}{background}"
    assert refine(refined, f"make it {colour}") == refined


@settings(max_examples=200, deadline=None)
@given(
    first=st.sampled_from(sorted(POSITIONS)),
    second=st.sampled_from(sorted(POSITIONS)),
    thing=THINGS,
    background=st.sampled_from(["", " on a white background", ", blue background"]),
)
def test_the_last_place_counts(first: str, second: str, thing: str, background: str) -> None:
    once = refine(Wording(f"a red {thing}{background}"), f"on the {first}")
    assert once is not None
    twice = refine(once, f"move it to the {second}")
    assert twice is not None
    assert twice.prompt == f"a red {thing} {POSITIONS[second]}{background}"
    assert refine(twice, f"at the {second}") == twice


@settings(max_examples=150, deadline=None)
@given(
    words=st.one_of(
        st.sampled_from(sorted(SIZES)).map("make it {}".format),
        THINGS.map("add a {}".format),
        THINGS.map("no {}".format),
    ),
    thing=THINGS,
)
def test_saying_it_twice_changes_nothing_more(words: str, thing: str) -> None:
    once = refine(Wording(f"a red {thing} and a ring"), words)
    assert once is not None and refine(once, words) == once


@pytest.mark.parametrize("words", ["make the " + "x " * 900 + "y", "change " + "a " * 900, "on " * 900, "and " * 500])
def test_long_words_take_no_time(words: str) -> None:
    started = time.process_time()
    refine(Wording("a red boat " * 180), words)
    assert time.process_time() - started < 1.0


# ---------------------------------------------------------------- mentions

LATEST = PaintOrder(BOAT, width=192, height=128, pictures=2, seed=7, steps=20, guidance_scale=7.5, model="tiny")


def test_only_what_is_named_changes() -> None:
    changed = order_of(Said("", {"seed": 5}), LATEST)
    assert isinstance(changed, PaintOrder)
    assert {k: v for k, v in changed.to_json().items() if LATEST.to_json()[k] != v} == {"seed": 5}


def test_a_new_format_replaces_the_pixels() -> None:
    changed = order_of(Said("", {"ar": "16:9"}), LATEST)
    assert isinstance(changed, PaintOrder) and (changed.width, changed.aspect_ratio) == (None, "16:9")


def test_a_new_prompt_keeps_the_other_settings_and_the_seed() -> None:
    changed = order_of(Said("a blue house", {"n": 1}), LATEST)
    assert isinstance(changed, PaintOrder)
    assert (changed.prompt, changed.seed, changed.steps, changed.pictures) == ("a blue house", 7, 20, 1)


def test_a_refinement_that_makes_the_prompt_too_long_is_refused() -> None:
    long = PaintOrder("a " + "boat " * 398 + "boat")
    refused = order_of(Said("more " + "clouds " * 20), long)
    assert isinstance(refused, tuple) and isinstance(refused[0], PromptTooLong)


def test_options_alone_need_a_picture_to_start_from() -> None:
    [mistake] = order_of(Said("", {"seed": 5}), None)  # type: ignore[misc]
    assert isinstance(mistake, PromptMissing)


def test_the_bots_own_name_is_no_part_of_the_prompt() -> None:
    assert plan_mention("<@UBOT> a red boat for <@U2|grace>", "UBOT", in_thread=False) == Said("a red boat for @grace")
    assert plan_mention("make it <@UBOT> green", "UBOT", in_thread=True) == Said("make it green")


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80), in_thread=st.booleans())
def test_mentions_never_raise(text: str, in_thread: bool) -> None:
    said = plan_mention(f"<@UBOT> {text}", "UBOT", in_thread)
    if isinstance(said, Said):
        assert Said.from_json(said.to_json()) == said
        assert re.search("<@UBOT>", said.words) is None
        for latest in (None, LATEST):
            order_of(said, latest)
