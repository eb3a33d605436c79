"""The local AWS with the SageMaker stand-in for tests: a gateway process, and the stand-in in a thread."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

from deploy.local.aws_gateway import gateway_environment
from deploy.local.processes import answers, free_port
from deploy.local.sagemaker.server import SageMakerServer
from deploy.local.sagemaker.settings import SageMakerSettings

ROOT = Path(__file__).resolve().parents[2]
KEY, SECRET, REGION, ACCOUNT = "test", "root-secret-of-the-tests", "us-east-1", "000000000000"


class LocalAws:
    """Both are ended by leaving the context; `options` go to `SageMakerSettings`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        port, sagemaker_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = SageMakerSettings(self.url, KEY, SECRET, folder, port=sagemaker_port, **options)
        self._environment = gateway_environment(
            os.environ,
            port=port,
            access_key=KEY,
            secret_key=SECRET,
            folder=folder,
            sagemaker_url=f"http://127.0.0.1:{sagemaker_port}",
        )
        self._aside: dict[str, list[dict[str, Any]]] = {}
        self._gateway: subprocess.Popen[bytes] | None = None
        self.sagemaker = SageMakerServer(self.settings)

    def __enter__(self) -> LocalAws:
        with (self.folder / "gateway.log").open("wb") as log:
            self._gateway = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.aws_gateway"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: answers(f"{self.url}/_ministack/health"), 30)
        self.sagemaker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sagemaker.stop()
        assert self._gateway is not None
        self._gateway.terminate()
        self._gateway.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._gateway.pid, signal.SIGKILL)

    def client(self, service: str, credentials: dict[str, str] | None = None, secret: str | None = None) -> Any:
        """Root's, or that of temporary credentials as STS gives them."""
        stand_in = service in ("sagemaker", "sagemaker-runtime", "application-autoscaling")
        given = credentials or {"AccessKeyId": KEY, "SecretAccessKey": SECRET}
        return boto3.client(
            service,
            endpoint_url=self.sagemaker.url if stand_in else self.url,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=secret or given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            region_name=REGION,
            config=Config(retries={"max_attempts": 0}),
        )

    def role(self, name: str, statements: list[dict[str, Any]], trust: dict[str, Any]) -> str:
        """A role with one inline policy; its ARN."""
        iam = self.client("iam")
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy([trust]))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=policy(statements))
        return arn

    def assume(self, role_arn: str) -> dict[str, str]:
        """Root assumes it."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="tests")
        credentials: dict[str, str] = answer["Credentials"]
        return credentials

    def queue(self, name: str) -> tuple[str, str]:
        """A queue that topics and rules may send to: its URL and ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy([allow])})
        return url, arn

    def receive(self, url: str, wanted: Any = lambda message: True, timeout_seconds: float = 30) -> dict[str, Any]:
        """The first message that is wanted, as JSON; the others are kept for later calls."""
        aside = self._aside.setdefault(url, [])
        for body in aside:
            if wanted(body):
                aside.remove(body)
                return body
        sqs = self.client("sqs")
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=1)
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                body = json.loads(message["Body"])
                if wanted(body):
                    return body
                aside.append(body)
        raise AssertionError(f"no such message within {timeout_seconds} s")


def policy(statements: list[dict[str, Any]]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def wait_for(ready: Any, timeout_seconds: float) -> None:
    """Until `ready()`; an `AssertionError` when time runs out."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s"
        time.sleep(0.05)
