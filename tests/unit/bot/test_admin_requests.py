"""`/imagine-admin` and `/imagine limits` in the worker: done as whoever asks, once, and answered to them alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backend_lambda.contract.access import Guardrail
from backend_lambda.contract.actions import Action
from bot.invocation import Invocation, Kind
from bot.leases import LEASE_SECONDS
from bot.ports.backend import ApiRefused, ApiUnavailable
from bot.ports.slack import SlackUnavailable
from commands.admin.settle import Settled, settle
from commands.command import Change, Look
from commands.imagine_admin import plan
from commands.views.blocks import Message
from tests.fakes.bot import START, Crash, CrashPlan
from tests.fakes.bot_access import OWN_ROLE, images, role_arn
from tests.fakes.bot_stage import MAX_RECEIVES, Stage, painting

URL = "https://hooks.example/1"
NOW = datetime.fromtimestamp(START, UTC)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.slack.usergroups = {"S1": {"U1", "U2"}}
    return stage


def confirming(text: str, key: str = "confirm-1", member: str = "UADMIN", **facts: Any) -> Invocation:
    """Confirm was pressed below the preview of what `text` says."""
    planned = plan(text)
    assert isinstance(planned, Change), planned
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled), settled
    return pressed(settled.text, key, member, **facts)


def pressed(value: str, key: str = "confirm-1", member: str = "UADMIN", **facts: Any) -> Invocation:
    """A Confirm button that carries `value` was pressed."""
    given: dict[str, Any] = {"message_ts": f"{START - 20:.6f}", "response_url": URL, "command": value, **facts}
    return Invocation(Kind.ADMIN_CONFIRMED, key, "T1", "C1", member, START, **{"actor_team": "T1", **given})


def asking(text: str, key: str = "ask-1", member: str = "UADMIN", **facts: Any) -> Invocation:
    """A question was typed."""
    planned = plan(text)
    assert isinstance(planned, Look), planned
    return Invocation(
        Kind.ADMIN,
        key,
        "T1",
        "C1",
        member,
        START,
        **{"response_url": URL, "actor_team": "T1", "command": planned.text, **facts},
    )


def text_of(view: Message) -> str:
    return json.dumps(view.to_json(), ensure_ascii=False)


def replaced(stage: Stage) -> str:
    """What stands where the preview was."""
    url, view = stage.slack.replaced[-1]
    assert url == URL
    return text_of(view)


def told(stage: Stage) -> str:
    where, view = stage.slack.told[-1]
    assert where == URL
    return text_of(view)


# ---------------------------------------------------------------- changes


def test_a_grant_is_made_as_the_presser_and_what_holds_now_is_shown(stage: Stage) -> None:
    assert stage.work(confirming("access grant <@U2> trainer --until 8h --images 50/day --reason demo"))

    entry = stage.access.entry("T1", "grant#member#U2")
    assert entry is not None and (entry.role, entry.made_by, entry.reason) == ("trainer", "UADMIN", "demo")
    assert entry.ends_at is not None and (entry.ends_at - NOW).total_seconds() == pytest.approx(8 * 3_600, abs=60)
    assert "<@U2>: acts as `trainer` · 50 pictures a day · until <!date^" in replaced(stage)
    [(tenant, record)] = stage.access.audit
    assert (tenant, record.member, record.place, record.before) == ("T1", "UADMIN", "C1", None)
    assert stage.sessions.assumed[-1][0].role_arn == role_arn("admin")
    assert stage.slack.told == [] and stage.slack.messages == []


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("access grant <#C2> artist", "grant#channel#C2", "<#C2>: acts as `artist`"),
        ("access grant <!subteam^S1> artist", "grant#usergroup#S1", "<!subteam^S1>: acts as"),
        ("access grant workspace trainer", "grant#workspace#T1", "this workspace: acts as `trainer`"),
        (
            f"access grant <@U2> {OWN_ROLE} --external-id T1:X7",
            "grant#member#U2",
            "`painters` of account `000000000002`",
        ),
        ("access deny <@U2> --reason spam", "deny#member#U2", ":no_entry: <@U2>: “spam”"),
        ("access deny <!subteam^S1> --until 2d", "deny#usergroup#S1", ":no_entry: <!subteam^S1>: until"),
        ("access guardrail <#C2> see paint", "grant#channel#C2", "<#C2>: guardrail: see and paint"),
        ("access limit <@U2> --jobs 2", "grant#member#U2", "<@U2>: 2 jobs at once"),
    ],
)
def test_each_change_is_made_and_shown(stage: Stage, text: str, key: str, says: str) -> None:
    assert stage.work(confirming(text))
    assert stage.access.entry("T1", key) is not None
    assert says in replaced(stage)


def test_a_groups_deny_says_whom_it_reaches(stage: Stage) -> None:
    stage.work(confirming("access deny <!subteam^S1>"))
    entry = stage.access.entry("T1", "deny#usergroup#S1")
    assert entry is not None and entry.reaches == ["U1", "U2"]

    stage.slack.usergroups_problem = SlackUnavailable("down")
    # The admin's own grant is by name; but a group's deny stands, so that what they may is not known.
    stage.access.tenants["T1"].pop("deny#usergroup#S1")
    stage.work(confirming("access deny <!subteam^S1>", key="confirm-2"))
    assert stage.access.entry("T1", "deny#usergroup#S1") is None
    assert "Slack did not say who is in that user group" in replaced(stage)


def test_limits_and_guardrails_leave_the_role(stage: Stage) -> None:
    stage.work(confirming("access grant <#C2> trainer", key="a"))
    stage.work(confirming("access guardrail <#C2> see", key="b"))
    stage.work(confirming("access limit <#C2> --images 5", key="c"))
    entry = stage.access.entry("T1", "grant#channel#C2")
    assert entry is not None and entry.role == "trainer" and entry.limits == images(5)
    assert entry.guardrail == Guardrail(actions=[Action.SEE])
    stage.work(confirming("access limit <#C2> off", key="d"))
    stage.work(confirming("access guardrail <#C2> off", key="e"))
    entry = stage.access.entry("T1", "grant#channel#C2")
    assert entry is not None and entry.role == "trainer" and not entry.is_limiting and entry.guardrail is None


def test_limits_of_nobody_are_gone_with_their_entry(stage: Stage) -> None:
    stage.work(confirming("access limit <@U2> --images 5", key="a"))
    stage.work(confirming("access limit <@U2> off", key="b"))
    assert stage.access.entry("T1", "grant#member#U2") is None
    assert "Nothing is granted to <@U2> any more" in replaced(stage)


def test_of_a_role_that_has_ended_the_guardrail_stays(stage: Stage) -> None:
    stage.access.grant("T1", "channel", "C2", "admin", ends_at=NOW, guardrail=Guardrail(actions=[Action.SEE]))
    stage.work(confirming("access limit <#C2> --images 5"))
    entry = stage.access.entry("T1", "grant#channel#C2")
    assert entry is not None and entry.role is None and entry.ends_at is None
    assert entry.guardrail == Guardrail(actions=[Action.SEE]) and entry.limits.images_per_day == 5


def test_revoking_takes_the_grant_or_the_deny(stage: Stage) -> None:
    stage.access.grant("T1", "member", "U2", "artist")
    stage.access.deny("T1", "member", "U2")
    stage.work(confirming("access revoke <@U2>", key="a"))
    assert stage.access.entry("T1", "grant#member#U2") is None and stage.access.entry("T1", "deny#member#U2")
    stage.work(confirming("access revoke <@U2> deny", key="b"))
    assert stage.access.entry("T1", "deny#member#U2") is None
    stage.work(confirming("access revoke <@U2> deny", key="c"))
    assert "There is no deny any more for <@U2>" in replaced(stage), "asked again, it is as wanted"


def test_words_are_added_and_taken_away_whatever_their_capitals(stage: Stage) -> None:
    stage.work(confirming("words add Gore, two words", key="a"))
    stage.work(confirming("words add gore, Nudity", key="b"))
    assert stage.access.words["T1"] == ["Gore", "Nudity", "two words"]
    assert "3 words and phrases are blocked now" in replaced(stage)
    stage.work(confirming("words remove TWO words, unknown", key="c"))
    assert stage.access.words["T1"] == ["Gore", "Nudity"]
    records = len(stage.access.audit)
    stage.work(confirming("words remove unknown", key="d"))
    assert len(stage.access.audit) == records, "nothing to change, nothing to record"


# ---------------------------------------------------------------- refusals


def test_who_is_no_admin_is_refused_by_iam_and_reads_who_can(stage: Stage) -> None:
    assert stage.work(confirming("access grant <@U1> admin", member="U1"))
    assert stage.access.entry("T1", "grant#member#U1") is None and stage.access.audit == []
    assert "Your IAM role does not allow that. <@UADMIN> can grant you one that does." in replaced(stage)


def test_who_has_no_grant_reads_that(stage: Stage) -> None:
    stage.access.tenants["T1"].pop("grant#workspace#T1")
    stage.work(confirming("access grant <@U1> admin", member="U1"))
    assert "no permission" in replaced(stage) and stage.access.audit == []


def test_a_guardrail_binds_admins_too(stage: Stage) -> None:
    stage.access.grant("T1", "channel", "C1", guardrail=Guardrail(actions=[Action.SEE]))
    stage.work(confirming("access grant <@U2> artist"))
    assert "Your IAM role or this channel's guardrail does not allow that" in replaced(stage)
    assert "another channel" in replaced(stage)
    assert stage.access.entry("T1", "grant#member#U2") is None


@pytest.mark.parametrize(
    "text",
    [
        "access revoke <@UADMIN>",
        "access deny <@UADMIN>",
        "access deny workspace",
        "access grant <@UADMIN> artist",
        "access grant <@UADMIN> admin --until 8h",
    ],
)
def test_nobody_can_lock_everyone_out(stage: Stage, text: str) -> None:
    before = dict(stage.access.tenants["T1"])
    stage.work(confirming(text))
    assert stage.access.tenants["T1"] == before and stage.access.audit == []
    assert "nobody would be left who may grant" in replaced(stage)


def test_a_guardrail_that_is_too_long_is_refused_when_it_is_set(stage: Stage) -> None:
    models = ",".join(letter * 41 for letter in "abcdefghijklmnopqrst")
    stage.work(confirming(f"access guardrail <#C2> see paint scale --models {models}"))
    assert stage.access.entry("T1", "grant#channel#C2") is None
    assert "AWS takes no guardrail of this length" in replaced(stage)


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (ApiRefused(409, {"code": "access_conflict"}), "somebody else was changing this"),
        (ApiRefused(422, {"code": "invalid_request", "field": "role", "given": "x", "allowed": "a, b"}),
         "The role can't be `x`. Allowed: a, b."),
        (ApiRefused(500, {"code": "something_new", "reference": "r77"}), "Reference `r77`"),
    ],
)  # fmt: skip
def test_the_backends_refusals_have_sentences(stage: Stage, refusal: ApiRefused, sentence: str) -> None:
    stage.access.refusal = refusal
    assert stage.work(confirming("access grant <@U2> artist"))
    assert sentence in replaced(stage) and stage.access.audit == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "access grant <@U2> admin",
        "access grant &lt;@U2&gt; admin --until 8h",
        "access grant &lt;@U2&gt;  admin",
        "ACCESS grant &lt;@U2&gt; admin",
        "access list",
        "access grant &lt;@U2&gt; wizard",
        "paint",
        "job-1",
        "\x00",
    ],
)
def test_a_value_that_easel_did_not_write_changes_nothing(stage: Stage, value: str) -> None:
    before = dict(stage.access.tenants["T1"])
    assert stage.work(pressed(value))
    assert stage.access.tenants["T1"] == before and stage.access.audit == []
    assert "This can't be confirmed" in replaced(stage)


def test_a_value_swapped_in_from_another_preview_is_done_as_the_presser_alone(stage: Stage) -> None:
    swapped = confirming("access grant <@U1> admin").command
    stage.work(pressed(swapped, member="U1"))
    assert "Your IAM role does not allow that" in replaced(stage) and stage.access.audit == []


def test_an_old_preview_and_an_end_that_has_passed_change_nothing(stage: Stage) -> None:
    stage.work(confirming("access grant <@U2> admin", key="a", message_ts=f"{START - 3_700:.6f}"))
    assert "too long ago" in replaced(stage)
    invocation = confirming("access grant <@U2> admin --until 30m", key="b")
    stage.clock.sleep(1_900)
    stage.work(invocation)
    assert "the end that you named has passed" in replaced(stage)
    stage.work(confirming("access grant <@U2> admin", key="c", message_ts="soon"))
    assert "can't be confirmed" in replaced(stage)
    assert stage.access.audit == []


# ---------------------------------------------------------------- once, whatever happens


def test_three_deliveries_are_one_change_and_one_answer(stage: Stage) -> None:
    invocation = confirming("access grant <@U2> artist")
    for _ in range(3):
        assert stage.work(invocation)
    assert len(stage.access.audit) == len(stage.slack.replaced) == 1


def _count_calls(text: str) -> int:
    stage, plan_ = Stage(), CrashPlan()
    stage.slack.usergroups = {"S1": {"U1"}}
    stage.work(confirming(text), plan=plan_)
    return plan_.calls


CRASHING = ["access grant <@U2> artist", "access revoke <@U9>", "access deny <!subteam^S1>", "words add gore"]


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize(("text", "at"), [(text, at) for text in CRASHING for at in range(1, _count_calls(text) + 1)])
def test_dying_at_any_call_leaves_the_change_made_and_answered(text: str, at: int, is_after: bool) -> None:
    stage = Stage()
    stage.slack.usergroups = {"S1": {"U1"}}
    stage.access.grant("T1", "member", "U9", "artist")
    with pytest.raises(Crash):
        stage.work(confirming(text), message_id="m", plan=CrashPlan(at, is_after))
    stage.clock.sleep(LEASE_SECONDS + 1)

    assert stage.work(confirming(text), message_id="m", receives=2)
    assert stage.work(confirming(text), message_id="another")
    assert "white_check_mark" in replaced(stage)
    assert [record.action for _, record in stage.access.audit][:1] in (
        [["put_grant"]] if "grant" in text else [["remove_grant"]] if "revoke" in text
        else [["put_deny"]] if "deny" in text else [["put_words"]]
    )  # fmt: skip


def test_what_was_answered_once_is_answered_again_and_not_done_again(stage: Stage) -> None:
    respond = stage.slack.respond

    def respond_and_die(*args: Any, **facts: Any) -> None:
        respond(*args, **facts)
        raise Crash

    stage.slack.respond = respond_and_die  # type: ignore[method-assign]
    with pytest.raises(Crash):
        stage.work(confirming("access revoke <@U9>"), message_id="m")
    stage.slack.respond = respond  # type: ignore[method-assign]
    stage.clock.sleep(LEASE_SECONDS + 1)
    # Somebody grants it anew meanwhile.
    stage.access.grant("T1", "member", "U9", "artist")
    assert stage.work(confirming("access revoke <@U9>"), message_id="m", receives=2)
    assert stage.access.entry("T1", "grant#member#U9") is not None
    assert len(stage.slack.replaced) == 2


def test_where_the_response_url_is_dead_the_person_is_told_otherwise(stage: Stage) -> None:
    stage.slack.dead_response_urls = {URL}
    stage.work(confirming("access grant <@U2> artist"))
    assert stage.slack.told[0][0] == "UADMIN"
    stage.slack.closed_channels = {"C1"}
    stage.work(confirming("access grant <@U3> artist", key="confirm-2"))
    assert stage.slack.told[1][0] == "@UADMIN"


def test_when_the_backend_stays_away_the_last_try_says_so(stage: Stage) -> None:
    def unavailable(*args: Any) -> Any:
        raise ApiUnavailable("HTTP 500")

    stage.access.put_grant = unavailable  # type: ignore[method-assign]
    invocation = confirming("access grant <@U2> artist")
    for receives in range(1, MAX_RECEIVES + 1):
        assert not stage.work(invocation, message_id="m", receives=receives)
        stage.clock.sleep(LEASE_SECONDS + 1)
    assert "Something went wrong on Easel's side" in replaced(stage) and "Reference" in replaced(stage)


# ---------------------------------------------------------------- questions


def test_the_list_is_for_admins(stage: Stage) -> None:
    stage.access.deny("T1", "member", "U7", reason="spam")
    stage.work(asking("access list"))
    assert "<@UADMIN>: acts as `admin`" in told(stage) and ":no_entry: <@U7>" in told(stage)
    stage.work(asking("access list", key="ask-2", member="U1"))
    assert "Your IAM role does not allow that" in told(stage) and "<@U7>" not in told(stage)
    assert stage.access.audit == []


def test_the_audit_record_is_shown(stage: Stage) -> None:
    stage.work(confirming("access grant <@U2> artist", key="a"))
    stage.work(confirming("access grant <@U3> artist", key="b"))
    stage.work(asking("access audit", key="c"))
    assert "put_grant <@U2>" in told(stage) and "put_grant <@U3>" in told(stage) and "in <#C1>" in told(stage)
    stage.work(asking("access audit <@U3>", key="d"))
    assert "put_grant <@U2>" not in told(stage) and "put_grant <@U3>" in told(stage)


def test_words_are_listed(stage: Stage) -> None:
    stage.work(asking("words list"))
    assert "No words are blocked" in told(stage)
    stage.access.words["T1"] = ["gore"]
    stage.work(asking("words list", key="ask-2"))
    assert "`gore`" in told(stage)


def test_a_question_can_change_nothing(stage: Stage) -> None:
    forged = Invocation(
        Kind.ADMIN, "k", "T1", "C1", "UADMIN", START, response_url=URL,
        command=confirming("access grant <@U2> admin").command,
    )  # fmt: skip
    stage.work(forged)
    assert stage.access.audit == [] and "can't be confirmed" in told(stage)


# ---------------------------------------------------------------- why


def test_why_decides_as_for_a_real_command_and_asks_iam(stage: Stage) -> None:
    stage.access.grant("T1", "usergroup", "S1", "trainer")
    stage.access.grant("T1", "channel", "C2", guardrail=Guardrail(actions=[Action.SEE, Action.PAINT], models=["large"]))
    stage.work(asking("access why <@U2> <#C2>"))
    said = told(stage)
    assert "*<@U2> in <#C2>*" in said and "Acts as `trainer`, because of the grant to <!subteam^S1>" in said
    assert "see and paint, with `large`" in said
    assert ":white_check_mark: paint with `large`" in said
    assert "train styles: the channel's guardrail does not allow it" in said
    assert "scale endpoints: no policy of the role allows it" in said
    assert stage.iam.asked == [role_arn("trainer")]

    stage.work(asking("access why <@U2>", key="ask-2"))
    assert ":white_check_mark: train styles" in told(stage) and "*<@U2> in <#C1>*" in told(stage)


def test_why_names_denies_and_missing_grants(stage: Stage) -> None:
    stage.access.deny("T1", "workspace", "T1", ends_at=datetime(2030, 1, 1, tzinfo=UTC))
    stage.work(asking("access why <@U2>"))
    assert "everybody in this workspace" in told(stage), "the deny reaches who asks, too"
    stage.access.tenants["T1"].pop("deny#workspace#T1")
    stage.access.deny("T1", "member", "U2", reason="spam")
    stage.work(asking("access why <@U2>", key="ask-2"))
    assert "a deny wins over every grant" in told(stage) and "spam" in told(stage) and stage.iam.asked == []
    stage.access.tenants["T1"].pop("grant#workspace#T1")
    stage.work(asking("access why <@U5>", key="ask-3"))
    assert "nothing is granted" in told(stage)


def test_why_is_told_only_to_who_may_read_the_grants(stage: Stage) -> None:
    stage.work(asking("access why <@UADMIN>", member="U1"))
    assert "Your IAM role does not allow that" in told(stage)
    assert "acts as" not in told(stage).lower() and stage.iam.asked == []


def test_why_says_where_iam_cant_be_asked(stage: Stage) -> None:
    stage.access.grant("T1", "member", "U2", OWN_ROLE)
    stage.work(asking("access why <@U2>"))
    assert "`painters` of account `000000000002`" in told(stage) and "IAM could not be asked about this role" in told(
        stage
    )
    stage.slack.usergroups_problem = SlackUnavailable("down")
    stage.access.grant("T1", "usergroup", "S1", "trainer")
    stage.work(asking("access why <@U1>", key="ask-2"))
    assert "Slack did not say which user groups" in told(stage)


def test_why_tells_an_explicit_deny_of_the_role(stage: Stage) -> None:
    stage.iam.denies[role_arn("artist")] = ["*/DELETE/jobs/*"]
    stage.work(asking("access why <@U2>"))
    assert "delete pictures, cancel jobs: a policy of the role denies it explicitly" in told(stage)


# ---------------------------------------------------------------- limits


def limits(key: str = "limits-1", member: str = "U1") -> Invocation:
    return Invocation(Kind.LIMITS, key, "T1", "C1", member, START, response_url=URL, actor_team="T1")


def test_limits_are_those_of_the_caller_here(stage: Stage) -> None:
    stage.work(limits())
    assert "No limits hold for you here" in told(stage)
    stage.access.grant("T1", "channel", "C1", limits=images(50))
    stage.access.used["images_per_day"] = 38
    stage.work(limits("limits-2"))
    assert "This channel's pictures a day: 12 of 50 left, resets <!date^" in told(stage)


def test_a_job_beyond_the_limit_is_refused_with_what_is_left_and_no_other_try(stage: Stage) -> None:
    stage.access.grant("T1", "member", "U1", "artist", limits=images(50))
    stage.access.used["images_per_day"] = 48
    assert stage.work(painting(order={"pictures": 4}))
    [posted] = stage.slack.messages
    assert posted.says("2 of 50 left, resets at <!date^") and not posted.says("Try again")
    assert stage.api.jobs == {}
    stage.paint(key="command-2", order={"pictures": 2})
    assert len(stage.api.jobs) == 1
