"""A step of telling a training that is done once, though its event comes twice and runs die."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from bot.leases import LeaseHeld, LeaseLost, Work, claim
from bot.places import training_step_key
from bot.ports.slack import NotInstalled
from bot.results.deps import ResultsDeps


def once(deps: ResultsDeps, training_id: str, step: str, message_id: str, do: Callable[[Work], None]) -> bool:
    """Do a step unless it is done or in other hands; whether it was done now. Whatever `do` raises goes on."""
    work = claim(deps.store, deps.clock, training_step_key(training_id, step), message_id)
    if work is None:
        return False
    try:
        do(work)
    except (LeaseHeld, LeaseLost):
        raise
    except NotInstalled:
        work.finish(dropped=True)
        raise
    except Exception:
        with contextlib.suppress(LeaseLost):
            work.release()
        raise
    work.finish()
    return True
