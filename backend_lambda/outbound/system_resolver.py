"""Names of hosts, as this machine looks them up."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from backend_lambda.webhooks.addresses import Address
from backend_lambda.webhooks.ports import HostUnknown


class SystemResolver:
    """`Resolver` by the system's own."""

    def addresses(self, host: str) -> list[Address]:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise HostUnknown(host) from None
        # The first part of a socket's address; an IPv6 one may carry a zone, which no public one has.
        addresses = [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
        if not addresses:
            raise HostUnknown(host)
        return list(dict.fromkeys(addresses))
