"""Slack's app manifest, made from the registry: `python -m commands.manifest > deploy/slack_manifest.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from commands.registry import COMMANDS
from commands.views.training_ids import TRAIN_SHORTCUT, TRAIN_SHORTCUT_NAME

REQUEST_URL = "https://example.invalid/slack/events"
"""Replaced by the deployed stack's own URL when the app is created, here and where people are sent back to."""

# What each scope is needed for. A scope that nothing here names must not be asked for.
BOT_SCOPES = {
    "app_mentions:read": "mentions in threads",
    "channels:history": "finding its own placeholder again after a crash, and pictures to train on in a thread",
    "chat:write": "posting and updating messages",
    "commands": "slash commands",
    "files:read": "waiting until Slack has processed a picture, and reading pictures to train on",
    "files:write": "uploading and deleting pictures",
    "groups:history": "as channels:history, in private channels",
    "im:history": "direct messages to the bot, and as channels:history there",
    "im:write": "telling a person in private what can't be posted where it was asked",
    "mpim:history": "as channels:history, in group direct messages",
    "usergroups:read": "who is in a user group to which something is granted, denied or limited",
}


def manifest(request_url: str = REQUEST_URL, is_distributed: bool = True) -> dict[str, Any]:
    """The manifest for an app whose commands, events and buttons go to `request_url`.

    `is_distributed`: it is installed through OAuth, with tokens that rotate; else by hand, with one that never ends.
    """
    return {
        "display_information": {
            "name": "Easel",
            "description": "Paints pictures from words, on your own AWS account",
            "background_color": "#3b2f5c",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "easel", "always_online": True},
            "slash_commands": [
                {
                    "command": command.name,
                    "url": request_url,
                    "description": command.summary,
                    "usage_hint": command.usage_hint,
                    "should_escape": command.should_escape,
                }
                for command in COMMANDS
            ],
            "shortcuts": [
                {
                    "name": TRAIN_SHORTCUT_NAME,
                    "type": "message",
                    "callback_id": TRAIN_SHORTCUT,
                    "description": "Train a style or a subject on the pictures of this message and its thread",
                }
            ],
        },
        "oauth_config": {
            "redirect_urls": [request_url.removesuffix("/events") + "/oauth_redirect"],
            "scopes": {"bot": sorted(BOT_SCOPES)},
        },
        "settings": {
            "event_subscriptions": {
                "request_url": request_url,
                "bot_events": ["app_mention", "app_uninstalled", "message.im", "tokens_revoked"],
            },
            "interactivity": {
                "is_enabled": True,
                "request_url": request_url,
                "message_menu_options_url": request_url,
            },
            "org_deploy_enabled": is_distributed,
            "socket_mode_enabled": False,
            "token_rotation_enabled": is_distributed,
        },
    }


def manifest_text(request_url: str = REQUEST_URL, is_distributed: bool = True) -> str:
    """The file's content."""
    return json.dumps(manifest(request_url, is_distributed), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(manifest_text())
