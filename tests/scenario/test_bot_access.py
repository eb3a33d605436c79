"""`/imagine-admin` and `/imagine limits` through the real Bolt app in a local workspace: shown, confirmed, used."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bot.invocation import Kind
from deploy.local.slack.acting_member import ActingMember
from deploy.local.slack.client_types import Message
from tests.fakes.bot_workspace import BotInWorkspace
from tests.scenario.signed_interactions import press_signed

OTHER_COMPANY = "T0OTHER001"


@pytest.fixture(scope="module")
def running() -> Iterator[BotInWorkspace]:
    bot = BotInWorkspace()
    bot.workspace.add_usergroup("painters", ["linus"])
    bot.workspace.add_member("zoe", channels=["#design"], team_id=OTHER_COMPANY)
    yield bot
    bot.stop()


@pytest.fixture
def bot(running: BotInWorkspace) -> BotInWorkspace:
    running.workspace.clear_faults()
    running.queue.is_down = False
    running.queue.sent.clear()
    running._worked = 0
    running.grant_as_at_the_start()
    running.access.audit.clear()
    running.access.words.clear()
    running.access.used.clear()
    return running


@pytest.fixture
def linus(bot: BotInWorkspace) -> ActingMember:
    return bot.workspace.as_member("linus")


@pytest.fixture
def zoe(bot: BotInWorkspace) -> ActingMember:
    return bot.workspace.as_member("zoe")


def preview(member: ActingMember, command: str, channel: str = "#design") -> Message:
    """Type a command that changes something; the preview that comes."""
    assert member.run_command(channel, command).ok
    shown = member.ephemerals(channel)[-1]
    assert shown.buttons == ["Confirm", "Cancel"], shown.block_texts
    return shown


def confirm(bot: BotInWorkspace, member: ActingMember, command: str, channel: str = "#design") -> Message:
    """Type it, confirm it, let the worker work; what stands in the preview's place."""
    shown = preview(member, command, channel)
    assert member.press(shown, "Confirm").ok
    bot.work()
    return next(message for message in member.ephemerals(channel) if message.ts == shown.ts)


def ask(bot: BotInWorkspace, member: ActingMember, command: str, channel: str = "#design") -> Message:
    """Type a question; the answer."""
    before = len(member.ephemerals(channel))
    assert member.run_command(channel, command).ok
    bot.work()
    answers = member.ephemerals(channel)
    assert len(answers) == before + 1
    return answers[-1]


def painted(bot: BotInWorkspace, member: ActingMember, channel: str = "#design", words: str = "a red boat") -> bool:
    """Whether a command of the member became a job."""
    before = len(bot.api.jobs)
    assert member.run_command(channel, f"/imagine {words}").ok
    bot.work()
    return len(bot.api.jobs) == before + 1


def test_a_grant_is_shown_confirmed_and_used(bot: BotInWorkspace, linus: ActingMember) -> None:
    bot.access.tenants[bot.team].pop(f"grant#workspace#{bot.team}")
    assert not painted(bot, linus)
    refusal = linus.ephemerals("#design")[-1]
    assert refusal.says("no permission") and refusal.says(f"<@{bot.ada.id}> can grant you one")

    shown = preview(bot.ada, "/imagine-admin access grant @linus artist —until 8h --images 2/day")
    assert shown.says(f"*<@{linus.id}>* may act as `artist` until <!date^") and shown.says("Nothing has changed yet")
    assert linus.ephemerals("#design")[-1].ts == refusal.ts, "only who typed it sees it"
    assert bot.queue.sent[1:] == [] and bot.access.audit == []

    assert bot.ada.press(shown, "Confirm").ok
    bot.work()
    answer = bot.ada.ephemerals("#design")[-1]
    assert answer.ts == shown.ts and answer.buttons == [] and answer.says("2 pictures a day")

    assert painted(bot, linus)
    grant, caller = bot.sessions.assumed[-1]
    assert grant.role_arn.endswith("easel-artist") and caller.member == linus.id
    assert not painted(bot, linus, words="a boat --n 2")
    refused = bot.ada.messages("#design")[-1]
    assert refused.says("1 of 2 left, resets at <!date^") and refused.buttons == []


def test_cancel_leaves_everything_as_it_was(bot: BotInWorkspace) -> None:
    shown = preview(bot.ada, "/imagine-admin access deny workspace")
    assert bot.ada.press(shown, "Cancel").ok
    assert bot.ada.ephemerals("#design")[-1].says("Cancelled. Nothing was changed.")
    assert bot.ada.ephemerals("#design")[-1].ts == shown.ts
    assert bot.queue.sent == [] and bot.access.audit == []


def test_a_deny_keeps_out_and_is_lifted(bot: BotInWorkspace, linus: ActingMember) -> None:
    answer = confirm(bot, bot.ada, "/imagine-admin access deny @linus --until 2d --reason “too many boats”")
    assert answer.says(f":no_entry: <@{linus.id}>: until <!date^") and answer.says("too many boats")
    assert not painted(bot, linus)
    assert linus.ephemerals("#design")[-1].says("A deny keeps you out of Easel until <!date^")
    assert painted(bot, bot.grace)

    assert confirm(bot, bot.ada, "/imagine-admin access revoke @linus deny").says("no deny any more")
    assert painted(bot, linus)
    actions = [record.action for _, record in bot.access.audit]
    assert actions == ["put_deny", "remove_deny"]


def test_a_group_is_granted_and_denied_by_its_members_in_slack(bot: BotInWorkspace, linus: ActingMember) -> None:
    answer = confirm(bot, bot.ada, "/imagine-admin access grant @painters trainer")
    assert answer.says("<!subteam^S")
    assert painted(bot, linus)
    grant, caller = bot.sessions.assumed[-1]
    assert grant.role_arn.endswith("easel-trainer") and caller.usergroup.startswith("S")
    assert painted(bot, bot.grace) and bot.sessions.assumed[-1][1].usergroup == ""

    confirm(bot, bot.ada, "/imagine-admin access deny @painters")
    [entry] = [entry for entry in bot.access.entries(bot.team, "") if entry.effect == "deny"]
    assert entry.reaches == [linus.id]
    assert not painted(bot, linus)


def test_revoking_takes_back_what_was_granted(bot: BotInWorkspace, linus: ActingMember) -> None:
    confirm(bot, bot.ada, "/imagine-admin access grant @linus admin")
    assert ask(bot, linus, "/imagine-admin access list").says("Members")
    confirm(bot, bot.ada, "/imagine-admin access revoke @linus")
    assert ask(bot, linus, "/imagine-admin access list").says("Your IAM role does not allow that")


def test_the_last_admin_stays(bot: BotInWorkspace) -> None:
    for command in ("access revoke @ada", "access deny @ada", "access deny workspace", "access grant @ada artist"):
        assert confirm(bot, bot.ada, f"/imagine-admin {command}").says("nobody would be left")
    assert bot.access.audit == []
    confirm(bot, bot.ada, "/imagine-admin access grant @grace admin")
    assert confirm(bot, bot.grace, "/imagine-admin access revoke @ada").says("Nothing is granted to")


def test_a_guardrail_holds_for_admins_and_is_shown_by_why(bot: BotInWorkspace) -> None:
    confirm(bot, bot.ada, "/imagine-admin access guardrail #random see paint --models tiny")
    assert painted(bot, bot.ada, "#random")
    assert not painted(bot, bot.ada, "#random", "a boat --model large")
    assert "not allow" in json.dumps(bot.ada.messages("#random")[-1].raw)
    assert painted(bot, bot.ada, "#design", "a boat --model large")

    why = ask(bot, bot.ada, "/imagine-admin access why @ada #random")
    assert why.says("Acts as `admin`") and why.says("see and paint, with `tiny`")
    assert why.says(":white_check_mark: paint with `tiny`")
    assert why.says("grant, deny, limit, block words: the channel's guardrail does not allow it")
    # There, not even its admin can change it; elsewhere they can.
    assert confirm(bot, bot.ada, "/imagine-admin access guardrail #random off", "#random").says("does not allow that")
    confirm(bot, bot.ada, "/imagine-admin access guardrail #random off", "#design")
    assert painted(bot, bot.ada, "#random", "a boat --model large")


def test_why_explains_a_member_here(bot: BotInWorkspace, linus: ActingMember) -> None:
    why = ask(bot, bot.ada, "/imagine-admin access why @linus")
    assert why.says("Acts as `artist`, because of the grant to this workspace")
    assert why.says(":white_check_mark: paint with `tiny`") and why.says(
        "train styles: no policy of the role allows it"
    )
    assert ask(bot, linus, "/imagine-admin access why @ada").says("Your IAM role does not allow that")


def test_limits_are_shown_to_whoever_asks(bot: BotInWorkspace) -> None:
    confirm(bot, bot.ada, "/imagine-admin access limit #design --images 50/day --size 512x512")
    bot.access.used["images_per_day"] = 38
    answer = ask(bot, bot.grace, "/imagine limits")
    assert answer.says("This channel's pictures a day: 12 of 50 left, resets <!date^")
    assert answer.says("Pictures up to 512×512")
    assert bot.queue.sent[-1].kind is Kind.LIMITS
    assert ask(bot, bot.grace, "/imagine limits", "#random").says("No limits hold for you here")


def test_words_are_blocked_and_unblocked(bot: BotInWorkspace) -> None:
    assert confirm(bot, bot.ada, "/imagine-admin words add gore, two words").says("2 words and phrases are blocked now")
    assert ask(bot, bot.ada, "/imagine-admin words list").says("`gore`, `two words`")
    confirm(bot, bot.ada, "/imagine-admin words remove gore")
    assert bot.access.words[bot.team] == ["two words"]
    audit = ask(bot, bot.ada, "/imagine-admin access audit")
    assert audit.says("put_words `words`") and audit.says("before: 2 blocked words")


def test_mistakes_are_answered_at_once_to_the_person_alone(bot: BotInWorkspace) -> None:
    assert bot.ada.run_command("#design", "/imagine-admin access grant @nobody wizard --untill 8h").ok
    answer = bot.ada.ephemerals("#design")[-1]
    assert (
        answer.says("can't be `@nobody`")
        and answer.says("can't be `wizard`")
        and answer.says("Did you mean `--until`?")
    )
    assert bot.ada.run_command("#design", "/imagine-admin access deny @linus --until 2020-01-01").ok
    assert bot.ada.ephemerals("#design")[-1].says("a time to come")
    assert bot.ada.run_command("#design", "/imagine-admin help").ok
    assert bot.ada.ephemerals("#design")[-1].says("What it can do")
    assert bot.queue.sent == [] and bot.ada.ephemerals("#design")[-1].buttons == []


def test_who_is_no_admin_may_look_at_a_preview_but_change_nothing(bot: BotInWorkspace, linus: ActingMember) -> None:
    answer = confirm(bot, linus, "/imagine-admin access grant @linus admin")
    assert answer.says(f"Your IAM role does not allow that. <@{bot.ada.id}> can grant you one that does.")
    assert bot.access.audit == [] and bot.access.entry(bot.team, f"grant#member#{linus.id}") is None


def test_three_deliveries_of_one_press_are_one_change(bot: BotInWorkspace) -> None:
    shown = preview(bot.ada, "/imagine-admin access grant @linus trainer")
    bot.workspace.repeat_deliveries(times=3, kind="interaction")
    bot.ada.press(shown, "Confirm")
    bot.workspace.wait_for(lambda: len(bot.queue.sent) == 3, what="three deliveries")
    bot.work()
    assert len(bot.access.audit) == 1
    assert bot.ada.ephemerals("#design")[-1].says("acts as `trainer`")


def test_pressing_twice_is_pressing_once(bot: BotInWorkspace) -> None:
    shown = preview(bot.ada, "/imagine-admin access grant @linus trainer")
    for _ in range(2):
        assert bot.ada.press(shown, "Confirm").ok
    assert len({invocation.request_key for invocation in bot.queue.sent}) == 1
    bot.work()
    assert len(bot.access.audit) == 1


@pytest.mark.parametrize(
    "value",
    [
        "access grant <@U0EVIL> admin",
        "access grant &lt;@U0EVIL&gt; admin --until 8h",
        "access list",
        "nonsense",
        "",
    ],
)
def test_a_forged_value_changes_nothing(bot: BotInWorkspace, value: str) -> None:
    shown = preview(bot.ada, "/imagine-admin access grant @linus trainer")
    assert press_signed(bot, shown, bot.ada, value)["statusCode"] == 200
    bot.work()
    assert bot.access.audit == []
    assert any(message.says("can't be confirmed") for message in bot.ada.ephemerals("#design"))


def test_a_value_swapped_into_somebody_elses_press_is_refused_by_iam(bot: BotInWorkspace, linus: ActingMember) -> None:
    shown = preview(bot.ada, "/imagine-admin access grant @linus admin")
    value = next(element["value"] for element in shown.blocks[-1]["elements"] if element["text"]["text"] == "Confirm")
    assert press_signed(bot, shown, linus, value)["statusCode"] == 200
    bot.work()
    assert bot.access.audit == []
    assert linus.ephemerals("#design")[-1].says("Your IAM role does not allow that")


def test_a_queue_that_is_down_is_told_and_nothing_changes(bot: BotInWorkspace) -> None:
    shown = preview(bot.ada, "/imagine-admin access grant @linus trainer")
    bot.queue.is_down = True
    assert bot.ada.press(shown, "Confirm").ok
    assert bot.ada.ephemerals("#design")[-1].says("could not take that")
    assert bot.ada.run_command("#design", "/imagine limits").ok
    assert bot.ada.ephemerals("#design")[-1].says("could not take that")


# ---------------------------------------------------------------- members of other companies


def test_an_external_member_is_let_in_by_name_only(bot: BotInWorkspace, zoe: ActingMember) -> None:
    zoe.mention("#design", "a red boat")
    bot.workspace.wait_for(lambda: len(bot.queue.sent) == 1, what="the mention")
    bot.work()
    refusal = zoe.ephemerals("#design")[-1]
    assert refusal.says("only if it is granted to you by name") and refusal.says(f"<@{bot.ada.id}>")
    jobs = len(bot.api.jobs)

    confirm(bot, bot.ada, "/imagine-admin access grant @zoe artist")
    zoe.mention("#design", "a red boat")
    bot.workspace.wait_for(lambda: len(bot.queue.sent) == 3, what="the mention")
    assert bot.queue.sent[-1].actor_team == OTHER_COMPANY
    bot.work()
    assert len(bot.api.jobs) == jobs + 1
    bot.announce("JobSucceeded")
    picture = bot.ada.wait_for_message("#design", lambda message: bool(message.pictures), thread_ts=_root(bot, zoe))
    assert zoe.press(picture, "Redo").ok
    bot.work()
    assert len(bot.api.jobs) == jobs + 2

    confirm(bot, bot.ada, "/imagine-admin access revoke @zoe")
    assert zoe.press(picture, "Redo").ok
    bot.work()
    assert len(bot.api.jobs) == jobs + 2 and zoe.ephemerals("#design")[-1].says("granted to you by name")


def test_a_press_whose_team_slack_does_not_say_is_refused_at_once(bot: BotInWorkspace, linus: ActingMember) -> None:
    shown = preview(bot.ada, "/imagine-admin access grant @linus admin")
    assert press_signed(bot, shown, linus, "words add gore", user={"id": linus.id})["statusCode"] == 200
    assert bot.queue.sent == []
    assert linus.ephemerals("#design")[-1].says("Slack does not say which company you belong to")


def test_an_external_member_has_no_commands_of_the_app(bot: BotInWorkspace, zoe: ActingMember) -> None:
    assert zoe.run_command("#design", "/imagine-admin access grant @zoe admin").error == "unknown_command"
    assert bot.queue.sent == []


def _root(bot: BotInWorkspace, member: ActingMember) -> str:
    return next(message.ts for message in bot.ada.messages("#design")[::-1] if message.user == member.id)
