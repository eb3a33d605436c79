"""Blocked words: found however they are dressed up, and not found where they are not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend_lambda.moderation.blocked_words import find_blocked, normalize


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("blood", "a sea of blood"),
        ("Blood", "BLOOD!"),
        ("blood", "(blood)"),
        ("blood", "ｂｌｏｏｄ"),
        ("blood", "𝓫𝓵𝓸𝓸𝓭 moon"),
        ("blood", "bl\u200bo\u200do\u00add"),
        ("blood", "b\u2060l\ufe0fo\x00od"),
        ("blood", "b\u0336l\u0336o\u0336o\u0336d\u0336"),
        ("blood", "a b l o o d bath"),
        ("blood", "b.l-o_o*d"),
        ("blood", "b + l + o + o + d"),
        ("red boat", "one red   boat"),
        ("red boat", "red, boat"),
        ("red boat", "a redboat"),
        ("red boat", "r e d b o a t"),
        ("ak-47", "an ak47"),
        ("ak-47", "an AK 47"),
        ("don't", "don’t do it"),
        ("don't", "dont"),
        ("straße", "STRASSE"),
        ("café", "un cafe\u0301"),
        ("Ελλάδα", "ΕΛΛΆΔΑ"),
        ("血腥", "一幅非常血腥的画"),
        ("ゾンビ", "緑のゾンビがいる"),
        ("ゾンビ", "ｿﾞﾝﾋﾞ"),
        ("ผี", "รูปผีสาว"),
        ("ок", "О К"),
        ("⚔️", "a fight ⚔ at dawn"),
        (":)", "smile :) now"),
    ],
)
def test_it_is_found(word: str, text: str) -> None:
    assert find_blocked(text, ["something else", word, "another"]) == word


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ass", "a glass of water"),
        ("ass", "assessment in class"),
        ("shit", "It's hit by a wave"),
        ("anal", "An Al Pacino portrait"),
        ("therapist", "the rapist"),
        ("red boat", "a red car and a boat"),
        ("red boat", "boat red"),
        ("red boat", "tired boat"),
        ("cafe", "café"),
        ("blood", "bloody"),
        ("blood", ""),
        ("\u200b\u200b", "anything \u200b\u200b at all"),
        ("  ", "two  spaces"),
        ("⚔️", "peace"),
    ],
)
def test_it_is_not_found(word: str, text: str) -> None:
    assert find_blocked(text, [word]) is None


def test_the_first_of_the_list_is_named_as_it_stands_there() -> None:
    assert find_blocked("blood and gore", ["Gore", "BLOOD"]) == "Gore"
    assert find_blocked("blood", []) is None


# ---------------------------------------------------------------- properties

# Letters of scripts with spaces between words; no single one stands alone as a word here.
LETTERS = st.characters(categories=["Ll", "Lu"], max_codepoint=0x52F)
WORDS = st.text(LETTERS, min_size=2, max_size=12).filter(lambda word: len(normalize(word)) > 1)
OTHERS = st.lists(st.text(LETTERS, min_size=2, max_size=8).filter(lambda word: len(normalize(word)) > 1), max_size=4)
SEPARATORS = st.sampled_from([" ", "  ", ", ", ". ", "-", "_", "/", " — ", "\n", "·"])
HIDDEN = st.sampled_from(
    ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\ufe0e", "\x00", "\x07"]
)


@settings(deadline=None)
@given(OTHERS, WORDS, OTHERS, SEPARATORS)
def test_a_word_among_others_is_found(before: list[str], word: str, after: list[str], separator: str) -> None:
    assert find_blocked(separator.join([*before, word, *after]), [word]) == word


@settings(deadline=None)
@given(OTHERS, st.lists(WORDS, min_size=2, max_size=3), OTHERS, SEPARATORS, SEPARATORS)
def test_a_phrase_is_found_whatever_separates_its_words(
    before: list[str], phrase: list[str], after: list[str], inside: str, outside: str
) -> None:
    text = outside.join([*before, inside.join(phrase), *after])
    assert find_blocked(text, [" ".join(phrase)]) == " ".join(phrase)


@settings(deadline=None)
@given(OTHERS, WORDS, OTHERS, st.data())
def test_hidden_characters_hide_nothing(before: list[str], word: str, after: list[str], data: st.DataObject) -> None:
    dressed = "".join(letter + "".join(data.draw(st.lists(HIDDEN, max_size=2))) for letter in word)
    assert find_blocked(" ".join([*before, dressed, *after]), [word]) == word
    assert find_blocked(" ".join([*before, word, *after]), [dressed]) == dressed


@settings(deadline=None)
@given(OTHERS, WORDS, OTHERS, st.sampled_from([" ", ".", "-", "*", "_", " . ", "​ "]))
def test_spaced_letters_are_read_together(before: list[str], word: str, after: list[str], separator: str) -> None:
    # Letters that become several (ŉ, ǰ) are no single ones any more.
    assume(all(len(normalize(letter)) == 1 for letter in word))
    assert find_blocked(" ".join([*before, separator.join(word), *after]), [word]) == word


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=2, max_size=12))
def test_full_width_is_width_alone(word: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) for char in word)
    assert find_blocked(wide, [word]) == find_blocked(word, [word])
    assert find_blocked(word, [wide]) == (wide if find_blocked(word, [word]) else None)


@settings(deadline=None)
@given(WORDS, st.booleans())
def test_case_is_no_difference(word: str, is_upper: bool) -> None:
    other = word.upper() if is_upper else word.swapcase()
    # A few letters have no case to come back from (ſ, ı).
    assume(other.casefold() == word.casefold())
    assert find_blocked(f"the {other} it is", [word]) == word


@settings(deadline=None)
@given(st.text(LETTERS, min_size=1, max_size=3), WORDS, st.text(LETTERS, max_size=3))
def test_a_part_of_a_longer_word_is_not_found(before: str, word: str, after: str) -> None:
    longer = before + word + after
    # A few letters are compared as several characters, some of them no letters (Ŀ is L·).
    assume(normalize(longer) == normalize(before) + normalize(word) + normalize(after))
    assume(normalize(longer).isalnum() and normalize(longer) != normalize(word))
    assert find_blocked(f"({longer}), 1", [word]) is None


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=2, max_size=60), max_size=5))
def test_any_text_and_any_words_have_an_answer(text: str, words: list[str]) -> None:
    assert find_blocked(text, words) in (None, *words)


@settings(deadline=None)
@given(st.text())
def test_what_is_compared_is_stable(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert not any(unicodedata.category(char) == "Cf" for char in once)


@settings(deadline=None)
@given(st.text(), st.text(min_size=2))
def test_how_a_text_is_encoded_makes_no_difference(text: str, word: str) -> None:
    answers = {
        find_blocked(unicodedata.normalize(form, text), [word])
        for form in ("NFC", "NFD", "NFKC", "NFKD")  # type: ignore[arg-type]
    }
    assert len(answers) == 1
