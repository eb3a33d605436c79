"""Installs the app in a local workspace the way a person does: from the install page, over Slack's page, and back."""

from __future__ import annotations

import re

import httpx

from deploy.local.slack.client import LocalWorkspace

PAGE_SECONDS = 60.0
TRIES = 3


class AppNotInstalled(Exception):
    """The install pages did not get to their end; the text is what the last one says."""


def install_app(install_url: str, workspace_url: str, member: str) -> None:
    """Install it as a member who may; raises `AppNotInstalled`. Where a page does not come, it begins anew."""
    said = ""
    with httpx.Client(trust_env=False, timeout=PAGE_SECONDS) as browser, LocalWorkspace(workspace_url) as workspace:
        for _ in range(TRIES):
            try:
                page = _last_page(browser, workspace, install_url, member)
            except httpx.TimeoutException:
                said = f"no page within {PAGE_SECONDS:g} s"
                continue
            if page.status_code == 200 and "Easel is installed" in page.text:
                return
            said = _said(page)
            if page.status_code < 500:
                break
    raise AppNotInstalled(said)


def _last_page(browser: httpx.Client, workspace: LocalWorkspace, install_url: str, member: str) -> httpx.Response:
    begun = browser.get(install_url)
    if begun.status_code != 302:
        return begun
    # The cookie is for https alone, and 127.0.0.1 has none: httpx would leave it behind.
    cookie = begun.headers["set-cookie"].partition(";")[0]
    back = workspace.authorize_app(begun.headers["location"], member)
    return browser.get(back, headers={"cookie": cookie})


def _said(page: httpx.Response) -> str:
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return f"HTTP {page.status_code}: {' '.join(text.split())[:300]}"
