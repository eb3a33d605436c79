"""Why a file is not taken."""

from __future__ import annotations


class FileRefused(Exception):
    """`message` says what is wrong with the file and what would be right, in one sentence that is fit for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def shown(name: str, most: int = 60) -> str:
    """A name out of a file, as a sentence can carry it."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name).encode(errors="replace").decode()
    return text if len(text) <= most else f"{text[: most - 1]}…"
