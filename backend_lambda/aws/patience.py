"""DynamoDB's way of saying "somebody else is at it", waited out."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from backend_lambda.ports import StoreBusy

T = TypeVar("T")

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
_CONFLICTS = {"TransactionConflictException", "TransactionInProgressException"}
_THROTTLES = {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"}
_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
CANCELLED = "TransactionCanceledException"
CONDITION_FAILED = "ConditionalCheckFailed"

_FIRST_SECONDS = 0.02
_LONGEST_SECONDS = 0.6


class Patience:
    """Repeats a write that met another one, at random intervals that grow, for `seconds` in all.

    Ten seconds leave a function of thirty enough for what else it does.
    """

    def __init__(
        self,
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep

    def __call__(self, write: Callable[[], T]) -> T:
        """What `write` returns. Raises `StoreBusy` when time is up, and whatever else it raises at once."""
        deadline = self._clock() + self._seconds
        longest = _FIRST_SECONDS
        while True:
            try:
                return write()
            except ClientError as error:
                if not _is_passing(error):
                    raise
                pause = random.uniform(0, longest)
                if self._clock() + pause >= deadline:
                    raise StoreBusy("others write the same, again and again") from error
            self._sleep(pause)
            longest = min(2 * longest, _LONGEST_SECONDS)


def reasons_of(error: ClientError) -> list[dict[str, Any]]:
    """Why a transaction was cancelled, a reason for each of its items; empty for any other error."""
    found: list[dict[str, Any]] = error.response.get("CancellationReasons", []) if code_of(error) == CANCELLED else []
    return found


def code_of(error: ClientError) -> str:
    """AWS's name of the error."""
    code: str = error.response["Error"]["Code"]
    return code


def _is_passing(error: ClientError) -> bool:
    code = code_of(error)
    if code != CANCELLED:
        return code in _CONFLICTS or code in _THROTTLES
    codes = {reason.get("Code") for reason in reasons_of(error)}
    # A condition that does not hold is an answer, whatever else went on.
    return bool(codes & _REASONS) and CONDITION_FAILED not in codes
