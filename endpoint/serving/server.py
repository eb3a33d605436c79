"""`serve`: loads the model while `/ping` already answers, takes work, and drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import uvicorn

from endpoint.serving.app import Phase, Serving, create_app
from endpoint.serving.json_log import log_as_json
from endpoint.serving.settings import ServingSettings, SettingsError

log = logging.getLogger(__name__)

_STORE_THREADS = 32
# After the drain, for the step that is being taken; SageMaker kills 30 seconds after SIGTERM.
_STEP_SECONDS = 3.0


class _Server(uvicorn.Server):
    """Uvicorn closes its port on SIGTERM; here `/ping` must go on answering 503 until the work is drained."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve() -> int:
    """Runs until SIGTERM, then ends the process: status 0 after draining, 1 when the model can't be served."""
    log_as_json(os.environ.get("EASEL_LOG_LEVEL", "INFO"))
    try:
        settings = ServingSettings.from_environment(os.environ)
    except SettingsError as error:
        log.error("settings: %s", error)
        return 1
    try:
        status = asyncio.run(_serve(settings))
    except SystemExit:  # uvicorn's, where it can't listen
        status = 1
    # A thread amid loading can't be interrupted, and torch takes seconds to go: nothing of it needs an orderly end.
    sys.stdout.flush()
    os._exit(status)


async def _serve(settings: ServingSettings) -> int:
    serving = Serving()
    server = _Server(
        uvicorn.Config(
            create_app(serving),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
    )
    executor = ThreadPoolExecutor(_STORE_THREADS, thread_name_prefix="store")
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)

    listening = asyncio.create_task(server.serve())
    loading = loop.run_in_executor(executor, _load, serving, settings, executor)
    stopping = asyncio.create_task(asked_to_stop.wait())
    first: set[asyncio.Future[object]] = {loading, stopping}  # type: ignore[arg-type]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    status = 0
    if loading.done() and loading.exception() is not None:
        log.error("the model could not be loaded: %s", loading.exception(), exc_info=loading.exception())
        status = 1
    else:
        await stopping
        await _drain(serving, settings.drain_seconds)
    server.should_exit = True
    stopping.cancel()
    await listening
    log.info("stopped")
    return status


async def _drain(serving: Serving, seconds: float) -> None:
    """Take nothing new; finish what runs, or stop it at a step boundary when the time is up."""
    serving.phase = Phase.DRAINING
    painter = serving.painter
    if painter is None:
        return
    log.info("draining", extra={"running": painter.running})
    if not await painter.wait_until_idle(seconds):
        log.warning("stopping what still runs", extra={"running": painter.running})
        painter.stop_running()
        await painter.wait_until_idle(_STEP_SECONDS)
    await asyncio.to_thread(painter.close)


def _load(serving: Serving, settings: ServingSettings, executor: ThreadPoolExecutor) -> None:
    """Everything heavy is imported here, while the port is already open."""
    started = time.monotonic()
    # Threads that spin while they wait made painting ten times slower where another process wanted a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from endpoint.serving.checkpoint import Checkpoint
    from endpoint.serving.loras.files import LoraFiles
    from endpoint.serving.loras.library import LoraLibrary
    from endpoint.serving.painter import Painter
    from endpoint.serving.png import Origin
    from endpoint.serving.s3 import S3LoraSource, S3PictureStore, s3_client

    checkpoint = Checkpoint.read(settings.model_directory, settings.model_name)
    from endpoint.serving.load_model import load_engine

    engine = load_engine(checkpoint, settings)
    origin = Origin(checkpoint, {name: version(name) for name in ("diffusers", "torch")})
    client = s3_client()
    files = LoraFiles(settings.lora_directory, settings.lora_disk_bytes, S3LoraSource(client))
    loras = LoraLibrary(files, engine.read_lora, settings.lora_memory_bytes)
    painter = Painter(engine, S3PictureStore(client), origin, executor, settings.progress_seconds, loras)
    serving.ready(painter, checkpoint.card, takes_negative_prompt=engine.takes_negative_prompt)
    log.info("ready", extra={"seconds": round(time.monotonic() - started, 2)})
