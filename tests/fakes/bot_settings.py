"""Settings of local workspaces that have one app between them."""

from __future__ import annotations

from typing import Any

from deploy.local.slack.settings import MemberSeed

ACME: dict[str, Any] = {"is_installed": False}
GLOBEX: dict[str, Any] = {
    "is_installed": False,
    "team_id": "T0EASEL02",
    "team_name": "Globex Studio",
    "team_domain": "globex-studio",
    "bot_id": "B0EASEL02",
    "id_tag": "0EB",
    "members": (
        MemberSeed("ada", "Ada Byron", is_admin=True),
        MemberSeed("grace", "Grace Kelly"),
        MemberSeed("linus", "Linus Globe"),
        MemberSeed("mira", "Mira Globe", is_guest=True),
    ),
}
ORGANISATION: dict[str, Any] = {"enterprise_id": "E0EASEL01", "enterprise_name": "World Industries"}
