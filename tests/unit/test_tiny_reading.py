"""What the text encoder is taught before the UNet: summaries that tell the whole scene."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from endpoint.tiny.captions import plain_caption
from endpoint.tiny.pipeline import MODEL_DIR
from endpoint.tiny.reading import say, summary_positions, tell, tokenize
from endpoint.tiny.tokenizer import new_tokenizer
from endpoint.tiny.world import Scene, Thing, sample_scene


@given(st.randoms(use_true_random=False), st.booleans())
def test_different_scenes_have_different_answers(rng: random.Random, two_things: bool) -> None:
    scene = sample_scene(rng, two_things=two_things)
    other = sample_scene(rng, two_things=two_things)
    assert (tell(scene) == tell(other)) == (plain_caption(scene) == plain_caption(other))


def test_a_summary_is_read_at_the_end_token_or_behind_it() -> None:
    tokenizer = new_tokenizer()
    tokens = tokenize(tokenizer, ["a red boat", "a small blue star on a yellow background", ""])
    positions = torch.stack(
        [summary_positions(tokens, tokenizer.eos_token_id, random.Random(seed)) for seed in range(50)]
    )
    ends = torch.tensor([4, 9, 1])
    assert (positions >= ends).all()
    assert (positions < tokens.shape[1]).all()
    assert ((positions == ends).sum(0) > 10).all()
    assert ((positions > ends).sum(0) > 10).all()


def test_words_from_outside_the_world_are_said_now_and_then() -> None:
    scene = Scene((Thing("boat", "red", "medium", 0.5, 0.5, 0.25),), "white")
    rng = random.Random(5)
    unknown = set(new_tokenizer().get_vocab())
    strange = [
        caption
        for caption in (say(scene, rng) for _ in range(600))
        if any(f"{word.strip('.,')}</w>" not in unknown for word in caption.split())
    ]
    assert 10 < len(strange) < 60


@pytest.mark.parametrize("first", [True, False])
def test_the_committed_text_encoder_tells_colours_apart(first: bool) -> None:
    from transformers import CLIPTextModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(MODEL_DIR / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(MODEL_DIR / "text_encoder", dtype=torch.float32)
    prompts = [f"a {color} boat" if first else f"a boat on a {color} background" for color in ("red", "blue")]
    with torch.no_grad():
        one, other = text_encoder(tokenize(tokenizer, prompts)).last_hidden_state[:, -1]
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) < 0.95
