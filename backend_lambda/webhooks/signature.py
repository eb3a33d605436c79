"""Signatures of Standard Webhooks; https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

_PREFIX = "whsec_"
_KEY_BYTES = 32


def new_secret() -> str:
    """A random secret as its receiver keeps it: `whsec_` and 32 bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


def signature_headers(written: Sequence[str], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that make a delivery one of ours, signed with each of the secrets.

    `at`: when it is tried, in Unix seconds. `message_id` has no full stop, or what is signed could be read in two ways.
    """
    if "." in message_id:
        raise ValueError("a message id has no full stop")
    content = f"{message_id}.{at}.".encode() + body
    signatures = (hmac.digest(_key(secret), content, hashlib.sha256) for secret in written)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(found).decode('ascii')}" for found in signatures),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
