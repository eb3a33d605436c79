"""Installing, reinstalling, uninstalling and token rotation, in several local workspaces with one real bot."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bot.invocation import Kind
from deploy.local.slack.client import LocalWorkspace, WorkspaceRefused
from tests.fakes.bot_settings import ACME, GLOBEX, ORGANISATION
from tests.fakes.bot_workspace import BotInWorkspace

E = ORGANISATION["enterprise_id"]


@pytest.fixture
def bot() -> Iterator[BotInWorkspace]:
    """Two workspaces, the app in none."""
    bot = BotInWorkspace(beside=[GLOBEX], **ACME)
    yield bot
    bot.stop()


@pytest.fixture
def organisation() -> Iterator[BotInWorkspace]:
    """Two workspaces of one organisation."""
    bot = BotInWorkspace(beside=[GLOBEX | ORGANISATION], **ACME, **ORGANISATION)
    yield bot
    bot.stop()


def text_of(page: httpx.Response) -> str:
    return re.sub(r"<[^>]+>", " ", page.text)


def events(workspace: LocalWorkspace, count: int) -> None:
    """Wait until so many events were acknowledged."""

    def are_acked() -> bool:
        return len([one for one in workspace.deliveries("event") if one.outcome == "acked"]) >= count

    workspace.wait_for(are_acked, timeout=60, what="event")


def paint(bot: BotInWorkspace, workspace: LocalWorkspace, prompt: str = "a red boat") -> Any:
    """`/imagine` up to the picture, in #design; the message."""
    assert workspace.as_member("ada").run_command("#design", f"/imagine {prompt}").ok
    bot.work()
    bot.announce("JobSucceeded")
    return workspace.as_member("ada").messages("#design")[-1]


def token_of(bot: BotInWorkspace, team: str, enterprise: str = "") -> Any:
    stored = bot.installations.find(team, enterprise)
    assert stored is not None
    return stored.installation.bot


def test_before_it_is_installed_there_is_no_app(bot: BotInWorkspace) -> None:
    outcome = bot.ada.run_command("#design", "/imagine a red boat")
    assert outcome.error == "unknown_command" and bot.workspace.deliveries() == []


def test_an_installation_paints_with_a_token_of_its_own(bot: BotInWorkspace) -> None:
    page = bot.install(bot.workspace)
    assert page.status_code == 200 and "Easel is installed in Acme Pictures" in page.text
    [announced] = bot.announcer.announced
    assert (announced.id, announced.installer) == ("T0EASEL01", bot.ada.id)
    assert token_of(bot, "T0EASEL01").token.startswith("xoxe.xoxb-")

    assert paint(bot, bot.workspace).pictures
    assert bot.ada.run_command("#design", "/imagine").ok
    assert bot.ada.wait_for_view().title == "Imagine"


def test_two_workspaces_never_mix(bot: BotInWorkspace) -> None:
    acme, globex = bot.workspaces
    assert bot.install(acme).status_code == bot.install(globex).status_code == 200
    assert token_of(bot, "T0EASEL01") != token_of(bot, "T0EASEL02")

    assert acme.as_member("ada").run_command("#design", "/imagine a red boat").ok
    assert globex.as_member("linus").run_command("#design", "/imagine a blue house").ok
    bot.work()
    boat, house = list(bot.api.jobs)
    assert [bot.api.jobs[job]["tenant"] for job in (boat, house)] == ["T0EASEL01", "T0EASEL02"]
    bot.announce("JobSucceeded", house)
    bot.announce("JobSucceeded", boat)

    for workspace, ours, theirs in ((acme, "boat", "house"), (globex, "house", "boat")):
        messages = workspace.as_member("grace").messages("#design")
        assert messages[-1].pictures and messages[-1].says(ours)
        assert not any(message.says(theirs) for message in messages)
        assert len(workspace.files()) == 1
        assert all(call.ok for call in workspace.api_calls())

    # One workspace's token is worth nothing for what is the other's.
    theirs = globex.as_member("linus").messages("#design")[-1]
    token = token_of(bot, "T0EASEL01").token
    file = globex.files()[0]
    for method, arguments in (
        ("chat.update", {"channel": theirs.channel, "ts": theirs.ts, "text": "mine"}),
        ("conversations.history", {"channel": theirs.channel}),
        ("files.info", {"file": file["id"]}),
    ):
        answer = bot.call_slack(globex, token, method, **arguments)
        assert answer["error"] in {"channel_not_found", "file_not_found"}, method
    assert bot.get(file["url_private"], authorization=f"Bearer {token}").status_code == 403


def test_a_member_who_cancels_and_one_who_may_not(bot: BotInWorkspace) -> None:
    page = bot.install(bot.workspace, is_allowed=False)
    assert page.status_code == 200 and "you cancelled" in text_of(page)
    with pytest.raises(WorkspaceRefused, match="not_allowed_to_install"):
        bot.install(bot.workspace, "mira")
    assert bot.installations.rows == {} and bot.announcer.announced == []


def test_a_code_and_a_state_work_once_and_in_one_browser(bot: BotInWorkspace) -> None:
    address, cookie = bot.begin_install()
    target = bot.workspace.authorize_app(address)
    assert "did not begin in this browser" in text_of(bot.get(target))
    assert bot.get(target, cookie=cookie).status_code == 200
    assert "was used before" in text_of(bot.get(target, cookie=cookie))

    # A new state and an old code.
    code = re.findall(r"code=([^&]+)", target)[0]
    address, cookie = bot.begin_install()
    state = re.findall(r"state=([^&]+)", address)[0]
    page = bot.get(f"{bot.url}/slack/oauth_redirect?code={code}&state={state}", cookie=cookie)
    assert "does not take the code" in text_of(page)
    assert len(bot.announcer.announced) == 1


def test_the_redirect_address_has_to_be_the_apps(bot: BotInWorkspace) -> None:
    bot.workspace.set_redirect_urls("https://elsewhere.example/slack/oauth_redirect")
    with pytest.raises(WorkspaceRefused, match="bad_redirect_uri"):
        bot.install(bot.workspace)


@pytest.mark.parametrize("order", [["app_uninstalled", "tokens_revoked"], ["tokens_revoked", "app_uninstalled"]])
def test_an_uninstalled_workspace_is_forgotten_in_either_order_and_its_result_dropped(
    bot: BotInWorkspace, order: list[str]
) -> None:
    acme, globex = bot.workspaces
    for workspace in bot.workspaces:
        bot.install(workspace)
    assert bot.ada.run_command("#design", "/imagine a red boat").ok
    bot.work()
    acme.uninstall_app(order)
    events(acme, 2)
    acme.repeat_deliveries(2)
    bot.work()
    assert bot.installations.find("T0EASEL01", "") is None
    bot.announce("JobSucceeded")
    assert not any(message.pictures for message in bot.ada.messages("#design"))
    assert bot.ada.run_command("#design", "/imagine a red boat").error == "unknown_command"
    assert len(bot.api.jobs) == 1, "the job stays"
    assert paint(bot, globex).pictures

    assert bot.install(acme).status_code == 200
    assert paint(bot, acme, "a green tree").says("a green tree")


def test_an_event_that_arrives_after_the_reinstallation_changes_nothing(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    old = token_of(bot, "T0EASEL01")
    bot.workspace.delay_deliveries(1.2, count=2, kind="event")
    bot.workspace.uninstall_app()
    assert bot.install(bot.workspace).status_code == 200
    events(bot.workspace, 2)
    assert {one.kind for one in bot.work()} == {Kind.UNINSTALLED, Kind.TOKENS_REVOKED}
    assert token_of(bot, "T0EASEL01") != old and paint(bot, bot.workspace).pictures


def test_a_single_token_that_is_revoked_is_replaced(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    assert paint(bot, bot.workspace).pictures
    old = token_of(bot, "T0EASEL01")
    assert bot.call_slack(bot.workspace, old.token, "auth.revoke") == {"ok": True, "revoked": True}
    assert paint(bot, bot.workspace, "a green tree").pictures
    assert token_of(bot, "T0EASEL01").token != old.token
    events(bot.workspace, 1)
    bot.work()
    assert bot.installations.find("T0EASEL01", "") is not None, "the installation has not ended"


def test_reinstalling_without_uninstalling_goes_on_with_the_new_token(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    assert paint(bot, bot.workspace).pictures
    for _ in range(3):
        assert bot.install(bot.workspace).status_code == 200
    assert paint(bot, bot.workspace, "a green tree").says("a green tree"), "the first token was pushed out"


def test_an_organisations_installation_serves_its_workspaces(organisation: BotInWorkspace) -> None:
    bot = organisation
    acme, globex = bot.workspaces
    assert "organisation settings" in text_of(bot.install(acme, is_org_wide=True))
    with pytest.raises(WorkspaceRefused, match="not_allowed_to_install"):
        bot.install(acme, "grace", is_org_wide=True)
    assert [row.stored.installation.id for row in bot.installations.rows.values()] == [E]
    assert paint(bot, acme, "a red boat").says("a red boat")
    assert paint(bot, globex, "a blue house").says("a blue house")
    assert [job["tenant"] for job in bot.api.jobs.values()] == ["T0EASEL01", "T0EASEL02"]
    assert all(job["body"]["context"]["enterprise"] == E for job in bot.api.jobs.values())
    assert not any(message.says("house") for message in acme.as_member("ada").messages("#design"))
    linus = globex.as_member("linus")
    assert linus.run_command("#design", "/imagine").ok
    assert linus.fill_and_submit(linus.wait_for_view(), {"prompt": "a green tree"}).ok
    linus.mention("#design", "a yellow sun")
    events(globex, 1)
    assert {(one.team, one.enterprise) for one in bot.work()} == {("T0EASEL02", E)}

    # One of them has an installation of its own, which goes first, and ends apart.
    assert bot.install(globex).status_code == 200
    assert token_of(bot, "T0EASEL02", E) != token_of(bot, "T0EASEL01", E)
    globex.clear_log()
    globex.uninstall_app()
    events(globex, 2)
    bot.work()
    assert [row.stored.installation.id for row in bot.installations.rows.values()] == [E]
    assert paint(bot, globex, "a white cloud").says("a white cloud")

    acme.uninstall_app()
    events(acme, 2)
    bot.work()
    assert bot.installations.rows == {}
    for workspace in bot.workspaces:
        assert workspace.as_member("ada").run_command("#design", "/imagine x").error == "unknown_command"


def test_a_token_that_nears_its_end_is_renewed_by_one_of_many_at_once(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    before = token_of(bot, "T0EASEL01")
    bot.clock.shift_seconds = 11 * 3600.0
    functions = [bot.new_tokens() for _ in range(6)]
    got: list[str] = []
    start = threading.Barrier(len(functions))

    def ask(tokens: Any) -> None:
        start.wait()
        got.append(tokens.token_for("T0EASEL01", ""))

    threads = [threading.Thread(target=ask, args=(tokens,)) for tokens in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = token_of(bot, "T0EASEL01")
    assert after != before and len(got) == 6 and set(got) <= {before.token, after.token}
    assert all(bot.oauth.accepts(token) for token in (before.token, after.token))
    refreshes = [call for call in bot.workspace.api_calls("oauth.v2.access") if "refresh_token" in call.arguments]
    assert len(refreshes) == 1 and refreshes[0].ok
    assert paint(bot, bot.workspace).pictures


def test_tokens_that_ended_are_renewed_for_a_command_a_form_and_a_result(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    assert paint(bot, bot.workspace).pictures
    bot.workspace.expire_tokens()
    assert bot.ada.run_command("#design", "/imagine").ok and bot.ada.wait_for_view()
    bot.workspace.expire_tokens()
    assert bot.ada.run_command("#design", "/imagine a green tree").ok
    bot.work()
    bot.workspace.expire_tokens()
    bot.announce("JobSucceeded")
    assert bot.ada.messages("#design")[-1].says("a green tree") and bot.ada.messages("#design")[-1].pictures


def test_a_refresh_whose_answer_is_lost_is_repeated(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    bot.workspace.expire_tokens()
    bot.workspace.answer_status("oauth.v2.access", 503, is_applied=True)
    assert paint(bot, bot.workspace).pictures
    refreshes = bot.workspace.api_calls("oauth.v2.access")[-2:]
    assert [call.ok for call in refreshes] == [False, True]


def test_acknowledging_looks_up_no_token(bot: BotInWorkspace) -> None:
    bot.install(bot.workspace)
    bot.workspace.clear_log()
    reads = bot.installations.reads
    for text in ("a red boat", "help", "a red boat --stepz 3"):
        assert bot.ada.run_command("#design", f"/imagine {text}").ok
    assert bot.installations.reads == reads and bot.workspace.api_calls() == []
    assert bot.ada.run_command("#design", "/imagine").ok
    assert bot.installations.reads == reads + 1
