"""The command reference of the docs, made from the registry: `python -m commands.reference > docs/commands.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from commands.command import Command
from commands.grammar.options import Option
from commands.registry import COMMANDS
from commands.views.help import all_examples, all_options

HEAD = """# Commands

Made from `commands/` by `python -m commands.reference > docs/commands.md`; a test notices when it is stale.
"""

THREADS = """## In threads

Slack does not let slash commands be used in threads. Mention the bot there: `@easel a red boat --n 2`. In a direct
message to the bot no mention is needed. `@easel help` answers to you alone.

Below a picture, a mention starts from the settings of the thread's latest picture (of the first one, where the thread
has none) and changes what is named. Everything else stays, the seed too, so that two pictures can be compared.

| say | and this changes |
|---|---|
| `--seed 5`, `--n 3`, `--ar 3:2`, … | that setting |
| `--lora mascot:0.5`, `--lora none` | all LoRAs; the same name without a version keeps the picture's version |
| `make it green`, `in blue`, `make the boat red` | the colour |
| `make it bigger`, `smaller`, `make the house large` | the size |
| `on the left`, `move it to the top` | the place |
| `make the background yellow`, `on a black background` | the background |
| `add a star`, `also a moon`, `with a cloud` | something is added |
| `without the moon`, `remove the star`, `no birds` | something is left out, and added to `--no` |
| `change the boat to a house`, `a star instead of the boat` | one thing for another |
| `more clouds`, `less blur`, `make it look like winter` | the words are added to the prompt |
| anything else: `a blue house` | the whole prompt |

## Typing on a phone

`—seed 5` and `–seed 5` mean `--seed 5`, curly quotes mean straight ones, `--cfg 7,5` means `--cfg 7.5`. Everything
after `--` alone belongs to the prompt, whatever it looks like.

## Buttons

| button | does |
|---|---|
| Cancel | stops what waits or is being painted |
| 1 2 3 4 | posts that picture in full in the thread |
| Redo | paints again with the same settings and a new seed |
| Edit | opens the form, filled with the settings |
| Delete | deletes the pictures in Slack and in the AWS account; for the person who asked for them |
| Try again | after a failure, asks for the same once more |
"""


def reference() -> str:
    """The page as Markdown."""
    return "\n".join([HEAD, *map(_command, COMMANDS), THREADS])


def _command(command: Command) -> str:
    parts = [f"## `{command.name}`", _introduction(command)]
    if command.subcommands:
        parts.append(_subcommands(command))
    examples = "\n".join(f"- `{command.name} {text}`: {meaning}" for text, meaning in all_examples(command))
    parts += [examples, _options(all_options(command))]
    return "\n\n".join(parts) + "\n"


def _introduction(command: Command) -> str:
    form = f" Alone it opens {command.alone};" if command.alone else ""
    return f"{command.summary}.{form} `{command.name} help` shows this to you alone."


def _subcommands(command: Command) -> str:
    lines = "\n".join(f"| `{_cell(f'{command.name} {one.usage}')}` | {one.summary} |" for one in command.subcommands)
    return f"| say | and this happens |\n|---|---|\n{lines}"


def _options(options: Sequence[Option]) -> str:
    lines = "\n".join(
        f"| `{_cell(f'--{option.name} {option.hint}'.rstrip())}` | {option.summary} | {_cell(option.allowed)} |"
        + (" " + ", ".join(f"`--{alias}`" for alias in option.aliases) + " |" if option.aliases else " |")
        for option in options
    )
    return f"| option | does | takes | also |\n|---|---|---|---|\n{lines}"


def _cell(text: str) -> str:
    """In a table of Markdown, a bar ends the cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
