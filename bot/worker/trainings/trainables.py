"""What can be trained in a workspace and where approvals are asked, kept in the bot's table for the form."""

from __future__ import annotations

from bot.logs import log
from bot.places import trainables_key
from bot.ports.backend import ApiRefused, ApiUnavailable, Credentials
from bot.training_records import channel_of
from bot.worker.deps import WorkerDeps
from commands.training_offers import Trainables

FRESH_SECONDS = 60.0
KEPT_SECONDS = 7 * 24 * 3600


def trainables(deps: WorkerDeps, team: str, credentials: Credentials) -> Trainables:
    """What the backend lists, at most a minute old; an outdated list or an empty one while it does not answer."""
    key, now = trainables_key(team), deps.clock.now()
    record = deps.store.get(key)
    known = Trainables.from_json(record.data) if record is not None else Trainables()
    if record is not None and now - known.listed_at < FRESH_SECONDS:
        return known
    try:
        endpoints = deps.trainings.list_trainables(credentials)
        channel = channel_of(deps.trainings.approvals_place(credentials))
    except (ApiRefused, ApiUnavailable) as error:
        log.info("trainables not listed", extra={"team": team, "problem": str(error)})
        return known
    listed = Trainables(endpoints, channel, now)
    expires_at = int(now + KEPT_SECONDS)
    if record is None:
        deps.store.create(key, listed.to_json(), expires_at)
    else:
        deps.store.replace(key, listed.to_json(), record.version, expires_at)
    return listed


def known_trainables(deps: WorkerDeps, team: str) -> Trainables:
    """What was listed last."""
    record = deps.store.get(trainables_key(team))
    return Trainables.from_json(record.data) if record is not None else Trainables()
