"""What is made from the registry: manifest, command reference, and imports that cost little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from commands.manifest import BOT_SCOPES, manifest, manifest_text
from commands.reference import reference
from commands.registry import COMMANDS, command_named
from deploy.local.slack.manifest import Manifest
from deploy.local.slack.web_api.methods import METHODS

ROOT = Path(__file__).parents[3]


def test_the_committed_manifest_is_up_to_date() -> None:
    made = "python -m commands.manifest > deploy/slack_manifest.json"
    assert (ROOT / "deploy/slack_manifest.json").read_text(encoding="utf-8") == manifest_text(), f"stale: {made}"


def test_the_committed_reference_is_up_to_date() -> None:
    made = "python -m commands.reference > docs/commands.md"
    assert (ROOT / "docs/commands.md").read_text(encoding="utf-8") == reference(), f"stale: {made}"


def test_slack_would_take_the_manifest() -> None:
    parsed = Manifest.parse(json.loads(manifest_text()))
    assert parsed.name == "Easel" and parsed.bot_display_name == "easel"
    assert [command.command for command in parsed.slash_commands] == [command.name for command in COMMANDS]
    assert parsed.bot_events == {"app_mention", "app_uninstalled", "message.im", "tokens_revoked"}
    [shortcut] = parsed.shortcuts
    assert (shortcut.name, shortcut.type) == ("Train on these pictures", "message") and len(shortcut.name) <= 24
    assert parsed.interactivity_enabled and parsed.token_rotation and parsed.org_deploy
    assert parsed.redirect_urls == ("https://example.invalid/slack/oauth_redirect",)
    for command in manifest()["features"]["slash_commands"]:
        assert len(command["description"]) <= 2_000 and len(command["usage_hint"]) <= 1_000


def test_the_scopes_are_those_of_the_methods_that_the_bot_calls() -> None:
    called = [
        "chat.postMessage", "chat.update", "chat.postEphemeral", "conversations.open", "conversations.history",
        "conversations.replies", "files.getUploadURLExternal", "files.completeUploadExternal", "files.info",
        "files.delete", "views.open", "views.update", "usergroups.list",
    ]  # fmt: skip
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py"))
    for method in called:
        assert method.replace(".", "_") in sources, f"{method} is no longer called: drop its scope"
        scopes = METHODS[method].scopes
        assert not scopes or set(scopes) & set(BOT_SCOPES), method
    needed = {scope for method in called for scope in METHODS[method].scopes}
    assert set(BOT_SCOPES) - needed == {"app_mentions:read", "commands"}


def test_commands_are_found_by_name() -> None:
    assert command_named("/imagine") is COMMANDS[0] and command_named("imagine") is None
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    for command in COMMANDS:
        names = [name for option in command.options for name in (option.name, *option.aliases)]
        assert len(set(names)) == len(names)
        assert len({one.path for one in command.subcommands}) == len(command.subcommands)
        for one in command.subcommands:
            taken = [argument.name for argument in one.arguments]
            taken += [name for option in one.options for name in (option.name, *option.aliases)]
            assert len(set(taken)) == len(taken) and one.required <= len(one.arguments)
            assert not any(argument.takes_words for argument in one.arguments[:-1])
        assert all(option.read(option.hint) is not None for option in command.options if option.name == "ar")


def test_commands_and_the_acknowledging_function_import_nothing_heavy() -> None:
    code = (
        "import sys, commands.registry, commands.mention, commands.views.form, commands.views.help\n"
        "import bot.handlers.slack, bot.slack_app, bot.api_gateway, bot.aws.sqs_invocation_queue\n"
        "import bot.aws.late_record_store, bot.aws.slack_secret, bot.aws.dynamo_installations, bot.slack_oauth\n"
        "from commands.imagine_admin import plan; from commands.admin.settle import settle\n"
        "from commands.views.admin_change import preview; from datetime import UTC, datetime\n"
        "change = plan('access grant <@U1|ada> artist --until 8h --images 5/day --models a')\n"
        "preview(settle(change.instruction, datetime.now(UTC), 'T1'), 'T1')\n"
        "from commands.finetune import plan as finetune; from bot.listeners.finetune import shown_deletion\n"
        "from commands.views.import_form import import_form; from commands.views.form import FormOrigin\n"
        "shown_deletion(finetune('delete a@2')); import_form(FormOrigin('C1'), 'a', 'tiny')\n"
        "heavy = {'pydantic', 'boto3', 'aws_lambda_powertools', 'commands.words.refine', 'bot.worker.work', 'httpx',"
        " 'botocore.session', 'botocore.client', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
