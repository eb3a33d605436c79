"""What the bot announces to the backend on the same EventBridge bus: that a workspace has begun to use Easel.

An entry has `source` SOURCE, the class name as `detail-type` and the event's JSON as `detail`. It is delivered at least
once and in any order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SOURCE = "easel.bot"

SlackId = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,31}$")]


class WorkspaceInstalled(BaseModel):
    """`member` has installed Easel in the tenant, a workspace (`T…`) or an organisation of several (`E…`).
    `organisation` is the one that the workspace belongs to, if any.
    """

    # A later bot may say more: readers ignore what they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = 1
    tenant: SlackId
    member: SlackId
    organisation: SlackId | None = None
    at: datetime

    @property
    def is_organisation(self) -> bool:
        """Whether it was installed for all workspaces of an organisation."""
        return self.tenant.startswith("E")
