"""Tells how far a training is: files in S3 for people, log lines for SageMaker's metrics. It never ends a training."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from endpoint.contract import OutputLocation
from endpoint.serving.picture_store import PictureStore
from endpoint.training_contract import PROGRESS_NAME, TrainingPhase, TrainingProgress

log = logging.getLogger(__name__)

_PNG, _JSON = "image/png", "application/json"


@dataclass
class _Pending:
    progress: TrainingProgress
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """By what they are: the key's name and the content."""


class Reporter:
    """Uploads from a thread of its own. When the store is slower than the training, only the newest is told."""

    def __init__(self, store: PictureStore, output: OutputLocation, training_id: str, steps: int) -> None:
        self._store, self._output = store, output
        self._training_id, self._steps = training_id, steps
        self._stored: dict[str, str] = {}
        self._pending: _Pending | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._upload_all, name="report", daemon=True)
        self._thread.start()

    def tell(
        self,
        phase: TrainingPhase,
        step: int = 0,
        *,
        loss: float | None = None,
        seconds_left: float | None = None,
        loss_plot: bytes | None = None,
        samples: bytes | None = None,
    ) -> None:
        """Comes back at once. Pictures are stored before the progress that names them."""
        progress = TrainingProgress(
            training_id=self._training_id,
            phase=phase,
            step=step,
            steps=self._steps,
            loss=loss,
            seconds_left=seconds_left,
        )
        with self._changed:
            files = self._pending.files if self._pending else {}
            if loss_plot is not None:
                files["loss"] = (f"loss-{step}.png", loss_plot)
            if samples is not None:
                files["samples"] = (f"samples-{step}.png", samples)
            self._pending = _Pending(progress, files)
            self._changed.notify()

    def key(self, what: str, step: int) -> str:
        """The full key of the `loss` plot or the `samples` of a step."""
        return f"{self._output.prefix}{what}-{step}.png"

    def close(self, seconds: float) -> None:
        """Waits so long for what is still to be uploaded."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _upload_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing)
                pending, self._pending = self._pending, None
            if pending is None:
                return
            self._upload(pending)

    def _upload(self, pending: _Pending) -> None:
        try:
            for what, (name, content) in pending.files.items():
                self._store.put(self._output, name, content, _PNG)
                self._stored[what] = self._output.prefix + name
            progress = pending.progress.model_copy(
                update={"loss_key": self._stored.get("loss"), "samples_key": self._stored.get("samples")}
            )
            self._store.put(self._output, PROGRESS_NAME, progress.model_dump_json().encode(), _JSON)
        except Exception:  # whatever it is, the LoRA is worth more than the news of it
            log.warning("could not report progress", exc_info=True, extra={"step": pending.progress.step})
