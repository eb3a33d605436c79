"""Creates or updates the stack from `template.yaml`, byte for byte the file that CI checks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.bundles import build_bundle

TEMPLATE = Path(__file__).with_name("template.yaml")


class DeploymentFailed(Exception):
    """The stack did not reach its goal; the message names the resources and CloudFormation's reasons."""


def deploy_stack(session: Any, stack_name: str, code_bucket: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Upload the bundles, create the stack or update it, wait, and return its outputs.

    `session` is a boto3 session; `code_bucket` must exist. Raises `DeploymentFailed`.
    """
    s3 = session.client("s3")
    keys = {}
    for name in ("bot", "backend"):
        bundle = build_bundle(name)
        s3.put_object(Bucket=code_bucket, Key=bundle.key, Body=bundle.body)
        keys[name] = bundle.key
    # CloudFormation takes at most 51,200 bytes in the request itself; from S3, a megabyte.
    body = TEMPLATE.read_bytes()
    template_key = f"templates/{hashlib.sha256(body).hexdigest()[:32]}.yaml"
    s3.put_object(Bucket=code_bucket, Key=template_key, Body=body)
    values = {
        **parameters,
        "CodeBucket": code_bucket,
        "BotBundleKey": keys["bot"],
        "BackendBundleKey": keys["backend"],
    }
    cloudformation = session.client("cloudformation")
    request = {
        "StackName": stack_name,
        "TemplateURL": s3.generate_presigned_url(
            "get_object", Params={"Bucket": code_bucket, "Key": template_key}
        ).partition("?")[0],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    if _status(cloudformation, stack_name) is None:
        cloudformation.create_stack(**request)
    else:
        try:
            cloudformation.update_stack(**request)
        except cloudformation.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
    _wait(cloudformation, stack_name)
    return stack_outputs(session, stack_name)


def stack_outputs(session: Any, stack_name: str) -> dict[str, str]:
    """The outputs of a stack that exists."""
    stack = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _status(cloudformation: Any, stack_name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackStatus"])
    except cloudformation.exceptions.ClientError:
        return None


def _wait(cloudformation: Any, stack_name: str, timeout_seconds: float = 1800) -> None:
    deadline = time.monotonic() + timeout_seconds
    pause = 0.1
    while True:
        status = _status(cloudformation, stack_name) or "MISSING"
        if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return
        if not status.endswith("_IN_PROGRESS") or "ROLLBACK" in status or time.monotonic() > deadline:
            raise DeploymentFailed(f"the stack {stack_name} is {status}:\n{_reasons(cloudformation, stack_name)}")
        time.sleep(pause)
        pause = min(pause * 1.5, 5.0)


def _reasons(cloudformation: Any, stack_name: str) -> str:
    try:
        events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    except cloudformation.exceptions.ClientError:
        return "  (the stack has no events)"
    return "\n".join(
        f"  {event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in events
        if event.get("ResourceStatusReason") and event["ResourceStatus"].endswith("FAILED")
    )
