"""Settings of local workspaces that have one app between them."""

from __future__ import annotations

from typing import Any

from deploy.local.slack import settings

# What is tested with them is not how quick the app is, but a busy machine may be slow.
PATIENT: dict[str, Any] = {"ack_seconds": 30.0, "trigger_seconds": 30.0}
ACME: dict[str, Any] = {**PATIENT, "is_installed": False}
GLOBEX: dict[str, Any] = {**PATIENT, **settings.GLOBEX, "is_installed": False}
ORGANISATION: dict[str, Any] = {"enterprise_id": "E0EASEL01", "enterprise_name": "World Industries"}
