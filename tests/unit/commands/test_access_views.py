"""Previews, lists, explanations, limits, refusals: within Slack's limits, and nothing that is typed becomes markup."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_lambda.contract.access import Allowance, AllowanceList, AuditEntry, Effect, Entry, Guardrail, Limits
from backend_lambda.contract.actions import Action
from backend_lambda.contract.subjects import SubjectKind
from commands.admin.settle import Settled, settle
from commands.command import Change
from commands.imagine_admin import plan
from commands.sentences import ApiRefusal, api_trouble, job_trouble, trouble_text
from commands.sentences_access import (
    denied,
    external_not_granted,
    limit_reached,
    nothing_granted,
    who_can,
)
from commands.views.access_list import access_list, audit_list, words_list
from commands.views.access_why import Explanation, Verdict, access_why
from commands.views.access_words import entry_line
from commands.views.action_ids import ADMIN_CANCEL, ADMIN_CONFIRM
from commands.views.admin_change import consequences, done, preview, withdrawn
from commands.views.blocks import Message
from commands.views.limits import limits_message
from tests.unit.commands.block_kit import check_message
from tests.unit.commands.test_admin_grammar import INSTRUCTIONS

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
EVIL = "<!channel> <@U666> *x* `y` & <https://a.example|b>"


def _settled(text: str) -> Settled:
    planned = plan(text)
    assert isinstance(planned, Change), planned
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled), settled
    return settled


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("access grant <@U1> artist --until 8h --images 50/day --gpu-minutes 30/day",
         ["*<@U1>* may act as `artist` until <!date^1795645800^", "Limits: 50 pictures a day, 30 GPU minutes a day."]),
        ("access grant <#C1> trainer",
         ["*Everybody in <#C1>* may act as `trainer`.", "Limits that were set before stay",
          "A grant to something more specific goes first."]),
        ("access grant <!subteam^S1> artist", ["*Everybody in <!subteam^S1>* may act"]),
        ("access grant workspace artist --reason “for all”",
         ["*Everybody in this workspace* may act", "Reason: for all"]),
        ("access grant <@U1> arn:aws:iam::123456789012:role/easel/P --external-id T1:X7",
         ["may act as `P` of account `123456789012`", "external id `T1:X7`"]),
        ("access deny <@U1> --until 2026-12-01", ["*<@U1>* can't use Easel any more until <!date^1796169600^"]),
        ("access revoke <@U1>", ["What was granted to *<@U1>* is taken back: role and limits.", "A deny stays."]),
        ("access revoke <#C1>", ["is taken back: role, limits and guardrail."]),
        ("access revoke <@U1> deny", ["*<@U1>* is no longer kept out."]),
        ("access guardrail <#C1> see paint --models tiny",
         ["In *<#C1>* nobody can do more than see and paint, with `tiny` only, whatever their role allows."]),
        ("access guardrail <#C1> off", ["*<#C1>* has no guardrail any more"]),
        ("access limit <#C1> --images 5/day", ["Limits of *<#C1>*: 5 pictures a day.", "for all in it together"]),
        ("access limit workspace --images 1 --size 512x512 --steps 1 --models a,b --each",
         ["1 picture a day each, pictures up to 512×512, at most 1 step, only `a` and `b`."]),
        ("access limit <@U1> off", ["*<@U1>* has no limits of its own any more."]),
        ("words add foo, two words", ["Prompts with `foo` and `two words` are refused in this workspace."]),
        ("words remove foo", ["Prompts with `foo` are no longer refused for that."]),
    ],
)  # fmt: skip
def test_what_a_preview_says(text: str, sentences: list[str]) -> None:
    settled = _settled(text)
    view = preview(settled, "T1")
    check_message(view)
    shown = view.blocks[0]["text"]["text"]
    assert all(sentence in shown for sentence in sentences), shown
    assert "Nothing has changed yet" in json.dumps(view.to_json())
    confirm, cancel = view.blocks[-1]["elements"]
    assert (confirm["action_id"], confirm["value"]) == (ADMIN_CONFIRM, settled.text)
    assert cancel["action_id"] == ADMIN_CANCEL


@settings(max_examples=150, deadline=None)
@given(INSTRUCTIONS)
def test_every_change_can_be_shown(instruction: Any) -> None:
    settled = settle(instruction, NOW, "T1")
    if not isinstance(settled, Settled) or settled.instruction.path in {"access list", "access why", "access audit"}:
        return
    if settled.instruction.path == "words list":
        return
    check_message(preview(settled, "T1"))
    assert all(consequences(settled.instruction, "T1"))
    check_message(done("Done.", "\n".join(consequences(settled.instruction, "T1"))))
    check_message(withdrawn())


def test_a_reason_full_of_markup_does_no_harm() -> None:
    evil = EVIL.replace("`", "'").replace('"', "'")
    view = preview(_settled(f"access deny <@U1> --reason “{evil}”"), "T1")
    shown = json.dumps(view.blocks[0])
    assert "<!channel>" not in shown and "<@U666>" not in shown and "<https" not in shown
    line = entry_line(_entry(reason=EVIL))
    assert "<!channel>" not in line and "<@U666>" not in line and "<https" not in line


# ---------------------------------------------------------------- lists


def _entry(**facts: Any) -> Entry:
    given = {"effect": Effect.GRANT, "kind": SubjectKind.MEMBER, "id": "U1", "made_at": NOW, **facts}
    return Entry.model_validate(given)


LIMITS = st.builds(
    Limits,
    images_per_day=st.none() | st.integers(0, 1_000_000),
    gpu_seconds_per_day=st.none() | st.integers(0, 10_000_000),
    jobs_at_once=st.none() | st.integers(0, 10_000),
    max_pixels=st.none() | st.integers(1, 2048 * 2048),
    max_steps=st.none() | st.integers(1, 150),
    models=st.lists(st.sampled_from(["a", "b" * 40]), max_size=20),
    each_member=st.booleans(),
)
ENTRIES = st.builds(
    _entry,
    effect=st.sampled_from(Effect),
    kind=st.sampled_from(SubjectKind),
    id=st.sampled_from(["U1", "C1", "S1", "T1", "E1", "ci-runner", "x" * 64]),
    role=st.none() | st.just("artist"),
    role_arn=st.none() | st.just("arn:aws:iam::1:role/easel/painters") | st.just("nonsense"),
    limits=LIMITS,
    guardrail=st.none() | st.builds(Guardrail, actions=st.lists(st.sampled_from(Action), min_size=1)),
    ends_at=st.none() | st.sampled_from([NOW + timedelta(hours=1), NOW - timedelta(hours=1)]),
    reason=st.just("") | st.text(max_size=300) | st.just(EVIL),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, max_size=60))
def test_any_list_fits_into_a_message(entries: list[Entry]) -> None:
    view = access_list(entries, NOW)
    check_message(view)
    assert "<!channel>" not in json.dumps(view.to_json())


def test_the_list_has_what_counts_by_kind_with_ends_and_limits() -> None:
    entries = [
        _entry(role="admin", role_arn="arn:aws:iam::1:role/easel-admin"),
        _entry(kind="workspace", id="T1", role="artist", limits=Limits(images_per_day=20, each_member=True)),
        _entry(kind="channel", id="C1", guardrail=Guardrail(actions=[Action.SEE, Action.PAINT], models=["tiny"])),
        _entry(kind="usergroup", id="S1", role="trainer", ends_at=NOW + timedelta(hours=8), reason="for now"),
        _entry(effect="deny", id="U2", reason="spam"),
        _entry(effect="deny", id="U3", ends_at=NOW - timedelta(seconds=1)),
    ]
    text = "\n".join(block["text"]["text"] for block in access_list(entries, NOW).blocks if block["type"] == "section")
    assert text.splitlines() == [
        "*Workspace*",
        "this workspace: acts as `artist` · 20 pictures a day each",
        "*Channels*",
        "<#C1>: guardrail: see and paint, with `tiny`",
        "*User groups*",
        "<!subteam^S1>: acts as `trainer` · until <!date^1795645800^{date_short_pretty}, {time}|2026-11-25 22:30 UTC> "
        "· “for now”",
        "*Members*",
        "<@U1>: acts as `admin`",
        ":no_entry: <@U2>: “spam”",
    ]


def test_what_does_not_fit_into_the_list_is_counted() -> None:
    entries = [_entry(id=f"U{index:05d}", role="artist", reason="r" * 100) for index in range(500)]
    view = access_list(entries, NOW)
    check_message(view)
    shown = sum(block["text"]["text"].count("acts as") for block in view.blocks if block["type"] == "section")
    assert 20 < shown < 500 and f"{500 - shown} more are not shown here" in json.dumps(view.blocks[-1])


def test_an_empty_workspace_says_so() -> None:
    for view in (access_list([], NOW), audit_list([]), words_list([])):
        check_message(view)
        assert view.blocks[0]["type"] == "section"


def _record(**facts: Any) -> AuditEntry:
    given = {"id": "a1", "at": NOW, "member": "U1", "principal": "arn", "action": "put_grant", "subject": "member#U2"}
    return AuditEntry.model_validate({**given, **facts})


def test_an_audit_record_says_who_what_where_before_and_after() -> None:
    before = _entry(id="U2", role="artist").model_dump(mode="json", exclude_defaults=True)
    after = _entry(id="U2", role="admin").model_dump(mode="json", exclude_defaults=True)
    view = audit_list([_record(place="C1", before=before, after=after), _record(action="remove_grant", before=before)])
    check_message(view)
    text = view.blocks[0]["text"]["text"]
    assert "<@U1> in <#C1>: put_grant <@U2>\n> before: acts as `artist`\n> after: acts as `admin`" in text
    assert "<@U1>: remove_grant <@U2>\n> before: acts as `artist`\n> after: nothing" in text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            _record,
            member=st.sampled_from(["U1", "ci", EVIL]),
            place=st.sampled_from(["", "C1", "D1"]),
            action=st.sampled_from(["put_words", "put_deny", EVIL]),
            subject=st.sampled_from(["words", "member#U1", "nonsense#1", EVIL]),
            before=st.none() | st.just({"words": ["a"]}) | st.dictionaries(st.text(max_size=5), st.integers()),
        ),
        max_size=30,
    )
)
def test_any_audit_record_fits(records: list[AuditEntry]) -> None:
    view = audit_list(records)
    check_message(view)
    assert "<!channel>" not in json.dumps(view.to_json())


@given(st.lists(st.text(min_size=2, max_size=60), max_size=500))
@settings(max_examples=30, deadline=None)
def test_any_words_fit(words: list[str]) -> None:
    check_message(words_list(words))


# ---------------------------------------------------------------- why


def test_why_names_the_grant_the_guardrail_and_iams_answers() -> None:
    guardrail = _entry(kind="channel", id="C1", guardrail=Guardrail(actions=[Action.SEE], models=["tiny"]))
    found = Explanation(
        member="U1",
        channel="C1",
        grant=_entry(kind="usergroup", id="S1", role="trainer", ends_at=NOW),
        denies=[],
        guardrail=guardrail,
        verdicts=[
            (Action.SEE, Verdict.ALLOWED),
            (Action.PAINT, Verdict.GUARDRAIL_SILENT),
            (Action.SCALE, Verdict.ROLE_SILENT),
            (Action.DELETE, Verdict.ROLE_DENIES),
            (Action.GRANT, Verdict.UNKNOWN),
        ],
        model="tiny",
    )
    view = access_why(found)
    check_message(view)
    text = "\n".join(block["text"]["text"] for block in view.blocks if block["type"] == "section")
    assert "*<@U1> in <#C1>*" in text
    assert "Acts as `trainer`, because of the grant to <!subteam^S1> until <!date^" in text
    assert "see, with `tiny`" in text
    assert ":white_check_mark: see models, jobs and limits\n" in text
    assert ":no_entry: paint with `tiny`: the channel's guardrail does not allow it" in text
    assert ":no_entry: scale endpoints: no policy of the role allows it" in text
    assert "explicitly" in text and "IAM could not be asked" in text


def test_why_says_which_denies_refuse_and_that_nothing_is_granted() -> None:
    deny = _entry(effect="deny", kind="channel", id="C1", reason="quiet hours")
    view = access_why(Explanation("U1", "C1", None, [deny], None, (), are_groups_known=False))
    check_message(view)
    shown = json.dumps(view.to_json(), ensure_ascii=False)
    assert "a deny wins over every grant" in shown and "<#C1>: “quiet hours”" in shown
    assert "Slack did not say which user groups" in shown and "What IAM says" not in shown
    assert "nothing is granted" in json.dumps(access_why(Explanation("U1", "", None, [], None, ())).to_json())


# ---------------------------------------------------------------- limits and refusals


def test_limits_say_what_is_left_and_when_it_starts_anew() -> None:
    resets = datetime(2026, 11, 26, tzinfo=UTC)
    view = limits_message(
        AllowanceList(
            allowances=[
                Allowance(name="images_per_day", kind="channel", id="C1", each_member=True, used=38, most=50,
                          resets_at=resets),
                Allowance(name="gpu_seconds_per_day", kind="workspace", id="T1", each_member=False, used=95, most=1800,
                          resets_at=resets),
                Allowance(name="jobs_at_once", kind="usergroup", id="S1", each_member=False, used=2, most=2),
            ],
            max_pixels=512 * 512,
            max_steps=30,
            models=["tiny"],
        )
    )  # fmt: skip
    check_message(view)
    text = "\n".join(block["text"]["text"] for block in view.blocks if block["type"] == "section")
    assert "▰▰▰▰▰▰▰▱▱▱ Your pictures a day: 12 of 50 left, resets <!date^1795651200^" in text
    assert "This workspace's GPU minutes a day: 28.4 of 30 left" in text
    assert "<!subteam^S1>'s jobs at once: 0 of 2 left, frees as jobs end" in text
    assert "Pictures up to 512×512\nAt most 30 steps\nModels: `tiny`" in text
    assert "No limits hold for you here." in limits_message(AllowanceList(allowances=[])).text
    assert "No model: " in json.dumps(limits_message(AllowanceList(allowances=[], models=[])).to_json())


@given(
    st.lists(
        st.builds(
            Allowance,
            name=st.sampled_from(["images_per_day", "gpu_seconds_per_day", "jobs_at_once", "something_new"]),
            kind=st.sampled_from(SubjectKind),
            id=st.sampled_from(["U1", "C1", "S1", "x-y"]),
            each_member=st.booleans(),
            used=st.floats(0, 1e9),
            most=st.integers(0, 10**7).map(float),
            resets_at=st.none() | st.just(NOW),
        ),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_limits_fit(allowances: list[Allowance]) -> None:
    check_message(limits_message(AllowanceList(allowances=allowances)))
    for allowance in allowances:
        assert trouble_text(limit_reached(allowance.model_dump(mode="json")))


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ({"name": "images_per_day", "kind": "member", "id": "U1", "each_member": False, "used": 38, "most": 50,
          "resets_at": "2026-11-26T00:00:00Z"},
         "Your limit of pictures a day does not allow that now: 12 of 50 left, resets at <!date^1795651200^{time}|"),
        ({"name": "gpu_seconds_per_day", "kind": "channel", "id": "C1", "each_member": False, "used": 1799,
          "most": 1800, "resets_at": "2026-11-26T00:00:00+00:00"},
         "This channel's limit of GPU minutes a day does not allow that now: 0 of 30 left, resets at"),
        ({"name": "jobs_at_once", "kind": "workspace", "id": "T1", "each_member": False, "used": 5, "most": 5},
         "This workspace's limit of jobs at once does not allow that now: 0 of 5 left."),
        (None, "A limit is reached."),
    ],
)  # fmt: skip
def test_a_limit_that_is_reached(limit: dict[str, Any] | None, sentence: str) -> None:
    trouble = api_trouble(ApiRefusal("limit_reached", limit=limit), "tiny")
    assert trouble.sentence.startswith(sentence) and not trouble.can_retry


def test_refusals_name_who_can_grant() -> None:
    assert "<@U1>, <@U2> or <@U3> can grant you one." in nothing_granted(["U1", "U2", "U3", "U4"]).next_step
    assert nothing_granted([]).next_step == "Whoever runs Easel can grant you one."
    assert who_can("do it", ["not-slack's", "U1"]) == "<@U1> can do it."
    assert "by name" in external_not_granted(["U1"]).sentence and "<@U1>" in external_not_granted(["U1"]).next_step
    trouble = denied("member", "U1", NOW, ["U9"])
    assert (
        "A deny keeps you out of Easel until <!date^" in trouble.sentence and "<@U9> can lift it" in trouble.next_step
    )
    assert "everybody in this channel" in denied("channel", "C1", None, []).sentence
    assert "everybody in <!subteam^S1>" in denied("usergroup", "S1", None, []).sentence
    # An organisation's denies are its operator's.
    assert denied("org", "E1", None, ["U9"]).next_step == "Whoever runs Easel can lift it."


@pytest.mark.parametrize("code", ["limit_reached", "blocked_words", "last_admin", "guardrail_too_long"])
def test_what_trying_again_would_not_change_has_no_such_button(code: str) -> None:
    trouble = api_trouble(ApiRefusal(code, given="gore"), None)
    assert not trouble.can_retry
    assert ("`gore`" in trouble.sentence) == (code == "blocked_words")


def test_a_moderated_picture_is_not_tried_again() -> None:
    assert not job_trouble("moderated", "r1").can_retry


def test_a_picture_that_could_not_be_checked_was_not_refused() -> None:
    trouble = job_trouble("unchecked", "r1")
    assert trouble.can_retry and trouble.reference == "r1" and "did not answer" in trouble.sentence


def test_messages_survive_the_table() -> None:
    view = access_list([_entry(role="admin")], NOW)
    assert Message.from_json(json.loads(json.dumps(view.to_json()))) == view
