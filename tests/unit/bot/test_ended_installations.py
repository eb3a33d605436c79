"""Uninstalled and revoked: in any order, repeated, late; and what becomes of requests and results meanwhile."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bot.bot_tokens import BotTokens
from bot.installation import BotToken
from bot.invocation import Invocation, Kind
from bot.ports.slack import SlackUnavailable
from bot.worker.installations import ChangedMeanwhile, InstallationDeps, end_installation
from commands.sentences import not_installed
from tests.fakes.bot import FakeClock
from tests.fakes.bot_installations import FakeInstallationStore, FakeSlackOAuth, installation
from tests.fakes.bot_stage import Stage, painting


class Slack:
    """An app, its installations, and what Slack thinks of them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeInstallationStore()
        self.oauth = FakeSlackOAuth(self.clock)
        self.deps = self.deps_on(self.store)

    def deps_on(self, store: FakeInstallationStore) -> InstallationDeps:
        """The ports, with this store."""
        return InstallationDeps(store, self.oauth, BotTokens(store, self.oauth, self.clock))

    def install(self, team: str = "T1", enterprise: str = "") -> BotToken:
        """Now."""
        bot = self.oauth.issue()
        assert self.store.save(installation(team, enterprise, self.clock.now(), bot))
        return bot

    def event(self, kind: Kind, team: str = "T1", enterprise: str = "") -> Invocation:
        """That happens now."""
        return Invocation(kind, "k", team, "", "", float(int(self.clock.now())), enterprise=enterprise)

    def is_installed(self, team: str = "T1", enterprise: str = "") -> bool:
        """Whether there are tokens."""
        return self.store.find(team, enterprise) is not None


@pytest.fixture
def slack() -> Slack:
    return Slack()


KINDS = (Kind.UNINSTALLED, Kind.TOKENS_REVOKED)


@pytest.mark.parametrize("order", [*itertools.permutations(KINDS), (KINDS[0],), (KINDS[1],), (*KINDS, *KINDS)])
def test_an_uninstalled_workspace_loses_its_tokens_in_whatever_order_it_is_told(
    slack: Slack, order: tuple[Kind, ...]
) -> None:
    bot = slack.install()
    slack.install("T2")
    slack.clock.sleep(100)
    slack.oauth.uninstall(bot.token)
    for kind in order:
        end_installation(slack.deps, slack.event(kind))
    assert not slack.is_installed() and slack.is_installed("T2")


@pytest.mark.parametrize("seconds", [0.0, 0.4, 3.0, 100.0])
def test_an_event_from_before_does_not_end_a_new_installation(slack: Slack, seconds: float) -> None:
    old = slack.install()
    slack.clock.sleep(1_000.7)
    slack.oauth.uninstall(old.token)
    events = [slack.event(kind) for kind in KINDS]
    slack.clock.sleep(seconds)
    new = slack.install()
    slack.clock.sleep(300)
    for event in [*events, *events]:
        end_installation(slack.deps, event)
    stored = slack.store.find("T1", "")
    assert stored is not None and stored.installation.bot == new


@pytest.mark.parametrize(("team", "enterprise"), [("T1", ""), ("T1", "E1"), ("", "E1")])
def test_an_event_from_before_with_a_late_stamp_does_not_end_a_new_installation(
    slack: Slack, team: str, enterprise: str
) -> None:
    old = slack.install(team, enterprise)
    slack.oauth.uninstall(old.token)
    slack.clock.sleep(10)
    new = slack.install(team, enterprise)
    slack.clock.sleep(60)
    for kind in KINDS:
        end_installation(slack.deps, slack.event(kind, team, enterprise))
    stored = slack.store.find(team, enterprise)
    assert stored is not None and stored.installation.bot == new


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_from_long_before_needs_nobody_to_be_asked(slack: Slack, kind: Kind) -> None:
    event = slack.event(kind)
    slack.clock.sleep(100)
    slack.install()
    slack.oauth.is_down = True
    end_installation(slack.deps, event)
    assert slack.is_installed()


@pytest.mark.parametrize("kind", KINDS)
def test_an_app_that_is_taken_out_at_once_loses_its_tokens(slack: Slack, kind: Kind) -> None:
    bot = slack.install()
    slack.oauth.uninstall(bot.token)
    end_installation(slack.deps, slack.event(kind))
    assert not slack.is_installed()


def test_a_single_token_that_is_revoked_ends_no_installation(slack: Slack) -> None:
    """With rotation, Slack revokes the older of two tokens by itself."""
    bot = slack.install()
    slack.clock.sleep(1_000)
    end_installation(slack.deps, slack.event(Kind.TOKENS_REVOKED))
    stored = slack.store.find("T1", "")
    assert stored is not None and stored.installation.bot == bot
    # Also when it is the one that is stored: Slack gives a new one for it.
    slack.oauth.grants[0].access.clear()
    end_installation(slack.deps, slack.event(Kind.TOKENS_REVOKED))
    stored = slack.store.find("T1", "")
    assert stored is not None and slack.oauth.accepts(stored.installation.bot.token)


def test_an_organisation_and_its_workspaces_end_apart(slack: Slack) -> None:
    everywhere, own = slack.install("", "E1"), slack.install("T1", "E1")
    slack.clock.sleep(100)
    # The workspace's own is gone; the organisation's serves it from now on, and a repeated event leaves it alone.
    slack.oauth.uninstall(own.token)
    for _ in range(2):
        end_installation(slack.deps, slack.event(Kind.UNINSTALLED, "T1", "E1"))
    stored = slack.store.find("T1", "E1")
    assert stored is not None and stored.installation.bot == everywhere

    slack.install("T1", "E1")
    slack.clock.sleep(100)
    slack.oauth.uninstall(everywhere.token)
    end_installation(slack.deps, slack.event(Kind.UNINSTALLED, "T1", "E1"))
    assert slack.is_installed("T1", "E1") and not slack.is_installed("", "E1")


def test_of_the_two_that_an_event_may_be_about_the_one_ends_that_has_ended(slack: Slack) -> None:
    slack.install("", "E1")
    own = slack.install("T1", "E1")
    slack.clock.sleep(2)
    slack.oauth.uninstall(own.token)
    for kind in KINDS:
        end_installation(slack.deps, slack.event(kind, "T1", "E1"))
    stored = slack.store.find("T1", "E1")
    assert stored is not None and stored.installation.is_org_wide


def test_an_organisations_uninstallation_may_name_no_workspace(slack: Slack) -> None:
    bot = slack.install("", "E1")
    slack.clock.sleep(100)
    slack.oauth.uninstall(bot.token)
    end_installation(slack.deps, slack.event(Kind.UNINSTALLED, "", "E1"))
    assert not slack.is_installed("", "E1")


def test_what_was_never_installed_is_nothing(slack: Slack) -> None:
    for kind in KINDS:
        end_installation(slack.deps, slack.event(kind))


def test_where_slack_does_not_answer_nothing_is_removed(slack: Slack) -> None:
    slack.install()
    slack.clock.sleep(100)
    slack.oauth.is_down = True
    with pytest.raises(SlackUnavailable):
        end_installation(slack.deps, slack.event(Kind.TOKENS_REVOKED))
    assert slack.is_installed()


def test_a_token_that_is_renewed_meanwhile_is_judged_anew(slack: Slack) -> None:
    bot = slack.install()
    slack.clock.sleep(100)
    slack.oauth.uninstall(bot.token)
    renewals = iter(range(100))

    class Restless(FakeInstallationStore):
        """Somebody renews the token just before it is removed, so many times."""

        left = 3

        def remove(self, stored: Any) -> bool:
            if self.left > 0:
                self.left -= 1
                now = float(next(renewals))
                lease = self.lease(stored, "x", 1.0, 0.0)
                assert lease is not None and self.renew(lease, BotToken(f"renewed-{now}", "r", 1.0))
            return super().remove(stored)

    store = Restless()
    store.rows = slack.store.rows
    end_installation(slack.deps_on(store), slack.event(Kind.UNINSTALLED))
    assert not slack.is_installed()

    slack.oauth.uninstall(slack.install().token)
    slack.clock.sleep(100)
    store.left = 100
    with pytest.raises(ChangedMeanwhile):
        end_installation(slack.deps_on(store), slack.event(Kind.UNINSTALLED))


# ---------------------------------------------------------------- requests and results of a workspace without the app


def test_a_request_of_a_workspace_without_the_app_starts_no_job() -> None:
    stage = Stage()
    stage.workspaces.gone.add("T1")
    assert stage.work(painting(response_url="https://hooks.example/1"))
    assert stage.api.jobs == {} and stage.slack.messages == []
    [(where, view)] = stage.slack.told
    assert where == "https://hooks.example/1" and not_installed().sentence in view.text
    assert stage.work(painting()), "repeated"
    assert stage.api.jobs == {} and len(stage.slack.told) == 1


@pytest.mark.parametrize("kind", ["JobSucceeded", "JobFailed", "JobCancelled"])
def test_the_result_of_a_workspace_without_the_app_is_dropped_and_the_job_stays(kind: str) -> None:
    stage = Stage()
    job_id, posted = stage.paint()
    before = len(posted.views)
    stage.workspaces.gone.add("T1")
    assert stage.announce(stage.api.event(job_id, "JobProgressed", step=1, steps=2))
    assert stage.announce(stage.api.event(job_id, kind)), "the queue may forget it"
    assert len(posted.views) == before and stage.slack.told == [] and job_id in stage.api.jobs
    # Installed anew: a repeated event changes nothing, as for any delivered one.
    stage.workspaces.gone.clear()
    assert stage.announce(stage.api.event(job_id, kind)) and len(posted.views) == before


def test_results_are_for_the_workspace_that_asked_whatever_the_context_says() -> None:
    stage = Stage()
    assert stage.work(painting(enterprise="E1"))
    [job_id] = stage.api.jobs
    context = stage.api.jobs[job_id]["body"]["context"]
    assert (context["team"], context["enterprise"]) == ("T1", "E1")

    event = stage.api.event(job_id, "JobSucceeded")
    event["detail"]["context"] = {**event["detail"]["context"], "team": "T2", "enterprise": "E2"}
    stage.workspaces.asked.clear()
    assert stage.announce(event)
    assert stage.workspaces.asked == [("T1", "E1")]
