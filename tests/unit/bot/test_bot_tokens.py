"""Which token the bot has where: kept, renewed by one at a time, never lost when an answer is."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from bot.bot_tokens import RECHECK_SECONDS, RENEW_BEFORE_SECONDS, BotTokens, Kept, OwnToken
from bot.installation import BotToken
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.token_renewal import LEASE_SECONDS, STORE_PAUSES_SECONDS
from tests.fakes.bot import FakeClock
from tests.fakes.bot_installations import (
    GRACE_SECONDS,
    TOKEN_SECONDS,
    FakeInstallationStore,
    FakeSlackOAuth,
    installation,
)


class Place:
    """A store, Slack and a clock; any number of functions on them."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.clock = FakeClock()
        self.store = FakeInstallationStore()
        self.oauth = FakeSlackOAuth(self.clock, grace_seconds)

    def function(self, **facts: Any) -> BotTokens:
        """A function of its own, with its own memory."""
        return BotTokens(self.store, self.oauth, self.clock, **facts)

    def install(self, team: str = "T1", enterprise: str = "") -> BotToken:
        """With a token that ends."""
        bot = self.oauth.issue()
        assert self.store.save(installation(team, enterprise, self.clock.now(), bot))
        return bot

    def stored(self, team: str = "T1") -> BotToken:
        """What is stored now."""
        found = self.store.find(team, "")
        assert found is not None
        return found.installation.bot


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_token_is_read_once_and_kept(place: Place) -> None:
    bot = place.install()
    tokens = place.function()
    assert {tokens.token_for("T1", "") for _ in range(5)} == {bot.token}
    assert place.store.reads == 1
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS - 1)
    assert tokens.token_for("T1", "") == bot.token and place.oauth.refreshes == 0


def test_workspaces_never_share_a_token(place: Place) -> None:
    tokens = place.function()
    first, second = place.install("T1"), place.install("T2")
    everywhere = place.install("", "E1")
    for _ in range(2):
        assert tokens.token_for("T1", "") == first.token
        assert tokens.token_for("T2", "") == second.token
        assert tokens.token_for("T3", "E1") == tokens.token_for("T4", "E1") == everywhere.token
    for team, enterprise in (("T3", ""), ("T3", "E2"), ("", "")):
        with pytest.raises(NotInstalled):
            tokens.token_for(team, enterprise)


def test_a_token_that_nears_its_end_is_renewed_before_it(place: Place) -> None:
    bot = place.install()
    tokens = place.function()
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    renewed = tokens.token_for("T1", "")
    assert renewed != bot.token and renewed == place.stored().token and place.oauth.refreshes == 1
    assert place.oauth.accepts(bot.token), "whoever still uses the one before is not cut off"
    assert place.function().token_for("T1", "") == renewed and place.oauth.refreshes == 1


def test_a_token_that_ended_in_the_night_is_renewed_when_it_is_needed(place: Place) -> None:
    place.install()
    place.clock.sleep(3 * TOKEN_SECONDS)
    assert place.oauth.accepts(place.function().token_for("T1", ""))


@pytest.mark.parametrize("asleep", [TOKEN_SECONDS - RENEW_BEFORE_SECONDS, 2 * TOKEN_SECONDS])
def test_of_many_at_once_one_renews_and_all_get_a_good_token(asleep: float) -> None:
    place = Place(grace_seconds=0.0)
    place.install()
    place.clock.sleep(asleep)
    functions = [place.function() for _ in range(8)]
    got: list[str] = []
    start = threading.Barrier(len(functions))

    def ask(tokens: BotTokens) -> None:
        start.wait()
        got.append(tokens.token_for("T1", ""))

    threads = [threading.Thread(target=ask, args=(tokens,)) for tokens in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and all(place.oauth.accepts(token) for token in got)
    assert place.oauth.refreshes == 1 and place.oauth.accepts(place.stored().token)


def test_while_somebody_renews_a_good_token_is_used_and_an_ended_one_waited_for(place: Place) -> None:
    bot = place.install()
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    stored = place.store.find("T1", "")
    assert stored is not None
    assert place.store.lease(stored, "somebody", place.clock.now() + 20, place.clock.now())
    assert place.function().token_for("T1", "") == bot.token

    place.clock.sleep(TOKEN_SECONDS)
    stored = place.store.find("T1", "")
    assert stored is not None
    assert place.store.lease(stored, "another", place.clock.now() + 20, place.clock.now())
    with pytest.raises(SlackUnavailable):
        place.function(patience_seconds=1.0).token_for("T1", "")
    # The one who was at it has died: after its lease the next one does it.
    assert place.oauth.accepts(place.function(patience_seconds=30.0).token_for("T1", ""))


@pytest.mark.parametrize("asleep", [TOKEN_SECONDS - RENEW_BEFORE_SECONDS, 2 * TOKEN_SECONDS])
def test_a_refresh_whose_answer_was_lost_loses_no_workspace(place: Place, asleep: float) -> None:
    place.install()
    place.clock.sleep(asleep)
    place.oauth.lost_answers = 1
    tokens = place.function()
    for _ in range(20):
        try:
            token = tokens.token_for("T1", "")
        except SlackUnavailable:
            pass
        else:
            assert place.oauth.accepts(token)
            if token == place.stored().token and place.oauth.refreshes == 2:
                break
        place.clock.sleep(GRACE_SECONDS / 4)
    else:
        pytest.fail("the token was not renewed")


def test_after_a_lost_answer_another_function_repeats_the_refresh_at_once(place: Place) -> None:
    """The refresh token that was used works for less time than a lease lasts."""
    assert GRACE_SECONDS < LEASE_SECONDS
    place.install()
    place.clock.sleep(2 * TOKEN_SECONDS)
    place.oauth.lost_answers = 1
    with pytest.raises(SlackUnavailable):
        place.function().token_for("T1", "")
    token = place.function().token_for("T1", "")
    assert token == place.stored().token and place.oauth.accepts(token)


def test_a_function_in_haste_renews_only_what_has_ended(place: Place) -> None:
    bot = place.install()
    hasty = place.function(renews_early=False)
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    assert hasty.token_for("T1", "") == bot.token and place.oauth.refreshes == 0
    # The others do it, and their token is found.
    renewed = place.function().token_for("T1", "")
    place.clock.sleep(RECHECK_SECONDS)
    assert hasty.token_for("T1", "") == renewed
    place.clock.sleep(2 * TOKEN_SECONDS)
    assert place.oauth.accepts(hasty.token_for("T1", "")) and place.oauth.refreshes == 2


@pytest.mark.parametrize("asleep", [TOKEN_SECONDS - RENEW_BEFORE_SECONDS, 2 * TOKEN_SECONDS])
def test_a_renewed_token_that_is_not_stored_at_once_is_stored_soon(place: Place, asleep: float) -> None:
    place.install()
    place.clock.sleep(asleep)
    place.store.failing_renewals = len(STORE_PAUSES_SECONDS) - 1
    token = place.function().token_for("T1", "")
    assert token == place.stored().token and place.oauth.refreshes == 1 and place.oauth.accepts(token)


@pytest.mark.parametrize("asleep", [TOKEN_SECONDS - RENEW_BEFORE_SECONDS, 2 * TOKEN_SECONDS])
@pytest.mark.parametrize("outage", [RECHECK_SECONDS, LEASE_SECONDS + 1])
def test_a_renewed_token_that_can_not_be_stored_is_used_and_stored_later(
    place: Place, asleep: float, outage: float
) -> None:
    old = place.install()
    place.clock.sleep(asleep)
    place.store.failing_renewals = len(STORE_PAUSES_SECONDS)
    tokens = place.function()
    token = tokens.token_for("T1", "")
    assert place.oauth.accepts(token) and place.stored() == old

    # By now the refresh token that is stored is worth nothing.
    place.clock.sleep(outage)
    assert tokens.token_for("T1", "") == token == place.stored().token and place.oauth.refreshes == 1
    assert place.function().token_for("T1", "") == token


def test_a_token_that_can_not_be_stored_outlasts_somebody_elses_lease(place: Place) -> None:
    place.install()
    place.clock.sleep(2 * TOKEN_SECONDS)
    place.store.failing_renewals = len(STORE_PAUSES_SECONDS)
    tokens = place.function()
    token = tokens.token_for("T1", "")
    place.clock.sleep(LEASE_SECONDS + 1)
    stored = place.store.find("T1", "")
    assert stored is not None
    assert place.store.lease(stored, "somebody", place.clock.now() + 20, place.clock.now())
    assert tokens.token_for("T1", "") == token
    place.clock.sleep(21)
    assert tokens.token_for("T1", "") == token == place.stored().token and place.oauth.refreshes == 1


def test_a_token_that_somebody_else_has_stored_meanwhile_counts(place: Place) -> None:
    bot = place.install()
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    place.store.failing_renewals = len(STORE_PAUSES_SECONDS)
    tokens = place.function()
    assert tokens.token_for("T1", "") != bot.token
    place.clock.sleep(RECHECK_SECONDS)
    anew = place.install()
    assert tokens.token_for("T1", "") == anew.token == place.stored().token


def test_while_the_token_is_good_a_refusal_to_renew_stops_nothing(place: Place) -> None:
    bot = place.install()
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    place.oauth.refusal = "bad_client_secret"
    assert place.function().token_for("T1", "") == bot.token
    place.oauth.refusal = None
    assert place.function().token_for("T1", "") != bot.token, "nobody waits for a lease"


def test_who_dies_between_slacks_answer_and_the_store_loses_no_workspace_in_the_grace_period() -> None:
    place = Place(grace_seconds=LEASE_SECONDS * 2)
    place.install()
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    stored = place.store.find("T1", "")
    assert stored is not None and stored.installation.bot.refresh_token is not None
    assert place.store.lease(stored, "dying", place.clock.now() + LEASE_SECONDS, place.clock.now())
    place.oauth.refresh(stored.installation.bot.refresh_token)

    place.clock.sleep(LEASE_SECONDS + 1)
    token = place.function().token_for("T1", "")
    assert token == place.stored().token and place.oauth.accepts(token)


def test_a_token_that_someone_else_has_replaced_is_looked_up_anew(place: Place) -> None:
    old = place.install()
    tokens = place.function()
    assert tokens.token_for("T1", "") == old.token
    place.oauth.uninstall(old.token)
    place.clock.sleep(5)
    new = place.install()
    assert tokens.newer_than(old.token, "T1", "") == new.token
    assert tokens.token_for("T1", "") == new.token


def test_a_refused_token_that_rotates_is_renewed(place: Place) -> None:
    bot = place.install()
    renewed = place.function().newer_than(bot.token, "T1", "")
    assert renewed != bot.token and place.oauth.accepts(renewed)


@pytest.mark.parametrize("how", ["uninstalled", "removed", "never ends"])
def test_where_no_token_works_any_more_it_is_not_installed(place: Place, how: str) -> None:
    bot = place.install()
    tokens = place.function()
    if how == "uninstalled":
        place.oauth.uninstall(bot.token)
    elif how == "removed":
        stored = place.store.find("T1", "")
        assert stored is not None and place.store.remove(stored)
    else:
        bot = BotToken("xoxb-forever")
        place.store.save(installation("T1", installed_at=place.clock.now(), bot=bot))
    with pytest.raises(NotInstalled):
        tokens.newer_than(bot.token, "T1", "")


def test_a_workspace_that_is_lost_works_until_its_token_ends(place: Place) -> None:
    bot = place.install()
    place.oauth.grants[0].refresh_tokens.clear()
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    tokens = place.function()
    assert tokens.token_for("T1", "") == bot.token
    place.clock.sleep(RENEW_BEFORE_SECONDS)
    with pytest.raises(NotInstalled):
        tokens.token_for("T1", "")


def test_a_wrong_client_secret_is_no_uninstallation(place: Place) -> None:
    place.install()
    place.clock.sleep(2 * TOKEN_SECONDS)
    place.oauth.refusal = "bad_client_secret"
    with pytest.raises(SlackRefused) as refused:
        place.function().token_for("T1", "")
    assert not isinstance(refused.value, NotInstalled)


def test_what_is_down_is_unavailable_and_not_uninstalled(place: Place) -> None:
    bot = place.install()
    place.store.is_down = True
    with pytest.raises(SlackUnavailable):
        place.function().token_for("T1", "")
    place.store.is_down = False
    place.oauth.is_down = True
    place.clock.sleep(TOKEN_SECONDS - RENEW_BEFORE_SECONDS)
    assert place.function().token_for("T1", "") == bot.token
    place.clock.sleep(TOKEN_SECONDS)
    with pytest.raises(SlackUnavailable):
        place.function().token_for("T1", "")


def test_the_token_of_the_secret_is_for_its_workspace_alone(place: Place) -> None:
    tokens = place.function(own=OwnToken("T1", "xoxb-own"))
    assert tokens.token_for("T1", "") == "xoxb-own" and place.store.reads == 0
    with pytest.raises(NotInstalled):
        tokens.token_for("T2", "")
    # Installed through OAuth since, which ended the token that was stored by hand.
    bot = place.install()
    assert tokens.newer_than("xoxb-own", "T1", "") == bot.token
    assert tokens.token_for("T1", "") == bot.token


def test_many_workspaces_fit_into_memory(place: Place) -> None:
    tokens = place.function()
    for number in range(600):
        place.install(f"T{number}")
        tokens.token_for(f"T{number}", "")
    assert len(tokens._kept) == 500


def test_no_token_is_in_logs_or_reprs(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bot = place.install()
    place.clock.sleep(TOKEN_SECONDS)
    tokens = place.function(own=OwnToken("T9", "xoxb-own"))
    tokens.token_for("T1", "")
    place.oauth.grants.clear()
    place.clock.sleep(2 * TOKEN_SECONDS)
    with pytest.raises(NotInstalled) as refused:
        tokens.token_for("T1", "")
    said = [str(vars(record)) for record in caplog.records]
    assert len(said) >= 2
    shown = [
        *said,
        repr(refused.value),
        repr(Kept("xoxb-kept", 1.0)),
        repr(tokens._own),
        repr(place.stored()),
        repr(bot),
    ]
    assert not [text for text in shown if "xox" in text]
