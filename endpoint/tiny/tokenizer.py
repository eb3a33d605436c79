"""The miniature model's CLIP tokenizer: every word of the world is one token, any other text falls back to bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from endpoint.tiny.captions import vocabulary

MAX_TOKENS = 32
START, END = "<|startoftext|>", "<|endoftext|>"
_END_OF_WORD = "</w>"


def new_tokenizer() -> CLIPTokenizer:
    """A tokenizer with CLIP's special tokens, the byte alphabet (within and at the end of words), the world's words."""
    alphabet = sorted(ByteLevel.alphabet())
    merges = learn_merges(vocabulary())
    tokens = [*alphabet, *(letter + _END_OF_WORD for letter in alphabet), *(a + b for a, b in merges), START, END]
    vocab = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)


def learn_merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, in order of rank, that make one token of each of these ASCII words.

    The most frequent pair is merged first, ties by spelling. Replaying the merges in this order is what the tokenizer
    does, so a word ends as it ended here.
    """
    spelled = [[*word[:-1], word[-1] + _END_OF_WORD] for word in words]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for letters in spelled for pair in pairwise(letters))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelled = [_merged(letters, best) for letters in spelled]


def _merged(letters: list[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    at = 0
    while at < len(letters):
        if tuple(letters[at : at + 2]) == pair:
            result.append(letters[at] + letters[at + 1])
            at += 2
        else:
            result.append(letters[at])
            at += 1
    return result
