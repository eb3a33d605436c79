"""Settings from the environment, and the real adapters for each function.

Environment (all required, but for those with a default):

| variable | slack | worker | results | is |
|---|---|---|---|---|
| SLACK_SECRET_ARN | x | x | x | Secrets Manager secret with the JSON `{"signing_secret", "bot_token"}` |
| SLACK_API_URL | x | x | x | base URL of Slack's Web API; default `https://slack.com/api/` |
| BOT_TABLE | x | x | x | DynamoDB table: key `pk` (S), TTL attribute `expires_at` |
| INVOCATIONS_QUEUE_URL | x | | | SQS queue that the worker reads |
| DEFAULT_ENDPOINT | x | x | | the endpoint that paints when none is named |
| GRANTS_TABLE | | x | | DynamoDB table: keys `tenant`, `entry` (S), attribute `document` |
| API_URL | | x | | the backend's REST API with its stage, without a slash at the end |
| API_ARN | | x | | the same as IAM names it: `arn:aws:execute-api:<region>:<account>:<api>/<stage>` |
| AWS_ENDPOINT_URL_EXECUTE_API | | x | | optional: where an emulator serves REST APIs, by id and stage |
| PICTURES_BUCKET | | x | x | S3 bucket of the finished pictures |
| MAX_RECEIVES | | x | x | the queue's maxReceiveCount; default 5 |
| AWS_REGION | x | x | x | set by Lambda |

IAM, beside logs and traces:
slack: secretsmanager:GetSecretValue on the secret, sqs:SendMessage on the queue, dynamodb:GetItem on the bot table.
worker: secretsmanager:GetSecretValue, dynamodb:GetItem and PutItem on the bot table, dynamodb:Query on the grants
table, sts:AssumeRole, TagSession and SetSourceIdentity on the mapped roles, iam:SimulatePrincipalPolicy on them and
SimulateCustomPolicy, s3:GetObject on the pictures, and on its queue what the event source needs plus
sqs:ChangeMessageVisibility.
results: as the worker, without the grants table, STS and IAM.

Imports stand inside the functions: the acknowledging function pays for none of the others' adapters.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bot.api_gateway import SlackGateway
    from bot.handlers.sqs_batch import Retries
    from bot.ports.records import RecordStore
    from bot.results.deps import ResultsDeps
    from bot.worker.deps import WorkerDeps

DEFAULT_API_URL = "https://slack.com/api/"
DEFAULT_MAX_RECEIVES = 5


class SettingsMissing(Exception):
    """The environment lacks something; the text names all of it."""


class SlackSettings(NamedTuple):
    """Of the acknowledging function."""

    slack_secret_arn: str
    slack_api_url: str
    bot_table: str
    invocations_queue_url: str
    default_endpoint: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> SlackSettings:
        """Read it; raises `SettingsMissing`."""
        found = _required(environment, "SLACK_SECRET_ARN", "BOT_TABLE", "INVOCATIONS_QUEUE_URL", "DEFAULT_ENDPOINT")
        return cls(
            slack_secret_arn=found["SLACK_SECRET_ARN"],
            slack_api_url=environment.get("SLACK_API_URL") or DEFAULT_API_URL,
            bot_table=found["BOT_TABLE"],
            invocations_queue_url=found["INVOCATIONS_QUEUE_URL"],
            default_endpoint=found["DEFAULT_ENDPOINT"],
        )


class WorkerSettings(NamedTuple):
    """Of the worker."""

    slack_secret_arn: str
    slack_api_url: str
    bot_table: str
    grants_table: str
    api_url: str
    api_arn: str
    default_endpoint: str
    pictures_bucket: str
    max_receives: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> WorkerSettings:
        """Read it; raises `SettingsMissing`."""
        found = _required(
            environment,
            "SLACK_SECRET_ARN",
            "BOT_TABLE",
            "GRANTS_TABLE",
            "API_URL",
            "API_ARN",
            "DEFAULT_ENDPOINT",
            "PICTURES_BUCKET",
        )
        return cls(
            slack_secret_arn=found["SLACK_SECRET_ARN"],
            slack_api_url=environment.get("SLACK_API_URL") or DEFAULT_API_URL,
            bot_table=found["BOT_TABLE"],
            grants_table=found["GRANTS_TABLE"],
            api_url=found["API_URL"],
            api_arn=found["API_ARN"],
            default_endpoint=found["DEFAULT_ENDPOINT"],
            pictures_bucket=found["PICTURES_BUCKET"],
            max_receives=int(environment.get("MAX_RECEIVES") or DEFAULT_MAX_RECEIVES),
        )


class ResultsSettings(NamedTuple):
    """Of the results function."""

    slack_secret_arn: str
    slack_api_url: str
    bot_table: str
    pictures_bucket: str
    max_receives: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ResultsSettings:
        """Read it; raises `SettingsMissing`."""
        found = _required(environment, "SLACK_SECRET_ARN", "BOT_TABLE", "PICTURES_BUCKET")
        return cls(
            slack_secret_arn=found["SLACK_SECRET_ARN"],
            slack_api_url=environment.get("SLACK_API_URL") or DEFAULT_API_URL,
            bot_table=found["BOT_TABLE"],
            pictures_bucket=found["PICTURES_BUCKET"],
            max_receives=int(environment.get("MAX_RECEIVES") or DEFAULT_MAX_RECEIVES),
        )


class WorkerFunction(NamedTuple):
    """The worker, ready to run."""

    settings: WorkerSettings
    deps: WorkerDeps
    retries: Retries


class ResultsFunction(NamedTuple):
    """The results function, ready to run."""

    settings: ResultsSettings
    deps: ResultsDeps
    retries: Retries


def wire_slack(environment: Mapping[str, str] = os.environ) -> SlackGateway:
    """The acknowledging function; reads the secret."""
    from bot.api_gateway import SlackGateway
    from bot.aws.late_record_store import LateRecordStore
    from bot.aws.slack_secret import read_slack_secret
    from bot.aws.sqs_invocation_queue import SqsInvocationQueue
    from bot.listeners.deps import ListenerDeps
    from bot.slack_app import build_app
    from bot.system_clock import SystemClock

    settings = SlackSettings.from_environment(environment)
    secret = read_slack_secret(settings.slack_secret_arn)

    def make_store() -> RecordStore:
        from bot.aws.clients import AwsClients
        from bot.aws.dynamo_record_store import DynamoRecordStore

        return DynamoRecordStore(AwsClients(), settings.bot_table, read_timeout_seconds=1.0)

    deps = ListenerDeps(
        queue=SqsInvocationQueue(settings.invocations_queue_url),
        store=LateRecordStore(make_store),
        clock=SystemClock(),
        default_endpoint=settings.default_endpoint,
    )
    app = build_app(deps, secret.signing_secret, secret.bot_token, settings.slack_api_url)
    return SlackGateway(app, secret.signing_secret)


def wire_worker(environment: Mapping[str, str] = os.environ) -> WorkerFunction:
    """The worker; reads the secret."""
    from bot.aws.clients import AwsClients
    from bot.aws.dynamo_grants import DynamoGrants
    from bot.aws.dynamo_record_store import DynamoRecordStore
    from bot.aws.iam_simulator import IamSimulator
    from bot.aws.s3_pictures import S3Pictures
    from bot.aws.signed_access_api import SignedAccessApi
    from bot.aws.signed_backend_api import SignedBackendApi
    from bot.aws.slack_secret import read_slack_secret
    from bot.aws.sqs_retries import SqsRetries
    from bot.aws.sts_sessions import StsSessions
    from bot.slack_workspace import SlackWorkspace
    from bot.system_clock import SystemClock
    from bot.worker.authorize import Authority
    from bot.worker.deps import WorkerDeps
    from bot.worker.usergroups import UserGroups

    settings = WorkerSettings.from_environment(environment)
    clients, clock = AwsClients(), SystemClock()
    secret = read_slack_secret(settings.slack_secret_arn)
    api_url = api_address(settings.api_url, environment)
    grants = DynamoGrants(clients, settings.grants_table)
    deps = WorkerDeps(
        store=DynamoRecordStore(clients, settings.bot_table),
        slack=SlackWorkspace(secret.bot_token, settings.slack_api_url),
        authority=Authority(grants, UserGroups(clock), clock, settings.api_arn),
        sessions=StsSessions(clients, clock),
        api=SignedBackendApi(api_url, clients.region, clock),
        access=SignedAccessApi(api_url, clients.region, clock),
        simulator=IamSimulator(clients),
        pictures=S3Pictures(clients, settings.pictures_bucket),
        clock=clock,
        default_endpoint=settings.default_endpoint,
    )
    return WorkerFunction(settings, deps, SqsRetries(clients))


def wire_results(environment: Mapping[str, str] = os.environ) -> ResultsFunction:
    """The results function; reads the secret."""
    from bot.aws.clients import AwsClients
    from bot.aws.dynamo_record_store import DynamoRecordStore
    from bot.aws.s3_pictures import S3Pictures
    from bot.aws.slack_secret import read_slack_secret
    from bot.aws.sqs_retries import SqsRetries
    from bot.results.deps import ResultsDeps
    from bot.slack_workspace import SlackWorkspace
    from bot.system_clock import SystemClock

    settings = ResultsSettings.from_environment(environment)
    clients = AwsClients()
    secret = read_slack_secret(settings.slack_secret_arn)
    deps = ResultsDeps(
        store=DynamoRecordStore(clients, settings.bot_table),
        slack=SlackWorkspace(secret.bot_token, settings.slack_api_url),
        pictures=S3Pictures(clients, settings.pictures_bucket),
        clock=SystemClock(),
    )
    return ResultsFunction(settings, deps, SqsRetries(clients))


def api_address(api_url: str, environment: Mapping[str, str]) -> str:
    """Where the REST API is reached: its own URL, or an emulator's.

    Emulators address APIs by path: `AWS_ENDPOINT_URL_EXECUTE_API` + `/<api id>/<stage>`.
    """
    emulator = environment.get("AWS_ENDPOINT_URL_EXECUTE_API")
    if not emulator:
        return api_url
    host, _, stage = api_url.removeprefix("https://").partition("/")
    return f"{emulator.rstrip('/')}/{host.partition('.')[0]}/{stage}"


def _required(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise SettingsMissing(f"the environment lacks {', '.join(missing)}")
    return {name: environment[name] for name in names}
