"""The mapping from a Slack workspace to the IAM role that its members act under."""

from __future__ import annotations

from typing import Any


def grant_workspace(session: Any, table_name: str, team_id: str, role_arn: str) -> None:
    """Let every member of a workspace act under `role_arn`, with the workspace as the external id."""
    session.client("dynamodb").put_item(
        TableName=table_name,
        Item={
            "subject": {"S": f"workspace#{team_id}"},
            "role_arn": {"S": role_arn},
            "external_id": {"S": team_id},
        },
    )
