"""The subcommands of `/imagine-admin`, their arguments and options."""

from __future__ import annotations

from backend_lambda.contract.actions import Action
from backend_lambda.contract.limits import MAX_SIDE, MAX_STEPS, MIN_SIDE
from backend_lambda.contract.subjects import SubjectKind
from commands.admin.roles import ExternalIdOption, RoleOption
from commands.admin.training import TRAINING
from commands.grammar.amounts import DailyOption, SizeOption
from commands.grammar.choices import ChoiceOption, ChoicesOption, FlagOption, NamesOption, PhrasesOption
from commands.grammar.options import IntegerOption, Option, WordsOption
from commands.grammar.subcommands import Instruction, Subcommand
from commands.grammar.subjects import SubjectOption
from commands.grammar.until import UntilOption

OFF = "off"
KINDS = (SubjectKind.MEMBER, SubjectKind.CHANNEL, SubjectKind.USERGROUP, SubjectKind.WORKSPACE)
MAX_REASON_CHARS = 300
MAX_MODELS = 20
MAX_WORDS, MIN_WORD_CHARS, MAX_WORD_CHARS = 50, 2, 60

WHO = SubjectOption("who", "Whom it is about", KINDS, "@who|#channel|@usergroup|workspace")
MEMBER = SubjectOption("member", "Whom it is about", (SubjectKind.MEMBER,), "@member")
CHANNEL = SubjectOption("channel", "The channel", (SubjectKind.CHANNEL,), "#channel")
ROLE = RoleOption("role", "The IAM role to act under")
EFFECT = ChoiceOption("effect", "What is taken back", ("grant", "deny"), hint="grant|deny")
ACTIONS = ChoicesOption(
    "actions",
    "The most that anyone may do there",
    tuple(action.value for action in Action),
    alone=(OFF,),
    hint="see paint …|off",
)
LIMITS_OFF = ChoiceOption("off", "Takes all limits away", (OFF,), hint=OFF)
WORDS = PhrasesOption("words", "The words", MIN_WORD_CHARS, MAX_WORD_CHARS, MAX_WORDS)

UNTIL = UntilOption("until", "When it ends by itself")
REASON = WordsOption(
    "reason",
    "Why; stands in the list and in the audit record",
    allowed=f"at most {MAX_REASON_CHARS} characters, up to the next option",
    most_chars=MAX_REASON_CHARS,
)
EXTERNAL_ID = ExternalIdOption("external-id", "What the trust policy of a role of your own asks for")
IMAGES = DailyOption("images", "Pictures a day (UTC)", 1_000_000, aliases=("pictures",))
GPU_MINUTES = DailyOption("gpu-minutes", "Minutes of GPU time a day (UTC)", 160_000, hint="30/day", aliases=("gpu",))
JOBS = IntegerOption("jobs", "Jobs at once", 0, 10_000)
SIZE = SizeOption("size", "The largest picture", MIN_SIDE, MAX_SIDE)
STEPS = IntegerOption("steps", "The most steps", 1, MAX_STEPS)
MODELS = NamesOption(
    "models",
    "Only these models",
    f"at most {MAX_MODELS} names of models, with commas between them",
    r"[a-z0-9][a-z0-9-]{0,40}",
    MAX_MODELS,
    aliases=("model",),
)
EACH = FlagOption("each", "Every member has these numbers for themselves, instead of all together")

LIMIT_OPTIONS: tuple[Option, ...] = (IMAGES, GPU_MINUTES, JOBS, SIZE, STEPS, MODELS, EACH)

GRANT = Subcommand(
    "access grant",
    "Let someone act under a role, with or without limits and an end",
    (WHO, ROLE),
    2,
    (UNTIL, *LIMIT_OPTIONS, EXTERNAL_ID, REASON),
    (
        ("access grant @ada trainer", "she paints and trains from now on"),
        ("access grant #design artist --until 8h --images 50/day", "all in the channel, for eight hours"),
    ),
)
DENY = Subcommand(
    "access deny",
    "Keep someone out, whatever is granted",
    (WHO,),
    1,
    (UNTIL, REASON),
    (("access deny @linus --until 2d --reason spam", "nothing goes for two days"),),
)
REVOKE = Subcommand(
    "access revoke",
    "Take back what was granted to someone, or a deny",
    (WHO, EFFECT),
    1,
    examples=(("access revoke @linus deny", "the deny ends, grants count again"),),
)
GUARDRAIL = Subcommand(
    "access guardrail",
    "The most that anyone may do in a channel, whatever their role; IAM enforces it",
    (CHANNEL, ACTIONS),
    2,
    (MODELS,),
    (("access guardrail #general see paint --models tiny", "looking and painting with that model, nothing else"),),
)
LIMIT = Subcommand(
    "access limit",
    "How much someone may use; their role stays",
    (WHO, LIMITS_OFF),
    1,
    LIMIT_OPTIONS,
    (("access limit workspace --images 20/day --each", "20 pictures a day for every member"),),
)
LIST = Subcommand("access list", "All grants, denies and limits of this workspace")
WHY = Subcommand(
    "access why",
    "What someone may do here or in a channel, and which grant decides",
    (MEMBER, CHANNEL),
    1,
    examples=(("access why @grace #design", "each action, with IAM's answer"),),
)
AUDIT = Subcommand("access audit", "The latest changes: who, what, where, before and after", (MEMBER,), 0)
WORDS_LIST = Subcommand("words list", "The words that no prompt may have")
WORDS_ADD = Subcommand("words add", "Block words or phrases in prompts", (WORDS,), 1)
WORDS_REMOVE = Subcommand("words remove", "Unblock them", (WORDS,), 1)

SUBCOMMANDS = (GRANT, DENY, REVOKE, GUARDRAIL, LIMIT, LIST, WHY, AUDIT, WORDS_LIST, WORDS_ADD, WORDS_REMOVE, TRAINING)
CHANGING = frozenset(one.path for one in (GRANT, DENY, REVOKE, GUARDRAIL, LIMIT, WORDS_ADD, WORDS_REMOVE))
"""What always changes something."""


def is_change(instruction: Instruction) -> bool:
    """Whether it changes something, and so is asked about first; the policy of trainings is shown without options."""
    return instruction.path in CHANGING or (instruction.path == TRAINING.path and bool(instruction.values))
