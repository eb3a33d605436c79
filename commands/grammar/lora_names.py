"""Names of LoRAs and trainings where a command is about one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backend_lambda.contract.training_limits import MAX_LORA_NAME_CHARS
from commands.grammar.loras import is_lora_name
from commands.grammar.options import Value

TRAINING_ID = re.compile(r"trn-[a-z2-7]{26}")
VERSIONED = re.compile(r"([^@]+)(?:@([1-9][0-9]{0,5}))?")
NAME_ALLOWED = (
    f"lower-case letters, digits and hyphens, at most {MAX_LORA_NAME_CHARS}, "
    "beginning with a letter or digit; and not none"
)


@dataclass(frozen=True)
class LoraNameOption:
    """The name of one LoRA. `filler`: words before it that say nothing, as in `rename a to b`."""

    name: str
    summary: str
    hint: str = "name"
    filler: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    @property
    def takes_words(self) -> bool:
        """Where there may be a filler."""
        return bool(self.filler)

    @property
    def allowed(self) -> str:
        """What it takes, in words."""
        return NAME_ALLOWED

    def read(self, text: str) -> str | None:
        """The name in lower case, or None where it can't be one."""
        words = text.lower().split()
        if len(words) > 1 and words[0] in self.filler:
            words = words[1:]
        name = " ".join(words).strip(",;")
        return name if is_lora_name(name) else None

    def write(self, value: Value) -> str:
        """The name itself."""
        return str(value)


@dataclass(frozen=True)
class VersionedNameOption:
    """`mascot` or `mascot@2`."""

    name: str
    summary: str
    hint: str = "name[@version]"
    aliases: tuple[str, ...] = ()
    allowed: str = "the name of a LoRA, such as mascot, or one version of it, such as mascot@2"
    takes_words: bool = field(default=False, init=False)
    takes_value: bool = field(default=True, init=False)
    names: tuple[str, ...] = field(default=(), init=False)

    def read(self, text: str) -> str | None:
        """In lower case, or None."""
        match = VERSIONED.fullmatch(text.lower().strip(",;"))
        return match[0] if match is not None and is_lora_name(match[1]) else None

    def write(self, value: Value) -> str:
        """As it was read."""
        return str(value)


@dataclass(frozen=True)
class ScopeOption:
    """Who may use a LoRA: `with workspace`, `here`, `me`."""

    name: str
    summary: str
    names: tuple[str, ...] = ("workspace", "here", "me")
    hint: str = "with workspace|here|me"
    aliases: tuple[str, ...] = ()
    allowed: str = "with workspace (everybody), with here (everybody in this channel), or with me (nobody else)"
    takes_words: bool = field(default=True, init=False)
    takes_value: bool = field(default=True, init=False)

    def read(self, text: str) -> str | None:
        """The word, or None."""
        words = text.lower().split()
        if len(words) == 2 and words[0] in {"with", "to"}:
            words = words[1:]
        word = words[0].strip(",;.") if len(words) == 1 else ""
        return word if word in self.names else None

    def write(self, value: Value) -> str:
        """`with here`."""
        return f"with {value}"


def split_version(value: Value) -> tuple[str, int | None]:
    """What `VersionedNameOption` has read: the name, and the version where one is named."""
    name, _, version = str(value).partition("@")
    return name, int(version) if version else None


def is_training_id(value: Value) -> bool:
    """Whether it is the id of a training; LoRAs are not called so."""
    return TRAINING_ID.fullmatch(str(value)) is not None
