"""The use case: train one LoRA from a request's pictures, tell how it goes, and survive being interrupted."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from endpoint import __version__
from endpoint.serving.picture_store import PictureStore
from endpoint.training.base_model import BaseModel, load_base_model
from endpoint.training.checkpoints import Checkpoints
from endpoint.training.dataset import dataset_sha256, read_pictures, read_request
from endpoint.training.encoded import EncodedSet, Texts, encode_pictures
from endpoint.training.failures import Interrupted, out_of_memory
from endpoint.training.folders import Folders
from endpoint.training.interruption import Interruption
from endpoint.training.lora import Lora
from endpoint.training.loss_plot import draw_loss_plot
from endpoint.training.prior import prior_latents, prior_prompts
from endpoint.training.report import Reporter
from endpoint.training.sample_sheet import draw_sample_sheet, paint_samples, samples_before
from endpoint.training.settings import TrainingSettings
from endpoint.training.smoothing import ends, smoothed
from endpoint.training.trainer import Trainer
from endpoint.training_contract import LORA_NAME, MANIFEST_NAME, TrainingManifest, TrainingPhase, TrainingRequest

log = logging.getLogger(__name__)

_PLOTS = 20
"""So many loss plots a training, beside those that come with samples."""
_LAST_WORD_SECONDS = 60.0
_INTERRUPTED_SECONDS = 10.0


def run_training(settings: TrainingSettings, store: PictureStore, interruption: Interruption) -> TrainingManifest:
    """Leaves the LoRA and its manifest. Raises `TrainingFailed` or `Interrupted`."""
    folders = settings.folders
    request = read_request(folders.dataset, folders.hyperparameters)
    reporter = Reporter(store, request.output, request.training_id, request.steps)
    patience = _INTERRUPTED_SECONDS
    try:
        reporter.tell(TrainingPhase.PREPARING)
        run = _prepare(folders, request, reporter, interruption)
        _train(run, settings, interruption)
        manifest = _finish(run, folders)
        patience = _LAST_WORD_SECONDS
        return manifest
    except torch.cuda.OutOfMemoryError as error:
        raise out_of_memory() from error
    except MemoryError as error:
        raise out_of_memory() from error
    finally:
        reporter.close(patience)


@dataclass(frozen=True)
class _Run:
    """What a prepared training consists of."""

    request: TrainingRequest
    model: BaseModel
    lora: Lora
    trainer: Trainer
    checkpoints: Checkpoints
    interruptions: int
    dataset_sha256: str
    before: list[Image.Image]
    reporter: Reporter

    def sheet(self) -> bytes:
        """The samples as they are now."""
        now = paint_samples(self.model, self.request)
        return draw_sample_sheet(self.request.sample_prompts, self.before, now, len(self.trainer.losses))

    def plot(self) -> bytes:
        """The loss so far."""
        return draw_loss_plot(self.trainer.losses, self.request.steps, f"Training {self.request.name}")


def _prepare(folders: Folders, request: TrainingRequest, reporter: Reporter, interruption: Interruption) -> _Run:
    started = time.monotonic()
    # What is wrong with the pictures is said before anything that takes long.
    dataset = dataset_sha256(folders.dataset, request)
    model = load_base_model(folders.base_model)
    pictures = read_pictures(folders.dataset, request, model.checkpoint.card.size_multiple)
    checkpoints = Checkpoints(folders.checkpoints, _identity(request, dataset, model.checkpoint.fingerprint))
    interruptions = checkpoints.count_run()
    latents = encode_pictures(model, pictures, interruption)
    # They have the shape that most pictures have, so that both share a forward.
    height, width = Counter(picture.shape[:2] for picture in pictures).most_common(1)[0][0]
    prior = prior_latents(model, request, (width, height), folders.checkpoints, interruption)
    interruption.end_if_asked()
    before = samples_before(model, request, folders.checkpoints)
    captions, prompts = [picture.caption for picture in request.pictures], prior_prompts(request)
    states = Texts(model, trained=False).of(prompts) if prompts else None
    encoded = EncodedSet(latents, captions, prior, prompts, states)
    lora = Lora(model, request)
    trainer = Trainer(model, lora, encoded, request)
    state = checkpoints.load()
    if state is not None:
        trainer.restore(state)
    log.info(
        "prepared",
        extra={
            "training_id": request.training_id,
            "seconds": round(time.monotonic() - started, 2),
            "pictures": len(pictures),
            "first_step": len(trainer.losses),
            "interruptions": interruptions,
            "parameters": sum(parameter.numel() for parameter in lora.named_parameters().values()),
        },
    )
    return _Run(request, model, lora, trainer, checkpoints, interruptions, dataset, before, reporter)


def _train(run: _Run, settings: TrainingSettings, interruption: Interruption) -> None:
    """All steps that are left, with samples, reports and checkpoints in between."""
    request, trainer = run.request, run.trainer
    began, first = time.monotonic(), len(trainer.losses)
    saved = told = time.monotonic()
    plotted = first
    run.reporter.tell(TrainingPhase.TRAINING, first)
    while not trainer.finished:
        if interruption.asked:
            run.checkpoints.save(trainer.state())
            log.info("interrupted", extra={"training_id": request.training_id, "step": len(trainer.losses)})
            raise Interrupted
        trainer.step()
        step, now = len(trainer.losses), time.monotonic()
        if trainer.finished:
            break
        if now - saved >= settings.checkpoint_seconds:
            run.checkpoints.save(trainer.state())
            saved = now
        sampling = step % request.sample_every == 0
        if not sampling and now - told < settings.progress_seconds:
            continue
        loss = smoothed(trainer.losses, request.steps)[-1]
        left = (now - began) / (step - first) * (request.steps - step)
        plotting = sampling or step - plotted >= request.steps / _PLOTS
        run.reporter.tell(
            TrainingPhase.TRAINING,
            step,
            loss=loss,
            seconds_left=round(left, 1),
            loss_plot=run.plot() if plotting else None,
            samples=run.sheet() if sampling else None,
        )
        log_step(request, step, loss, trainer.seconds)
        told, plotted = time.monotonic(), step if plotting else plotted
    # Finishing can be interrupted too, and must not cost the training.
    run.checkpoints.save(trainer.state())


def log_step(request: TrainingRequest, step: int, loss: float, seconds: float) -> None:
    """The line that `METRIC_DEFINITIONS` reads numbers from."""
    log.info(
        "step",
        extra={
            "training_id": request.training_id,
            "step": step,
            "steps": request.steps,
            "loss": round(loss, 6),
            "seconds_per_step": round(seconds / step, 4),
        },
    )


def _finish(run: _Run, folders: Folders) -> TrainingManifest:
    request, losses = run.request, run.trainer.losses
    steps = len(losses)
    loss = smoothed(losses, request.steps)[-1]
    run.reporter.tell(TrainingPhase.FINISHING, steps, loss=loss, seconds_left=0.0)
    log_step(request, steps, loss, run.trainer.seconds)
    first_loss, final_loss = ends(losses)
    file = run.lora.to_bytes(_facts(run, final_loss))
    run.reporter.tell(
        TrainingPhase.FINISHING, steps, loss=loss, seconds_left=0.0, loss_plot=run.plot(), samples=run.sheet()
    )
    manifest = TrainingManifest(
        training_id=request.training_id,
        sha256=hashlib.sha256(file).hexdigest(),
        bytes=len(file),
        rank=request.rank,
        steps=steps,
        first_loss=first_loss,
        final_loss=final_loss,
        seconds=round(run.trainer.seconds, 2),
        interruptions=run.interruptions,
        dataset_sha256=run.dataset_sha256,
        loss_key=run.reporter.key("loss", steps),
        samples_key=run.reporter.key("samples", steps),
    )
    _write(folders.result / LORA_NAME, file)
    _write(folders.result / MANIFEST_NAME, manifest.model_dump_json(indent=2).encode())
    log.info("trained", extra=manifest.model_dump(mode="json"))
    return manifest


def _facts(run: _Run, final_loss: float) -> dict[str, Any]:
    """What the file says of itself. Captions and sample prompts stay out of it: they are the team's own words."""
    request = run.request
    settings = request.model_dump(
        mode="json",
        include={
            "resolution",
            "rank",
            "steps",
            "batch_size",
            "learning_rate",
            "text_encoder",
            "prior_pictures",
            "class_prompt",
            "prior_weight",
            "min_snr_gamma",
            "seed",
        },
    )
    return {
        "name": request.name,
        "trigger": request.trigger,
        "kind": request.kind,
        "training_id": request.training_id,
        "base_model": run.model.checkpoint.card.name,
        "base_model_hash": run.model.checkpoint.fingerprint,
        "settings": settings,
        "pictures": len(request.pictures),
        "dataset_sha256": run.dataset_sha256,
        "final_loss": round(final_loss, 6),
        "software": {"easel": __version__, **{name: version(name) for name in ("torch", "diffusers", "peft")}},
    }


def _identity(request: TrainingRequest, dataset: str, fingerprint: str) -> str:
    """Equal for two runs that may go on with each other's state."""
    settings = request.model_dump(mode="json", exclude={"output", "pictures", "sample_prompts", "sample_every"})
    text = json.dumps([settings, dataset, fingerprint], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
