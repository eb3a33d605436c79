"""Workspaces that have installed Easel: the bot's events by way of EventBridge and an SQS queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from backend_lambda import wiring
from backend_lambda.access_ports import AccessPorts
from backend_lambda.callers import Caller
from backend_lambda.contract.installations import WorkspaceInstalled
from backend_lambda.events.batch import handle_batch
from backend_lambda.stack_roles import stack_roles
from backend_lambda.usecases.first_admin import ensure_first_admin

logger = logging.getLogger(__name__)


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    detail: WorkspaceInstalled


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Give the workspaces that a batch of messages is about their first admins."""
    arn = str(context.invoked_function_arn)
    _, partition, _, _, account, *_ = arn.split(":")
    roles = stack_roles(wiring.settings().mapped_roles, account, partition)
    ports = wiring.access_ports()
    return handle_batch(event, context, lambda body: handle_message(body, arn, roles, ports))


def handle_message(body: str, function_arn: str, roles: Mapping[str, str], ports: AccessPorts) -> None:
    """Make whoever installed Easel the first admin, where there is none, not in the workspace's organisation
    either. Raises `ValidationError` for what is no such
    event, and a `Refusal` where others change the tenant's grants again and again.
    """
    installed = _Message.model_validate_json(body).detail
    # Nobody signed for it: the audit trail names the function that acts.
    installer = Caller(installed.tenant, installed.member, function_arn)
    is_granted = ensure_first_admin(
        installer, stack_roles=roles, ports=ports, organisation=installed.organisation or ""
    )
    logger.info("workspace installed", extra={"tenant": installed.tenant, "is_first_admin": is_granted})
