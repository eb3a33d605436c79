"""What `help` behind a command and `@easel help` answer."""

from __future__ import annotations

from collections.abc import Sequence

from commands.command import Command
from commands.grammar.clean import escape
from commands.grammar.options import Option
from commands.sentences import code
from commands.views.blocks import Message, context, message, section


def help_message(command: Command, bot_name: str = "@easel") -> Message:
    """The command's help: examples, what it can do, options, threads."""
    examples = "\n".join(
        f"{code(f'{command.name} {text}')}\n{escape(meaning)}" for text, meaning in all_examples(command)
    )
    subcommands = "\n".join(
        f"{code(f'{command.name} {one.short_usage}')} {escape(one.summary)}" for one in command.subcommands
    )
    options = "\n".join(
        f"{code(f'--{option.name} {option.hint}')} {escape(option.summary)} ({escape(option.allowed)})"
        for option in all_options(command)
    )
    form = f" Alone it opens {command.alone}." if command.alone else ""
    return message(
        f"How to use {command.name}",
        [
            section(f"*{command.name}* {escape(command.summary)}.{form}"),
            section(f"*What it can do*\n{subcommands}") if subcommands and not command.is_prompt_taken else None,
            section(f"*For example*\n{examples}") if examples else None,
            section(f"*Options* may stand anywhere\n{options}") if options else None,
            section(f"*Also*\n{subcommands}") if subcommands and command.is_prompt_taken else None,
            *(_of_prompts(bot_name) if command.is_prompt_taken else []),
            context(*command.notes),
        ],
    )


def all_options(command: Command) -> list[Option]:
    """The options of the command and of its subcommands, each once."""
    lists: list[Sequence[Option]] = [command.options, *(one.options for one in command.subcommands)]
    return list({option.name: option for options in lists for option in options}.values())


def all_examples(command: Command) -> list[tuple[str, str]]:
    """The examples of the command and of its subcommands."""
    return [*command.examples, *(example for one in command.subcommands for example in one.examples)]


def _of_prompts(bot_name: str) -> list[dict[str, object] | None]:
    threads = (
        f"*In threads*\nSlack does not let slash commands be used in threads: mention {code(bot_name)} there instead.\n"
        f"Below a picture, say only what should change; everything else stays, the seed too: "
        f"{code(f'{bot_name} make it green')}, {code(f'{bot_name} make the background yellow')}, "
        f"{code(f'{bot_name} bigger')}, {code(f'{bot_name} on the left')}, {code(f'{bot_name} add a star')}, "
        f"{code(f'{bot_name} without the moon')}, {code(f'{bot_name} --seed 5 --n 4')}.\n"
        f"Other words are a new prompt with the same settings: {code(f'{bot_name} a blue house')}."
    )
    return [
        section(threads),
        context(
            f"Quotes hold words together. Everything after {code('--')} alone belongs to the prompt, "
            "whatever it looks like. Redo, Edit and Delete are below each picture."
        ),
    ]
