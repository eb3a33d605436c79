"""The training jobs there are, and what the control plane may do with them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.sagemaker.aws_protocol import AwsError, validation_exception
from deploy.local.sagemaker.catalog import Catalog, arn
from deploy.local.sagemaker.container_credentials import ContainerCredentials
from deploy.local.sagemaker.faults import Faults
from deploy.local.sagemaker.gateway import SERVICE, Gateway
from deploy.local.sagemaker.paging import page
from deploy.local.sagemaker.s3_folders import is_anything_at
from deploy.local.sagemaker.settings import SageMakerSettings
from deploy.local.sagemaker.training_job import TrainingJob
from deploy.local.sagemaker.training_request import check_training, input_uris, no_input
from deploy.local.sagemaker.training_run import TrainingRun
from deploy.local.sagemaker.warm_pools import WarmPools

log = logging.getLogger(__name__)

_EVENT = "SageMaker Training Job State Change"
_TIMES = (
    ("CreationTimeAfter", "CreationTime", 1),
    ("CreationTimeBefore", "CreationTime", -1),
    ("LastModifiedTimeAfter", "LastModifiedTime", 1),
    ("LastModifiedTimeBefore", "LastModifiedTime", -1),
)


class TrainingJobs:
    """By name."""

    def __init__(
        self,
        settings: SageMakerSettings,
        gateway: Gateway,
        catalog: Catalog,
        faults: Faults,
        credentials: ContainerCredentials,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._catalog = catalog
        self._faults = faults
        self._credentials = credentials
        self._pools = WarmPools(settings.time_scale)
        self._jobs: dict[str, TrainingJob] = {}
        self._runs: dict[str, TrainingRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(self, account: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`CreateTrainingJob`. Raises `AwsError`."""
        name, role_arn = given["TrainingJobName"], given["RoleArn"]
        job_arn = arn(self._settings.region, account, "training-job", name)
        check_training(given)
        self._check_name(name, job_arn)
        if self._faults.refuse_trainings:
            self._faults.refuse_trainings -= 1
            raise _no_quota(given["ResourceConfig"]["InstanceType"])
        await self._check_access(role_arn, given)
        self._check_name(name, job_arn)  # somebody may have been faster
        job = TrainingJob(name, job_arn, account, given)
        self._jobs[name] = job
        self._catalog.add_tags(job_arn, given.get("Tags", []))
        run = TrainingRun(
            job,
            settings=self._settings,
            gateway=self._gateway,
            credentials_uri=self._credentials.uri_for(role_arn),
            is_warm=self._pools.take(name, given),
            has_capacity=lambda: not self._faults.no_training_capacity,
            announce=self._announce,
            beside=self._begin,
        )
        self._runs[name] = run
        self._begin(self._carry_out(run))
        return {"TrainingJobArn": job_arn}

    def describe(self, name: str) -> dict[str, Any]:
        """`DescribeTrainingJob`. Raises `AwsError`."""
        return self._get(name).describe(self._pools.status(name))

    async def stop(self, name: str) -> None:
        """`StopTrainingJob`; for one that stops already, nothing. Raises `AwsError`."""
        job = self._get(name)
        if job.is_final:
            raise validation_exception(f"The request was rejected because the training job is in status {job.status}.")
        if job.status != "Stopping":
            await self._runs[name].stop()

    def list(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`ListTrainingJobs`: as AWS does it, a page is taken first, and then those of a status out of it."""
        shown = [job.summary(self._pools.status(job.name)) for job in self._jobs.values()]
        for name, member, sign in _TIMES:
            if name in given:
                shown = [each for each in shown if sign * (each[member].timestamp() - float(given[name])) > 0]
        wanted_pool = given.get("WarmPoolStatusEquals")
        if wanted_pool:
            shown = [each for each in shown if (each["WarmPoolStatus"] or {}).get("Status") == wanted_pool]
        rest = {name: value for name, value in given.items() if name != "StatusEquals"}
        answer = page("TrainingJobSummaries", shown, rest, "TrainingJobName", "TrainingJobStatus")
        status = given.get("StatusEquals")
        if status:
            found = [each for each in answer["TrainingJobSummaries"] if each["TrainingJobStatus"] == status]
            answer["TrainingJobSummaries"] = found
        return answer

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`UpdateTrainingJob`: how long an available warm pool is kept. Raises `AwsError`."""
        job = self._get(given["TrainingJobName"])
        if "ResourceConfig" not in given:
            raise validation_exception("This stand-in updates ResourceConfig.KeepAlivePeriodInSeconds alone.")
        if not self._pools.is_available(job.name):
            raise validation_exception(f"The training job {job.name} has no warm pool that is available.")
        self._pools.extend(job.name, given["ResourceConfig"]["KeepAlivePeriodInSeconds"])
        return {"TrainingJobArn": job.arn}

    def delete(self, name: str) -> None:
        """`DeleteTrainingJob`: its name is free then. Raises `AwsError`."""
        job = self._get(name)
        if not job.is_final:
            raise AwsError("ResourceInUse", f"The training job {job.arn} is in status {job.status}.")
        if self._pools.is_available(name):
            raise AwsError("ResourceInUse", f"The training job {job.arn} retains a warm pool.")
        del self._jobs[name]
        self._pools.drop(name)
        self._catalog.forget_tags(job.arn)

    def interrupt(self, name: str, *, notice: bool) -> None:
        """Take the spot instance of a job away. Raises `AwsError`."""
        run = self._runs.get(name)
        if run is None:
            raise validation_exception(f"No training job {name} runs.")
        run.interrupt(notice=notice)

    async def close(self) -> None:
        """End everything at once, without events: the stand-in stops."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry_out(self, run: TrainingRun) -> None:
        await run.run()
        name = run.job.name
        if run.healthy:
            self._pools.keep(name)
        else:
            self._pools.drop(name)

    def _get(self, name: str) -> TrainingJob:
        if name not in self._jobs:
            # Its documentation says ResourceNotFound, but this is what it does: https://github.com/aws/aws-sdk/issues/165
            raise validation_exception("Requested resource not found.")
        return self._jobs[name]

    def _check_name(self, name: str, job_arn: str) -> None:
        if name in self._jobs:
            raise AwsError(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, and a training job with this "
                f"name already exists ({job_arn})",
            )

    async def _check_access(self, role_arn: str, given: Mapping[str, Any]) -> None:
        try:
            await self._gateway.call(self._gateway.role_metadata, role_arn=role_arn)
        except AwsError as error:
            raise validation_exception(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{SERVICE}' to assume the role."
            ) from error
        for uri in input_uris(given):
            try:
                s3 = await asyncio.to_thread(self._gateway.client, "s3", role_arn)
                is_there = await asyncio.to_thread(is_anything_at, s3, uri)
            except (BotoCoreError, ClientError):
                is_there = False
            if not is_there:
                raise no_input(uri, self._settings.region, role_arn)

    async def _announce(self, job: TrainingJob) -> None:
        detail, delay = job.event_detail(), self._faults.delay_training_events_seconds
        for _ in range(self._faults.event_copies()):
            if delay:
                self._begin(self._send(job, detail, random.uniform(0, delay)))
            else:
                await self._send(job, detail, 0.0)

    async def _send(self, job: TrainingJob, detail: Mapping[str, Any], delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            await self._gateway.event(job.account, _EVENT, detail, job.arn)
        except (AwsError, httpx.HTTPError):
            log.exception("the event of %s becoming %s was lost", job.name, detail["SecondaryStatus"])

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            if not finished.cancelled() and finished.exception() is not None:
                log.error("a task of the training jobs failed", exc_info=finished.exception())

        task.add_done_callback(done)


def _no_quota(instance_type: str) -> AwsError:
    return AwsError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{instance_type} for training job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase "
        "for this quota.",
    )
