"""Carries a training job out: from waiting for an instance to the files it leaves, through every interruption."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.sagemaker.aws_protocol import validation_exception
from deploy.local.sagemaker.checkpoint_sync import CheckpointSync
from deploy.local.sagemaker.container_environment import container_environment
from deploy.local.sagemaker.container_process import ContainerProcess
from deploy.local.sagemaker.gateway import Gateway
from deploy.local.sagemaker.log_shipper import ship_log
from deploy.local.sagemaker.s3_folders import download, files_of, upload, upload_archive
from deploy.local.sagemaker.settings import SageMakerSettings
from deploy.local.sagemaker.training_folder import TrainingFolder
from deploy.local.sagemaker.training_job import TrainingJob
from deploy.local.sagemaker.training_metrics import MetricReader
from deploy.local.sagemaker.training_request import is_spot, max_runtime_seconds

log = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_KILLED = 137
_CAPACITY_PAUSE_SECONDS = 0.1
_MESSAGES = {
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job runtime exceeded MaxWaitTimeInSeconds provided",
    "Stopped": "Training job stopped",
}
_NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
_NO_MEMORY = (
    "ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an "
    f"instance., exit code: {_KILLED}"
)


class _Failed(Exception):
    """The job's `FailureReason`."""


class _Stopped(Exception):
    """The job is stopped; the text is its last secondary status."""


class _Interrupted(Exception):
    """The spot instance was taken away."""


class TrainingRun:
    """One job. `announce` tells of each new state; `has_capacity` whether there is an instance to have.

    `beside` starts what goes on beside the run. `healthy` says whether the instance is fit for another job.
    """

    def __init__(
        self,
        job: TrainingJob,
        *,
        settings: SageMakerSettings,
        gateway: Gateway,
        credentials_uri: str,
        is_warm: bool,
        has_capacity: Callable[[], bool],
        announce: Callable[[TrainingJob], Awaitable[None]],
        beside: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.job = job
        self.healthy = False
        self._settings = settings
        self._gateway = gateway
        self._credentials_uri = credentials_uri
        self._is_warm = is_warm
        self._has_capacity = has_capacity
        self._announce = announce
        self._beside = beside
        self._role_arn: str = job.request["RoleArn"]
        self._began = time.monotonic()
        self._signal = asyncio.Event()
        self._stop_as: str | None = None
        self._interruption: float | None = None
        self._runs = 0
        self._process: ContainerProcess | None = None

    async def stop(self) -> None:
        """As `StopTrainingJob`; returns when the job is known to stop, not when it has."""
        self._stop_as = self._stop_as or "Stopped"
        self._signal.set()
        await self._enter("Stopping", "Stopping the training job")

    def interrupt(self, *, notice: bool) -> None:
        """Take the spot instance away, after SIGTERM and its grace, or at once. Raises `AwsError`."""
        if not is_spot(self.job.request):
            raise validation_exception(f"{self.job.name} does not run on a spot instance.")
        if self.job.secondary != "Training" or self._process is None or not self._process.alive:
            raise validation_exception(f"{self.job.name} does not train now: it is {self.job.secondary}.")
        self._interruption = self._settings.stop_grace_seconds if notice else 0.0
        self._signal.set()

    async def run(self) -> None:
        """To the end. Cancelling it ends the container at once and removes its files."""
        try:
            await self._enter("Starting", "Starting the training job")
            while not await self._on_one_instance():
                await self._enter("Interrupted", "The managed spot training instance was interrupted")
                await self._enter("Starting", "Launching requested ML instances")
        except _Stopped as stopped:
            await self._enter("Stopping", "Stopping the training job")
            await self._enter(str(stopped), _MESSAGES[str(stopped)])
        except _Failed as failed:
            await self._enter("Failed", "Training job failed", str(failed))
        except Exception:
            log.exception("%s was lost", self.job.name)
            self.healthy = False
            reason = "InternalServerError: We encountered an internal error. Please try again."
            await self._enter("Failed", "Training job failed", reason)

    async def _on_one_instance(self) -> bool:
        """False where the instance was taken away. Raises `_Stopped` and `_Failed`."""
        await self._get_instance()
        began = time.monotonic()
        self.job.started_at = self.job.started_at or datetime.now(UTC)
        self._runs += 1
        folder = TrainingFolder(
            self._settings.folder / "trainings" / self.job.name / f"run-{self._runs}", self.job.request
        )
        self.healthy = True
        try:
            await self._train(folder, began)
        except _Interrupted:
            return False
        finally:
            self.job.training_seconds += time.monotonic() - began
            if self._process is not None:
                await self._process.terminate(0)
            shutil.rmtree(folder.root.parent, ignore_errors=True)
        if self._stop_as:
            raise _Stopped(self._stop_as)
        await self._enter("Completed", "Training job completed")
        return True

    async def _get_instance(self) -> None:
        if self._is_warm:
            self._is_warm = False  # only the first time: a warm pool is never a spot instance
            await self._enter("Starting", "Found matching resource for reuse")
            return
        await self._enter("Pending", "Training job waiting for capacity")
        while not self._has_capacity():
            if not is_spot(self.job.request):
                raise _Failed(_NO_CAPACITY)
            await self._pause(_CAPACITY_PAUSE_SECONDS)
        await self._enter("Pending", "Preparing the instances for training")
        await self._pause(self._settings.launch_seconds)

    async def _train(self, folder: TrainingFolder, began: float) -> None:
        folder.lay_out()
        await self._enter("Downloading", "Downloading input data")
        s3 = await asyncio.to_thread(self._gateway.client, "s3", self._role_arn)
        checkpoints = self._checkpoints(s3, folder)
        try:
            await asyncio.to_thread(self._fetch, s3, folder, checkpoints)
        except (BotoCoreError, ClientError, OSError, ValueError, _Failed) as error:
            raise _Failed(f"ClientError: Data download failed:{error}") from error
        await self._pause(0)
        await self._enter("Training", "Training image download completed. Training in progress.")
        process = await self._start(folder)
        metrics = MetricReader(process.log, self.job.request)
        looking = asyncio.create_task(self._look_after(checkpoints, metrics))
        try:
            status = await self._wait(process, looking, began)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        if self._interruption is None or self._interruption > 0:
            await self._push(checkpoints)
        metrics.read(self.job.metrics)
        if self._interruption is not None and not self._stop_as:
            self._interruption = None
            raise _Interrupted
        await self._hand_over(s3, folder, status)

    async def _wait(self, process: ContainerProcess, looking: asyncio.Task[None], began: float) -> int:
        """The container's exit status, whatever made it end."""
        ended, signalled = asyncio.create_task(process.ended()), asyncio.create_task(self._signal.wait())
        try:
            left = self._seconds_left(began)
            done, _ = await asyncio.wait({ended, signalled, looking}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if looking in done:
                looking.result()
            if ended in done:
                self._interruption = None  # too late: it had ended
                return ended.result()
            self._signal.clear()
            if self._interruption is not None and not self._stop_as:
                await self._end(process, self._interruption)
            else:
                self._stop_as = self._stop_as or self._limit(began)
                await self._enter("Stopping", "Stopping the training job")
                await self._end(process, self._settings.stop_grace_seconds)
            return await ended
        finally:
            for task in (ended, signalled):
                task.cancel()

    async def _end(self, process: ContainerProcess, grace_seconds: float) -> None:
        """SIGTERM and its grace; without one, no warning at all."""
        if grace_seconds:
            await process.terminate(grace_seconds)
        else:
            process.kill()

    async def _hand_over(self, s3: Any, folder: TrainingFolder, status: int) -> None:
        """Upload what the container has made. Raises `_Failed`."""
        output = f"{self.job.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.job.name}/output"
        compressed = self.job.request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        wanted = [(folder.data, "data/" if not compressed else "output.tar.gz")]
        if status == 0 or self._stop_as:
            await self._enter("Uploading", "Uploading generated training model")
            wanted.append((folder.model, "model/" if not compressed else "model.tar.gz"))
        try:
            for source, name in wanted:
                if next(files_of(source), None) is not None:
                    send = upload_archive if compressed else upload
                    await asyncio.to_thread(send, s3, source, f"{output}/{name}")
                    if source is folder.model:
                        self.job.artifacts = f"{output}/{name}"
        except (BotoCoreError, ClientError, OSError) as error:
            raise _Failed(f"ClientError: Artifact upload failed:{error}") from error
        if self._stop_as:
            raise _Stopped(self._stop_as)
        if status != 0:
            said = folder.failure()
            raise _Failed(_NO_MEMORY if status == _KILLED and not said else _algorithm_error(said, status))

    async def _start(self, folder: TrainingFolder) -> ContainerProcess:
        settings, request = self._settings, self.job.request
        environment = {
            **container_environment(settings, self._credentials_uri, request.get("Environment", {})),
            "TMPDIR": str(folder.scratch),
            "SAGEMAKER_BASE_DIR": str(folder.root),
            "TRAINING_JOB_NAME": self.job.name,
            "TRAINING_JOB_ARN": self.job.arn,
        }
        path = settings.folder / "logs" / f"training-{self.job.name}-{self._runs}.log"
        process = ContainerProcess([settings.python, "-m", "endpoint", "train"], environment, settings.repository, path)
        await process.launch()
        self._process = process
        stream = f"{self.job.name}/algo-1-{int(time.time())}"
        self._beside(ship_log(process, LOG_GROUP, stream, self._gateway, self._role_arn))
        return process

    def _checkpoints(self, s3: Any, folder: TrainingFolder) -> CheckpointSync | None:
        uri = self.job.request.get("CheckpointConfig", {}).get("S3Uri")
        return CheckpointSync(s3, folder.checkpoints, uri) if uri else None

    def _fetch(self, s3: Any, folder: TrainingFolder, checkpoints: CheckpointSync | None) -> None:
        for channel in self.job.request.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            if not download(s3, uri, folder.channel(channel["ChannelName"])):
                raise _Failed(f"Failed to download data. No objects were found under {uri}")
        if checkpoints is not None:
            checkpoints.restore()

    async def _look_after(self, checkpoints: CheckpointSync | None, metrics: MetricReader) -> None:
        while True:
            await asyncio.sleep(self._settings.checkpoint_seconds)
            await self._push(checkpoints)
            metrics.read(self.job.metrics)

    async def _push(self, checkpoints: CheckpointSync | None) -> None:
        """A right that is missing shows at once, not only at the first interruption."""
        if checkpoints is None:
            return
        try:
            await asyncio.to_thread(checkpoints.push)
        except (BotoCoreError, ClientError) as error:
            raise _Failed(f"ClientError: Checkpoint upload failed:{error}") from error

    async def _pause(self, seconds: float) -> None:
        """Raises `_Stopped` when the job is stopped meanwhile, or its time is up."""
        limit = self._limit_of_waiting()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._signal.wait(), seconds if limit is None else max(0.0, min(seconds, limit)))
        if self._stop_as:
            raise _Stopped(self._stop_as)
        self._signal.clear()
        if limit is not None and limit <= seconds:
            raise _Stopped("MaxWaitTimeExceeded")

    def _limit_of_waiting(self) -> float | None:
        most = self.job.request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")
        return None if most is None else most - (time.monotonic() - self._began)

    def _seconds_left(self, began: float) -> float:
        used = self.job.training_seconds + time.monotonic() - began
        left, waiting = max_runtime_seconds(self.job.request) - used, self._limit_of_waiting()
        return max(0.0, left if waiting is None else min(left, waiting))

    def _limit(self, began: float) -> str:
        """Which of the two it was."""
        used = self.job.training_seconds + time.monotonic() - began
        runtime = max_runtime_seconds(self.job.request)
        waiting = self._limit_of_waiting()
        is_waiting = waiting is not None and waiting < runtime - used
        return "MaxWaitTimeExceeded" if is_waiting else "MaxRuntimeExceeded"

    async def _enter(self, secondary: str, message: str, reason: str | None = None) -> None:
        if self.job.enter(secondary, message, reason):
            await self._announce(self.job)


def _algorithm_error(said: str, status: int) -> str:
    return f"AlgorithmError: {said[:900]}, exit code: {status}"
