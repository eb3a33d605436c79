"""A webhook's URL, read strictly: what one parser takes for one host, no other may take for another.

There are no user names, fragments, backslashes, spaces or letters beyond ASCII, and numbers are addresses only in their
one canonical form. What is accepted is written in one way, so the same place is the same text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from backend_lambda.webhooks.addresses import Address, is_loopback, is_public

MAX_URL_CHARS = 1_000
ALLOWED = "https://<host>[:<port>]/<path>"

_PORTS = {"https": 443, "http": 80}
_LEAST_OTHER_PORT = 1024
"""Below it lie other services than web servers."""
# https://www.rfc-editor.org/rfc/rfc3986#appendix-A, without user information and fragments.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9.-]{1,254}|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:/(?:[a-z0-9._~!$&'()*+,;=:@-]|%[0-9a-f]{2})*)*)"
    r"(?P<query>(?:\?(?:[a-z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*)?)",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")


class UrlRefused(ValueError):
    """No webhook may lead there; the message is one sentence for people."""


@dataclass(frozen=True)
class WebhookUrl:
    """`host` is a name in lower case without a trailing dot, or an address (IPv6 without brackets). `target` is path
    and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_encrypted(self) -> bool:
        """Whether it is https."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def read_url(text: str, *, to_loopback: bool = False) -> WebhookUrl:
    """The URL in `text`. With `to_loopback` (development on one machine), http and `localhost` are read as well;
    whether they lead to loopback is for `check_addresses` to say. Raises `UrlRefused`.
    """
    if len(text) > MAX_URL_CHARS:
        raise UrlRefused(f"The URL is longer than {MAX_URL_CHARS} characters.")
    found = _URL.fullmatch(text)
    if found is None:
        raise UrlRefused("This is not a URL that a webhook can have.")
    scheme, port = found["scheme"].lower(), int(found["port"] or _PORTS[found["scheme"].lower()])
    if scheme != "https" and not to_loopback:
        raise UrlRefused("The URL must begin with https.")
    if port > 65_535 or (port != 443 and port < _LEAST_OTHER_PORT and not to_loopback):
        raise UrlRefused(f"The port must be 443, or at least {_LEAST_OTHER_PORT}.")
    return WebhookUrl(
        scheme, _read_host(found["host"].lower(), to_loopback), port, (found["path"] or "/") + found["query"]
    )


def check_addresses(url: WebhookUrl, addresses: Collection[Address], *, to_loopback: bool = False) -> None:
    """Raises `UrlRefused` unless every one of the host's addresses may be delivered to.

    Where `to_loopback`, this machine's own may be, and without encryption; nothing else ever goes unencrypted.
    """
    if not addresses:
        raise UrlRefused("The host of the URL has no address.")
    for address in addresses:
        if not (url.is_encrypted and is_public(address)) and not (to_loopback and is_loopback(address)):
            raise UrlRefused("The host of the URL has an address that is not on the public internet.")


def _read_host(host: str, to_loopback: bool) -> str:
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1]))
        except AddressValueError:
            raise UrlRefused("The address in the URL is not an IPv6 address.") from None
    name = host.removesuffix(".")
    labels = name.split(".")
    # As browsers do (https://url.spec.whatwg.org/#ends-in-a-number-checker): a last label that is a number makes it an
    # address. Resolvers take 0177.1, 0x7f.1 and 2130706433 for 127.0.0.1; here they are mistakes.
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise UrlRefused("The address in the URL is not written as four decimal numbers.") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("The host in the URL is not a host's name.")
    if len(labels) == 1 and not (to_loopback and name == "localhost"):
        raise UrlRefused("The host in the URL must have its whole name, with a dot in it.")
    return name
