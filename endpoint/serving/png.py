"""PNG files that say how they were made: for image tools and for Easel."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from endpoint import __version__
from endpoint.contract import GenerateRequest
from endpoint.serving.checkpoint import Checkpoint
from endpoint.serving.paint_job import Pixels

PARAMETERS_CHUNK = "parameters"
EASEL_CHUNK = "easel"
# Level 1 takes a fifth of the default's time and costs about a tenth in size.
_COMPRESSION = 1


@dataclass(frozen=True)
class Origin:
    """Where a picture's metadata comes from; `versions` are of the libraries that made it."""

    checkpoint: Checkpoint
    versions: dict[str, str]


def encode_png(pixels: Pixels, request: GenerateRequest, seeds: Sequence[int], origin: Origin) -> bytes:
    """The same bytes for the same picture. `seeds`: one for a picture, several for a grid."""
    chunks = PngInfo()
    # iTXt: a prompt may have any letters, which tEXt can't hold.
    chunks.add_itxt(PARAMETERS_CHUNK, parameters_text(request, seeds, origin))
    chunks.add_itxt(EASEL_CHUNK, json.dumps(easel_facts(request, seeds, origin), ensure_ascii=False, sort_keys=True))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=chunks, compress_level=_COMPRESSION)
    return file.getvalue()


def parameters_text(request: GenerateRequest, seeds: Sequence[int], origin: Origin) -> str:
    """The form that AUTOMATIC1111 writes and most image tools read."""
    settings = {
        "Steps": request.steps,
        "Sampler": origin.checkpoint.sampler,
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": seeds[0],
        "Size": f"{request.width}x{request.height}",
        "Model hash": origin.checkpoint.fingerprint,
        "Model": origin.checkpoint.card.name,
    }
    if len(seeds) > 1:
        settings["Batch size"] = len(seeds)
        settings["Seeds"] = '"' + ", ".join(map(str, seeds)) + '"'
    # The way in which people ask for LoRAs there, and tools find them.
    asked = "".join(f" <lora:{lora.name}:{lora.weight:g}>" for lora in request.loras)
    lines = [_printable(request.prompt) + asked]
    if request.negative_prompt:
        lines.append("Negative prompt: " + _printable(request.negative_prompt))
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()) + f", Version: easel {__version__}")
    return "\n".join(lines)


def easel_facts(request: GenerateRequest, seeds: Sequence[int], origin: Origin) -> dict[str, object]:
    """Every setting, so that the picture can be painted again; where it is stored is nobody's business."""
    facts = request.model_dump(mode="json", exclude={"output", "seeds", "loras"})
    if request.loras:
        facts["loras"] = [lora.model_dump(mode="json", include={"name", "sha256", "weight"}) for lora in request.loras]
    return {
        **facts,
        "seeds": list(seeds),
        "model": origin.checkpoint.card.name,
        "model_hash": origin.checkpoint.fingerprint,
        "sampler": origin.checkpoint.sampler,
        "software": {"easel": __version__, **origin.versions},
    }


def _printable(text: str) -> str:
    """PNG's text may not hold NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
