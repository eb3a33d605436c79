"""What a local workspace is started with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deploy.local.slack.manifest import Manifest


@dataclass(frozen=True)
class MemberSeed:
    """A member who exists from the start."""

    name: str
    real_name: str
    is_admin: bool = False
    is_guest: bool = False
    title: str = ""


@dataclass(frozen=True)
class ChannelSeed:
    """A channel that exists from the start. `members` are member names; None means everybody but guests."""

    name: str
    purpose: str = ""
    is_private: bool = False
    members: tuple[str, ...] | None = None
    has_app: bool = True


DEFAULT_MEMBERS = (
    MemberSeed("ada", "Ada Lovelace", is_admin=True, title="Head of pictures"),
    MemberSeed("grace", "Grace Hopper", title="Art director"),
    MemberSeed("linus", "Linus Ek", title="Illustrator"),
    MemberSeed("mira", "Mira Sol", is_guest=True, title="Guest from Studio Sol"),
)
DEFAULT_CHANNELS = (
    ChannelSeed("general", "Everything that everybody should know"),
    ChannelSeed("design", "Pictures, drafts and second opinions", members=("ada", "grace", "linus", "mira")),
    ChannelSeed("random", "Everything else"),
)


# What differs in a second workspace beside the first.
GLOBEX: Mapping[str, Any] = MappingProxyType(
    {
        "team_id": "T0EASEL02",
        "team_name": "Globex Studio",
        "team_domain": "globex-studio",
        "bot_id": "B0EASEL02",
        "id_tag": "0EB",
        "members": (
            MemberSeed("ada", "Ada Byron", is_admin=True, title="Studio lead"),
            MemberSeed("grace", "Grace Kelly", title="Set designer"),
            MemberSeed("linus", "Linus Globe", title="Animator"),
            MemberSeed("mira", "Mira Globe", is_guest=True, title="Guest from Studio Sol"),
        ),
    }
)


@dataclass(frozen=True)
class WorkspaceSettings:
    """Settings of a local workspace. Durations are in seconds.

    `time_scale` multiplies Slack's long waits (event retries, life of a response_url, status time-out), not the
    three-second ones, which have settings of their own. `refresh_grace_seconds`: how long a refresh token that was used
    still works. Slack does not say; here it is shorter than the app's lease on renewing. `rate_limit_factor` multiplies
    Slack's rate limits; None switches them off.

    `is_installed`: the app is there at the start, with `bot_token`, which never ends; else it has to be installed
    through OAuth, with tokens that live `token_seconds` where the manifest switches rotation on. Of several workspaces
    on one server, the first one's manifest, signing secret, client id and secret and times of tokens are the app's.
    `id_tag` makes ids of members, channels and files differ between them. Workspaces with the same `enterprise_id` are
    one organisation.
    """

    manifest: Manifest
    request_url: str | None = None
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    bot_token: str = field(default_factory=lambda: f"xoxb-local-{secrets.token_hex(16)}", repr=False)
    is_installed: bool = True
    client_id: str = "1000000000.2000000000"
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    token_seconds: float = 43_200.0
    refresh_grace_seconds: float = 10.0
    team_id: str = "T0EASEL01"
    team_name: str = "Acme Pictures"
    team_domain: str = "acme-pictures"
    app_id: str = "A0EASEL01"
    bot_id: str = "B0EASEL01"
    bot_user_id: str = "U0EASELBOT"
    id_tag: str = "0EA"
    enterprise_id: str | None = None
    enterprise_name: str = ""
    members: tuple[MemberSeed, ...] = DEFAULT_MEMBERS
    channels: tuple[ChannelSeed, ...] = DEFAULT_CHANNELS
    file_folder: Path | None = None
    ack_seconds: float = 3.0
    trigger_seconds: float = 3.0
    file_processing_seconds: float = 0.4
    max_file_bytes: int = 100 * 1024 * 1024
    time_scale: float = 1.0
    rate_limit_factor: float | None = 1.0
