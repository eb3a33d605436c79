"""The use case of an invocation: paint a request, store what comes of it, answer with the manifest."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from endpoint.contract import (
    CANCELLED_NAME,
    GRID_NAME,
    MANIFEST_NAME,
    PROGRESS_NAME,
    GenerateRequest,
    Grid,
    Manifest,
    Picture,
    Progress,
    Timings,
)
from endpoint.serving.errors import InvocationFailed, cancelled, storage_failed, unavailable
from endpoint.serving.grid import make_grid
from endpoint.serving.loras.library import LoraLibrary
from endpoint.serving.paint_job import PaintJob, Pixels
from endpoint.serving.picture_store import PictureStore, StorageError
from endpoint.serving.png import Origin, encode_png

if TYPE_CHECKING:  # torch takes seconds to import, and the port must be open before that
    from endpoint.serving.engine import Engine

log = logging.getLogger(__name__)

T = TypeVar("T")
PNG, JSON = "image/png", "application/json"
_STOPPED_LOOK_SECONDS = 0.1


class Painter:
    """Joins the engine, which paints, to the store, which keeps; storing never holds the engine up."""

    def __init__(
        self,
        engine: Engine,
        store: PictureStore,
        origin: Origin,
        executor: Executor,
        progress_seconds: float,
        loras: LoraLibrary[Any],
    ) -> None:
        self._engine = engine
        self._store = store
        self._origin = origin
        self._executor = executor
        self._progress_seconds = progress_seconds
        self._loras = loras
        self._running: set[PaintJob] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def engine_alive(self) -> bool:
        """Whether requests still get painted."""
        return self._engine.alive()

    @property
    def running(self) -> int:
        """Requests that are not answered yet."""
        return len(self._running)

    async def wait_until_idle(self, seconds: float) -> bool:
        """Whether every request was answered within that time."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def stop_running(self) -> None:
        """End what runs at its next step with `unavailable`: another instance may take it."""
        for job in list(self._running):
            job.stop(unavailable())

    def close(self) -> None:
        """End the engine."""
        self._loras.close()
        self._engine.stop()

    async def paint(self, request: GenerateRequest, gone: Callable[[], Awaitable[bool]]) -> Manifest:
        """Raises `InvocationFailed`. `gone` says whether the caller has hung up: then nobody wants the pictures."""
        if not self._engine.alive():
            raise unavailable()
        job = PaintJob(request)
        self._running.add(job)
        self._idle.clear()
        painted = asyncio.Event()
        submitted = False
        watch = asyncio.create_task(self._watch(job, gone, painted))
        try:
            await self._fetch_loras(job)
            self._engine.submit(job)
            submitted = True
            manifest = await self._store_pictures(job, painted)
            # The manifest is the job's last file: a report of progress may still be on its way to the store.
            await asyncio.wait([watch])
            await self._put(job.request, MANIFEST_NAME, manifest.model_dump_json().encode(), JSON)
        except StorageError as error:
            job.stop(cancelled())
            failure = storage_failed()
            log.exception(
                "storing failed", exc_info=error, extra={"job_id": request.job_id, "reference": failure.reference}
            )
            raise failure from error
        except InvocationFailed as failure:
            job.stop(failure)
            log.info("job ended", extra={"job_id": request.job_id, "code": failure.code})
            raise
        finally:
            if not submitted:
                job.fail(job.stopped or unavailable())
            self._running.discard(job)
            if not self._running:
                self._idle.set()
            watch.cancel()
        log.info("job painted", extra={"job_id": request.job_id, **manifest.timings.model_dump()})
        return manifest

    async def _fetch_loras(self, job: PaintJob) -> None:
        """Before the engine sees the job, so that it never waits for a file."""
        if not job.request.loras:
            return
        fetching = asyncio.create_task(self._borrow(job))
        while not fetching.done() and job.stopped is None:
            await asyncio.wait([fetching], timeout=_STOPPED_LOOK_SECONDS)
        if job.stopped is not None:
            fetching.cancel()
            # However that ends, it was the request that was stopped.
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await fetching
            raise job.stopped
        await fetching

    async def _borrow(self, job: PaintJob) -> None:
        loan = await self._loras.borrow(job.request.loras, job.request.job_id)
        # Given back when the engine is done with them, whatever becomes of the request until then.
        job.when_done(loan.give_back)
        job.loras = await self._in_thread(self._engine.combine_loras, loan.chosen)

    async def _store_pictures(self, job: PaintJob, painted: asyncio.Event) -> Manifest:
        storing: list[float] = []
        stored = [asyncio.create_task(self._store_picture(job, index, storing)) for index in range(len(job.pictures))]
        try:
            results = await asyncio.gather(*stored)
        except BaseException:
            for task in stored:
                task.cancel()
            await asyncio.gather(*stored, return_exceptions=True)
            raise
        painted.set()
        started = time.monotonic()
        grid = await self._store_grid(job, [pixels for _, pixels in results])
        storing.append(time.monotonic() - started)
        return Manifest(
            job_id=job.request.job_id,
            model=self._origin.checkpoint.card.name,
            pictures=[picture for picture, _ in results],
            grid=grid,
            timings=Timings(
                waited_seconds=round(job.waited_seconds, 3),
                denoise_seconds=round(job.denoise_seconds, 3),
                decode_seconds=round(job.decode_seconds, 3),
                store_seconds=round(sum(storing), 3),
                total_seconds=round(time.monotonic() - job.created_at, 3),
            ),
        )

    async def _store_picture(self, job: PaintJob, index: int, storing: list[float]) -> tuple[Picture, Pixels]:
        pixels = await asyncio.wrap_future(job.pictures[index])
        started = time.monotonic()
        request, seed = job.request, job.request.seeds[index]
        body = await self._in_thread(encode_png, pixels, request, [seed], self._origin)
        name = f"{index}.png"
        await self._put(request, name, body, PNG)
        storing.append(time.monotonic() - started)
        return (
            Picture(
                key=request.output.prefix + name,
                seed=seed,
                width=pixels.shape[1],
                height=pixels.shape[0],
                bytes=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
            ),
            pixels,
        )

    async def _store_grid(self, job: PaintJob, pictures: list[Pixels]) -> Grid | None:
        if len(pictures) < 2:
            return None
        request = job.request
        pixels = make_grid(pictures)
        body = await self._in_thread(encode_png, pixels, request, request.seeds, self._origin)
        await self._put(request, GRID_NAME, body, PNG)
        return Grid(
            key=request.output.prefix + GRID_NAME, width=pixels.shape[1], height=pixels.shape[0], bytes=len(body)
        )

    async def _watch(self, job: PaintJob, gone: Callable[[], Awaitable[bool]], painted: asyncio.Event) -> None:
        """At the start and then in a steady rhythm: say how far it is, and see whether it is still wanted.

        Ends once `painted` is set, with nothing left on its way to the store.
        """
        request = job.request
        progress = Progress(job_id=request.job_id, step=0, steps=job.progress().steps)
        told: Progress | None = None
        while not painted.is_set():
            try:
                if progress != told:
                    await self._put(request, PROGRESS_NAME, progress.model_dump_json().encode(), JSON)
                    told = progress
                if await gone() or await self._in_thread(self._store.exists, request.output, CANCELLED_NAME):
                    job.stop(cancelled())
                    return
            except StorageError:
                # Progress is a courtesy: the pictures themselves will tell whether the store works.
                log.warning("could not report progress", extra={"job_id": request.job_id})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(painted.wait(), self._progress_seconds)
            progress = job.progress()

    async def _put(self, request: GenerateRequest, name: str, body: bytes, content_type: str) -> None:
        await self._in_thread(self._store.put, request.output, name, body, content_type)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
