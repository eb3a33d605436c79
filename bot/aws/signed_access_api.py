"""Grants, denies, audit, words and limits through the backend's REST API."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from backend_lambda.contract.access import AllowanceList, AuditEntry, AuditList, BlockedWords, Entry, EntryList
from backend_lambda.contract.subjects import Subject
from bot.aws.signed_requests import SignedRequests
from bot.ports.backend import Credentials
from bot.ports.clock import Clock
from bot.ports.records import Json


class SignedAccessApi:
    """Implements `bot.ports.access.AccessApi`."""

    def __init__(self, api_url: str, region: str, clock: Clock) -> None:
        self._requests = SignedRequests(api_url, region, clock)

    def list_grants(self, credentials: Credentials) -> Sequence[Entry]:
        """The caller's workspace's grants and denies."""
        return EntryList.model_validate(self._requests.call(credentials, "GET", "/grants")).entries

    def put_grant(self, credentials: Credentials, subject: Subject, body: Json, once: str) -> Entry:
        """Replace what is granted to a subject."""
        return Entry.model_validate(self._requests.call(credentials, "PUT", _path("grants", subject, once), body))

    def remove_grant(self, credentials: Credentials, subject: Subject, once: str) -> bool:
        """Take back what is granted to a subject; whether there was anything."""
        return self._remove(credentials, _path("grants", subject, once))

    def put_deny(self, credentials: Credentials, subject: Subject, body: Json, once: str) -> Entry:
        """Deny a subject."""
        return Entry.model_validate(self._requests.call(credentials, "PUT", _path("denies", subject, once), body))

    def remove_deny(self, credentials: Credentials, subject: Subject, once: str) -> bool:
        """Lift a deny; whether there was one."""
        return self._remove(credentials, _path("denies", subject, once))

    def list_audit(self, credentials: Credentials, member: str | None, limit: int) -> Sequence[AuditEntry]:
        """The latest changes, newest first. Pages may be short, or empty: as many are read as it takes."""
        found: list[AuditEntry] = []
        position: str | None = None
        while len(found) < limit:
            named = {"limit": str(limit - len(found)), "member": member, "next": position}
            query = urlencode({name: value for name, value in named.items() if value})
            page = AuditList.model_validate(self._requests.call(credentials, "GET", f"/audit?{query}"))
            found += page.entries
            position = page.next
            if position is None:
                break
        return found[:limit]

    def read_words(self, credentials: Credentials) -> Sequence[str]:
        """The blocked words."""
        return BlockedWords.model_validate(self._requests.call(credentials, "GET", "/words")).words

    def put_words(self, credentials: Credentials, words: Sequence[str], was: Sequence[str]) -> Sequence[str]:
        """Replace the blocked words, where they are `was`."""
        body = {"words": list(words), "was": list(was)}
        return BlockedWords.model_validate(self._requests.call(credentials, "PUT", "/words", body)).words

    def read_limits(self, credentials: Credentials) -> AllowanceList:
        """What the caller may still use."""
        return AllowanceList.model_validate(self._requests.call(credentials, "GET", "/limits"))

    def _remove(self, credentials: Credentials, path: str) -> bool:
        return bool(EntryList.model_validate(self._requests.call(credentials, "DELETE", path)).entries)


def _path(what: str, subject: Subject, once: str) -> str:
    query = urlencode({"idempotency_key": once})
    return f"/{what}/{subject.kind.value}/{quote(subject.id, safe='')}?{query}"
