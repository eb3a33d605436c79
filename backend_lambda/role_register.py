"""Which roles of the customers' own speak for which tenant, remembered for a moment."""

from __future__ import annotations

from datetime import datetime, timedelta

from backend_lambda.access_ports import AccessStore, OwnRole
from backend_lambda.callers import RoleStanding
from backend_lambda.ports import Clock

REMEMBERED = timedelta(seconds=30)
"""So long a role may go on speaking for a tenant that has revoked it."""
_MOST = 1_000


class RoleRegister:
    """Asks the store. Only that a role speaks is remembered: a new grant can be used at once."""

    def __init__(self, store: AccessStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._speaking: dict[tuple[str, str, str], datetime] = {}

    def standing(self, account: str, role: str, tenant: str) -> RoleStanding:
        """A `callers.Standing`."""
        now = self._clock.now()
        key = (account, role, tenant)
        seen = self._speaking.get(key)
        if seen is not None and now - seen < REMEMBERED:
            return RoleStanding.SPEAKS
        self._speaking.pop(key, None)
        found = self._store.standing(OwnRole(account, role), tenant, now)
        if found is RoleStanding.SPEAKS:
            while len(self._speaking) >= _MOST:
                self._speaking.pop(next(iter(self._speaking)))
            self._speaking[key] = now
        return found
