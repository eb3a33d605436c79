"""The whole system on one machine: the AWS emulator, the SageMaker and Slack stand-ins, and the template of AWS."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

from deploy.access import Operator
from deploy.cloudformation import deploy_stack
from deploy.endpoints import EndpointPlan, create_endpoint
from deploy.local.aws_gateway import gateway_environment
from deploy.local.install_app import AppNotInstalled, install_app
from deploy.local.processes import Processes, answers, free_port
from deploy.local.sagemaker.settings import SageMakerSettings
from deploy.local.slack.manifest import Manifest
from deploy.local.slack.server import WorkspaceServer
from deploy.local.slack.settings import GLOBEX, WorkspaceSettings
from deploy.models import pipeline_of, publish_model
from deploy.slack_credentials import SlackCredentials, store_slack_credentials
from deploy.training import TrainingPlan, presets_of

ROOT = Path(__file__).resolve().parents[2]
STACK_NAME = "easel"
REGION = "us-east-1"
ADMIN_SECONDS = 30.0
GATEWAY = "aws-gateway"
SAGEMAKER = "sagemaker"
ADMIN = "ada"
"""The member who has installed Easel in the local workspace."""
TRAINING = TrainingPlan(spot=True, price_per_hour=1.41, start_seconds=15.0, seconds_per_step=0.05)
"""How fast two cores train the miniature model. The price is an example, so that estimates show one."""


@dataclass(frozen=True)
class StackSettings:
    """How to start. `port` is the workspace page's (0: a free one); `model` is a diffusers folder with `easel.json`.

    With `two_workspaces`, a second one stands beside the first, with the same app installed.
    """

    port: int = 0
    model: Path = ROOT / "endpoint" / "tiny" / "model"
    endpoint: str = "tiny"
    two_workspaces: bool = False
    rate_limit_factor: float | None = 1.0
    time_scale: float = 1.0
    parameters: dict[str, str] = field(default_factory=dict)


class LocalStack:
    """Starts everything on free ports of 127.0.0.1, and stops everything: a context manager.

    State lives in a temporary folder that goes away at the end. `on_stage` hears what is being started.
    """

    def __init__(self, settings: StackSettings, on_stage: Callable[[str], None] = lambda stage: None) -> None:
        self.settings = settings
        self._on_stage = on_stage
        self.folder = Path(tempfile.mkdtemp(prefix="easel-"))
        self.processes = Processes(self.folder)
        self.outputs: dict[str, str] = {}
        # MiniStack's root: it takes this key id whatever the signature says. All other keys are verified.
        self._access_key = "test"
        self._secret_key = secrets.token_hex(20)
        self._gateway_port = free_port()
        self._sagemaker_port = free_port()
        self.gateway_url = f"http://127.0.0.1:{self._gateway_port}"
        self.sagemaker_url = f"http://127.0.0.1:{self._sagemaker_port}"
        self.slack = self._make_workspace()

    @property
    def workspace_url(self) -> str:
        """The address of the workspace page."""
        return self.slack.url

    @property
    def api_url(self) -> str:
        """The REST API's address on this machine."""
        return f"{self.gateway_url}/_aws/execute-api/{self.outputs['ApiId']}/v1"

    def function_addresses(self) -> dict[str, str]:
        """What lets a function's code run in a process of ours, under the root's credentials."""
        return {
            "AWS_ENDPOINT_URL": self.gateway_url,
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": self._secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "SLACK_API_URL": f"{self.slack.url}/api/",
        }

    def session(self) -> Any:
        """A boto3 session of the local account's root, with every client pointed at the stack."""
        return LocalSession(self._access_key, self._secret_key, self.gateway_url, self.sagemaker_url)

    def __enter__(self) -> LocalStack:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process and remove what they wrote."""
        self.slack.stop()
        self.processes.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self.slack.start()
        self._on_stage("AWS emulator, with IAM enforcement on")
        self.processes.start(GATEWAY, ["-m", "deploy.local.aws_gateway"], self._gateway_env())
        self.processes.start(SAGEMAKER, ["-m", "deploy.local.sagemaker"], self._sagemaker_env())
        self.processes.wait_until(GATEWAY, lambda: answers(f"{self.gateway_url}/_ministack/health"), 30)
        self._on_stage("Easel's template (deploy/template.yaml)")
        session = self.session()
        session.client("s3").create_bucket(Bucket="easel-code")
        parameters = {
            "DefaultEndpoint": self.settings.endpoint,
            # So that webhooks can be tried here, where no host is on the public internet.
            "WebhooksToLoopback": "admitted",
            "AdmittedWorkspaces": ",".join(self.slack.workspace.app.workspaces),
            **self.settings.parameters,
        }
        self.outputs = deploy_stack(session, STACK_NAME, "easel-code", parameters)
        self._on_stage("Slack workspace with Easel installed")
        self._install_app(session)
        self.processes.wait_until(SAGEMAKER, lambda: answers(f"{self.sagemaker_url}/health"), 30)
        self._on_stage("Endpoint with the miniature model (the real container entry point)")
        self.add_endpoint(self.settings.endpoint, self.settings.model)

    def _install_app(self, session: Any) -> None:
        """As on AWS: the app's secrets, then the install page, which makes `ADMIN` the first admin."""
        app = self.slack.workspace.app
        credentials = SlackCredentials(app.signing_secret, app.client_id, app.client_secret)
        store_slack_credentials(session, self.outputs["SlackSecretArn"], credentials)
        app.set_request_url(f"{self.api_url}/slack/events")
        app.redirect_urls = [f"{self.api_url}/slack/oauth_redirect"]
        operator = Operator.of(session, self.outputs)
        for workspace in self.slack.workspaces:
            install_app(f"{self.api_url}/slack/install", workspace.base_url, ADMIN)
            operator.grant_workspace(workspace.settings.team_id, "artist")
        for workspace in self.slack.workspaces:
            self._wait_for_admin(operator, workspace.settings.team_id, workspace.member(ADMIN).id)

    def _wait_for_admin(self, operator: Operator, team_id: str, member_id: str) -> None:
        """The backend hears of the installation over its bus, a moment later."""
        deadline = time.monotonic() + ADMIN_SECONDS
        while not any(entry.id == member_id for entry in operator.grants(team_id)):
            if time.monotonic() > deadline:
                raise AppNotInstalled(f"{member_id} did not become the first admin of {team_id}")
            time.sleep(0.1)

    def _make_workspace(self) -> WorkspaceServer:
        facts: dict[str, Any] = {
            "manifest": Manifest.read(ROOT / "deploy" / "slack_manifest.json"),
            "file_folder": self.folder / "slack-files",
            "rate_limit_factor": self.settings.rate_limit_factor,
            "time_scale": self.settings.time_scale,
            "is_installed": False,
        }
        beside = [WorkspaceSettings(**{**facts, **GLOBEX})] if self.settings.two_workspaces else []
        return WorkspaceServer(WorkspaceSettings(**facts), self.settings.port, beside)

    def add_endpoint(self, name: str, model: Path) -> None:
        """Publish a model folder and create an endpoint for it, as `python -m deploy` does on AWS."""
        session = self.session()
        card = publish_model(session, model, self.outputs["ModelsBucketName"])
        plan = EndpointPlan(
            name=name,
            card=card,
            image_uri="000000000000.dkr.ecr.us-east-1.amazonaws.com/easel:local",
            instance_type="ml.g5.xlarge",
            min_instances=1,
            max_instances=1,
            training=TRAINING,
            presets=presets_of(card, pipeline_of(model)),
        )
        create_endpoint(session, STACK_NAME, self.outputs, plan, timeout_seconds=180)

    def model_seconds(self, job_id: str) -> float:
        """The container's own time for a job, from the job's record."""
        answer = (
            self.session()
            .client("dynamodb")
            .get_item(TableName=self.outputs["JobsTableName"], Key={"job_id": {"S": job_id}}, ConsistentRead=True)
        )
        return float(answer["Item"]["model_seconds"]["N"])

    def _gateway_env(self) -> dict[str, str]:
        environment = gateway_environment(
            os.environ,
            port=self._gateway_port,
            access_key=self._access_key,
            secret_key=self._secret_key,
            folder=self.folder,
            sagemaker_url=self.sagemaker_url,
        )
        # The functions inherit these: where Slack and the REST API are, when not at their own names.
        return {
            **environment,
            "SLACK_API_URL": f"{self.slack.url}/api/",
            "AWS_ENDPOINT_URL_EXECUTE_API": f"{self.gateway_url}/_aws/execute-api",
        }

    def _sagemaker_env(self) -> dict[str, str]:
        settings = SageMakerSettings(
            gateway_url=self.gateway_url,
            access_key=self._access_key,
            secret_key=self._secret_key,
            folder=self.folder / SAGEMAKER,
            port=self._sagemaker_port,
            time_scale=self.settings.time_scale,
        )
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, **settings.environment(), "TMPDIR": str(self.folder)}


class LocalSession:
    """The part of a boto3 session that the deploy steps use, with every client pointed at the local stack.

    Endpoints are given to each client, so nothing depends on this process's environment.
    """

    def __init__(self, access_key: str, secret_key: str, gateway_url: str, sagemaker_url: str) -> None:
        self._session = boto3.Session(access_key, secret_key, region_name=REGION)
        self._gateway_url = gateway_url
        self._sagemaker_url = sagemaker_url

    def client(self, service: str) -> Any:
        """A client of the local stack."""
        standing_in = service in {"sagemaker", "sagemaker-runtime", "application-autoscaling"}
        return self._session.client(service, endpoint_url=self._sagemaker_url if standing_in else self._gateway_url)
