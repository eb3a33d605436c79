"""The stand-in's ways to the local AWS: IAM's verdicts, service roles and events, and boto3 clients."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import botocore.session
import httpx
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from starlette.requests import Request

from deploy.local.aws_gateway import PROOF_HEADER
from deploy.local.sagemaker.aws_protocol import AwsError
from deploy.local.sagemaker.settings import SageMakerSettings

SERVICE = "sagemaker.amazonaws.com"
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=3, read_timeout=30)


class Gateway:
    """Blocking boto3 calls are made in threads by `call`."""

    def __init__(self, settings: SageMakerSettings) -> None:
        self._settings = settings
        self._proof = {PROOF_HEADER: settings.secret_key}
        self._http = httpx.AsyncClient(base_url=settings.gateway_url, headers=self._proof, timeout=15)
        self._roles: dict[str, Any] = {}
        self._clients: dict[tuple[str | None, str], Any] = {}

    async def authorize(
        self,
        request: Request,
        body: bytes,
        action: str,
        resource: str,
        conditions: Mapping[str, Any] | None = None,
    ) -> str:
        """The caller's account, where its signature holds and IAM allows it. Raises `AwsError` otherwise."""
        question = {
            "method": request.method,
            "raw_path": request.scope.get("raw_path", request.url.path.encode()).decode("latin-1"),
            "query": request.url.query,
            "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
            "body": base64.b64encode(body).decode(),
            "service": "sagemaker",
            "action": action,
            "resource": resource,
            "conditions": dict(conditions or {}),
        }
        answer = await self._ask("authorize", question)
        account: str = answer["account"]
        return account

    async def event(self, account: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Put an event of SageMaker's own on the account's default bus."""
        await self._ask(
            "service-event",
            {
                "account": account,
                "region": self._settings.region,
                "source": "aws.sagemaker",
                "detail_type": detail_type,
                "detail": detail,
                "resources": [resource],
            },
        )

    def role_metadata(self, role_arn: str) -> dict[str, str]:
        """Fresh temporary credentials of a role that trusts SageMaker. Blocking. Raises `AwsError`."""
        response = httpx.post(
            f"{self._settings.gateway_url}/_easel/service-session",
            headers=self._proof,
            json={"role_arn": role_arn, "service": SERVICE, "session_name": "SageMaker"},
            timeout=15,
        )
        credentials: dict[str, str] = _allowed(response)["credentials"]
        return credentials

    def client(self, name: str, role_arn: str | None = None) -> Any:
        """A boto3 client, kept: the role's (renewed in time), or the service's own."""
        key = (role_arn, name)
        if key not in self._clients:
            session = self._role_session(role_arn) if role_arn else self._own_session()
            self._clients[key] = session.client(name, endpoint_url=self._settings.gateway_url, config=_CONFIG)
        return self._clients[key]

    async def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """A blocking call in a thread."""
        return await asyncio.to_thread(partial(function, **arguments))

    def credentials_for_container(self, role_arn: str) -> dict[str, str]:
        """The role's current credentials in the form of the container credentials endpoint. Blocking."""
        frozen = self._role_session(role_arn).get_credentials().get_frozen_credentials()
        return {
            "AccessKeyId": frozen.access_key,
            "SecretAccessKey": frozen.secret_key,
            "Token": frozen.token,
            # Ask again soon: then renewing is this process's business alone.
            "Expiration": datetime.fromtimestamp(datetime.now(UTC).timestamp() + 1200, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        }

    def _own_session(self) -> Any:
        return boto3.Session(self._settings.access_key, self._settings.secret_key, region_name=self._settings.region)

    def _role_session(self, role_arn: str) -> Any:
        if role_arn not in self._roles:

            def renew() -> dict[str, str]:
                given = self.role_metadata(role_arn)
                return {
                    "access_key": given["AccessKeyId"],
                    "secret_key": given["SecretAccessKey"],
                    "token": given["Token"],
                    "expiry_time": given["Expiration"],
                }

            core = botocore.session.get_session()
            core._credentials = RefreshableCredentials.create_from_metadata(renew(), renew, "service-session")
            self._roles[role_arn] = boto3.Session(botocore_session=core, region_name=self._settings.region)
        return self._roles[role_arn]

    async def _ask(self, question: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return _allowed(await self._http.post(f"/_easel/{question}", json=body))
        except httpx.HTTPError as error:
            raise AwsError("InternalFailure", "The local AWS does not answer.", 500) from error


def _allowed(response: httpx.Response) -> dict[str, Any]:
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    if not answer["allowed"]:
        raise AwsError(answer["code"], answer["message"], answer["status"])
    return answer
