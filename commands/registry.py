"""All commands. Adding one: a file that makes its `Command`, and a line here."""

from __future__ import annotations

from commands.command import Command
from commands.finetune import FINETUNE
from commands.imagine import IMAGINE
from commands.imagine_admin import IMAGINE_ADMIN

COMMANDS: tuple[Command, ...] = (IMAGINE, IMAGINE_ADMIN, FINETUNE)


def command_named(name: str) -> Command | None:
    """The command with this name (with its slash), if there is one."""
    return next((command for command in COMMANDS if command.name == name), None)
