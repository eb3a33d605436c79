"""The grammar: phone punctuation, Slack's escapes, every mistake, and properties over any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commands.command import OpenForm, Paint, Refuse, ShowHelp
from commands.grammar.clean import clean, escape
from commands.grammar.loras import LoraChoice, read_loras, write_loras
from commands.grammar.mistakes import (
    BadValue,
    DuplicateOption,
    MissingValue,
    PromptMissing,
    PromptTooLong,
    UnknownOption,
)
from commands.grammar.parse import Parsed, parse, render
from commands.imagine import LORA, NAME, OPTIONS, plan
from commands.order import PaintOrder
from commands.sentences import mistake_sentence, mistakes_text


def read(text: str) -> Parsed:
    parsed = parse(NAME, OPTIONS, text)
    assert isinstance(parsed, Parsed), parsed
    return parsed


@pytest.mark.parametrize(
    ("text", "prompt", "values"),
    [
        ("a red boat", "a red boat", {}),
        ("a red boat --ar 3:2 --n 4", "a red boat", {"ar": "3:2", "n": 4}),
        ("--n 2 a red --seed 7 boat", "a red boat", {"n": 2, "seed": 7}),
        ("a red boat --ar=16:9 --cfg=7.5", "a red boat", {"ar": "16:9", "cfg": 7.5}),
        ("a red boat —ar 3:2 –n 4", "a red boat", {"ar": "3:2", "n": 4}),
        ("a red boat ——seed 4 ‑‑steps 9", "a red boat", {"seed": 4, "steps": 9}),
        ("a red boat --cfg 7,5", "a red boat", {"cfg": 7.5}),
        ("a red boat --ar 1920x1080", "a red boat", {"ar": "16:9"}),
        ("a red boat --no text, water marks --seed 1", "a red boat", {"no": "text, water marks", "seed": 1}),
        ("a red boat --no “text, --n 3”", "a red boat", {"no": "text, --n 3"}),
        ('a red boat --no ""', "a red boat", {"no": ""}),
        ("“a red boat”", "a red boat", {}),
        ("a sign that says “hello --n 2”", 'a sign that says "hello --n 2"', {}),
        ("a house — red", "a house — red", {}),
        ("a house —very old", "a house —very old", {}),
        ("it's -5 degrees, 5\" wide", "it's -5 degrees, 5\" wide", {}),
        ("--n 2 -- a --seed of wheat", "a --seed of wheat", {"n": 2}),
        ("a\u00a0red\u2003boat\n--n\u00a02", "a red boat", {"n": 2}),
        ("a red boat\u202e\u200b\x07 --n 2", "a red boat", {"n": 2}),
        ("salt &amp; pepper &lt;3", "salt & pepper <3", {}),
        ("hi <@U123|ada> in <#C1|design> <!here>", "hi @ada in #design @here", {}),
        ("see <https://a.example/x|the page>", "see the page", {}),
        ("ship it <@U123> <http://a.example>", "ship it http://a.example", {}),
        ("👩‍🚀 on the moon", "👩‍🚀 on the moon", {}),
        ("قارب أحمر --n 2", "قارب أحمر", {"n": 2}),
        ("a red boat --MODEL Tiny", "a red boat", {"model": "tiny"}),
        ("a red boat --lora Mascot", "a red boat", {"lora": "mascot"}),
        ("a red boat --lora mascot:0.8 --lora ink", "a red boat", {"lora": "mascot:0.8,ink"}),
        ("a boat --lora mascot:0.8,ink —lora grain@3:-1.25", "a boat", {"lora": "mascot:0.8,ink,grain@3:-1.25"}),
        ("--lora mascot:0,8,ink:1 a red boat", "a red boat", {"lora": "mascot:0.8,ink"}),
        ("a red boat --lora “mascot:0.8, ink; grain”", "a red boat", {"lora": "mascot:0.8,ink,grain"}),
        ("a red boat --lora mascot:–0.50", "a red boat", {"lora": "mascot:-0.5"}),
        ("a red boat --lora mascot:0", "a red boat", {"lora": "mascot:0"}),
        ("a red boat --loras NONE", "a red boat", {"lora": "none"}),
        ("a red boat --aspect 2:3 --guidance 3", "a red boat", {"ar": "2:3", "cfg": 3.0}),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, prompt: str, values: dict[str, object]) -> None:
    parsed = read(text)
    assert (parsed.prompt, dict(parsed.values)) == (prompt, values)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a --stepz 20", UnknownOption(NAME, "stepz", "steps", tuple(option.name for option in OPTIONS))),
        ("a —sed 20", UnknownOption(NAME, "sed", "seed", tuple(option.name for option in OPTIONS))),
        ("a --xyzzy", UnknownOption(NAME, "xyzzy", None, tuple(option.name for option in OPTIONS))),
        ("a --n 2 --n 3", DuplicateOption("n")),
        ("a --cfg 2 --guidance 3", DuplicateOption("cfg")),
        ("a --seed", MissingValue("seed", "a whole number from 0 to 4294967295")),
        ("a --seed --n 2", MissingValue("seed", "a whole number from 0 to 4294967295")),
        ("a --seed=", MissingValue("seed", "a whole number from 0 to 4294967295")),
        ("a --no", MissingValue("no", "words, up to the next option")),
        ("a --n 5", BadValue("n", "5", "a whole number from 1 to 4")),
        ("a --n two", BadValue("n", "two", "a whole number from 1 to 4")),
        ("a --seed 4294967296", BadValue("seed", "4294967296", "a whole number from 0 to 4294967295")),
        ("a --seed -1", BadValue("seed", "-1", "a whole number from 0 to 4294967295")),
        ("a --seed ١", BadValue("seed", "١", "a whole number from 0 to 4294967295")),
        ("a --cfg nan", BadValue("cfg", "nan", "a number from 0 to 30")),
        ("a --cfg 1e1", BadValue("cfg", "1e1", "a number from 0 to 30")),
        (
            "a --ar 9:1",
            BadValue("ar", "9:1", "width:height such as 3:2, the longer side at most 4 times the shorter one"),
        ),
        (
            "a --ar 0:0",
            BadValue("ar", "0:0", "width:height such as 3:2, the longer side at most 4 times the shorter one"),
        ),
        ("a --model ../etc", BadValue("model", "../etc", "the name of a model; the form lists them")),
        ("a --lora", MissingValue("lora", LORA.allowed)),
        ("a --lora mascot:3", BadValue("lora", "mascot:3", LORA.allowed)),
        ("a --lora mascot:-2.1", BadValue("lora", "mascot:-2.1", LORA.allowed)),
        ("a --lora mascot:", BadValue("lora", "mascot:", LORA.allowed)),
        ("a --lora mascot:nan", BadValue("lora", "mascot:nan", LORA.allowed)),
        ("a --lora mascot@0", BadValue("lora", "mascot@0", LORA.allowed)),
        ("a --lora mascot, ink", BadValue("lora", "mascot,", LORA.allowed)),
        ("a --lora -mascot", BadValue("lora", "-mascot", LORA.allowed)),
        ("a --lora ../x", BadValue("lora", "../x", LORA.allowed)),
        ("a --lora a,b,c,d,e", BadValue("lora", "a,b,c,d,e", LORA.allowed)),
        ("a --lora a,b --lora c,d,e", BadValue("lora", "c,d,e", LORA.allowed)),
        ("a --lora a --lora a@2", BadValue("lora", "a@2", LORA.allowed)),
        ("a --lora ink,none", BadValue("lora", "ink,none", LORA.allowed)),
        ("a --lora none --lora ink", BadValue("lora", "ink", LORA.allowed)),
        ("a --lora " + "x" * 33, BadValue("lora", "x" * 33, LORA.allowed)),
        ("--n 2", PromptMissing(NAME)),
        ("x" * 2_001, PromptTooLong(None, 2_001, 2_000)),
        ("a --no " + "y" * 2_500, PromptTooLong("no", 2_500, 2_000)),
    ],
)
def test_each_mistake_is_named(text: str, mistake: object) -> None:
    assert plan(text) == Refuse((mistake,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a --stepz 20", "`--stepz` is not an option of /imagine. Did you mean `--steps`?"),
        ("a --n 9", "`--n` can't be `9`. It takes a whole number from 1 to 4."),
        ("a --n", "`--n` needs a value: a whole number from 1 to 4."),
        (
            "a --lora mascot:9",
            "`--lora` can't be `mascot:9`. It takes name, name:0.8 or name@2:0.8, up to 4 different ones with commas "
            "and no spaces between them, weights from -2 to 2; or none.",
        ),
        ("a --n 1 --n 2", "`--n` is given more than once. Give it once."),
        ("--seed 4", "There is nothing to paint yet. Say what, for example: `/imagine a red boat`."),
        ("x" * 10_000, "The prompt has 10,000 characters. At most 2,000 are allowed."),
        ("a --n `<!channel>`", "`--n` can't be `'@channel'`. It takes a whole number from 1 to 4."),
    ],
)
def test_the_sentences(text: str, sentence: str) -> None:
    refused = plan(text)
    assert isinstance(refused, Refuse) and mistakes_text(refused.mistakes) == sentence


def test_all_mistakes_are_named_at_once() -> None:
    refused = plan("a --n 9 --stepz 3 --cfg x")
    assert isinstance(refused, Refuse) and len(refused.mistakes) == 3


def test_help_form_and_paint() -> None:
    assert plan(" Help ") == plan("--help") == plan("—help") == ShowHelp()
    assert plan("") == plan(" \u200b ") == OpenForm()
    assert plan("a boat --no x --ar 4:6") == Paint(PaintOrder("a boat", negative_prompt="x", aspect_ratio="2:3"))
    assert isinstance(plan("help me paint a boat"), Paint)


# ---------------------------------------------------------------- properties

# Pieces that mean something to the grammar, between arbitrary text.
PIECES = st.sampled_from(
    ["--", "--n", "--n 2", "--seed 7", "—ar 3:2", "--no", '"', "“", "&amp;", "<@U1>", "<", ">", "&", "--no=a", "-",
     "–x", "--cfg 7,5", "--model tiny", "\u202e", "\u00a0", "=", "--ar=", "--steps", "`", "--lora",
     "--lora a:0.5", "--lora=b@2,8", "—lora none", "\ud800", "\x00"]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=12).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example('--no "')
@example('a "b --n 2')
def test_parsing_never_raises_and_mistakes_have_sentences(text: str) -> None:
    planned = plan(text)
    if isinstance(planned, Refuse):
        assert 1 <= len(planned.mistakes) <= 5
        for mistake in planned.mistakes:
            sentence = mistake_sentence(mistake)
            assert sentence.strip() and len(sentence) < 400 and sentence.count("`") % 2 == 0
            sentence.encode("utf-8")
    if isinstance(planned, Paint):
        assert planned.order.prompt.strip() == planned.order.prompt != ""
        assert PaintOrder.from_json(planned.order.to_json()) == planned.order


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_what_was_parsed_can_be_written_and_parsed_again(text: str) -> None:
    parsed = parse(NAME, OPTIONS, text)
    if isinstance(parsed, Parsed):
        again = parse(NAME, OPTIONS, render(OPTIONS, parsed))
        assert isinstance(again, Parsed)
        assert (again.prompt, dict(again.values)) == (parsed.prompt, dict(parsed.values))


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "ar": st.sampled_from(["1:1", "3:2", "16:9", "4:1"]),
        "n": st.integers(1, 4),
        "seed": st.integers(0, 2**32 - 1),
        "steps": st.integers(1, 150),
        "cfg": st.floats(0, 30).map(lambda value: round(value, 3)),
        "model": st.sampled_from(["tiny", "sdxl-base-1"]),
        "lora": st.lists(
            st.builds(
                LoraChoice,
                st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True).filter(lambda name: name != "none"),
                st.none() | st.integers(1, 999_999),
                st.floats(-2, 2).map(lambda weight: round(weight, 6)),
            ),
            max_size=4,
            unique_by=lambda choice: choice.name,
        ).map(write_loras),
    },
)


@settings(max_examples=200, deadline=None)
@given(prompt=st.text(max_size=60).map(clean).filter(bool), values=VALUES)
def test_any_prompt_and_values_can_be_written_and_parsed(prompt: str, values: dict[str, object]) -> None:
    text = render(OPTIONS, Parsed(prompt, values))  # type: ignore[arg-type]
    parsed = read(text)
    assert (parsed.prompt, dict(parsed.values)) == (prompt, values)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["a", "b-1", "8", "none", "@2", "@0", ":", "0.8", "0,8", ",", ";", " ", "-", "3"])))
def test_loras_are_read_in_one_way_of_writing(pieces: list[str]) -> None:
    choices = read_loras("".join(pieces))
    if choices is not None:
        assert read_loras(write_loras(choices)) == choices
        assert len(choices) <= 4 and all(-2 <= choice.weight <= 2 for choice in choices)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_cleaning_is_stable_and_leaves_nothing_invisible(text: str) -> None:
    cleaned = clean(text)
    assert clean(escape(cleaned)) == cleaned
    cleaned.encode("utf-8")
    assert not any(char in cleaned for char in "\u202e\u2066\u200b\x00\n\t\u00a0")
    assert "  " not in cleaned and cleaned == cleaned.strip()


@pytest.mark.parametrize("piece", ['"', "--", "<", "—x ", "&amp;", "a", "<@", "--n=", "--n 1 ", '"a', "x" * 5 + " "])
def test_absurd_texts_take_no_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    plan(text)
    assert time.process_time() - started < 1.5
