"""Read, change, write: again where somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from backend_lambda.lora_store import LoraOvertaken
from backend_lambda.ports import StoreBusy

T = TypeVar("T")

_TURNS = 8


def in_turns(change: Callable[[], T]) -> T:
    """What `change` returns, which reads anew each time it is called. Raises what it raises, and `StoreBusy` where
    others are faster again and again.
    """
    for _ in range(_TURNS):
        try:
            return change()
        except LoraOvertaken:
            continue
    raise StoreBusy("others change the same LoRA, again and again")
