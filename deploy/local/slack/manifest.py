"""Slack's app manifest: the parts of it that decide how a workspace treats the app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_SLASH_COMMANDS = 50
MAX_SHORTCUTS = 10


class ManifestError(ValueError):
    """The manifest can't be used; `problems` has one sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class SlashCommand:
    """One entry of `features.slash_commands`."""

    command: str
    description: str
    usage_hint: str
    url: str | None
    should_escape: bool


@dataclass(frozen=True)
class Shortcut:
    """One entry of `features.shortcuts`; `type` is `global` or `message`."""

    name: str
    type: str
    callback_id: str
    description: str


@dataclass(frozen=True)
class Manifest:
    """An app as its manifest describes it."""

    name: str
    description: str
    background_color: str
    bot_display_name: str
    slash_commands: tuple[SlashCommand, ...]
    shortcuts: tuple[Shortcut, ...]
    bot_scopes: frozenset[str]
    bot_events: frozenset[str]
    event_url: str | None
    interactivity_enabled: bool
    interactivity_url: str | None
    options_url: str | None
    home_tab_enabled: bool
    redirect_urls: tuple[str, ...] = ()
    token_rotation: bool = False
    org_deploy: bool = False

    @classmethod
    def read(cls, path: str | Path) -> Manifest:
        """Read a manifest file; raises `ManifestError` or `OSError`."""
        try:
            return cls.parse(json.loads(Path(path).read_text(encoding="utf-8")))
        except json.JSONDecodeError as error:
            raise ManifestError([f"{path} is not JSON (line {error.lineno})"]) from error

    @classmethod
    def parse(cls, manifest: Mapping[str, Any]) -> Manifest:
        """Check a manifest in Slack's own format; raises `ManifestError` naming everything that is wrong."""
        problems: list[str] = []
        features = _section(manifest, "features", problems)
        settings = _section(manifest, "settings", problems)
        display = _section(manifest, "display_information", problems)
        oauth = _section(manifest, "oauth_config", problems)
        scopes = _section(oauth, "scopes", problems)
        events = _section(settings, "event_subscriptions", problems)
        interactivity = _section(settings, "interactivity", problems)
        name = display.get("name")
        if not isinstance(name, str) or not name.strip() or len(name) > 35:
            problems.append("display_information.name must be 1 to 35 characters")
            name = "App"
        commands = tuple(_slash_commands(features.get("slash_commands", []), problems))
        shortcuts = tuple(_shortcuts(features.get("shortcuts", []), problems))
        if problems:
            raise ManifestError(problems)
        return cls(
            name=name,
            description=str(display.get("description", "")),
            background_color=str(display.get("background_color", "#4a154b")),
            bot_display_name=str(_section(features, "bot_user", problems).get("display_name") or name),
            slash_commands=commands,
            shortcuts=shortcuts,
            bot_scopes=frozenset(scopes.get("bot", [])),
            bot_events=frozenset(events.get("bot_events", [])),
            event_url=events.get("request_url"),
            interactivity_enabled=bool(interactivity.get("is_enabled", False)),
            interactivity_url=interactivity.get("request_url"),
            options_url=interactivity.get("message_menu_options_url"),
            home_tab_enabled=bool(_section(features, "app_home", problems).get("home_tab_enabled", False)),
            redirect_urls=tuple(str(url) for url in oauth.get("redirect_urls", [])),
            token_rotation=bool(settings.get("token_rotation_enabled", False)),
            org_deploy=bool(settings.get("org_deploy_enabled", False)),
        )

    def slash_command(self, command: str) -> SlashCommand | None:
        """The entry for a command such as `/imagine`, if the app has it."""
        return next((entry for entry in self.slash_commands if entry.command == command), None)

    def shortcut(self, callback_id: str) -> Shortcut | None:
        """The shortcut with this callback id, if the app has it."""
        return next((entry for entry in self.shortcuts if entry.callback_id == callback_id), None)


def _section(parent: Mapping[str, Any], key: str, problems: list[str]) -> Mapping[str, Any]:
    value = parent.get(key) or {}
    if not isinstance(value, Mapping):
        problems.append(f"{key} must be an object")
        return {}
    return value


def _slash_commands(entries: Any, problems: list[str]) -> list[SlashCommand]:
    if not isinstance(entries, list) or len(entries) > MAX_SLASH_COMMANDS:
        problems.append(f"features.slash_commands must be a list of at most {MAX_SLASH_COMMANDS}")
        return []
    commands = []
    for index, entry in enumerate(entries):
        command = entry.get("command", "")
        if not command.startswith("/") or len(command) < 2 or len(command) > 32 or " " in command:
            problems.append(f"features.slash_commands[{index}].command must be a word that starts with /")
        if not entry.get("description"):
            problems.append(f"features.slash_commands[{index}].description is missing")
        commands.append(
            SlashCommand(
                command=command,
                description=str(entry.get("description", "")),
                usage_hint=str(entry.get("usage_hint", "")),
                url=entry.get("url"),
                should_escape=bool(entry.get("should_escape", False)),
            )
        )
    return commands


def _shortcuts(entries: Any, problems: list[str]) -> list[Shortcut]:
    if not isinstance(entries, list) or len(entries) > MAX_SHORTCUTS:
        problems.append(f"features.shortcuts must be a list of at most {MAX_SHORTCUTS}")
        return []
    shortcuts = []
    for index, entry in enumerate(entries):
        if entry.get("type") not in {"global", "message"}:
            problems.append(f"features.shortcuts[{index}].type must be global or message")
        if not entry.get("callback_id") or not entry.get("name") or len(entry.get("name", "")) > 24:
            problems.append(f"features.shortcuts[{index}] needs a callback_id and a name of at most 24 characters")
        shortcuts.append(
            Shortcut(
                name=str(entry.get("name", "")),
                type=str(entry.get("type", "")),
                callback_id=str(entry.get("callback_id", "")),
                description=str(entry.get("description", "")),
            )
        )
    return shortcuts
