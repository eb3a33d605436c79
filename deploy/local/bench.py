"""`make bench`: the answer to Slack, its cold start, what the platform adds to the model's own time, a training's step.

Everything runs against the one-machine stack that the command starts. The cold start is compared with Bolt's own
minimal Lambda example with a boto3 client, in turns within one run, and given as a ratio, since machines are noisy.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import logging
import os
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.figures import Figure, at_most, report
from deploy.local.follow_imagine import ImagineFailed, follow_imagine
from deploy.local.lora_bench import lora_batches
from deploy.local.slack.client import LocalWorkspace
from deploy.local.stack import ROOT, LocalStack, StackSettings
from deploy.local.training_bench import training_steps

COLD_STARTS = 11
WARM_COMMANDS = 60
PICTURES = 9
GOAL_WARM_MS = 100.0
GOAL_COLD_RATIO = 1.0
GOAL_OVERHEAD_SECONDS = 1.5

_COLD = "import time; started = time.perf_counter(); {ready}; print(time.perf_counter() - started)"
OURS = _COLD.format(ready="from bot.wiring import wire_slack; import bot.handlers.slack; wire_slack()")
THEIRS = _COLD.format(
    ready="from deploy.local.bolt_example import app, SlackRequestHandler; SlackRequestHandler(app=app)"
)


def bench() -> int:
    """Start the stack, measure, report; exit status 1 when a goal does not hold."""
    print("Starting the one-machine stack ...", flush=True)
    with LocalStack(StackSettings(rate_limit_factor=None)) as stack:
        environment = function_environment(stack)
        figures = [*cold_starts(environment), *warm_acks(stack, environment), *pictures(stack)]
    figures += lora_batches()
    figures += training_steps()
    return 0 if report(figures, Path("out/bench.json")) else 1


def function_environment(stack: LocalStack) -> dict[str, str]:
    """The deployed Slack function's own environment, for running its code in a process of ours."""
    client = stack.session().client("lambda")
    names = [function["FunctionName"] for function in client.list_functions()["Functions"]]
    name = next(name for name in names if "-SlackFunction-" in name)
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    return {**os.environ, **variables, **stack.function_addresses(), "PYTHONPATH": str(ROOT)}


def cold_starts(environment: Mapping[str, str]) -> list[Figure]:
    """Fresh processes in turns: import and start-up until ready for the first request."""
    print(f"Cold start, {COLD_STARTS} of each in turns ...", flush=True)
    extra = {"SLACK_SIGNING_SECRET": "example", "SLACK_BOT_TOKEN": "xoxb-example"}
    ours, theirs = [], []
    _seconds(OURS, environment), _seconds(THEIRS, {**environment, **extra})
    for _ in range(COLD_STARTS):
        ours.append(_seconds(OURS, environment))
        theirs.append(_seconds(THEIRS, {**environment, **extra}))
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return [
        Figure("ack, cold: import and start-up", round(statistics.median(ours) * 1000, 1), "ms"),
        Figure("ack, cold: Bolt's example with boto3", round(statistics.median(theirs) * 1000, 1), "ms"),
        at_most("ack, cold: ratio to Bolt's example", ratio, "x", GOAL_COLD_RATIO),
    ]


def _seconds(code: str, environment: Mapping[str, str]) -> float:
    done = subprocess.run([sys.executable, "-c", code], env=dict(environment), capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"the cold start failed:\n{done.stderr[-2000:]}")
    return float(done.stdout)


def warm_acks(stack: LocalStack, environment: Mapping[str, str]) -> list[Figure]:
    """The handler's own time for a signed command, the queue's answer included; a queue of its own takes them."""
    print(f"Warm answers, {WARM_COMMANDS} signed commands ...", flush=True)
    queue = stack.session().client("sqs").create_queue(QueueName="bench")["QueueUrl"]
    os.environ.update({**environment, "INVOCATIONS_QUEUE_URL": queue})
    handler = importlib.import_module("bot.handlers.slack").handler
    secret = stack.slack.settings.signing_secret
    logging.disable(logging.INFO)  # the handler's own lines, one a command
    times = []
    for number in range(WARM_COMMANDS + 5):
        event = signed_command(secret, f"trigger.{number}")
        started = time.perf_counter()
        answer = handler(event, None)
        times.append((time.perf_counter() - started) * 1000)
        if answer["statusCode"] != 200:
            raise RuntimeError(f"the handler answered {answer['statusCode']}")
    times = sorted(times[5:])
    return [
        at_most("ack, warm: handler time, median", statistics.median(times), "ms", GOAL_WARM_MS),
        Figure("ack, warm: handler time, 95 %", round(times[int(len(times) * 0.95)], 2), "ms"),
    ]


def signed_command(signing_secret: str, trigger_id: str, text: str = "a red circle") -> dict[str, Any]:
    """What API Gateway hands over when Slack sends `/imagine <text>`."""
    body = urllib.parse.urlencode(
        {
            "command": "/imagine",
            "text": text,
            "team_id": "T0EASEL01",
            "channel_id": "C0BENCH001",
            "user_id": "U0BENCH001",
            "trigger_id": trigger_id,
            "response_url": "https://hooks.slack.com/commands/x",
        }
    )
    timestamp = str(int(time.time()))
    digest = hmac.new(signing_secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={digest}",
    }
    return {"httpMethod": "POST", "path": "/slack/events", "headers": headers, "body": body, "isBase64Encoded": False}


def pictures(stack: LocalStack) -> list[Figure]:
    """From the command to the picture in the channel, less the container's own time."""
    print(f"{PICTURES} pictures through the whole system ...", flush=True)
    painted = []
    with LocalWorkspace(stack.workspace_url) as workspace:
        ada = workspace.as_member("ada")
        for number in range(PICTURES + 1):
            try:
                one = follow_imagine(
                    workspace, ada, "general", f"/imagine a small red circle --seed {number}", stack.model_seconds
                )
            except ImagineFailed as error:
                raise RuntimeError(str(error)) from error
            painted.append(one)
    painted = painted[1:]  # the first one warms the functions up
    return [
        Figure("command to picture, median", round(statistics.median(p.posted_seconds for p in painted), 3), "s"),
        Figure("of that the model, median", round(statistics.median(p.model_seconds for p in painted), 3), "s"),
        at_most(
            "overhead of the platform, median",
            statistics.median(p.overhead_seconds for p in painted),
            "s",
            GOAL_OVERHEAD_SECONDS,
        ),
        Figure("overhead of the platform, most", round(max(p.overhead_seconds for p in painted), 3), "s"),
        Figure("Slack's ack as Slack saw it, median", round(statistics.median(p.ack_seconds for p in painted), 3), "s"),
    ]
