"""`/finetune`: train a LoRA, and look after those that there are."""

from __future__ import annotations

from commands.command import (
    Command,
    ConfirmRegistry,
    ManageRegistry,
    OpenImportForm,
    OpenTrainingForm,
    Plan,
    Refuse,
    ShowHelp,
    asks_for_help,
)
from commands.grammar.choices import FlagOption
from commands.grammar.clean import clean
from commands.grammar.lora_names import LoraNameOption, ScopeOption, VersionedNameOption
from commands.grammar.options import IntegerOption, WordsOption
from commands.grammar.subcommands import Instruction, Subcommand, read_instruction, render_instruction

NAME = "/finetune"
MAX_NOTE_CHARS = 200
MAX_PAGE = 99

LORA = LoraNameOption("name", "The LoRA")
VERSIONED = VersionedNameOption("name", "The LoRA, or one version of it")
DELETED = VersionedNameOption("name", "The LoRA, one version of it, or a training's id", hint="name[@version]|id")
TRAINING = LoraNameOption("name", "What is trained, or the training's id", hint="name|id")
NEW_NAME = LoraNameOption("new name", "What it shall be called", hint="to new-name", filler=("to", "as"))
SCOPE = ScopeOption("whom", "Who may use it")
NOTE = WordsOption(
    "note",
    "Whose pictures it was made of, what it may be used for",
    hint="…",
    allowed=f"at most {MAX_NOTE_CHARS} characters",
    most_chars=MAX_NOTE_CHARS,
)
MINE = FlagOption("mine", "Only what you made yourself", aliases=("me",))
PAGE = IntegerOption("page", "Which page of the list", 1, MAX_PAGE)

LIST = Subcommand(
    "list",
    "Trainings and LoRAs: their states, versions, who made them and when",
    options=(MINE, PAGE),
    examples=(("list --mine", "what you are training and have trained"),),
)
STATUS = Subcommand(
    "status", "How far a training is", (TRAINING,), 1, examples=(("status mascot", "its newest training"),)
)
CANCEL = Subcommand("cancel", "End a training that is not finished", (TRAINING,), 1)
CARD = Subcommand(
    "card",
    "Its samples and settings, who made it and from what, its note and versions",
    (VERSIONED,),
    1,
    examples=(("card mascot", "the newest version"),),
)
SHARE = Subcommand(
    "share",
    "Who may use it: everybody, this channel, or you alone",
    (LORA, SCOPE),
    2,
    examples=(("share mascot with workspace", "everybody may use it from now on"),),
)
RENAME = Subcommand("rename", "Call it otherwise", (LORA, NEW_NAME), 2)
NOTED = Subcommand("note", "Write down whose pictures it was made of, and what it may be used for", (LORA, NOTE), 2)
RETIRE = Subcommand("retire", "No longer offer it; where it is named, it still paints", (LORA,), 1)
RESTORE = Subcommand("restore", "Offer it again", (LORA,), 1)
DELETE = Subcommand(
    "delete",
    "Delete it, or one version, or a training by its id, for good: with the pictures that it was trained on",
    (DELETED,),
    1,
    examples=(("delete mascot@1", "asks first"),),
)
IMPORT = Subcommand("import", "Bring in a LoRA that was trained elsewhere; opens a form", (LORA,), 1)

SUBCOMMANDS = (LIST, STATUS, CANCEL, CARD, SHARE, RENAME, NOTED, RETIRE, RESTORE, DELETE, IMPORT)
LOOKING = frozenset(one.path for one in (LIST, STATUS, CARD))
"""What changes nothing."""
CONFIRMED = frozenset({DELETE.path})
"""What is asked about first."""
TOPICS = frozenset(one.path for one in SUBCOMMANDS)
"""What may stand before `help`."""


def plan(text: str) -> Plan:
    """What to do about `/finetune <text>`."""
    said = clean(text)
    if not said:
        return OpenTrainingForm()
    topic, _, last = said.rpartition(" ")
    if asks_for_help(said) or (topic.lower() in TOPICS and asks_for_help(last)):
        return ShowHelp()
    instruction = read_instruction(NAME, SUBCOMMANDS, text)
    if isinstance(instruction, tuple):
        return Refuse(instruction)
    if instruction.path == IMPORT.path:
        return OpenImportForm(str(instruction.values[LORA.name]))
    said = render_instruction(SUBCOMMANDS, instruction)
    return ConfirmRegistry(instruction, said) if instruction.path in CONFIRMED else ManageRegistry(said)


def read_registry_text(text: str) -> Instruction | None:
    """What a text says that `plan` has made; None for any other text."""
    instruction = read_instruction("", SUBCOMMANDS, text)
    if isinstance(instruction, tuple) or instruction.path == IMPORT.path:
        return None
    return instruction if render_instruction(SUBCOMMANDS, instruction) == text else None


def list_text(is_mine: bool, page: int) -> str:
    """The text of a page of the list."""
    values = {**({MINE.name: True} if is_mine else {}), **({PAGE.name: page} if page > 1 else {})}
    return render_instruction(SUBCOMMANDS, Instruction(LIST.path, values))


FINETUNE = Command(
    name=NAME,
    summary="Train a style or a subject on your own pictures",
    options=(),
    plan=plan,
    examples=(),
    is_prompt_taken=False,
    subcommands=SUBCOMMANDS,
    alone="the form that trains a LoRA",
    notes=(
        "A LoRA is what a training makes: `/imagine a zblx --lora mascot` paints with it. Only you see the answers; "
        "everything is done under your own IAM role.",
    ),
)
