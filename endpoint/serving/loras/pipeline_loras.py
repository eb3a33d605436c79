"""LoRAs for any diffusers pipeline, by diffusers' own loading: the whole pipeline has one set of them at a time."""

from __future__ import annotations

import logging
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from endpoint.serving.engine import is_out_of_memory
from endpoint.serving.errors import lora_unusable
from endpoint.serving.loras.errors import LoraUnusable
from endpoint.serving.loras.library import ChosenLora

log = logging.getLogger(__name__)

# Loading one takes diffusers a second, switching to one that is loaded a twentieth. A request has four at most.
_LOADED = 8
_DOWN_MARKS = (".lora_A.", ".lora_down.", ".lora.down.", "_lora.down.", ".lora_linear_layer.down.")


@dataclass(frozen=True)
class LoraContent:
    """A file's bytes, and how many layers it says to change."""

    sha256: str
    content: bytes
    layers: int

    @property
    def bytes(self) -> int:
        """What it occupies."""
        return len(self.content)

    @staticmethod
    def read(path: Path, sha256: str) -> LoraContent:
        """Raises `LoraUnusable` where it is no safetensors file or has no LoRA layers."""
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                layers = sum(any(mark in key for mark in _DOWN_MARKS) for key in file.keys())  # noqa: SIM118 - no dict
        except SafetensorError as error:
            raise LoraUnusable("it is not a safetensors file, and no other kind is opened; export it as one") from error
        if not layers:
            raise LoraUnusable("it holds no LoRA layers; export it in diffusers' or kohya's naming")
        return LoraContent(sha256, path.read_bytes(), layers)


class PipelineLoras:
    """Which LoRAs the pipeline paints with. For the engine's thread."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._loaded: OrderedDict[str, str] = OrderedDict()
        """Checksums, and diffusers' names for them."""
        self._number = 0
        self._in_use: dict[str, float] = {}

    def use(self, chosen: Sequence[ChosenLora[LoraContent]]) -> None:
        """From now on paint with these and no others. Raises `InvocationFailed` (`lora_unusable`)."""
        wanted: dict[str, float] = {}
        for each in chosen:
            wanted[each.lora.sha256] = wanted.get(each.lora.sha256, 0.0) + each.weight
        if wanted == self._in_use:
            return
        # Whatever fails below, nobody's picture is painted with another's LoRAs.
        self._in_use = {"": 0.0}
        for each in chosen:
            self._load(each, wanted)
        if wanted:
            self._pipeline.enable_lora()
            self._pipeline.set_adapters([self._loaded[sha256] for sha256 in wanted], list(wanted.values()))
        elif self._loaded:
            self._pipeline.disable_lora()
        self._in_use = wanted

    def _load(self, chosen: ChosenLora[LoraContent], wanted: dict[str, float]) -> None:
        sha256 = chosen.lora.sha256
        if sha256 in self._loaded:
            self._loaded.move_to_end(sha256)
            return
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise lora_unusable(chosen.name, "this model takes none; leave it out")
        self._make_room(wanted)
        self._number += 1
        adapter = f"lora-{self._number}"
        try:
            # A file, since diffusers forgets the metadata (alpha) of what it is given as tensors.
            with tempfile.TemporaryDirectory(prefix="easel-lora-") as folder:
                Path(folder, "lora.safetensors").write_bytes(chosen.lora.content)
                self._pipeline.load_lora_weights(
                    folder,
                    weight_name="lora.safetensors",
                    adapter_name=adapter,
                    use_safetensors=True,
                    local_files_only=True,
                )
            changed = self._layers_of(adapter)
        except Exception as error:
            self._unload_all()
            if is_out_of_memory(error) or isinstance(error, OSError):
                raise
            log.info("diffusers refused a lora", exc_info=error, extra={"sha256": sha256})
            changed = 0
        if changed < chosen.lora.layers:
            self._unload_all()
            raise lora_unusable(
                chosen.name,
                "it was made for another model, or is written in a way that diffusers reads only in part; "
                "choose the model that it was made for, or export it again",
            )
        self._loaded[sha256] = adapter

    def _layers_of(self, adapter: str) -> int:
        return sum(
            adapter in getattr(module, "lora_A", ())
            for part in self._pipeline.components.values()
            if isinstance(part, nn.Module)
            for module in part.modules()
        )

    def _make_room(self, wanted: dict[str, float]) -> None:
        for sha256 in [each for each in self._loaded if each not in wanted]:
            if len(self._loaded) < _LOADED:
                return
            self._pipeline.delete_adapters([self._loaded.pop(sha256)])

    def _unload_all(self) -> None:
        self._pipeline.unload_lora_weights()
        self._loaded.clear()
