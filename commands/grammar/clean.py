"""From what Slack delivers to plain text: its escapes undone, phone punctuation and invisible characters settled."""

from __future__ import annotations

import re
import unicodedata

QUOTES = dict.fromkeys(map(ord, "“”„‟«»＂"), '"') | dict.fromkeys(map(ord, "‘’‚‛"), "'")

# Bidirectional overrides would reorder everything that follows them in a message; right-to-left text needs none.
BIDI_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Spaces of no width hide between words; the zero-width joiner stays, emoji are made with it.
INVISIBLE = "\u200b\u2060\ufeff\u00ad"
DROPPED = dict.fromkeys(map(ord, BIDI_OVERRIDES + INVISIBLE))

ANGLE = re.compile(r"<([@#!]|https?://|mailto:|tel:)([^<>|]*)(?:\|([^<>]*))?>")
ENTITY = re.compile(r"&(amp|lt|gt);")
ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}


def clean(text: str, keeps_mentions: bool = False) -> str:
    """Plain text in one line: words separated by single spaces, straight quotes, nothing invisible.

    Slack's `<@U1|ada>`, `<#C1|design>` and `<https://…|label>` become what people see; a mention without a label goes.
    With `keeps_mentions`, those of members, channels and user groups become `<@U1>`, `<#C1>` and `<!subteam^S1>`.
    """
    text = ANGLE.sub(_mention_or_readable if keeps_mentions else _readable, text)
    text = ENTITY.sub(lambda match: ENTITIES[match[1]], text)
    text = text.translate(DROPPED).translate(QUOTES)
    return " ".join("".join(" " if _separates(char) else char for char in text).split())


def escape(text: str) -> str:
    """Text as it must be written into Slack's mrkdwn: `&`, `<` and `>` escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "…"


def _mention_or_readable(match: re.Match[str]) -> str:
    kind, target = match[1], match[2]
    is_mention = kind in "@#" or (kind == "!" and target.startswith("subteam^"))
    return f"<{kind}{target}>" if is_mention else _readable(match)


def _readable(match: re.Match[str]) -> str:
    kind, target, label = match[1], match[2], match[3]
    if kind in "@#!":
        name = label or (target if kind == "!" else "")
        if not name:
            return " "
        return name if name[0] in "@#" else ("#" if kind == "#" else "@") + name
    return label or kind + target


def _separates(char: str) -> bool:
    # Cc: control characters. Cs: lone surrogates, which no encoding can carry. Z*: every kind of space.
    return unicodedata.category(char) in {"Cc", "Cs", "Zs", "Zl", "Zp"}
