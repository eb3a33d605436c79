"""The workspace page in a real browser, with a Bolt app that paints behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.chromium import IN_A_BROWSER, chromium
from tests.scenario.local_slack_app import Running
from tests.scenario.local_slack_painter import draw, teach

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A workspace with an app that paints."""
    running = Running(
        ack_seconds=3.0, trigger_seconds=3.0, time_scale=1.0, file_processing_seconds=0.05, rate_limit_factor=None
    )
    teach(running)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def mrkdwn_page(browser: Browser, running: Running) -> Iterator[Page]:
    """A page of the workspace, for calling one of its modules."""
    page = browser.new_page()
    page.goto(running.server.url)
    yield page
    page.close()


class Tab:
    """A browser tab that acts as a member, with the errors that it met."""

    def __init__(self, context: BrowserContext, url: str, member: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(8000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: line.type == "error" and self.errors.append(line.text))
        self.page.goto(f"{url}/?as={member}")
        expect(self.page.locator(".composer").first).to_be_visible()

    def open(self, channel: str) -> None:
        self.page.locator(".sidebar-entry", has_text=channel).click()
        expect(self.page.get_by_label(f"Message #{channel}")).to_be_visible()

    def write(self, label: str, text: str) -> None:
        area = self.page.get_by_label(label, exact=True)
        area.fill(text)
        area.press("Enter")

    def message(self, text: str) -> Any:
        return self.page.locator(".channel .message", has_text=text)


@pytest.fixture
def open_tab(running: Running, browser: Browser) -> Iterator[Any]:
    """Opens tabs in one window; the test fails when a tab met an error."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    tabs: list[Tab] = []

    def open_one(member: str = "ada") -> Tab:
        tabs.append(Tab(context, running.server.url, member))
        return tabs[-1]

    yield open_one
    context.close()
    assert [error for tab in tabs for error in tab.errors] == []


def test_a_newcomer_is_told_what_to_try_and_the_command_paints(open_tab: Any) -> None:
    tab = open_tab()
    page = tab.page
    expect(page.locator(".honest")).to_contain_text("Local workspace for development — not Slack")
    page.get_by_role("button", name="/imagine a small blue star on a yellow background").click()
    page.get_by_label("Message #design", exact=True).press("Enter")
    picture = tab.message("a small blue star on a yellow background").locator(".picture img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256
    picture.click()
    large = page.get_by_role("dialog", name="Picture")
    expect(large.get_by_label("Download")).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)


def test_commands_are_completed_with_their_hint_and_an_unknown_one_is_refused(open_tab: Any) -> None:
    tab = open_tab()
    tab.open("general")
    area = tab.page.get_by_label("Message #general", exact=True)
    area.press_sequentially("/im")
    expect(tab.page.locator(".suggestion")).to_contain_text("a small blue star on a yellow background [--n 1-4]")
    area.press("Tab")
    expect(area).to_have_value("/imagine ")
    expect(tab.page.locator(".composer-hint")).to_contain_text("[--seed N]")
    area.fill("/nothing")
    area.press("Enter")
    answer = tab.message("/nothing is not a valid command.")
    expect(answer).to_contain_text("Only visible to you")
    answer.get_by_role("button", name="Dismiss").click()
    expect(answer).to_have_count(0)


def test_a_mention_in_a_thread_paints_there_and_a_command_is_refused(open_tab: Any, running: Running) -> None:
    running.grace.post("#general", "What about a boat?")
    tab = open_tab()
    tab.open("general")
    message = tab.message("What about a boat?")
    message.hover()
    message.get_by_role("button", name="Reply in thread").click()
    reply = tab.page.get_by_label("Reply…")
    reply.press_sequentially("@ea")
    reply.press("Enter")
    expect(reply).to_have_value("@easel ")
    reply.press_sequentially("a red square")
    reply.press("Enter")
    expect(tab.page.locator(".thread-pane .picture img")).to_be_visible()
    expect(message.locator(".thread-count")).to_have_text("2 replies")
    tab.write("Reply…", "/imagine a boat")
    expect(tab.page.locator(".thread-pane .composer-error")).to_have_text(
        "/imagine is not supported in threads. Sorry!"
    )
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator(".thread-pane")).to_be_hidden()


def test_a_button_is_pressed_and_another_asks_before(open_tab: Any) -> None:
    tab = open_tab()
    tab.open("random")
    tab.write("Message #random", "/imagine a purple circle")
    result = tab.message("a purple circle")
    result.get_by_role("button", name="Redo").click()
    expect(result.locator(".thread-count")).to_have_text("1 reply")
    result.get_by_role("button", name="Delete").click()
    question = tab.page.get_by_role("dialog", name="Delete this picture?")
    question.get_by_role("button", name="Keep").click()
    expect(result.locator(".picture")).to_be_visible()
    result.get_by_role("button", name="Delete").click()
    question.get_by_role("button", name="Delete").click()
    expect(tab.page.locator(".message.is-gone")).to_contain_text("This message was deleted.")


def test_a_form_shows_its_errors_and_is_submitted(open_tab: Any) -> None:
    tab = open_tab("grace")
    page = tab.page
    tab.open("general")
    tab.write("Message #general", "/imagine")
    form = page.get_by_role("dialog", name="Imagine")
    form.get_by_role("button", name="Paint").click()
    expect(form.locator(".field-error")).to_have_text("Please complete this required field.")
    prompt = form.get_by_label("Prompt")
    prompt.fill("no")
    form.get_by_role("button", name="Paint").click()
    expect(form.locator(".field-error")).to_have_text("Say a little more: at least five letters.")
    expect(prompt).to_have_value("no")
    prompt.fill("a green triangle")
    form.get_by_role("button", name="Pictures").click()
    form.get_by_role("option", name="2").click()
    form.get_by_role("button", name="Model").click()
    form.get_by_label("Search Model").press_sequentially("wood")
    form.get_by_role("option", name="Woodcut").click()
    form.get_by_role("button", name="Paint").click()
    expect(form).to_have_count(0)
    expect(tab.message("a green triangle").locator(".picture")).to_have_count(2)


def test_a_file_is_uploaded_and_seen_by_another_member(open_tab: Any, running: Running, tmp_path: Path) -> None:
    sketch = tmp_path / "sketch.png"
    sketch.write_bytes(draw("a red circle", 120))
    running.workspace.set_file_processing(0.6)  # longer than it takes to send the message
    ada, grace = open_tab("ada"), open_tab("grace")
    ada.open("general")
    ada.page.get_by_label("Files to share").set_input_files(sketch)
    expect(ada.page.locator(".composer-files .file-chip")).to_contain_text("sketch.png")
    ada.write("Message #general", "my sketch")
    expect(ada.message("my sketch").locator(".picture img")).to_be_visible()
    expect(grace.page.locator(".sidebar-entry", has_text="general").locator(".unread")).to_be_visible()
    grace.open("general")
    expect(grace.message("my sketch").locator(".picture img")).to_be_visible()
    running.workspace.clear_faults()


def test_switching_the_member_and_the_theme(open_tab: Any) -> None:
    page = open_tab("ada").page
    page.get_by_role("button", name="Acting as Ada Lovelace").click()
    page.get_by_role("menuitem", name="Mira Sol").click()
    expect(page.get_by_role("button", name="Acting as Mira Sol")).to_be_visible()
    expect(page.locator(".sidebar-entry", has_text="general")).to_have_count(0)
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(24, 22, 29)"
    page.reload()
    expect(page.get_by_role("button", name="Light theme")).to_be_visible()


def test_what_people_write_is_text_and_never_markup(open_tab: Any, running: Running) -> None:
    attempt = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    tab = open_tab("ada")
    tab.open("random")
    tab.write("Message #random", attempt)
    running.web.chat_postMessage(
        channel=running.workspace.channel_id("#random"),
        text="x",
        blocks=[
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": f"from the app: {attempt} <javascript:alert(1)|link>"},
            },
            {"type": "section", "text": {"type": "plain_text", "text": attempt}},
        ],
    )
    expect(tab.message("from the app").first).to_be_visible()
    expect(tab.page.locator(".channel .message", has_text="onerror")).to_have_count(2)
    assert tab.page.locator(".channel .message img[src=x], .channel .message script").count() == 0
    assert tab.page.locator("a[href^='javascript']").count() == 0
    assert "broken" not in tab.page.title()


SIGNS = st.text(alphabet="<>&*_~`@#|:/!\"'=x \n", max_size=40)
PIECES = st.sampled_from(
    ["<script>", "<javascript:x|y>", "<https://a.b|c>", "<@U1>", "<!here>", "```", "&lt;", ":tada:", "<img onerror=x>"]
)


@settings(max_examples=10, deadline=None)
@given(texts=st.lists(st.lists(SIGNS | PIECES, max_size=6).map("".join), min_size=30, max_size=40))
def test_any_text_becomes_only_the_elements_of_mrkdwn(mrkdwn_page: Page, texts: list[str]) -> None:
    found = mrkdwn_page.evaluate(
        """async (texts) => {
          const { mrkdwn } = await import("/static/mrkdwn.js");
          const names = { me: "U1", member: () => null, channel: () => null, openChannel() {} };
          const seen = new Set();
          for (const text of texts) {
            const box = document.createElement("div");
            box.append(...mrkdwn(text, names));
            for (const element of box.querySelectorAll("*")) {
              const link = element.getAttribute("href");
              seen.add(element.tagName + (link && !/^(https?:|mailto:)/.test(link) ? " " + link : ""));
              for (const name of element.getAttributeNames()) seen.add("@" + name);
            }
          }
          return [...seen];
        }""",
        texts,
    )
    tags = {"STRONG", "EM", "S", "CODE", "PRE", "BLOCKQUOTE", "BR", "A", "SPAN", "TIME"}
    attributes = {"@class", "@href", "@target", "@rel", "@role", "@aria-label", "@title", "@datetime"}
    assert set(found) <= tags | attributes


def test_a_message_shortcut_from_its_menu_and_a_missed_ack(open_tab: Any, running: Running) -> None:
    running.grace.post("#design", "a yellow circle")
    tab = open_tab("ada")
    message = tab.message("a yellow circle").first
    message.hover()
    message.get_by_role("button", name="More actions").click()
    tab.page.get_by_role("menuitem", name="Paint this").click()
    expect(message.locator(".thread-count")).to_have_text("1 reply")
    running.workspace.set_request_url("http://127.0.0.1:9/nobody")
    tab.write("Message #design", "/imagine a boat")
    expect(tab.message('/imagine failed with the error "dispatch_failed"')).to_be_visible(timeout=15_000)
    running.workspace.set_request_url(running.served.url)
    expect(tab.page.locator(".sidebar-foot")).to_contain_text("Live")


def test_a_form_takes_several_files_and_refuses_what_does_not_fit(
    open_tab: Any, running: Running, tmp_path: Path
) -> None:
    given: list[list[str]] = []

    def label(text: str) -> dict[str, str]:
        return {"type": "plain_text", "text": text}

    @running.app.command("/form")
    def form(ack: Any, client: Any, command: dict[str, Any]) -> None:
        element = {"type": "file_input", "action_id": "value", "filetypes": ["png"], "max_files": 2}
        blocks = [{"type": "input", "block_id": "files", "label": label("Pictures"), "element": element}]
        view = {"type": "modal", "callback_id": "pictures", "title": label("Train"), "submit": label("Send")}
        client.views_open(trigger_id=command["trigger_id"], view=view | {"blocks": blocks})
        ack()

    @running.app.view("pictures")
    def submitted(ack: Any, view: dict[str, Any]) -> None:
        given.append([file["name"] for file in view["state"]["values"]["files"]["value"]["files"]])
        ack()

    for name in ("one.png", "two.png", "three.png"):
        (tmp_path / name).write_bytes(draw("a red circle", 64))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "large.png").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    tab = open_tab("ada")
    tab.open("design")
    tab.write("Message #design", "/form")
    dialog = tab.page.locator("dialog.modal")
    chooser = dialog.locator("input[type=file]")
    chooser.set_input_files([tmp_path / name for name in ("notes.txt", "large.png", "one.png")])
    expect(dialog).to_contain_text("notes.txt is not one of these types: png.")
    expect(dialog).to_contain_text("large.png is larger than 10 MB.")
    expect(dialog.locator(".file-chip")).to_have_text(["one.png"])
    chooser.set_input_files([tmp_path / "two.png", tmp_path / "three.png"])
    expect(dialog).to_contain_text("At most 2 files.")
    expect(dialog.locator(".file-chip")).to_have_text(["one.png", "two.png"])
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    assert given == [["one.png", "two.png"]]


def test_a_phone_shows_one_thing_at_a_time(browser: Browser, running: Running) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    tab = Tab(context, running.server.url, "grace")
    page = tab.page
    expect(page.locator(".sidebar")).to_be_hidden()
    page.get_by_role("button", name="Channels", exact=True).click()
    page.locator(".sidebar-entry", has_text="random").click()
    expect(page.get_by_label("Message #random")).to_be_visible()
    expect(page.locator(".sidebar")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert tab.errors == []
