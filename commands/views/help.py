"""What `/imagine help` and `@easel help` answer."""

from __future__ import annotations

from commands.command import Command
from commands.grammar.clean import escape
from commands.sentences import code
from commands.views.blocks import Message, context, message, section


def help_message(command: Command, bot_name: str = "@easel") -> Message:
    """The command's help: examples, options, threads."""
    examples = "\n".join(f"{code(f'{command.name} {text}')}\n{escape(meaning)}" for text, meaning in command.examples)
    options = "\n".join(
        f"{code(f'--{option.name} {option.hint}')} {escape(option.summary)} ({escape(option.allowed)})"
        for option in command.options
    )
    threads = (
        f"*In threads*\nSlack does not let slash commands be used in threads: mention {code(bot_name)} there instead.\n"
        f"Below a picture, say only what should change; everything else stays, the seed too: "
        f"{code(f'{bot_name} make it green')}, {code(f'{bot_name} make the background yellow')}, "
        f"{code(f'{bot_name} bigger')}, {code(f'{bot_name} on the left')}, {code(f'{bot_name} add a star')}, "
        f"{code(f'{bot_name} without the moon')}, {code(f'{bot_name} --seed 5 --n 4')}.\n"
        f"Other words are a new prompt with the same settings: {code(f'{bot_name} a blue house')}."
    )
    return message(
        f"How to use {command.name}",
        [
            section(f"*{command.name}* {escape(command.summary)}. Type it alone to get a form."),
            section(f"*For example*\n{examples}"),
            section(f"*Options* may stand anywhere\n{options}"),
            section(threads),
            context(
                f"Quotes hold words together. Everything after {code('--')} alone belongs to the prompt, "
                "whatever it looks like. Redo, Edit and Delete are below each picture."
            ),
        ],
    )
