"""Bringing in a LoRA's file from Slack: read there, put where the backend says, checked by the backend."""

from __future__ import annotations

from bot.invocation import Invocation
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import Credentials
from bot.ports.records import Json
from bot.ports.slack import FileTooLarge, NotInstalled, SlackRefused
from bot.worker.deps import WorkerDeps
from commands.sentences_loras import file_not_read, file_too_large
from commands.views.blocks import Message
from commands.views.lora_changes import imported
from commands.views.trouble import trouble_message

MAX_FILE_BYTES = 64 * 2**20
"""The worker holds the file in memory. Slack's own limit for a form is lower."""


def import_lora(deps: WorkerDeps, invocation: Invocation, work: Work, credentials: Credentials) -> Message:
    """Import it and say as what. Safe to repeat: the same request is the same import.

    Raises `ApiRefused`, `ApiUnavailable` and `SlackUnavailable`.
    """
    fields = invocation.fields
    try:
        file = deps.slack.look_at(str(fields["file_id"]))
        content = deps.slack.download(file, MAX_FILE_BYTES)
    except FileTooLarge:
        return trouble_message(file_too_large(MAX_FILE_BYTES))
    except NotInstalled:
        raise
    except SlackRefused as refused:
        log.info("file not read", extra={"request_key": invocation.request_key, "code": refused.code})
        return trouble_message(file_not_read())
    body: Json = {
        "name": fields["name"],
        "endpoint": fields["endpoint"],
        "bytes": len(content),
        "trigger": fields.get("trigger") or None,
        "licence_note": fields.get("licence_note") or "",
        "idempotency_key": invocation.request_key,
    }
    upload = deps.registry.import_lora(credentials, body)
    deps.registry.upload_lora(upload, content)
    lora = deps.registry.check_lora(credentials, upload.name)
    log.info("lora imported", extra={"request_key": invocation.request_key, "version": lora.version})
    return imported(lora)
