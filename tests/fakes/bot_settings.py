"""Settings of local workspaces that have one app between them."""

from __future__ import annotations

from typing import Any

from deploy.local.slack import settings

ACME: dict[str, Any] = {"is_installed": False}
GLOBEX: dict[str, Any] = {**settings.GLOBEX, "is_installed": False}
ORGANISATION: dict[str, Any] = {"enterprise_id": "E0EASEL01", "enterprise_name": "World Industries"}
