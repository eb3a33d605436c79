"""The miniature model's tokenizer: the world's words are one token each, any text comes through."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from endpoint.tiny.captions import vocabulary
from endpoint.tiny.tokenizer import MAX_TOKENS, learn_merges, new_tokenizer

TOKENIZER = new_tokenizer()


@pytest.mark.parametrize("word", vocabulary())
def test_a_word_of_the_world_is_one_token_and_comes_back(word: str) -> None:
    start, *inner, end = TOKENIZER(word).input_ids
    assert (start, end) == (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id)
    assert len(inner) == 1
    assert TOKENIZER.decode(inner) == word


@pytest.mark.parametrize("word", ["zblx", "circles", "reddish", "мост", "🙂", "naïve"])
def test_an_unknown_word_is_several_tokens_and_comes_back(word: str) -> None:
    inner = TOKENIZER(word).input_ids[1:-1]
    assert len(inner) > 1
    assert TOKENIZER.eos_token_id not in inner
    assert TOKENIZER.decode(inner) == word


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_tokenized_without_unknowns_and_letters_come_back(text: str) -> None:
    inner = TOKENIZER(text).input_ids[1:-1]
    if "<|" not in text:
        assert not {TOKENIZER.bos_token_id, TOKENIZER.eos_token_id} & set(inner)
        wanted = unicodedata.normalize("NFC", text)
        if wanted.isascii() and "</w>" not in wanted.lower():
            assert "".join(TOKENIZER.decode(inner).split()) == "".join(wanted.lower().split())


def test_long_text_is_cut_at_the_model_s_length() -> None:
    tokens = TOKENIZER("red circle " * 10_000, truncation=True, padding="max_length").input_ids
    assert len(tokens) == MAX_TOKENS


def test_it_comes_back_from_its_folder(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again.model_max_length == MAX_TOKENS
    for text in ("a small red circle left of a blue square", "zblx 🙂 Ünïcode"):
        assert again(text).input_ids == TOKENIZER(text).input_ids


def test_merges_replayed_by_rank_make_one_token_of_overlapping_words() -> None:
    assert learn_merges(["an", "and"])[0] in {("a", "n"), ("a", "n</w>")}
