"""The list of models that the form's type-ahead offers, kept in the bot's table."""

from __future__ import annotations

from bot.logs import log
from bot.places import models_key
from bot.ports.backend import ApiRefused, ApiUnavailable, Credentials, Model
from bot.worker.deps import WorkerDeps

FRESH_SECONDS = 60.0
KEPT_SECONDS = 7 * 24 * 3600


def models(deps: WorkerDeps, team: str, credentials: Credentials) -> list[Model]:
    """The models that the backend lists, at most a minute old; an outdated list or none while it does not answer."""
    key = models_key(team)
    record = deps.store.get(key)
    now = deps.clock.now()
    known = [Model(**model) for model in record.data["models"]] if record is not None else []
    if record is not None and now - record.data["listed_at"] < FRESH_SECONDS:
        return known
    try:
        listed = deps.api.list_models(credentials)
    except (ApiRefused, ApiUnavailable) as error:
        log.info("models not listed", extra={"team": team, "problem": str(error)})
        return known
    data = {"listed_at": now, "models": [vars(model) for model in listed]}
    expires_at = int(now + KEPT_SECONDS)
    if record is None:
        deps.store.create(key, data, expires_at)
    else:
        deps.store.replace(key, data, record.version, expires_at)
    return listed
