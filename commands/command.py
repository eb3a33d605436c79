"""What a slash command is, and what can come of what someone typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from commands.grammar.mistakes import Mistake
from commands.grammar.options import Option
from commands.grammar.subcommands import Instruction, Subcommand
from commands.order import PaintOrder


@dataclass(frozen=True)
class ShowHelp:
    """Show the command's help to the person alone."""


@dataclass(frozen=True)
class OpenForm:
    """Open the command's form."""


@dataclass(frozen=True)
class OpenTrainingForm:
    """Open the form that trains a LoRA."""


@dataclass(frozen=True)
class OpenImportForm:
    """Open the form that takes the file of a LoRA, to be called `name`."""

    name: str


@dataclass(frozen=True)
class Paint:
    """Paint this."""

    order: PaintOrder


@dataclass(frozen=True)
class ShowLimits:
    """Show what the person may still use here."""


@dataclass(frozen=True)
class Look:
    """Answer a question of an admin's; `text` is the question in its canonical form. Nothing changes."""

    text: str


@dataclass(frozen=True)
class Change:
    """Change who may do what, after the person has seen what will hold and has confirmed it."""

    instruction: Instruction


@dataclass(frozen=True)
class ManageRegistry:
    """Look up or change LoRAs and trainings as `text` says, a command in its canonical form."""

    text: str


@dataclass(frozen=True)
class ConfirmRegistry:
    """The same, after the person has seen what will be gone and has confirmed it."""

    instruction: Instruction
    text: str


@dataclass(frozen=True)
class Refuse:
    """Answer with what is wrong; at least one mistake."""

    mistakes: tuple[Mistake, ...]


Plan = (
    ShowHelp
    | OpenForm
    | OpenTrainingForm
    | OpenImportForm
    | Paint
    | ShowLimits
    | Look
    | Change
    | ManageRegistry
    | ConfirmRegistry
    | Refuse
)


@dataclass(frozen=True)
class Command:
    """A slash command. Help, the app manifest and the command reference are made from it.

    `plan` is pure: from the text after the command's name to what is to be done. `examples` are (text, meaning).
    `should_escape` asks Slack to send mentions as ids. `subcommands` are known by their first words, and have options
    and examples of their own. `alone` is what the command opens without any words, `notes` stand below the help.
    """

    name: str
    summary: str
    options: tuple[Option, ...]
    plan: Callable[[str], Plan]
    examples: tuple[tuple[str, str], ...]
    is_prompt_taken: bool = True
    should_escape: bool = False
    subcommands: tuple[Subcommand, ...] = ()
    alone: str = ""
    notes: tuple[str, ...] = ()

    @property
    def usage_hint(self) -> str:
        """What Slack shows behind the command while someone types it."""
        if not self.is_prompt_taken:
            return " | ".join([*(subcommand.path for subcommand in self.subcommands), "help"])
        options = " ".join(f"[--{option.name} {option.hint}]" for option in self.options)
        return f"a red boat {options}"


def asks_for_help(text: str) -> bool:
    """Whether someone types this to be told what to type."""
    return text.strip().lower() in {"help", "--help", "-h", "—help", "?"}
