"""What can be said to `/imagine-admin`: every form, every mistake, and that a confirmed text means what was shown."""

from __future__ import annotations

import string
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend_lambda.contract.access import MAX_REASON_CHARS as API_REASON_CHARS
from backend_lambda.contract.access import BlockedWords, Limits, PutGrant
from backend_lambda.contract.actions import Action
from backend_lambda.contract.subjects import Subject, SubjectKind
from commands.admin.amounts import limits_named
from commands.admin.settle import MAX_CONFIRMED_CHARS, Settled, read_settled, settle
from commands.admin.subcommands import (
    CHANGING,
    MAX_MODELS,
    MAX_REASON_CHARS,
    MAX_WORD_CHARS,
    MIN_WORD_CHARS,
    SUBCOMMANDS,
)
from commands.command import Change, Look, Refuse, ShowHelp, ShowLimits
from commands.grammar.clean import clean
from commands.grammar.mistakes import BadValue, CommandTooLong
from commands.grammar.subcommands import Instruction, read_instruction, render_instruction
from commands.grammar.subjects import mention, subject_of
from commands.grammar.until import end_of, moment_text
from commands.imagine import plan as plan_imagine
from commands.imagine_admin import NAME, plan
from commands.sentences import mistake_sentence, mistakes_text

NOW = datetime(2026, 11, 25, 14, 30, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("access grant <@U1|ada> artist", "access grant", {"who": "<@U1>", "role": "artist"}),
        ("Access Grant <@W1> ADMIN", "access grant", {"who": "<@W1>", "role": "admin"}),
        ("access grant <#C1|general> artist --until 8h", "access grant",
         {"who": "<#C1>", "role": "artist", "until": "8h"}),
        ("access grant <#C1|> artist —until 2d", "access grant", {"who": "<#C1>", "role": "artist", "until": "2d"}),
        ("access grant <!subteam^S1|@design> trainer", "access grant", {"who": "<!subteam^S1>", "role": "trainer"}),
        ("access grant <!subteam^S1> trainer –until=30min", "access grant",
         {"who": "<!subteam^S1>", "role": "trainer", "until": "30m"}),
        ("access grant workspace artist ——images 50/day", "access grant",
         {"who": "workspace", "role": "artist", "images": 50}),
        ("access grant “Workspace”, artist --images 50 --gpu-minutes 30/d --jobs 2 --size 512×768 --steps 30 --each",
         "access grant",
         {"who": "workspace", "role": "artist", "images": 50, "gpu-minutes": 30, "jobs": 2, "size": "512x768",
          "steps": 30, "each": True}),
        ("access grant <@U1|a b c> artist --models Tiny, large --until 2026-12-01", "access grant",
         {"who": "<@U1>", "role": "artist", "models": "tiny,large", "until": "2026-12-01"}),
        ("access grant <@U1> arn:aws:iam::123456789012:role/easel/Painters --external-id Team-7 "
         "--reason “they asked, <@U2|bob>”", "access grant",
         {"who": "<@U1>", "role": "arn:aws:iam::123456789012:role/easel/Painters", "external-id": "Team-7",
          "reason": "they asked, <@U2>"}),
        ("access deny <@U1>", "access deny", {"who": "<@U1>"}),
        ("access deny workspace --until 1w --reason maintenance", "access deny",
         {"who": "workspace", "until": "1w", "reason": "maintenance"}),
        ("access revoke <@U1>", "access revoke", {"who": "<@U1>"}),
        ("access revoke <@U1>, Deny", "access revoke", {"who": "<@U1>", "effect": "deny"}),
        ("access guardrail <#C1|x> paint see, paint", "access guardrail", {"channel": "<#C1>", "actions": "see,paint"}),
        ("access guardrail <#C1|x> see --models a,b", "access guardrail",
         {"channel": "<#C1>", "actions": "see", "models": "a,b"}),
        ("access guardrail <#C1|x> OFF", "access guardrail", {"channel": "<#C1>", "actions": "off"}),
        ("access limit <@U1> --images 0/day", "access limit", {"who": "<@U1>", "images": 0}),
        ("access limit <@U1> off", "access limit", {"who": "<@U1>", "off": "off"}),
        ("access list", "access list", {}),
        ("access why <@U1|ada>", "access why", {"member": "<@U1>"}),
        ("access why <@U1|ada> <#C1|x>", "access why", {"member": "<@U1>", "channel": "<#C1>"}),
        ("access audit", "access audit", {}),
        ("access audit <@U1|ada>", "access audit", {"member": "<@U1>"}),
        ("words list", "words list", {}),
        ("words add Foo,  two words , foo", "words add", {"words": "Foo, two words"}),
        ("words remove “foo, bar”", "words remove", {"words": "foo, bar"}),
        ("words add -- --foo", "words add", {"words": "--foo"}),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, path: str, values: dict[str, object]) -> None:
    planned = plan(text)
    instruction = planned.instruction if isinstance(planned, Change) else None
    if isinstance(planned, Look):
        read = read_instruction(NAME, SUBCOMMANDS, planned.text)
        instruction = read if isinstance(read, Instruction) else None
    assert instruction is not None, planned
    assert (instruction.path, dict(instruction.values)) == (path, values)
    assert isinstance(planned, Change) == (path in CHANGING)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("access grnat <@U1> artist",
         "`/imagine-admin access grnat` is nothing that Easel can do. Did you mean `access grant`?"),
        ("grant <@U1> artist", "Did you mean `access grant`?"),
        ("audits", "Did you mean `access audit`?"),
        ("access", "It knows `access grant`, `access deny`, "),
        ("words", "It knows `words list`, `words add`, `words remove`."),
        ("xyzzy", "It knows `access grant`, "),
        ("access grant", "`/imagine-admin access grant` lacks the who: a @member, a #channel, a @usergroup or the word "
         "workspace, chosen from the list that Slack shows while you type."),
        ("access grant <@U1>", "lacks the role: artist, trainer, operator, admin, or the ARN of a role of your own"),
        ("access grant @ada artist", "The who of `/imagine-admin access grant` can't be `@ada`."),
        ("access grant <!channel> artist", "The who of `/imagine-admin access grant` can't be `@channel`."),
        ("access grant wrkspace artist", "Did you mean `workspace`?"),
        ("access grant <@U1> artits", "can't be `artits`. It takes artist, trainer, operator, admin, or the ARN of a "
         "role of your own below /easel/. Did you mean `artist`?"),
        ("access grant <@U1> arn:aws:iam::123456789012:role/painters", "below /easel/"),
        ("access grant <@U1> artist please", "does not know what `please` means there."),
        ("access grant <@U1> artist --untill 8h", "`--untill` is not an option of /imagine-admin access grant. "
         "Did you mean `--until`?"),
        ("access grant <@U1> artist —foo", "`--foo` is not an option of"),
        ("access grant <@U1> artist --until", "`--until` needs a value: a time to come: 30m, 8h"),
        ("access grant <@U1> artist --until 0h", "`--until` can't be `0h`."),
        ("access grant <@U1> artist --until 2026-02-30", "`--until` can't be `2026-02-30`."),
        ("access grant <@U1> artist --until tomorrow", "`--until` can't be `tomorrow`."),
        ("access grant <@U1> artist --until 8h --until 9h", "`--until` is given more than once."),
        ("access grant <@U1> artist --images many", "a whole number a day from 0 to 1000000, such as 50/day"),
        ("access grant <@U1> artist --images 50/week", "`--images` can't be `50/week`."),
        ("access grant <@U1> artist --size 20x20", "each from 64 to 2048"),
        ("access grant <@U1> artist --each=yes", "`--each` can't be `yes`. It takes nothing behind it."),
        ("access grant <@U1> artist --models ../x", "`--models` can't be `../x`."),
        ("access grant <@U1> artist --external-id T1", "`--external-id` goes with the ARN of a role of your own only."),
        ("access grant <@U1> artist --reason " + "x" * 301, "at most 300 characters"),
        ("access revoke <@U1> gant", "It takes grant or deny. Did you mean `grant`?"),
        ("access guardrail <@U1> see", "can't be `&lt;@U1&gt;`. It takes a #channel, chosen"),
        ("access guardrail <#C1|x>", "lacks the actions: any of see, paint, delete, train, approve, self-approve, "
         "scale, hook, grant, or off."),
        ("access guardrail <#C1|x> pant", "can't be `pant`."),
        ("access guardrail <#C1|x> see off", "can't be `see off`."),
        ("access limit <@U1>", "`access limit` needs at least one of `--images`, `--gpu-minutes`"),
        ("access limit <@U1> --each", "needs at least one of"),
        ("access limit <@U1> off --images 5", "`--images` goes with limits that are not switched off only."),
        ("access why", "lacks the member: a @member, chosen from the list"),
        ("access why <#C1|x>", "can't be `&lt;#C1&gt;`. It takes a @member"),
        ("access list all", "does not know what `all` means there."),
        ("words add", "lacks the words: at most 50 words or phrases of 2 to 60 characters, with commas between them."),
        ("words add a", "can't be `a`."),
    ],
)  # fmt: skip
def test_each_mistake_is_named(text: str, sentence: str) -> None:
    planned = plan(text)
    assert isinstance(planned, Refuse), planned
    assert sentence in mistakes_text(planned.mistakes)


def test_all_mistakes_are_named_at_once() -> None:
    planned = plan("access grant <!here> wizard --images x --foo")
    assert isinstance(planned, Refuse) and len(planned.mistakes) == 4


@pytest.mark.parametrize("text", ["", " ", "help", "—help", "access help", "words add help", "ACCESS GRANT ?"])
def test_help(text: str) -> None:
    assert plan(text) == ShowHelp()


def test_limits_alone_is_no_prompt() -> None:
    assert plan_imagine(" Limits ") == ShowLimits()
    assert not isinstance(plan_imagine("limits of growth"), ShowLimits)


def test_the_numbers_are_those_of_the_api() -> None:
    assert MAX_REASON_CHARS == API_REASON_CHARS
    assert len(["m"] * MAX_MODELS) == 20 and Limits(models=["m"] * MAX_MODELS)
    BlockedWords(words=["x" * MIN_WORD_CHARS, "x" * MAX_WORD_CHARS])
    most = "--images 1000000/day --gpu-minutes 160000/day --jobs 10000 --size 2048x2048 --steps 150 --models a --each"
    planned = plan(f"access limit workspace {most}")
    assert isinstance(planned, Change)
    named = limits_named(planned.instruction.values)
    assert set(named) == set(Limits.model_fields) and PutGrant.model_validate({"limits": named})


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("30m", datetime(2026, 11, 25, 15, 1, tzinfo=UTC)),
        ("8h", datetime(2026, 11, 25, 22, 31, tzinfo=UTC)),
        ("2d", datetime(2026, 11, 27, 14, 31, tzinfo=UTC)),
        ("1w", datetime(2026, 12, 2, 14, 31, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 26, tzinfo=UTC)),
        ("2026-12-01T08:30Z", datetime(2026, 12, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_an_end_is_fixed_when_it_is_shown(until: str, end: datetime) -> None:
    planned = plan(f"access deny <@U1> --until {until}")
    assert isinstance(planned, Change)
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled)
    assert settled.instruction.values["until"] == moment_text(end)
    for later in (NOW, NOW + timedelta(days=3)):
        assert end_of(settled.instruction.values["until"], later) == end


@pytest.mark.parametrize("until", ["2026-11-24", "2026-11-25T14:30Z", "9999d", "2999-01-01", "9999-12-31"])
def test_an_end_that_is_over_or_too_far_away_is_refused(until: str) -> None:
    planned = plan(f"access deny <@U1> --until {until}")
    if isinstance(planned, Refuse):
        return
    assert isinstance(planned, Change)
    refused = settle(planned.instruction, NOW, "T1")
    assert isinstance(refused, tuple) and isinstance(refused[0], BadValue) and refused[0].option == "until"


@pytest.mark.parametrize(
    ("external_id", "is_taken"),
    [("T1", True), ("T1:7f3a", True), ("T1-x", True), ("T12", False), ("T2", False), ("X7", False), ("T2:T1", False)],
)
def test_an_external_id_is_the_workspaces_own(external_id: str, is_taken: bool) -> None:
    arn = "arn:aws:iam::123456789012:role/easel/painters"
    planned = plan(f"access grant <@U1> {arn} --external-id {external_id}")
    assert isinstance(planned, Change)
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled) is is_taken
    if not isinstance(settled, Settled):
        assert "It takes T1, or T1 followed by one of" in mistakes_text(settled)


# ---------------------------------------------------------------- what a button carries


def _settled(text: str) -> Settled:
    planned = plan(text)
    assert isinstance(planned, Change), planned
    settled = settle(planned.instruction, NOW, "T1")
    assert isinstance(settled, Settled), settled
    return settled


@pytest.mark.parametrize(
    "text",
    [
        "",
        "access list",
        "access why &lt;@U1&gt;",
        "access grant <@U1> artist",
        "access grant &lt;@U1&gt; wizard",
        "access grant &lt;@U1&gt;  artist",
        "access grant &lt;@U1&gt; artist --until 8h",
        "access grant &lt;@U1&gt; artist --until 2026-12-01",
        "access grant &lt;@U1&gt; artist --external-id T1:X7",
        "access grant &lt;@U1&gt; artist --images 50",
        "access grant &lt;@U1|ada&gt; artist",
        "access grant workspace artist extra",
        "access limit workspace",
        "words add foo",
        "x" * 3_000,
        "\x00",
    ],
)
def test_what_settle_did_not_write_is_no_change(text: str) -> None:
    assert read_settled(text) is None


def test_what_settle_wrote_is_read_as_it_was() -> None:
    settled = _settled("access grant <@U1|ada> artist --reason “a --b, &lt;c&gt;” --images 50 --until 8h --each")
    assert read_settled(settled.text) == settled.instruction
    assert settled.text == (
        'access grant &lt;@U1&gt; artist --until 2026-11-25T22:31Z --images 50/day --each --reason "a --b, &lt;c&gt;"'
    )


def test_what_does_not_fit_behind_a_button_is_refused() -> None:
    words = ", ".join(f"{index:02d}{'x' * 58}" for index in range(40))
    planned = plan(f"words add {words}")
    assert isinstance(planned, Change)
    refused = settle(planned.instruction, NOW, "T1")
    assert isinstance(refused, tuple) and isinstance(refused[0], CommandTooLong)
    assert refused[0].limit == MAX_CONFIRMED_CHARS == 2_000 < refused[0].length
    assert "can be confirmed at once" in mistake_sentence(refused[0])


# ---------------------------------------------------------------- properties

IDS = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=12)
SUBJECTS = st.one_of(
    st.builds("<@{}{}>".format, st.sampled_from("UW"), IDS),
    st.builds("<#{}{}>".format, st.sampled_from("CG"), IDS),
    st.builds("<!subteam^S{}>".format, IDS),
    st.just("workspace"),
)
CHANNELS = st.builds("<#C{}>".format, IDS)
MEMBERS = st.builds("<@U{}>".format, IDS)
ROLES = st.sampled_from(["artist", "trainer", "operator", "admin"])
OWN_ROLES = st.builds("arn:aws:iam::123456789012:role/easel/{}".format, st.text("Aa1_+=,.@-", min_size=1, max_size=20))
MODEL_NAMES = st.lists(st.sampled_from(["tiny", "large", "sdxl-1"]), min_size=1, unique=True).map(",".join)
FREE_TEXT = st.text(max_size=60).map(lambda text: " ".join(clean(text).replace('"', "").split()))
PHRASES = (
    st.lists(FREE_TEXT.map(lambda text: " ".join(text.replace(",", " ").split())), min_size=1, max_size=5)
    .map(lambda phrases: list({one.casefold(): one for one in phrases if len(one) >= 2}.values()))
    .filter(bool)
    .map(", ".join)
)
UNTILS = st.sampled_from(["30m", "8h", "2d", "1w", "2026-12-01", "2026-12-01T08:30Z"])
LIMITS: dict[str, st.SearchStrategy[Any]] = {
    "images": st.integers(0, 1_000_000),
    "gpu-minutes": st.integers(0, 160_000),
    "jobs": st.integers(0, 10_000),
    "size": st.builds("{}x{}".format, st.integers(64, 2048), st.integers(64, 2048)),
    "steps": st.integers(1, 150),
    "models": MODEL_NAMES,
    "each": st.just(True),
}


def instructions(path: str, needed: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Instruction]:
    values = st.fixed_dictionaries(needed, optional=optional)
    return values.map(lambda named: Instruction(path, named))


ACTIONS = st.lists(st.sampled_from(Action), min_size=1, unique=True).map(
    lambda some: ",".join(action.value for action in Action if action in some)
)
INSTRUCTIONS = st.one_of(
    instructions("access grant", {"who": SUBJECTS, "role": ROLES}, {"until": UNTILS, "reason": FREE_TEXT, **LIMITS}),
    instructions(
        "access grant",
        {"who": SUBJECTS, "role": OWN_ROLES},
        {"external-id": st.text("aT1_+=,.@:/-", min_size=2, max_size=30), **LIMITS},
    ),
    instructions("access deny", {"who": SUBJECTS}, {"until": UNTILS, "reason": FREE_TEXT}),
    instructions("access revoke", {"who": SUBJECTS}, {"effect": st.sampled_from(["grant", "deny"])}),
    instructions(
        "access guardrail", {"channel": CHANNELS, "actions": ACTIONS | st.just("off")}, {"models": MODEL_NAMES}
    ),
    instructions("access limit", {"who": SUBJECTS}, {**LIMITS, "off": st.just("off")}),
    instructions("access list", {}, {}),
    instructions("access why", {"member": MEMBERS}, {"channel": CHANNELS}),
    instructions("access audit", {}, {"member": MEMBERS}),
    instructions("words list", {}, {}),
    instructions("words add", {"words": PHRASES}, {}),
    instructions("words remove", {"words": PHRASES}, {}),
)


@settings(max_examples=400, deadline=None)
@given(INSTRUCTIONS)
def test_reading_what_was_rendered_is_the_identity(instruction: Instruction) -> None:
    text = render_instruction(SUBCOMMANDS, instruction)
    read = read_instruction(NAME, SUBCOMMANDS, text)
    assert isinstance(read, Instruction), (text, read)
    assert (read.path, dict(read.values)) == (instruction.path, dict(instruction.values))
    assert render_instruction(SUBCOMMANDS, read) == text


@settings(max_examples=200, deadline=None)
@given(INSTRUCTIONS)
def test_whatever_is_settled_is_confirmed_as_it_was_shown(instruction: Instruction) -> None:
    planned = plan(render_instruction(SUBCOMMANDS, instruction))
    if isinstance(planned, Change):
        settled = settle(planned.instruction, NOW, "T1")
        if isinstance(settled, Settled):
            assert len(settled.text) <= MAX_CONFIRMED_CHARS
            assert read_settled(settled.text) == settled.instruction


PIECES = st.sampled_from(
    ["access", "grant", "deny", "words", "add", "limit", "guardrail", "why", "<@U1|ada>", "<#C1|general>", "workspace",
     "<!subteam^S1|@design>", "<!channel>", "artist", "off", "see", "paint", "--until", "—until 8h", "--images 50/day",
     "--each", "--models a,b", "--reason", '"', "“", "--", "&lt;@U1&gt;", "<", ">", "`", ",", "2026-12-01", "\u202e"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=10).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("access grant <@U1><@U2> artist")
@example('words add "a, b" c, "d')
def test_no_text_crashes_it_and_what_is_read_can_be_written(text: str) -> None:
    planned = plan(text)
    if isinstance(planned, Refuse):
        assert 1 <= len(planned.mistakes) <= 5
        for mistake in planned.mistakes:
            sentence = mistake_sentence(mistake)
            assert sentence.strip() and len(sentence) < 600 and sentence.count("`") % 2 == 0
            assert "<" not in sentence and ">" not in sentence, "nothing that was typed is read as a mention"
    read = read_instruction(NAME, SUBCOMMANDS, text)
    if isinstance(read, Instruction):
        again = read_instruction(NAME, SUBCOMMANDS, render_instruction(SUBCOMMANDS, read))
        assert isinstance(again, Instruction)
        assert (again.path, dict(again.values)) == (read.path, dict(read.values))


@settings(deadline=None)
@given(SUBJECTS)
def test_a_subject_is_written_as_it_was_read(text: str) -> None:
    subject = subject_of(text, "T1")
    assert (mention(subject.kind, subject.id) or "workspace") == text
    assert subject != Subject(SubjectKind.WORKSPACE, "T2")


@pytest.mark.parametrize("kind", SubjectKind)
@pytest.mark.parametrize("subject_id", ["ci-runner", "U1|x", "U1> <!channel", "", "u1", "iam-1-role"])
def test_an_id_that_is_none_of_slacks_is_never_a_mention(kind: SubjectKind, subject_id: str) -> None:
    assert mention(kind, subject_id) is None


@pytest.mark.parametrize("piece", ["access grant ", '"', "--", "<@U1>", "—x ", ",", "words add " + "a," * 5])
def test_absurd_texts_take_no_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    plan(text)
    plan(f"words add {text}")
    assert time.process_time() - started < 1.5
