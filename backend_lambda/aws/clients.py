"""botocore clients, each made when it is first needed: what an invocation does not use costs its cold start nothing."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import botocore.session
from botocore.config import Config

# A Lambda has little time: better an early retry than a long wait.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
)
# botocore still signs links the old way where it may, which neither KMS nor newer regions accept.
_CONFIGS = {"s3": _CONFIG.merge(Config(signature_version="s3v4"))}

Client = Callable[[], Any]
"""Gives a client; the same one every time."""


class Clients:
    """All clients of one process: one session, so one read of credentials and service models. Safe across threads."""

    def __init__(self) -> None:
        self._session = botocore.session.get_session()
        self._made: dict[str, Any] = {}
        self._lock = Lock()

    def __call__(self, service: str) -> Any:
        """The client of a service, by its botocore name."""
        client = self._made.get(service)
        if client is None:
            with self._lock:
                client = self._made.get(service) or self._session.create_client(
                    service, config=_CONFIGS.get(service, _CONFIG)
                )
                self._made[service] = client
        return client

    def of(self, service: str) -> Client:
        """Gives the service's client when called."""
        return lambda: self(service)
