"""Why a LoRA can't be used."""

from __future__ import annotations


class LoraUnusable(Exception):
    """This file can't be used with this model. The text is a clause fit for people: why, and what to do about it.

    It names no LoRA: several requests, each with a name of its own for it, may be waiting for the same file.
    """


class LoraMissing(LoraUnusable):
    """There is no such file, as far as this endpoint may see."""

    def __init__(self) -> None:
        super().__init__("its file is not in S3, or this endpoint may not read it; train it or import it again")


class LoraUnfetched(Exception):
    """The store failed, after retries. Another try may do better."""
