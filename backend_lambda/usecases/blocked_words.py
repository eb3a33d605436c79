"""The words that a workspace does not want in prompts: read them, and replace them."""

from __future__ import annotations

from datetime import datetime

from backend_lambda.access_ports import AccessChange, AccessPorts, TenantAccess
from backend_lambda.callers import Caller
from backend_lambda.contract.access import BlockedWords, PutWords
from backend_lambda.usecases.change_access import change_access, record
from backend_lambda.usecases.refusals import AccessConflict, FieldRefused

_LEAST_CHARS = 2


def read_words(caller: Caller, ports: AccessPorts) -> BlockedWords:
    """Those of the tenant, in alphabetical order."""
    return ports.store.read(caller.tenant).words


def put_words(caller: Caller, request: PutWords, ports: AccessPorts) -> BlockedWords:
    """Replace them; spaces around them and repetitions (in whatever case) are dropped. The same words again change
    nothing. Raises `FieldRefused`, `AccessConflict`.
    """
    by_meaning = {" ".join(word.split()).casefold(): " ".join(word.split()) for word in reversed(request.words)}
    if any(len(word) < _LEAST_CHARS for word in by_meaning.values()):
        raise FieldRefused(
            "A blocked word has two letters at least.", field="words", given="", allowed="at least 2 characters"
        )
    words = BlockedWords(words=[by_meaning[meaning] for meaning in sorted(by_meaning)])

    def plan(current: TenantAccess, now: datetime) -> AccessChange | None:
        if current.words == words:
            return None
        if request.was is not None and current.words.words != request.was:
            raise AccessConflict("Somebody else has changed the blocked words. Please look again, then try again.")
        return AccessChange(record=record(caller, now, "put_words", "words", current.words, words), words=words)

    change_access(caller.tenant, plan, ports)
    return words
