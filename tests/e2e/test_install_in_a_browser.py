"""The way of a workspace's admin, in a real browser on the deployed pages: the cookie is the browser's own affair."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.local.slack.client import LocalWorkspace
from deploy.local.stack import LocalStack
from tests.e2e.chromium import IN_A_BROWSER, chromium
from tests.e2e.test_install import installed

pytestmark = [pytest.mark.stack, *IN_A_BROWSER]
SECONDS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For all of them."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has been nowhere yet."""
    context = browser.new_context()
    page = context.new_page()
    # A function that nobody has called for a while takes its time.
    page.set_default_timeout(SECONDS)
    yield page
    context.close()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=SECONDS)


def ask(page: Page, stack: LocalStack) -> None:
    """From the install page to Slack's question."""
    page.goto(f"{stack.api_url}/slack/install")
    heading(page, "Easel is asking for permission")
    assert page.url.startswith(f"{stack.slack.url}/oauth/v2/authorize?")


def as_ada(page: Page, stack: LocalStack) -> None:
    settings = stack.slack.settings
    page.get_by_label("As").select_option(f"{settings.team_id}/{stack.slack.workspace.member('ada').id}")


def test_from_the_install_page_over_slacks_to_the_last_one(
    stack: LocalStack, workspace: LocalWorkspace, page: Page
) -> None:
    team_id = stack.slack.settings.team_id
    [before] = [one for one in installed(stack) if one["team"] == {"S": team_id}]
    ask(page, stack)
    [cookie] = [one for one in page.context.cookies() if one["name"] == "easel-install"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    as_ada(page, stack)
    page.get_by_role("button", name="Allow").click()

    heading(page, f"Easel is installed in {stack.slack.settings.team_name}")
    expect(page.get_by_text("/imagine-admin access grant workspace artist")).to_be_visible()
    [after] = [one for one in installed(stack) if one["team"] == {"S": team_id}]
    assert after["revision"] != before["revision"] and after["installer"] == before["installer"]
    assert page.context.cookies() == [], "used up"
    assert workspace.as_member("ada").run_command("#general", "/imagine help").ok

    page.reload()
    heading(page, "This attempt did not install Easel")
    expect(page.get_by_text("If you have just installed Easel, you are done")).to_be_visible()
    assert after in installed(stack)


def test_whoever_cancels_can_start_again(stack: LocalStack, page: Page) -> None:
    before = installed(stack)
    ask(page, stack)
    as_ada(page, stack)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("you cancelled on Slack's page")).to_be_visible(timeout=SECONDS)
    page.get_by_role("link", name="Start again").click()
    heading(page, "Easel is asking for permission")
    assert installed(stack) == before


def test_the_way_back_in_another_browser_installs_nothing(stack: LocalStack, browser: Browser, page: Page) -> None:
    before = installed(stack)
    ask(page, stack)
    asked = page.url
    other = browser.new_context()
    try:
        victim = other.new_page()
        victim.set_default_timeout(SECONDS)
        victim.goto(asked)
        as_ada(victim, stack)
        victim.get_by_role("button", name="Allow").click()
        expect(victim.get_by_text("did not begin in this browser")).to_be_visible(timeout=SECONDS)
    finally:
        other.close()
    assert installed(stack) == before
