"""A container's output to CloudWatch Logs, under its execution role, as SageMaker does it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.sagemaker.container_process import ContainerProcess
from deploy.local.sagemaker.gateway import Gateway

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 2.0
_MOST_LINES = 500
_LONGEST_LINE = 8_000


async def ship_log(process: ContainerProcess, group: str, stream: str, gateway: Gateway, role_arn: str) -> None:
    """Until the process has ended. A role that may not write logs gets none, and nothing else suffers."""
    try:
        client = await asyncio.to_thread(gateway.client, "logs", role_arn)
        for create, arguments in (
            (client.create_log_group, {"logGroupName": group}),
            (client.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                await gateway.call(create, **arguments)
        await _follow(process, client, group, stream)
    except (BotoCoreError, ClientError) as error:
        log.warning("no logs in %s of CloudWatch: %s", group, error)


async def _follow(process: ContainerProcess, client: Any, group: str, stream: str) -> None:
    position, began = 0, time.monotonic()
    while True:
        last_round = not process.alive and time.monotonic() - began > _PAUSE_SECONDS
        with contextlib.suppress(FileNotFoundError), process.log.open("rb") as file:
            file.seek(position)
            lines = file.readlines(_MOST_LINES * 200)
            if lines and not lines[-1].endswith(b"\n"):
                lines.pop()
            position += sum(map(len, lines))
            texts = [line.decode(errors="replace").rstrip()[:_LONGEST_LINE] for line in lines]
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": text} for text in texts if text][:_MOST_LINES]
            if events:
                await asyncio.to_thread(
                    client.put_log_events, logGroupName=group, logStreamName=stream, logEvents=events
                )
        if last_round:
            return
        await asyncio.sleep(_PAUSE_SECONDS)
