"""Joins the use cases with AWS. The only place that reads the environment.

Every function of the backend has the same variables (see `Settings`). What each is allowed to do:

===================  ==============================================================================================
function             IAM actions, and their resources
===================  ==============================================================================================
all                  events:PutEvents (the bus); s3:ListBucket (the pictures bucket: a missing object is then "not
                     found" instead of "access denied")
api                  dynamodb:GetItem, PutItem, UpdateItem (jobs table), Query (its index `by_tenant`);
                     dynamodb:UpdateItem, BatchGetItem (usage table);
                     dynamodb:GetItem, Scan (endpoints table); dynamodb:GetItem, Query, PutItem, UpdateItem, DeleteItem
                     (grants table), Query, PutItem (audit table); s3:GetObject, PutObject, DeleteObject (tenants/*);
                     sagemaker:InvokeEndpointAsync, DescribeEndpoint (the stack's endpoints)
events.completions   dynamodb:GetItem, UpdateItem (jobs table), UpdateItem (usage and endpoints tables); s3:GetObject
                     (tenants/*, async/*), PutObject and DeleteObject (tenants/*); with picture moderation
                     rekognition:DetectModerationLabels, which reads the pictures with these rights
events.progress      dynamodb:GetItem, UpdateItem (jobs table); s3:GetObject (tenants/*)
events.installations dynamodb:GetItem, Query, PutItem, UpdateItem (grants table), PutItem (audit table)
events.sweep         as events.completions, and dynamodb:Query (the jobs table's index `unsettled`);
                     sagemaker:InvokeEndpointAsync
===================  ==============================================================================================
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import SystemRandom

from aws_lambda_powertools.logging import Logger

from backend_lambda.access_ports import AccessPorts
from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.aws.dynamodb_endpoints import DynamoEndpointCatalog, DynamoPaceBook
from backend_lambda.aws.dynamodb_jobs import DynamoJobStore
from backend_lambda.aws.eventbridge_bus import EventBridgeBus
from backend_lambda.aws.rekognition_moderation import RekognitionModeration
from backend_lambda.aws.s3_pictures import S3PictureStore
from backend_lambda.aws.sagemaker_monitor import SageMakerMonitor
from backend_lambda.aws.sagemaker_starter import SageMakerStarter
from backend_lambda.callers import MappedRoles
from backend_lambda.contract.limits import MAX_SEED
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.ports import AccessReader, EndpointMonitor, Moderation, SubmittingPorts, Timing
from backend_lambda.recent_access import RecentAccess
from backend_lambda.role_register import RoleRegister

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


class SystemClock:
    """`Clock` of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """From the environment, once."""
    return Settings.read(os.environ)


@lru_cache(maxsize=1)
def logger() -> Logger:
    """JSON lines; takes in everything that is logged below `backend_lambda`, whoever logs it."""
    return Logger(service="backend_lambda", utc=True)


@lru_cache(maxsize=1)
def clients() -> Clients:
    """One pool for everything."""
    return Clients()


@lru_cache(maxsize=1)
def ports() -> SubmittingPorts:
    """Everything the use cases need. Clients are made when they are first used, so what a function does not use costs
    it nothing.
    """
    given, client = settings(), clients()
    access = access_ports().store
    recent_access = RecentAccess(access)
    return SubmittingPorts(
        jobs=DynamoJobStore(client.of("dynamodb"), given.jobs_table, given.usage_table),
        pictures=S3PictureStore(client.of("s3"), given.pictures_bucket, LINK_LIFETIME),
        bus=EventBridgeBus(client.of("events"), given.event_bus),
        clock=SystemClock(),
        timing=given.timing,
        moderation=moderation(access, recent_access),
        paces=DynamoPaceBook(client.of("dynamodb"), given.endpoints_table),
        starter=SageMakerStarter(client.of("sagemaker-runtime"), given.pictures_bucket, given.timing),
        catalog=DynamoEndpointCatalog(client.of("dynamodb"), given.endpoints_table),
        access=access,
        recent_access=recent_access,
        pick_seed=lambda: SystemRandom().randint(0, MAX_SEED),
    )


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
