"""Teaches the text encoder to read before the UNet learns to draw.

A caption's summary is what the text encoder says at the end token and at the padding behind it, where a causal model
has seen every word. Here linear heads must tell the whole scene from that summary; then they are thrown away. Without
it the UNet has to find out at once what words mean and how things look: after 4,000 steps the summaries of "a red boat"
and "a blue boat" were still the same (cosine similarity 0.9997), and nothing on the pictures followed its words.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from endpoint.tiny.captions import random_caption
from endpoint.tiny.progress import Checkpoint, one_cycle
from endpoint.tiny.tokenizer import new_tokenizer
from endpoint.tiny.unet import TEXT_WIDTH, new_text_encoder
from endpoint.tiny.workers import Worker
from endpoint.tiny.world import COLORS, KINDS, PLACES, RELATIONS, SIZES, Scene, is_held_out, sample_scene

_BATCH = 128
_PEAK_LEARNING_RATE = 2e-3
_UNKNOWN_WORDS = 0.05
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

# What is to be told of a scene, and what each answer can be. Nothing (None) is an answer too.
_ANSWERS: dict[str, list[str | None]] = {
    "background": [*COLORS],
    "place": [None, *PLACES],
    "relation": [None, *RELATIONS],
    "color": [*COLORS],
    "kind": [*KINDS],
    "size": [*SIZES],
    "second color": [None, *COLORS],
    "second kind": [None, *KINDS],
    "second size": [None, *SIZES],
}


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """The captions' token ids, (count, `model_max_length`), padded and cut off to that length."""
    ids: torch.Tensor = tokenizer(
        captions, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
    ).input_ids
    return ids


def say(scene: Scene, rng: random.Random) -> str:
    """A random caption; now and then with a word from outside the world, so that such words come to mean nothing."""
    caption = random_caption(scene, rng)
    if rng.random() >= _UNKNOWN_WORDS:
        return caption
    words = caption.split()
    words.insert(rng.randint(0, len(words)), "".join(rng.choices(_LETTERS, k=rng.randint(3, 6))))
    return " ".join(words)


def train_reading(worker: Worker, work: Path, steps: int, seed: int) -> None:
    """Trains into the checkpoint `work`/reading.pt, going on from it where it exists."""
    tokenizer = new_tokenizer()
    text_encoder = new_text_encoder(tokenizer, seed + 2)
    text_encoder.set_attn_implementation("eager")
    heads = torch.nn.ModuleList(torch.nn.Linear(TEXT_WIDTH, len(answers)) for answers in _ANSWERS.values())
    trained = [*text_encoder.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=1.0, weight_decay=1e-2, betas=(0.9, 0.99), fused=True)
    checkpoint = Checkpoint(work / "reading.pt", text_encoder=text_encoder, heads=heads, optimizer=optimizer)
    first = checkpoint.load()
    if first >= steps:
        return
    rng = random.Random(f"reading {seed} {first} {worker.number}")
    started = time.monotonic()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(step, steps, _PEAK_LEARNING_RATE)
        scenes = _scenes(rng, _BATCH // worker.count)
        tokens = tokenize(tokenizer, [say(scene, rng) for scene in scenes])
        with torch.autocast("cpu", torch.bfloat16):
            hidden = text_encoder(tokens).last_hidden_state
        summaries = hidden[torch.arange(len(scenes)), summary_positions(tokens, tokenizer.eos_token_id, rng)].float()
        truth = torch.tensor([tell(scene) for scene in scenes])
        said = [head(summaries) for head in heads]
        loss = torch.stack(
            [torch.nn.functional.cross_entropy(logits, truth[:, at]) for at, logits in enumerate(said)]
        ).sum()
        optimizer.zero_grad()
        loss.backward()
        worker.average_gradients(trained)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if worker.leads and (step + 1) % 100 == 0:
            right = torch.stack([logits.argmax(1) == truth[:, at] for at, logits in enumerate(said)]).all(0)
            print(
                f"reading {step + 1}/{steps} loss {loss.item():.3f}, wholly right {100 * right.float().mean():.0f} %, "
                f"{time.monotonic() - started:.0f} s",
                flush=True,
            )
    if worker.leads:
        checkpoint.save(steps)
    worker.wait_for_all()


def load_reader(work: Path, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The text encoder of the checkpoint `work`/reading.pt."""
    text_encoder = new_text_encoder(tokenizer, 0)
    Checkpoint(work / "reading.pt", text_encoder=text_encoder).load()
    return text_encoder


def _scenes(rng: random.Random, count: int) -> list[Scene]:
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = sample_scene(rng, two_things=rng.random() < 0.55)
        if not is_held_out(scene):
            scenes.append(scene)
    return scenes


def summary_positions(tokens: torch.Tensor, end: int, rng: random.Random) -> torch.Tensor:
    """For each caption the position of its end token or, as often, of any padding behind it."""
    first = (tokens == end).int().argmax(dim=1).tolist()
    last = tokens.shape[1] - 1
    return torch.tensor([at if rng.random() < 0.5 else rng.randint(at, last) for at in first])


def tell(scene: Scene) -> list[int]:
    """The numbers of the right answers. "A and B" and "A left of B" say the same scene, so there is one truth."""
    first, second = scene.things[0], scene.things[1] if len(scene.things) > 1 else None
    of_second = (None, None, None) if second is None else (second.color, second.kind, second.size)
    truth: tuple[str | None, ...] = (
        scene.background,
        scene.place,
        scene.relation,
        first.color,
        first.kind,
        first.size,
        *of_second,
    )
    return [answers.index(answer) for answers, answer in zip(_ANSWERS.values(), truth, strict=True)]
