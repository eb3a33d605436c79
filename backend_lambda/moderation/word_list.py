"""The moderation that needs no service."""

from __future__ import annotations

from collections.abc import Sequence

from backend_lambda.contract.jobs import JobPicture
from backend_lambda.moderation.blocked_words import find_blocked
from backend_lambda.ports import AccessReader, Verdict


class WordListModeration:
    """`Moderation` by the words that a tenant has blocked; pictures always pass.

    `recent` may lag behind: a prompt is refused by what `access` says now, never by what was remembered.
    """

    def __init__(self, access: AccessReader, recent: AccessReader) -> None:
        self._access = access
        self._recent = recent

    def check_prompt(self, tenant: str, text: str) -> Verdict:
        if find_blocked(text, self._recent.read(tenant).words.words) is None:
            return Verdict()
        return Verdict(find_blocked(text, self._access.read(tenant).words.words))

    def check_pictures(self, pictures: Sequence[JobPicture]) -> Verdict:
        return Verdict()
