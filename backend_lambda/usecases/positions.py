"""Positions in lists, as clients hand them back.

A position holds no secret and gives no access: the store is asked for the caller's own tenant whatever it says. The
checksum makes positions of other lists, and made up ones, an error instead of a surprise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from backend_lambda.usecases.refusals import FieldRefused


def write_position(after: str, scope: str) -> str:
    """A position behind `after` in the list that `scope` describes."""
    return base64.urlsafe_b64encode(f"{_checksum(after, scope)}{after}".encode()).decode("ascii").rstrip("=")


def read_position(position: str, scope: str, form: re.Pattern[str], same: str) -> str:
    """The reverse. Raises `FieldRefused` where the position is not of this very list, or not of that form; `same` says
    what has to be the same as when it was given.
    """
    try:
        text = base64.b64decode(position + "=" * (-len(position) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    checksum, after = text[:16], text[16:]
    if not form.fullmatch(after) or checksum != _checksum(after, scope):
        raise FieldRefused(
            "That is no position in this list.",
            field="next",
            given=position,
            allowed=f"the `next` of the page before, with the same {same}",
        )
    return after


def _checksum(after: str, scope: str) -> str:
    return hashlib.sha256(f"{scope}|{after}".encode()).hexdigest()[:16]
