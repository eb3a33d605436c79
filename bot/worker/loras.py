"""The LoRAs that the form's type-ahead offers somebody in a channel, kept in the bot's table.

Not everybody may use every LoRA, so each member has a list of their own in each channel.
"""

from __future__ import annotations

from bot.invocation import Invocation
from bot.logs import log
from bot.places import loras_key
from bot.ports.backend import ApiRefused, ApiUnavailable, Credentials
from bot.ports.records import Json
from bot.worker.deps import WorkerDeps

FRESH_SECONDS = 30.0
KEPT_SECONDS = 24 * 3600
MOST = 500


def offer_loras(deps: WorkerDeps, invocation: Invocation, credentials: Credentials, is_stale: bool = False) -> None:
    """List anew what the caller may use, unless that was done just now; `is_stale`: something has changed since.

    An outdated list stays while the backend does not answer; where IAM refuses, none is offered.
    """
    if not is_stale and _age(deps, invocation) < FRESH_SECONDS:
        return
    try:
        listed = deps.registry.list_loras(credentials, MOST)
    except ApiUnavailable as error:
        log.info("loras not listed", extra={"team": invocation.team, "problem": str(error)})
        return
    except ApiRefused as refused:
        log.info("loras not listed", extra={"team": invocation.team, "problem": str(refused)})
        offer_none(deps, invocation)
        return
    _write(
        deps,
        invocation,
        [
            {"name": one.name, "version": one.version, "model": one.model, "trigger": one.trigger}
            for one in listed
            if not one.is_retired
        ],
    )


def offer_none(deps: WorkerDeps, invocation: Invocation) -> None:
    """The member may do nothing there any more: names of LoRAs are nothing that they get to see either."""
    _write(deps, invocation, [])


def _age(deps: WorkerDeps, invocation: Invocation) -> float:
    record = deps.store.get(_key(invocation))
    return deps.clock.now() - record.data["listed_at"] if record is not None else float("inf")


def _write(deps: WorkerDeps, invocation: Invocation, loras: list[Json]) -> None:
    key, now = _key(invocation), deps.clock.now()
    data, expires_at = {"listed_at": now, "loras": loras}, int(now + KEPT_SECONDS)
    record = deps.store.get(key)
    if record is None:
        deps.store.create(key, data, expires_at)
    else:
        # Where somebody else was quicker, their list is as new.
        deps.store.replace(key, data, record.version, expires_at)


def _key(invocation: Invocation) -> str:
    return loras_key(invocation.team, invocation.channel, invocation.member)
