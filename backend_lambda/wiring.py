"""Joins the use cases with AWS. The only place that reads the environment.

Every function of the backend has the same variables (see `Settings`), but for the one that delivers webhooks
(`DeliverySettings`). The API's function has those of `WebhookSettings`, `LoraSettings` and `TrainingSettings` too, the
sweeper and the one that follows trainings those of the latter two. What each is allowed to do:

===================  ==============================================================================================
function             IAM actions, and their resources
===================  ==============================================================================================
all                  events:PutEvents (the bus); s3:ListBucket (the pictures bucket: a missing object is then "not
                     found" instead of "access denied")
api                  dynamodb:GetItem, PutItem, UpdateItem (jobs table), Query (its index `by_tenant`);
                     dynamodb:UpdateItem, BatchGetItem (usage table);
                     dynamodb:GetItem, Scan (endpoints table); dynamodb:GetItem, Query, PutItem, UpdateItem, DeleteItem
                     (grants table), Query, PutItem (audit table); s3:GetObject, PutObject, DeleteObject (tenants/*);
                     sagemaker:InvokeEndpointAsync, DescribeEndpoint (the stack's endpoints); dynamodb:GetItem, Query,
                     PutItem, UpdateItem, DeleteItem (webhooks table); kms:GenerateDataKey (tokens key): it seals
                     secrets and can't open them; dynamodb:GetItem, Query, PutItem, DeleteItem (LoRAs table);
                     s3:GetObject, PutObject, DeleteObject (uploads/*); dynamodb:GetItem, PutItem, UpdateItem
                     (trainings table), Query (its index `by_tenant`); sagemaker:CreateTrainingJob, AddTags,
                     DescribeTrainingJob, StopTrainingJob (the stack's training jobs); iam:PassRole (the training role)
events.completions   dynamodb:GetItem, UpdateItem (jobs table), UpdateItem (usage and endpoints tables); s3:GetObject
                     (tenants/*/jobs/*, async/*), PutObject and DeleteObject (tenants/*/jobs/*); with picture
                     moderation rekognition:DetectModerationLabels, which reads the pictures with these rights
events.progress      dynamodb:GetItem, UpdateItem (jobs table); s3:GetObject (tenants/*/jobs/*)
events.installations dynamodb:GetItem, Query, PutItem, UpdateItem (grants table), PutItem (audit table)
events.sweep         as events.completions, and dynamodb:Query (the jobs table's index `unsettled`);
                     sagemaker:InvokeEndpointAsync; of trainings and LoRAs as events.trainings, and dynamodb:Query
                     (the trainings table's index `unsettled`), sagemaker:CreateTrainingJob, AddTags, iam:PassRole
events.trainings     dynamodb:GetItem, PutItem, UpdateItem (trainings table); dynamodb:GetItem, Query, PutItem (LoRAs
                     table); s3:GetObject, DeleteObject (tenants/*/trainings/*), DeleteObject (uploads/*), GetObject,
                     PutObject, DeleteObject (tenants/*/loras/*); sagemaker:DescribeTrainingJob, StopTrainingJob
events.webhooks      of all the above nothing; dynamodb:Query, GetItem, UpdateItem (webhooks table); kms:Decrypt (tokens
                     key); sqs:SendMessage, ChangeMessageVisibility (its own queue)
===================  ==============================================================================================
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import SystemRandom
from typing import Any

from aws_lambda_powertools.logging import Logger

from backend_lambda.access_ports import AccessPorts
from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.aws.dynamodb_endpoints import DynamoEndpointCatalog, DynamoPaceBook
from backend_lambda.aws.dynamodb_jobs import DynamoJobStore
from backend_lambda.aws.dynamodb_loras import DynamoLoraStore
from backend_lambda.aws.dynamodb_trainings import DynamoTrainingStore
from backend_lambda.aws.dynamodb_webhooks import DynamoWebhookStore
from backend_lambda.aws.eventbridge_bus import EventBridgeBus
from backend_lambda.aws.kms_vault import KmsVault
from backend_lambda.aws.rekognition_moderation import RekognitionModeration
from backend_lambda.aws.s3_loras import S3LoraFiles
from backend_lambda.aws.s3_pictures import S3PictureStore
from backend_lambda.aws.s3_training_files import S3TrainingFiles
from backend_lambda.aws.sagemaker_monitor import SageMakerMonitor
from backend_lambda.aws.sagemaker_starter import SageMakerStarter
from backend_lambda.aws.sagemaker_trainings import SageMakerTrainingJobs
from backend_lambda.aws.sqs_deliveries import SqsDeliveryQueue
from backend_lambda.callers import MappedRoles
from backend_lambda.contract.limits import MAX_SEED
from backend_lambda.lora_ports import LoraRegistry
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.outbound.system_resolver import SystemResolver
from backend_lambda.outbound.webhook_sender import WebhookSender
from backend_lambda.ports import (
    AccessReader,
    EndpointMonitor,
    LoraPorts,
    Moderation,
    StartingPorts,
    SubmittingPorts,
    Timing,
)
from backend_lambda.recent_access import RecentAccess
from backend_lambda.role_register import RoleRegister
from backend_lambda.training_ports import TrainingPorts, TrainingTiming
from backend_lambda.usecases.register_lora import Registry
from backend_lambda.webhooks.ports import DeliveryPorts, RegistryPorts

LINK_LIFETIME = timedelta(minutes=15)
PICTURE_MODERATIONS = ("none", "rekognition")


class SettingsError(Exception):
    """The environment is not complete; says everything that is wrong with it."""


@dataclass(frozen=True)
class Settings:
    """The backend's environment.

    `EASEL_MAPPED_ROLES`: roles (names, or ARNs of other accounts) whose sessions the bot names `<workspace>.<member>`,
    separated by commas; may be empty. `JOBS_TABLE`, `ENDPOINTS_TABLE`, `GRANTS_TABLE`, `AUDIT_TABLE`, `USAGE_TABLE`:
    DynamoDB tables.
    `PICTURES_BUCKET`: S3 bucket. `AWS_REGION`: set by Lambda itself.
    `EVENT_BUS`: name or ARN of an EventBridge bus. `REQUEST_TTL_SECONDS` (60 to 21600): a job may wait that long in
    SageMaker's queue. `INVOCATION_TIMEOUT_SECONDS` (1 to 3600): the model may take that long over a job.
    `PICTURE_MODERATION`: `none` or `rekognition`, which refuses pictures with one of the `MODERATION_LABELS` (separated
    by commas; any label where it is empty) of which it is sure by `MODERATION_CONFIDENCE` (0 to 100) per cent.
    """

    mapped_roles: tuple[str, ...]
    jobs_table: str
    endpoints_table: str
    grants_table: str
    audit_table: str
    usage_table: str
    pictures_bucket: str
    event_bus: str
    request_ttl_seconds: int
    invocation_timeout_seconds: int
    picture_moderation: str
    moderation_confidence: int
    moderation_labels: tuple[str, ...]
    region: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises `SettingsError`."""
        wrong: list[str] = []

        def text(name: str) -> str:
            value = environment.get(name, "").strip()
            if not value:
                wrong.append(f"{name} is missing")
            return value

        def number(name: str, least: int, most: int) -> int:
            value = text(name)
            if value.isascii() and value.isdigit() and least <= int(value) <= most:
                return int(value)
            if value:
                wrong.append(f"{name} is not a whole number from {least} to {most}")
            return least

        def listed(name: str) -> tuple[str, ...]:
            if name not in environment:
                wrong.append(f"{name} is missing")
            return tuple(entry for part in environment.get(name, "").split(",") if (entry := part.strip()))

        def choice(name: str, *choices: str) -> str:
            value = text(name)
            if value and value not in choices:
                wrong.append(f"{name} is none of {', '.join(choices)}")
            return value

        roles = listed("EASEL_MAPPED_ROLES")
        try:
            MappedRoles.read(roles, own_account="")
        except ValueError as error:
            wrong.append(f"EASEL_MAPPED_ROLES: {error}")
        settings = cls(
            mapped_roles=roles,
            jobs_table=text("JOBS_TABLE"),
            endpoints_table=text("ENDPOINTS_TABLE"),
            grants_table=text("GRANTS_TABLE"),
            audit_table=text("AUDIT_TABLE"),
            usage_table=text("USAGE_TABLE"),
            pictures_bucket=text("PICTURES_BUCKET"),
            event_bus=text("EVENT_BUS"),
            request_ttl_seconds=number("REQUEST_TTL_SECONDS", 60, 21_600),
            invocation_timeout_seconds=number("INVOCATION_TIMEOUT_SECONDS", 1, 3_600),
            picture_moderation=choice("PICTURE_MODERATION", *PICTURE_MODERATIONS),
            moderation_confidence=number("MODERATION_CONFIDENCE", 0, 100),
            moderation_labels=listed("MODERATION_LABELS"),
            region=text("AWS_REGION"),
        )
        if wrong:
            raise SettingsError("; ".join(wrong))
        return settings

    @property
    def timing(self) -> Timing:
        """How long things may take."""
        return Timing(
            queue=timedelta(seconds=self.request_ttl_seconds),
            invocation=timedelta(seconds=self.invocation_timeout_seconds),
        )


@dataclass(frozen=True)
class WebhookSettings:
    """What webhooks add to the environment.

    `WEBHOOKS_TABLE`: DynamoDB table. `TOKENS_KEY_ARN`: the KMS key that seals their secrets. `WEBHOOKS_TO_LOOPBACK`:
    `admitted` lets webhooks lead to this very machine, without encryption, for development on one machine; anything
    else refuses it.
    """

    webhooks_table: str
    tokens_key_arn: str
    to_loopback: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> WebhookSettings:
        """Raises `SettingsError`."""
        table, key, to_loopback = _required(environment, "WEBHOOKS_TABLE", "TOKENS_KEY_ARN", "WEBHOOKS_TO_LOOPBACK")
        return cls(table, key, to_loopback == "admitted")


@dataclass(frozen=True)
class DeliverySettings:
    """The environment of the function that delivers. `WEBHOOKS_QUEUE_URL`: the SQS queue that it works off."""

    webhooks: WebhookSettings
    queue_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> DeliverySettings:
        """Raises `SettingsError`."""
        webhooks, (queue_url,) = _all_of(
            lambda: WebhookSettings.read(environment), lambda: _required(environment, "WEBHOOKS_QUEUE_URL")
        )
        return cls(webhooks, queue_url)


@dataclass(frozen=True)
class LoraSettings:
    """What LoRAs add to the environment. `LORAS_TABLE`: DynamoDB table."""

    loras_table: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> LoraSettings:
        """Raises `SettingsError`."""
        return cls(*_required(environment, "LORAS_TABLE"))


@dataclass(frozen=True)
class TrainingSettings:
    """What trainings add to the environment. `TRAININGS_TABLE`: DynamoDB table. `MODELS_BUCKET`: S3 bucket with the
    base models. `TRAINING_ROLE_ARN`: the role that SageMaker trains under. `STACK_NAME`: SageMaker's jobs are called
    `<stack>-<training id>`.
    """

    trainings_table: str
    models_bucket: str
    training_role_arn: str
    stack_name: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> TrainingSettings:
        """Raises `SettingsError`."""
        return cls(*_required(environment, "TRAININGS_TABLE", "MODELS_BUCKET", "TRAINING_ROLE_ARN", "STACK_NAME"))


@dataclass(frozen=True)
class FollowingSettings:
    """The environment of the functions that bring trainings to their end."""

    backend: Settings
    loras: LoraSettings
    trainings: TrainingSettings

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> FollowingSettings:
        """Raises `SettingsError`."""
        return cls(
            *_all_of(
                lambda: Settings.read(environment),
                lambda: LoraSettings.read(environment),
                lambda: TrainingSettings.read(environment),
            )
        )


@dataclass(frozen=True)
class ApiSettings:
    """The environment of the API's function."""

    backend: Settings
    webhooks: WebhookSettings
    loras: LoraSettings
    trainings: TrainingSettings

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> ApiSettings:
        """Raises `SettingsError`."""
        return cls(
            *_all_of(
                lambda: Settings.read(environment),
                lambda: WebhookSettings.read(environment),
                lambda: LoraSettings.read(environment),
                lambda: TrainingSettings.read(environment),
            )
        )


def _required(environment: Mapping[str, str], *names: str) -> list[str]:
    """The values of these variables. Raises `SettingsError`, naming all that are missing."""
    values = [environment.get(name, "").strip() for name in names]
    if not all(values):
        raise SettingsError(
            "; ".join(f"{name} is missing" for name, value in zip(names, values, strict=True) if not value)
        )
    return values


def _all_of(*readers: Callable[[], Any]) -> list[Any]:
    """What each of them reads. Raises one `SettingsError` with all that is wrong."""
    read, wrong = [], []
    for reader in readers:
        try:
            read.append(reader())
        except SettingsError as error:
            wrong.append(str(error))
    if wrong:
        raise SettingsError("; ".join(wrong))
    return read


class SystemClock:
    """`Clock` of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """From the environment, once."""
    return Settings.read(os.environ)


@lru_cache(maxsize=1)
def api_settings() -> ApiSettings:
    """From the environment, once."""
    return ApiSettings.read(os.environ)


@lru_cache(maxsize=1)
def logger() -> Logger:
    """JSON lines; takes in everything that is logged below `backend_lambda`, whoever logs it."""
    return Logger(service="backend_lambda", utc=True)


@lru_cache(maxsize=1)
def clients() -> Clients:
    """One pool for everything."""
    return Clients()


@lru_cache(maxsize=1)
def ports() -> StartingPorts:
    """Everything that it takes to look after jobs. Clients are made when they are first used, so what a function does
    not use costs it nothing.
    """
    given, client = settings(), clients()
    access = access_ports().store
    return StartingPorts(
        jobs=DynamoJobStore(client.of("dynamodb"), given.jobs_table, given.usage_table),
        pictures=S3PictureStore(client.of("s3"), given.pictures_bucket, LINK_LIFETIME),
        bus=EventBridgeBus(client.of("events"), given.event_bus),
        clock=SystemClock(),
        timing=given.timing,
        moderation=moderation(access, recent_access()),
        paces=DynamoPaceBook(client.of("dynamodb"), given.endpoints_table),
        starter=SageMakerStarter(client.of("sagemaker-runtime"), given.pictures_bucket, given.timing),
    )


@lru_cache(maxsize=1)
def submitting_ports() -> SubmittingPorts:
    """And to take new ones."""
    loras = lora_ports()
    return SubmittingPorts(
        **vars(ports()),
        catalog=loras.catalog,
        access=access_ports().store,
        recent_access=recent_access(),
        pick_seed=lambda: SystemRandom().randint(0, MAX_SEED),
        loras=loras.store,
    )


@lru_cache(maxsize=1)
def lora_ports() -> LoraPorts:
    """Everything that the registry of LoRAs needs."""
    given, client = settings(), clients()
    return LoraPorts(
        store=DynamoLoraStore(client.of("dynamodb"), LoraSettings.read(os.environ).loras_table),
        files=S3LoraFiles(client.of("s3"), given.pictures_bucket, LINK_LIFETIME),
        catalog=DynamoEndpointCatalog(client.of("dynamodb"), given.endpoints_table),
        access=access_ports().store,
        clock=SystemClock(),
        moderation=moderation(access_ports().store, recent_access()),
    )


def lora_registry() -> LoraRegistry:
    """Where trainings list what they have made. Its function needs `LORAS_TABLE`; dynamodb:GetItem, Query, PutItem on
    that table; s3:GetObject and DeleteObject on its own files, PutObject and DeleteObject on `tenants/*/loras/*`.
    """
    loras = lora_ports()
    return Registry(loras.store, loras.files)


@lru_cache(maxsize=1)
def training_ports() -> TrainingPorts:
    """Everything that trainings need."""
    given, own, client = settings(), TrainingSettings.read(os.environ), clients()
    job_ports = ports()
    return TrainingPorts(
        trainings=DynamoTrainingStore(client.of("dynamodb"), own.trainings_table, given.audit_table),
        files=S3TrainingFiles(client.of("s3"), given.pictures_bucket, LINK_LIFETIME),
        jobs=SageMakerTrainingJobs(
            client.of("sagemaker"),
            stack=own.stack_name,
            role_arn=own.training_role_arn,
            pictures_bucket=given.pictures_bucket,
            models_bucket=own.models_bucket,
        ),
        bus=job_ports.bus,
        clock=job_ports.clock,
        catalog=lora_ports().catalog,
        moderation=job_ports.moderation,
        access=access_ports().store,
        loras=lora_registry(),
        timing=TrainingTiming(),
        pick_seed=lambda: SystemRandom().randint(0, MAX_SEED),
        wait=time.sleep,
    )


@lru_cache(maxsize=1)
def recent_access() -> AccessReader:
    """What access was a moment ago."""
    return RecentAccess(access_ports().store)


def moderation(access: AccessReader, recent_access: AccessReader) -> Moderation:
    """The one that the settings ask for."""
    given = settings()
    words = WordListModeration(access, recent_access)
    if given.picture_moderation == "none":
        return words
    return RekognitionModeration(
        clients().of("rekognition"),
        words,
        min_confidence=given.moderation_confidence,
        labels=given.moderation_labels,
    )


@lru_cache(maxsize=1)
def access_ports() -> AccessPorts:
    """What the use cases of grants need."""
    given = settings()
    store = DynamoAccessStore(clients().of("dynamodb"), given.grants_table, given.audit_table)
    return AccessPorts(store, SystemClock(), time.sleep)


@lru_cache(maxsize=1)
def role_register() -> RoleRegister:
    """Which roles of the customers' own speak for which tenant."""
    ports = access_ports()
    return RoleRegister(ports.store, ports.clock)


@lru_cache(maxsize=1)
def monitor() -> EndpointMonitor:
    """SageMaker's view of its endpoints."""
    return SageMakerMonitor(clients().of("sagemaker"))


@lru_cache(maxsize=1)
def registry_ports() -> RegistryPorts:
    """Everything the API needs for webhooks."""
    given, client = api_settings().webhooks, clients()
    _warn_of_loopback(given)
    return RegistryPorts(
        store=DynamoWebhookStore(client.of("dynamodb"), given.webhooks_table),
        vault=KmsVault(client.of("kms"), given.tokens_key_arn),
        resolver=SystemResolver(),
        clock=SystemClock(),
        to_loopback=given.to_loopback,
    )


@lru_cache(maxsize=1)
def delivery_ports() -> DeliveryPorts:
    """Everything that deliveries need."""
    given, client = DeliverySettings.read(os.environ), clients()
    _warn_of_loopback(given.webhooks)
    return DeliveryPorts(
        store=DynamoWebhookStore(client.of("dynamodb"), given.webhooks.webhooks_table),
        vault=KmsVault(client.of("kms"), given.webhooks.tokens_key_arn),
        sender=WebhookSender(SystemResolver(), to_loopback=given.webhooks.to_loopback),
        queue=SqsDeliveryQueue(client.of("sqs"), given.queue_url),
        clock=SystemClock(),
        jitter=SystemRandom().random,
    )


def _warn_of_loopback(given: WebhookSettings) -> None:
    if given.to_loopback:
        logger().warning(
            "WEBHOOKS_TO_LOOPBACK IS ADMITTED: webhooks may call this machine itself, without encryption. "
            "For development only; never deploy this."
        )
