"""`python -m deploy.local.slack`: a workspace of its own, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
from pathlib import Path

from deploy.local.slack.manifest import Manifest, ManifestError
from deploy.local.slack.server import WorkspaceServer
from deploy.local.slack.settings import WorkspaceSettings


def main() -> int:
    """Read the arguments, serve, return an exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.slack", description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="the app's manifest, in Slack's JSON format")
    parser.add_argument("--request-url", help="where everything is sent, instead of the URLs in the manifest")
    parser.add_argument("--signing-secret-file", type=Path, help="else from SLACK_SIGNING_SECRET, else a new one")
    parser.add_argument("--bot-token-file", type=Path, help="else from SLACK_BOT_TOKEN, else a new one")
    parser.add_argument("--client-id", default=os.environ.get("SLACK_CLIENT_ID"), help="for OAuth; else a fixed one")
    parser.add_argument("--client-secret-file", type=Path, help="else from SLACK_CLIENT_SECRET, else a new one")
    parser.add_argument("--not-installed", action="store_true", help="the app has to be installed through OAuth first")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")), help="0: a free one")
    parser.add_argument("--file-folder", type=Path, help="keep file bytes here while it runs, instead of in memory")
    parser.add_argument("--no-rate-limits", action="store_true", help="never answer 429")
    arguments = parser.parse_args()
    try:
        manifest = Manifest.read(arguments.manifest)
    except (ManifestError, OSError) as error:
        print(f"The manifest can't be used: {error}", file=sys.stderr)
        return 2
    signing_secret = _read_secret(arguments.signing_secret_file, "SLACK_SIGNING_SECRET")
    bot_token = _read_secret(arguments.bot_token_file, "SLACK_BOT_TOKEN")
    settings = WorkspaceSettings(
        manifest=manifest,
        request_url=arguments.request_url,
        file_folder=arguments.file_folder,
        rate_limit_factor=None if arguments.no_rate_limits else 1.0,
        is_installed=not arguments.not_installed,
    )
    client_secret = _read_secret(arguments.client_secret_file, "SLACK_CLIENT_SECRET")
    if client_secret:
        settings = dataclasses.replace(settings, client_secret=client_secret)
    if arguments.client_id:
        settings = dataclasses.replace(settings, client_id=arguments.client_id)
    if signing_secret:
        settings = dataclasses.replace(settings, signing_secret=signing_secret)
    else:
        print("No signing secret was given: the app will refuse what this workspace sends.", file=sys.stderr)
    if bot_token:
        settings = dataclasses.replace(settings, bot_token=bot_token)
    try:
        server = WorkspaceServer(settings, arguments.port)
    except OSError:
        print(f"Port {arguments.port} of 127.0.0.1 is taken.", file=sys.stderr)
        return 1
    print(f"Local workspace (for development, not Slack): {server.url}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0


def _read_secret(file: Path | None, variable: str) -> str | None:
    return file.read_text(encoding="utf-8").strip() if file else os.environ.get(variable)


if __name__ == "__main__":
    sys.exit(main())
