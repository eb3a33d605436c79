"""A training's pictures in Slack."""

from __future__ import annotations

from backend_lambda.contract.trainings import StoredPicture
from bot.leases import Work
from bot.logs import log
from bot.ports.backend import PictureGone
from bot.ports.slack import NotInstalled, SlackRefused, SlackUnavailable
from bot.results.deps import ResultsDeps
from bot.uploading import upload_once, wait_until_ready


def upload(deps: ResultsDeps, work: Work, fact: str, stored: StoredPicture | None, name: str, alt: str) -> str | None:
    """Bring a picture into Slack and wait until it can be shown; None where there is none to be shown."""
    if stored is None:
        return None
    try:
        content = deps.pictures.read(stored.bucket, stored.key)
    except PictureGone:
        log.info("picture is gone", extra={"key": stored.key})
        return None
    file_id = upload_once(deps.slack, work, fact, name, alt, content)
    return file_id if wait_until_ready(deps.slack, deps.clock, file_id) else None


def drop(deps: ResultsDeps, *file_ids: str | None) -> None:
    """Delete what is no longer shown; where that fails, only the bot sees it."""
    for file_id in file_ids:
        if not file_id:
            continue
        try:
            deps.slack.delete(file_id)
        except NotInstalled:
            raise
        except (SlackRefused, SlackUnavailable) as error:
            log.info("file not deleted", extra={"file": file_id, "code": str(error)})
