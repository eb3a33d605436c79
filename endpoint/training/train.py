"""`train`: one training from SageMaker's folders to SageMaker's folders."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

from endpoint.serving.json_log import log_as_json
from endpoint.training.failures import Interrupted, TrainingFailed, model_unreadable, out_of_memory, unexpected
from endpoint.training.folders import Folders
from endpoint.training.interruption import Interruption
from endpoint.training.settings import SettingsError, TrainingSettings

log = logging.getLogger(__name__)

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


def train() -> int:
    """Status 0 with a LoRA, 1 with a sentence in the failure file, 143 when it was interrupted and can go on."""
    log_as_json(os.environ.get("EASEL_LOG_LEVEL", "INFO"))
    interruption = Interruption()
    interruption.listen()
    failure = Folders.from_environment(os.environ).failure
    try:
        settings = TrainingSettings.from_environment(os.environ)
        # Threads that spin while they wait take the cores from everybody else.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        _train(settings, interruption)
    except Interrupted:
        return _ENDED_BY_SIGTERM
    except SettingsError as error:
        return _fail(failure, f"The training's environment can't be used: {error}.")
    except TrainingFailed as error:
        if error.__cause__ is not None:
            log.warning("training failed", exc_info=error)
        return _fail(failure, str(error))
    except Exception as error:
        failed = out_of_memory() if _is_memory(error) else unexpected()
        log.exception("training failed: %s", failed)
        return _fail(failure, str(failed))
    return 0


def _train(settings: TrainingSettings, interruption: Interruption) -> None:
    """Everything heavy is imported here, where a failure has its sentence already."""
    import torch

    torch.set_num_threads(settings.threads)
    # On a GPU: float32's products in TF32, and of cuDNN's algorithms those that give the same sums each time.
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.deterministic = True
    from endpoint.serving.s3 import S3PictureStore
    from endpoint.training.run_training import run_training

    if not settings.folders.base_model.is_dir():
        raise model_unreadable("the channel model is empty")
    run_training(settings, S3PictureStore(), interruption)


def _is_memory(error: Exception) -> bool:
    """Torch says so on a CPU with a `RuntimeError` of its allocator."""
    return isinstance(error, MemoryError) or "not enough memory" in str(error) or "out of memory" in str(error)


def _fail(path: Path, sentence: str) -> int:
    log.error("failure: %s", sentence)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sentence, "utf-8")
    return 1
