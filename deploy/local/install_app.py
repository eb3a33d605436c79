"""Installs the app in a local workspace the way a person does: from the install page, over Slack's page, and back."""

from __future__ import annotations

import re

import httpx

from deploy.local.slack.client import LocalWorkspace

PAGE_SECONDS = 30.0


class AppNotInstalled(Exception):
    """The install pages did not get to their end; the text is what the last one says."""


def install_app(install_url: str, workspace_url: str, member: str) -> None:
    """Install it as a member who may; raises `AppNotInstalled`."""
    with httpx.Client(trust_env=False, timeout=PAGE_SECONDS) as browser, LocalWorkspace(workspace_url) as workspace:
        begun = browser.get(install_url)
        if begun.status_code != 302:
            raise AppNotInstalled(_said(begun))
        # The cookie is for https alone, and 127.0.0.1 has none: httpx would leave it behind.
        cookie = begun.headers["set-cookie"].partition(";")[0]
        back = workspace.authorize_app(begun.headers["location"], member)
        ended = browser.get(back, headers={"cookie": cookie})
    if ended.status_code != 200 or "Easel is installed" not in ended.text:
        raise AppNotInstalled(_said(ended))


def _said(page: httpx.Response) -> str:
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return f"HTTP {page.status_code}: {' '.join(text.split())[:300]}"
