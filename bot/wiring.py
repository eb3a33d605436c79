"""Settings from the environment, and the real adapters for each function.

Environment (all required, but for those with a default):

| variable | slack | worker | results | install | is |
|---|---|---|---|---|---|
| SLACK_SECRET_ARN | x | x | x | x | Secrets Manager secret with the JSON of `bot.aws.slack_secret.SlackSecret` |
| SLACK_API_URL | x | x | x | x | base URL of Slack's Web API; default `https://slack.com/api/` |
| INSTALLATIONS_TABLE | x | x | x | x | DynamoDB table: key `pk` (S), TTL attribute `expires_at` |
| TOKENS_KEY_ARN | x | x | x | x | KMS key of Slack's tokens |
| BOT_TABLE | x | x | x | | DynamoDB table: key `pk` (S), TTL attribute `expires_at` |
| INVOCATIONS_QUEUE_URL | x | | | | SQS queue that the worker reads |
| DEFAULT_ENDPOINT | x | x | | | the endpoint that paints when none is named |
| GRANTS_TABLE | | x | | | DynamoDB table: keys `tenant`, `entry` (S), attribute `document` |
| API_URL | | x | | | the backend's REST API with its stage, without a slash at the end |
| API_ARN | | x | | | the same as IAM names it: `arn:aws:execute-api:<region>:<account>:<api>/<stage>` |
| AWS_ENDPOINT_URL_EXECUTE_API | | x | | x | optional: where an emulator serves REST APIs, by id and stage |
| PICTURES_BUCKET | | x | x | | S3 bucket of the finished pictures |
| MAX_RECEIVES | | x | x | | the queue's maxReceiveCount; default 5 |
| EVENT_BUS | | | | x | EventBridge bus that the backend listens on |
| ADMITTED_WORKSPACES | | x | | x | ids of workspaces and organisations that are served, by commas; `*`: any |
| AWS_REGION | x | x | x | x | set by Lambda |

IAM, beside logs and traces:
all: secretsmanager:GetSecretValue; kms:Decrypt and GenerateDataKey on the tokens key; on the installations table
dynamodb:BatchGetItem and UpdateItem: whoever needs a token that nears its end renews it.
slack: sqs:SendMessage on the queue, dynamodb:GetItem on the bot table.
worker: dynamodb:GetItem and PutItem on the bot table, dynamodb:Query on the grants table, dynamodb:DeleteItem on the
installations table, sts:AssumeRole, TagSession and SetSourceIdentity on the mapped roles, iam:SimulatePrincipalPolicy
on them and SimulateCustomPolicy, s3:GetObject on the pictures, and on its queue what the event source needs plus
sqs:ChangeMessageVisibility.
results: as the worker, without the grants table, STS and IAM.
install: dynamodb:PutItem and DeleteItem on the installations table, events:PutEvents on the bus.

Imports stand inside the functions: the acknowledging function pays for none of the others' adapters.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bot.api_gateway import SlackGateway
    from bot.aws.dynamo_installations import DynamoInstallations
    from bot.aws.slack_secret import SlackSecret
    from bot.bot_tokens import BotTokens
    from bot.handlers.sqs_batch import Retries
    from bot.install.gateway import InstallGateway
    from bot.invocation import Invocation
    from bot.ports.clock import Clock
    from bot.ports.records import RecordStore
    from bot.results.deps import ResultsPorts
    from bot.slack_oauth import WebSlackOAuth
    from bot.worker.deps import WorkerDeps
    from bot.worker.installations import InstallationDeps

DEFAULT_API_URL = "https://slack.com/api/"
DEFAULT_MAX_RECEIVES = 5

# Slack waits three seconds, so this function renews only what has ended. When the answer is lost the person has to ask
# again in any case, and the refresh token may be used up: then repeating is worth more than an answer in time.
HASTY_SECONDS, HASTY_TRIES = 1, 3
PATIENT_SECONDS, PATIENT_TRIES = 6, 3


class SettingsMissing(Exception):
    """The environment lacks something; the text names all of it."""


class TokenSettings(NamedTuple):
    """Of every function that calls Slack."""

    slack_secret_arn: str
    slack_api_url: str
    installations_table: str
    tokens_key_arn: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> TokenSettings:
        """Read them, once it is known that none is missing."""
        return cls(
            slack_secret_arn=environment["SLACK_SECRET_ARN"],
            slack_api_url=environment.get("SLACK_API_URL") or DEFAULT_API_URL,
            installations_table=environment["INSTALLATIONS_TABLE"],
            tokens_key_arn=environment["TOKENS_KEY_ARN"],
        )


FOR_TOKENS = ("SLACK_SECRET_ARN", "INSTALLATIONS_TABLE", "TOKENS_KEY_ARN")


class SlackSettings(NamedTuple):
    """Of the acknowledging function."""

    tokens: TokenSettings
    bot_table: str
    invocations_queue_url: str
    default_endpoint: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> SlackSettings:
        """Read it; raises `SettingsMissing`."""
        found = _required(environment, *FOR_TOKENS, "BOT_TABLE", "INVOCATIONS_QUEUE_URL", "DEFAULT_ENDPOINT")
        return cls(
            tokens=TokenSettings.read(environment),
            bot_table=found["BOT_TABLE"],
            invocations_queue_url=found["INVOCATIONS_QUEUE_URL"],
            default_endpoint=found["DEFAULT_ENDPOINT"],
        )


class WorkerSettings(NamedTuple):
    """Of the worker. `admitted` as in `InstallSettings`."""

    tokens: TokenSettings
    admitted: str
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
            *FOR_TOKENS,
            "BOT_TABLE",
            "GRANTS_TABLE",
            "API_URL",
            "API_ARN",
            "DEFAULT_ENDPOINT",
            "PICTURES_BUCKET",
            may_be_empty=("ADMITTED_WORKSPACES",),
        )
        return cls(
            tokens=TokenSettings.read(environment),
            admitted=environment["ADMITTED_WORKSPACES"],
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

    tokens: TokenSettings
    bot_table: str
    pictures_bucket: str
    max_receives: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ResultsSettings:
        """Read it; raises `SettingsMissing`."""
        found = _required(environment, *FOR_TOKENS, "BOT_TABLE", "PICTURES_BUCKET")
        return cls(
            tokens=TokenSettings.read(environment),
            bot_table=found["BOT_TABLE"],
            pictures_bucket=found["PICTURES_BUCKET"],
            max_receives=int(environment.get("MAX_RECEIVES") or DEFAULT_MAX_RECEIVES),
        )


class InstallSettings(NamedTuple):
    """Of the function behind the install pages. `admitted`: ids by commas, or `*`; nobody where it is empty."""

    tokens: TokenSettings
    event_bus: str
    admitted: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> InstallSettings:
        """Read it; raises `SettingsMissing`."""
        found = _required(environment, *FOR_TOKENS, "EVENT_BUS", may_be_empty=("ADMITTED_WORKSPACES",))
        return cls(
            tokens=TokenSettings.read(environment),
            event_bus=found["EVENT_BUS"],
            admitted=environment["ADMITTED_WORKSPACES"],
        )


class WorkerFunction(NamedTuple):
    """The worker, ready to run."""

    settings: WorkerSettings
    deps_for: Callable[[Invocation], WorkerDeps]
    """The ports, for the workspace that an invocation comes from."""
    installations: InstallationDeps
    retries: Retries


class ResultsFunction(NamedTuple):
    """The results function, ready to run."""

    settings: ResultsSettings
    ports: ResultsPorts
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

    settings, clock = SlackSettings.from_environment(environment), SystemClock()
    secret = read_slack_secret(settings.tokens.slack_secret_arn)
    oauth = _oauth(settings.tokens, secret, clock, HASTY_SECONDS, HASTY_TRIES)

    def make_store() -> RecordStore:
        from bot.aws.clients import AwsClients
        from bot.aws.dynamo_record_store import DynamoRecordStore

        return DynamoRecordStore(AwsClients(), settings.bot_table, read_timeout_seconds=1.0)

    deps = ListenerDeps(
        queue=SqsInvocationQueue(settings.invocations_queue_url),
        store=LateRecordStore(make_store),
        clock=clock,
        default_endpoint=settings.default_endpoint,
    )
    tokens = _bot_tokens(settings.tokens, secret, oauth, clock, HASTY_SECONDS, renews_early=False)
    return SlackGateway(
        build_app(deps, secret.signing_secret, tokens, settings.tokens.slack_api_url), secret.signing_secret
    )


def wire_worker(environment: Mapping[str, str] = os.environ) -> WorkerFunction:
    """The worker; reads the secret."""
    from bot.admission import Admission
    from bot.aws.clients import AwsClients
    from bot.aws.dynamo_grants import DynamoGrants
    from bot.aws.dynamo_record_store import DynamoRecordStore
    from bot.aws.iam_simulator import IamSimulator
    from bot.aws.s3_pictures import S3Pictures
    from bot.aws.signed_access_api import SignedAccessApi
    from bot.aws.signed_backend_api import SignedBackendApi
    from bot.aws.signed_registry_api import SignedRegistryApi
    from bot.aws.signed_training_api import SignedTrainingApi
    from bot.aws.slack_secret import read_slack_secret
    from bot.aws.sqs_retries import SqsRetries
    from bot.aws.sts_sessions import StsSessions
    from bot.slack_workspace import SlackWorkspaces
    from bot.system_clock import SystemClock
    from bot.worker.authorize import Authority
    from bot.worker.deps import WorkerDeps
    from bot.worker.installations import InstallationDeps
    from bot.worker.usergroups import UserGroups

    settings = WorkerSettings.from_environment(environment)
    clients, clock = AwsClients(), SystemClock()
    secret = read_slack_secret(settings.tokens.slack_secret_arn)
    oauth = _oauth(settings.tokens, secret, clock, PATIENT_SECONDS, PATIENT_TRIES)
    tokens = _bot_tokens(settings.tokens, secret, oauth, clock, PATIENT_SECONDS)
    workspaces = SlackWorkspaces(tokens, settings.tokens.slack_api_url)
    store = DynamoRecordStore(clients, settings.bot_table)
    grants = DynamoGrants(clients, settings.grants_table)
    authority = Authority(grants, UserGroups(clock), clock, settings.api_arn)
    sessions = StsSessions(clients, clock)
    api_url = api_address(settings.api_url, environment)
    api = SignedBackendApi(api_url, clients.region, clock)
    access = SignedAccessApi(api_url, clients.region, clock)
    trainings = SignedTrainingApi(api_url, clients.region, clock)
    registry = SignedRegistryApi(api_url, clients.region, clock)
    simulator = IamSimulator(clients)
    pictures = S3Pictures(clients, settings.pictures_bucket)
    admission = Admission.read(settings.admitted, own=secret.team_id if secret.bot_token else "")

    def deps_for(invocation: Invocation) -> WorkerDeps:
        return WorkerDeps(
            admission=admission,
            store=store,
            slack=workspaces.slack_for(invocation.team, invocation.enterprise),
            authority=authority,
            sessions=sessions,
            api=api,
            access=access,
            registry=registry,
            simulator=simulator,
            pictures=pictures,
            clock=clock,
            default_endpoint=settings.default_endpoint,
            trainings=trainings,
        )

    installations = InstallationDeps(_installations(settings.tokens), oauth, tokens)
    return WorkerFunction(settings, deps_for, installations, SqsRetries(clients))


def wire_results(environment: Mapping[str, str] = os.environ) -> ResultsFunction:
    """The results function; reads the secret."""
    from bot.aws.clients import AwsClients
    from bot.aws.dynamo_record_store import DynamoRecordStore
    from bot.aws.s3_pictures import S3Pictures
    from bot.aws.slack_secret import read_slack_secret
    from bot.aws.sqs_retries import SqsRetries
    from bot.results.deps import ResultsPorts
    from bot.slack_workspace import SlackWorkspaces
    from bot.system_clock import SystemClock

    settings = ResultsSettings.from_environment(environment)
    clients, clock = AwsClients(), SystemClock()
    secret = read_slack_secret(settings.tokens.slack_secret_arn)
    oauth = _oauth(settings.tokens, secret, clock, PATIENT_SECONDS, PATIENT_TRIES)
    ports = ResultsPorts(
        store=DynamoRecordStore(clients, settings.bot_table),
        workspaces=SlackWorkspaces(
            _bot_tokens(settings.tokens, secret, oauth, clock, PATIENT_SECONDS), settings.tokens.slack_api_url
        ),
        pictures=S3Pictures(clients, settings.pictures_bucket),
        clock=clock,
    )
    return ResultsFunction(settings, ports, SqsRetries(clients))


def wire_install(environment: Mapping[str, str] = os.environ) -> InstallGateway:
    """The function behind the install pages; reads the secret."""
    from bot.admission import Admission
    from bot.aws.dynamo_install_states import DynamoInstallStates
    from bot.aws.eventbridge_announcer import EventBridgeAnnouncer
    from bot.aws.slack_secret import read_slack_secret
    from bot.install.flow import InstallPorts
    from bot.install.gateway import InstallGateway
    from bot.system_clock import SystemClock

    settings, clock = InstallSettings.from_environment(environment), SystemClock()
    secret = read_slack_secret(settings.tokens.slack_secret_arn)
    # A code works once: asking twice would turn a lost answer into a refusal.
    oauth = _oauth(settings.tokens, secret, clock, PATIENT_SECONDS, tries=1)
    ports = InstallPorts(
        states=DynamoInstallStates(settings.tokens.installations_table),
        installations=_installations(settings.tokens),
        oauth=oauth,
        announcer=EventBridgeAnnouncer(settings.event_bus),
        clock=clock,
        admission=Admission.read(settings.admitted),
        client_id=secret.client_id,
        slack_api_url=settings.tokens.slack_api_url,
    )
    return InstallGateway(ports, environment.get("AWS_ENDPOINT_URL_EXECUTE_API"))


def _installations(settings: TokenSettings) -> DynamoInstallations:
    from bot.aws.dynamo_installations import DynamoInstallations
    from bot.aws.kms_envelope import KmsEnvelope

    return DynamoInstallations(settings.installations_table, KmsEnvelope(settings.tokens_key_arn))


def _oauth(
    settings: TokenSettings, secret: SlackSecret, clock: Clock, timeout_seconds: int, tries: int
) -> WebSlackOAuth:
    from bot.slack_oauth import WebSlackOAuth

    return WebSlackOAuth(secret.client_id, secret.client_secret, settings.slack_api_url, clock, timeout_seconds, tries)


def _bot_tokens(
    settings: TokenSettings,
    secret: SlackSecret,
    oauth: WebSlackOAuth,
    clock: Clock,
    patience_seconds: float,
    renews_early: bool = True,
) -> BotTokens:
    from bot.bot_tokens import BotTokens, OwnToken

    own = OwnToken(secret.team_id, secret.bot_token) if secret.bot_token else None
    return BotTokens(_installations(settings), oauth, clock, own, patience_seconds, renews_early)


def api_address(api_url: str, environment: Mapping[str, str]) -> str:
    """Where the REST API is reached: its own URL, or an emulator's.

    Emulators address APIs by path: `AWS_ENDPOINT_URL_EXECUTE_API` + `/<api id>/<stage>`.
    """
    emulator = environment.get("AWS_ENDPOINT_URL_EXECUTE_API")
    if not emulator:
        return api_url
    host, _, stage = api_url.removeprefix("https://").partition("/")
    return f"{emulator.rstrip('/')}/{host.partition('.')[0]}/{stage}"


def _required(environment: Mapping[str, str], *names: str, may_be_empty: Sequence[str] = ()) -> dict[str, str]:
    missing = [name for name in names if not environment.get(name)]
    missing += [name for name in may_be_empty if environment.get(name) is None]
    if missing:
        raise SettingsMissing(f"the environment lacks {', '.join(missing)}")
    return {name: environment[name] for name in names}
