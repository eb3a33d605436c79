"""The texts of a training: captions with their default, and what nobody may write in this workspace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from backend_lambda.contract.limits import MAX_PROMPT_CHARS
from backend_lambda.contract.trainings import TrainingKind
from backend_lambda.ports import Moderation
from backend_lambda.training_record import TrainingRecord
from backend_lambda.usecases.refusals import FieldRefused, WordsBlocked

MAX_CAPTIONS_BYTES = 60_000
"""Of all captions of a training together, as JSON: an event, which has them all, must fit on the bus (256 KB), and the
record into its table (400 KB).
"""


def default_caption(trigger: str, what: str, kind: TrainingKind) -> str:
    """What a picture shows, where nobody says it: "a zblx mug", "zblx watercolour"."""
    named = " ".join(f"{trigger} {what}".split())
    return f"a {named}" if kind is TrainingKind.SUBJECT else named


def caption_of(given: str, record: TrainingRecord) -> str:
    """The caption on one line, with the trigger word in it, or the default. Raises `FieldRefused` where that is too
    long.
    """
    caption = " ".join(given.split())
    if not caption:
        return default_caption(record.trigger, record.what, record.kind)
    if record.trigger.casefold() not in caption.casefold():
        caption = f"{record.trigger}, {caption}"
    if len(caption) > MAX_PROMPT_CHARS:
        raise FieldRefused(
            f"With the trigger word, the caption is longer than {MAX_PROMPT_CHARS} characters.",
            field="caption",
            given=caption,
            allowed=f"at most {MAX_PROMPT_CHARS} characters",
        )
    return caption


def check_captions_together(captions: Iterable[str]) -> None:
    """Raises `FieldRefused` where they are too long together."""
    size = sum(len(json.dumps(caption, ensure_ascii=False).encode(errors="replace")) for caption in captions)
    if size > MAX_CAPTIONS_BYTES:
        raise FieldRefused(
            "The captions of this training are too long together. Shorten some.",
            field="caption",
            given=f"{size} bytes",
            allowed=f"at most {MAX_CAPTIONS_BYTES} bytes in all",
        )


def check_words(tenant: str, texts: Mapping[str, str], moderation: Moderation) -> None:
    """Raises `WordsBlocked` for the first field with a word in it that the tenant has blocked."""
    for field, text in texts.items():
        # A name's hyphens stand for spaces.
        word = moderation.check_prompt(tenant, text.replace("-", " ") if field == "name" else text).refused_for
        if word is not None:
            named = field.replace("_", " ")
            raise WordsBlocked(
                f'The {named} has "{word}" in it, which is blocked here. Choose another one.', field=field, given=word
            )
