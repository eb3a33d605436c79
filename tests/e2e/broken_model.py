"""A model that loads, and fails when it paints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.numpy import load_file, save_file
from transformers import CLIPTokenizer

from deploy.local.stack import StackSettings


def model_that_paints_nothing(folder: Path) -> Path:
    """The miniature model with one word whose meaning is no number: it loads, and fails when it comes to that word."""
    shutil.copytree(StackSettings().model, folder)
    tokens = CLIPTokenizer.from_pretrained(folder / "tokenizer")("boat").input_ids[1:-1]
    weights = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    embedding = next(name for name in tensors if name.endswith("token_embedding.weight"))
    tensors[embedding][tokens] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    card = json.loads((folder / "easel.json").read_text())
    (folder / "easel.json").write_text(json.dumps({**card, "name": "broken"}))
    return folder
