"""`python -m deploy.local run|imagine|finetune|bench`: the whole system on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from deploy.cloudformation import DeploymentFailed
from deploy.endpoints import EndpointFailed
from deploy.local.install_app import AppNotInstalled
from deploy.local.processes import ChildFailed
from deploy.local.stack import LocalStack, StackSettings
from deploy.models import NotAModel


def main() -> int:
    """Read the arguments, do it, return an exit status: 0, 1 when something failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="start everything and print the workspace page's address")
    run.add_argument("--port", type=int, default=0, help="the page's port; 0 takes a free one")
    run.add_argument("--two-workspaces", action="store_true", help="a second workspace with the same app")
    imagine = verbs.add_parser("imagine", help="paint one picture through the whole system and save it")
    imagine.add_argument("--prompt", required=True, help="what /imagine is told, options included")
    imagine.add_argument("--out", type=Path, default=Path("out"), help="folder for the PNG")
    finetune = verbs.add_parser("finetune", help="train a LoRA through the whole system, by the form, and judge it")
    finetune.add_argument("--out", type=Path, default=Path("out"), help="folder for the figures and a picture")
    verbs.add_parser("bench", help="measure the ack, the cold start and the overhead")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if arguments.verb == "run":
            return run_until_interrupted(arguments.port, arguments.two_workspaces)
        if arguments.verb == "imagine":
            from deploy.local.imagine import imagine_once

            return imagine_once(arguments.prompt, arguments.out)
        if arguments.verb == "finetune":
            from deploy.local.finetune import finetune as train_and_judge

            return train_and_judge(arguments.out)
        from deploy.local.bench import bench

        return bench()
    except KeyboardInterrupt:
        return 130
    except (AppNotInstalled, ChildFailed, DeploymentFailed, EndpointFailed, NotAModel) as error:
        print(f"Easel could not start: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Easel could not start: {error.strerror or error}", file=sys.stderr)
        return 1


def run_until_interrupted(port: int, two_workspaces: bool = False) -> int:
    """Start, print the address, and stay until Ctrl-C or a part ends by itself."""
    started = time.monotonic()

    def say(stage: str) -> None:
        print(f"  {time.monotonic() - started:5.1f} s  {stage} ...", flush=True)

    print("Starting Easel on this machine (for development):", flush=True)
    try:
        with LocalStack(StackSettings(port=port, two_workspaces=two_workspaces), say) as stack:
            print(f"  {time.monotonic() - started:5.1f} s  ready\n", flush=True)
            print(f"Open the workspace:  {stack.workspace_url}", flush=True)
            for url in stack.slack.urls[1:]:
                print(f"And the second one:  {url}", flush=True)
            print("Then type            /imagine a small blue star on a yellow background", flush=True)
            print("Ctrl-C stops everything and leaves nothing behind.", flush=True)
            while True:
                time.sleep(1)
                stack.processes.check_all()
    finally:
        print("\nStopped.", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A second signal must not cut the clean-up short.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Threads of libraries must not keep a finished command alive.
    os._exit(status)
