"""botocore clients that share one session."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS = (BotoCoreError, ClientError)


class AwsClients:
    """Makes clients on first use; region and endpoints come from the environment."""

    def __init__(self) -> None:
        self._session: Any = botocore.session.get_session()
        self._clients: dict[str, Any] = {}

    def get(self, service: str, read_timeout_seconds: float = 10.0, tries: int = 3) -> Any:
        """The client of a service, made once."""
        client = self._clients.get(service)
        if client is None:
            config = Config(
                connect_timeout=2,
                read_timeout=read_timeout_seconds,
                retries={"mode": "standard", "total_max_attempts": tries},
            )
            client = self._clients[service] = self._session.create_client(service, config=config)
        return client

    @property
    def region(self) -> str:
        """The region that everything is in."""
        return str(self._session.get_config_variable("region"))


def error_code(error: Exception) -> str:
    """AWS's code for a refused call, or the exception's own name."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__
