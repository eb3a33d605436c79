"""Posts to a webhook: to an address that was checked, with the host's name verified, within a set time."""

from __future__ import annotations

import http.client
import io
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any

from backend_lambda.contract.webhooks import TroubleCode
from backend_lambda.webhooks.addresses import Address
from backend_lambda.webhooks.ports import Answer, HostUnknown, NotDelivered, Resolver
from backend_lambda.webhooks.url import UrlRefused, WebhookUrl, check_addresses, read_url

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
"""For each address of the host: connection and TLS, one after the other."""
ANSWER_SECONDS = 10.0
"""From the first byte of the request to the last one that is read of the answer."""
_MOST_ADDRESSES = 3
_MOST_ANSWER_BYTES = 4 * 1024
"""A short answer is read, so that the receiver sees an orderly end. Nobody looks at it."""


class WebhookSender:
    """`Sender` over HTTP/1.1, one connection for each try.

    The host's name is looked up once, every address is checked, and the connection goes to one of these very addresses:
    a name that changes between two look-ups (DNS rebinding) changes nothing. Proxies of the environment are not used.
    `to_loopback`: for development on one machine. `tls` verifies certificates and host names.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        to_loopback: bool = False,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._resolver = resolver
        self._to_loopback = to_loopback
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._context: ssl.SSLContext | None = None

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            target = read_url(url, to_loopback=self._to_loopback)
            addresses = self._resolver.addresses(target.host)
            check_addresses(target, addresses, to_loopback=self._to_loopback)
        except HostUnknown:
            raise NotDelivered(TroubleCode.UNKNOWN_HOST) from None
        except UrlRefused:
            raise NotDelivered(TroubleCode.ADDRESS_REFUSED) from None
        with self._connect(target, addresses) as connection:
            try:
                return self._exchange(connection, target, headers, body)
            except TimeoutError:
                raise NotDelivered(TroubleCode.TIMEOUT) from None
            except (OSError, http.client.HTTPException, ValueError):
                raise NotDelivered(TroubleCode.NO_ANSWER) from None

    def _connect(self, target: WebhookUrl, addresses: list[Address]) -> socket.socket:
        trouble = NotDelivered(TroubleCode.UNREACHABLE)
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                plain = socket.create_connection((str(address), target.port), timeout=self._connect_seconds)
            except TimeoutError:
                trouble = NotDelivered(TroubleCode.TIMEOUT)
                continue
            except OSError:
                continue
            if not target.is_encrypted:
                return plain
            try:
                return self._tls_context().wrap_socket(plain, server_hostname=target.host)
            except TimeoutError:
                trouble = NotDelivered(TroubleCode.TIMEOUT)
            except OSError as error:
                plain.close()
                logger.info("no TLS", extra={"host": target.host, "reason": type(error).__name__})
                raise NotDelivered(TroubleCode.TLS) from None
            plain.close()
        raise trouble

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._tls()
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._context

    def _exchange(
        self, connection: socket.socket, target: WebhookUrl, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        until = monotonic() + self._answer_seconds
        lines = {**headers, "host": target.authority, "connection": "close", "content-length": str(len(body))}
        head = f"POST {target.target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.settimeout(self._answer_seconds)
        connection.sendall(head.encode("ascii") + b"\r\n" + body)
        response = http.client.HTTPResponse(_TimedSocket(connection, until), method="POST")  # type: ignore[arg-type]
        response.begin()
        retry_after = read_retry_after(response.getheader("retry-after"), datetime.now(UTC))
        try:
            response.read(_MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, ValueError):
            logger.debug("the answer's body did not end well", extra={"host": target.host})
        return Answer(response.status, retry_after)


class _TimedSocket:
    """The part of a socket that an HTTP response reads from, with one deadline for all of it: a receiver that sends a
    byte now and then holds nobody up.
    """

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until

    def makefile(self, mode: str) -> io.BufferedReader:
        """A stream of what arrives."""
        return io.BufferedReader(_TimedStream(self._connection, self._until))


class _TimedStream(io.RawIOBase):
    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a `Retry-After` header asks for: seconds, or a time; https://www.rfc-editor.org/rfc/rfc9110#field.retry-after.
    None where it says nothing that can be understood, or a time that is past.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        at = parsedate_to_datetime(text)
        wait = at.replace(tzinfo=at.tzinfo or UTC) - now
    except (ValueError, OverflowError, TypeError):
        return None
    return wait if wait > timedelta() else None
