"""Trains the miniature model from nothing: `python -m endpoint.tiny.train --out endpoint/tiny/model`.

Five stages, each resumed where it was cut off: the VAE on rich pictures, the drawings' latents, the text encoder alone,
the UNet with the text encoder, the VAE's decoder once more. Everything is seeded. `docs/tiny-model.md` says what it
takes and what came of it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from endpoint.tiny.diffusion import Cycle, load_diffusion, train_diffusion
from endpoint.tiny.latent_space import finish_vae
from endpoint.tiny.latents import encode_drawings, load_latents
from endpoint.tiny.pipeline import MODEL_DIR, assemble, save
from endpoint.tiny.polish import load_polished_vae, polish_decoder
from endpoint.tiny.reading import train_reading
from endpoint.tiny.tokenizer import new_tokenizer
from endpoint.tiny.vae import train_vae
from endpoint.tiny.workers import run_workers

SEED = 7
VAE_STEPS = 3600
READING_STEPS = 1500
POLISHING_STEPS = 800
UNET_CYCLES = (Cycle(8000, 1e-3, noisiness=1.6), Cycle(6000, 6e-4, noisiness=1.0))
DRAWINGS = 18000


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(description="Train the miniature model from its own drawings.")
    parser.add_argument("--out", type=Path, default=MODEL_DIR, help="where the pipeline is saved")
    parser.add_argument("--work", type=Path, default=Path("out/tiny-training"), help="checkpoints and latents")
    parser.add_argument("--vae-steps", type=int, default=VAE_STEPS)
    parser.add_argument("--drawings", type=int, default=DRAWINGS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each; a power of two up to 4")
    parser.add_argument("--only-save", action="store_true", help="save what the checkpoints hold, train nothing")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if not options.only_save:
        run_workers(options.workers, train_vae, options.work, options.vae_steps, options.seed)
        finish_vae(options.work, options.seed)
        run_workers(options.workers, encode_drawings, options.work, options.drawings, options.seed)
        run_workers(options.workers, train_reading, options.work, READING_STEPS, options.seed)
        sets = load_latents(options.work, options.workers, options.drawings, options.seed)
        run_workers(options.workers, train_diffusion, options.work, sets, UNET_CYCLES, options.seed)
        # The first set has the native format.
        run_workers(options.workers, polish_decoder, options.work, sets[0], POLISHING_STEPS, options.seed)
    tokenizer = new_tokenizer()
    save(assemble(load_polished_vae(options.work), *load_diffusion(options.work, tokenizer), tokenizer), options.out)
    print(f"saved {options.out} after {(time.monotonic() - started) / 60:.0f} minutes", flush=True)


if __name__ == "__main__":
    main()
