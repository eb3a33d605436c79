"""Look through a tenant's jobs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from backend_lambda.callers import Caller
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import JobList
from backend_lambda.ports import Ports
from backend_lambda.usecases.job_view import view_job
from backend_lambda.usecases.refusals import FieldRefused


def list_jobs(
    caller: Caller, ports: Ports, *, limit: int, position: str | None, state: JobState | None, mine: bool
) -> JobList:
    """A page of the tenant's jobs, newest first. Raises `FieldRefused` for a position that this caller was not given
    for this very list.
    """
    member = caller.member if mine else None
    scope = f"{caller.tenant}|{state or ''}|{member or ''}"
    after = _read_position(position, scope) if position is not None else None
    page = ports.jobs.page(caller.tenant, limit=limit, after=after, state=state, member=member)
    return JobList(
        jobs=[view_job(record, ports.pictures) for record in page.records],
        next=_write_position(page.after, scope) if page.after else None,
    )


# A position holds no secret and gives no access: the store is asked for the caller's own tenant whatever it says. The
# checksum makes positions of other lists, and made up ones, an error instead of a surprise.


def _write_position(order: str, scope: str) -> str:
    return base64.urlsafe_b64encode(f"{_checksum(order, scope)}{order}".encode()).decode("ascii").rstrip("=")


def _read_position(position: str, scope: str) -> str:
    try:
        text = base64.b64decode(position + "=" * (-len(position) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    checksum, order = text[:16], text[16:]
    if not re.fullmatch(r"[0-9]{14}#job-[a-z2-7]{26}", order) or checksum != _checksum(order, scope):
        raise FieldRefused(
            "That is no position in this list.",
            field="next",
            given=position,
            allowed="the `next` of the page before, with the same state and member",
        )
    return order


def _checksum(order: str, scope: str) -> str:
    return hashlib.sha256(f"{scope}|{order}".encode()).hexdigest()[:16]
