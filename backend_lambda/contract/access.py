"""The REST API's grants, denies, limits, audit records: who may do what, until when and how much of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend_lambda.contract.actions import Action
from backend_lambda.contract.guardrails import session_policy
from backend_lambda.contract.limits import MAX_SIDE, MAX_STEPS
from backend_lambda.contract.subjects import Subject, SubjectKind

MAX_ENTRIES = 500
"""Grants and denies that one tenant may have."""
MAX_REASON_CHARS = 300
MAX_SESSION_POLICY_CHARS = 2_048
"""STS takes no more for all session policies together;
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""

ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]


class Model(BaseModel):
    """Unknown fields are refused; values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(Model):
    """How much is allowed; None and an empty list don't limit.

    What is counted counts for the subject as a whole: a channel's 50 pictures are for everybody in it together. With
    `each_member` every member has the numbers for themselves. Days are UTC days.
    """

    # A limit says what it means: "5" is no number, and true is no 1.
    model_config = ConfigDict(strict=True)

    images_per_day: int | None = Field(default=None, ge=0, le=1_000_000)
    gpu_seconds_per_day: int | None = Field(default=None, ge=0, le=10_000_000)
    jobs_at_once: int | None = Field(default=None, ge=0, le=10_000)
    max_pixels: int | None = Field(default=None, ge=1, le=MAX_SIDE * MAX_SIDE)
    max_steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    models: list[ModelName] = Field(default_factory=list, max_length=20)
    each_member: bool = False

    @property
    def is_limiting(self) -> bool:
        """Whether anything is limited."""
        return self.model_copy(update={"each_member": False}) != Limits()


class Guardrail(Model):
    """The most that anyone may do in a channel, whatever their role allows: these actions, for these endpoints (any
    where the list is empty). It becomes the STS session policy, so that IAM evaluates it.
    """

    actions: list[Action] = Field(min_length=1)
    models: list[ModelName] = Field(default_factory=list, max_length=20)

    def session_policy(self, api_arn: str) -> str:
        """The policy as compact JSON. `api_arn`: `arn:aws:execute-api:<region>:<account>:<api>/<stage>`. It may be too
        long for STS: see `MAX_SESSION_POLICY_CHARS`.
        """
        return session_policy(self.actions, self.models, api_arn)


class GrantPart(StrEnum):
    """What a grant consists of. The role goes with its external id, the grant's end and its reason."""

    ROLE = "role"
    LIMITS = "limits"
    GUARDRAIL = "guardrail"


class PutGrant(Model):
    """Body of `PUT /grants/{kind}/{id}`: replaces what was granted to that subject, but for the parts in `keeps`: those
    stay as they stand when the request is carried out. A grant of which nothing is left is removed.

    `role` is one of the stack's own (artist, trainer, operator, admin) or the ARN of a role of the customer's own,
    below the path `/easel/`; without one the entry only limits. `external_id` is what that role's trust policy asks
    for; the tenant where it is left out. A guardrail is for channels.
    """

    role: str | None = Field(default=None, max_length=200)
    external_id: str | None = Field(default=None, min_length=2, max_length=1_224, pattern=r"^[\w+=,.@:/-]+$")
    limits: Limits = Limits()
    guardrail: Guardrail | None = None
    ends_at: datetime | None = None
    reason: str = Field(default="", max_length=MAX_REASON_CHARS)
    keeps: list[GrantPart] = Field(default_factory=list, max_length=len(GrantPart))

    @model_validator(mode="after")
    def _says_something(self) -> PutGrant:
        names_role = self.role is not None or self.external_id is not None or self.ends_at is not None or self.reason
        named = {
            GrantPart.ROLE: bool(names_role),
            GrantPart.LIMITS: self.limits != Limits(),
            GrantPart.GUARDRAIL: self.guardrail is not None,
        }
        if any(named[part] for part in self.keeps):
            raise ValueError("what a grant keeps is not named anew")
        if not self.keeps and self.role is None and self.guardrail is None and not self.limits.is_limiting:
            raise ValueError("a grant names a role, a limit or a guardrail")
        return self


class PutDeny(Model):
    """Body of `PUT /denies/{kind}/{id}`. `reaches` names the members of a user group as the client knows them: nobody
    may be left without an admin.
    """

    ends_at: datetime | None = None
    reason: str = Field(default="", max_length=MAX_REASON_CHARS)
    reaches: list[str] = Field(default_factory=list, max_length=5_000)


class Effect(StrEnum):
    """What an entry does."""

    GRANT = "grant"
    DENY = "deny"


class Entry(Model):
    """A grant or a deny as it stands. A deny has neither role nor limits. `ends_at` ends a deny, or a grant's role:
    limits and guardrails bind until somebody changes them, or an end would give more than there was before it.
    """

    # A later version may say more: readers ignore what they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True)

    effect: Effect
    kind: SubjectKind
    id: str
    role: str | None = None
    """The name of one of the stack's own roles, if it is one."""
    role_arn: str | None = None
    external_id: str | None = None
    limits: Limits = Limits()
    guardrail: Guardrail | None = None
    ends_at: datetime | None = None
    reason: str = ""
    reaches: list[str] = Field(default_factory=list)
    made_by: str = ""
    made_at: datetime

    @property
    def subject(self) -> Subject:
        """Whom it is about."""
        return Subject(self.kind, self.id)

    @property
    def key(self) -> str:
        """`grant#member#U1`: one entry of an effect for a subject."""
        return f"{self.effect.value}#{self.subject.key}"

    @property
    def is_limiting(self) -> bool:
        """Whether it has any limit."""
        return self.limits.is_limiting

    def has_ended(self, now: datetime) -> bool:
        """Whether the deny, or the grant's role, counts no more."""
        return self.ends_at is not None and self.ends_at <= now

    def standing_at(self, now: datetime) -> Entry | None:
        """What counts of it then: all, the limits and the guardrail of a grant whose role has ended, or nothing."""
        if not self.has_ended(now):
            return self
        if self.effect is Effect.DENY or not self.binds:
            return None
        return self.model_copy(
            update={"role": None, "role_arn": None, "external_id": None, "ends_at": None, "reason": ""}
        )

    @property
    def binds(self) -> bool:
        """Whether it limits or has a guardrail."""
        return self.guardrail is not None or self.is_limiting


def standing(entries: Iterable[Entry], now: datetime) -> list[Entry]:
    """What counts of them then."""
    return [counting for entry in entries if (counting := entry.standing_at(now)) is not None]


class EntryList(Model):
    """All of a tenant's grants and denies, also those that have ended lately."""

    entries: list[Entry]


class AuditEntry(Model):
    """Something that changed who may do what: `before` and `after` are the changed thing, None where there was none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    at: datetime
    member: str
    principal: str
    """The ARN that signed the request."""
    place: str = ""
    """The channel it was asked in, if in one."""
    action: str
    subject: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class AuditList(Model):
    """A page, newest first. Hand `next` back as `?next=` for the page that follows."""

    entries: list[AuditEntry]
    next: str | None = None


class Allowance(Model):
    """One limit as it stands for the caller. `used` of `most` until `resets_at` (None: as jobs end)."""

    name: str
    """images_per_day, gpu_seconds_per_day or jobs_at_once."""
    kind: SubjectKind
    id: str
    each_member: bool
    used: float
    most: float
    resets_at: datetime | None = None


class AllowanceList(Model):
    """What the caller may still do here: `GET /limits`. Of `models`, None allows any; an empty list none, where the
    lists of several entries have nothing in common.
    """

    allowances: list[Allowance]
    max_pixels: int | None = None
    max_steps: int | None = None
    models: list[str] | None = None


BlockedWord = Annotated[str, Field(min_length=2, max_length=60)]


class BlockedWords(Model):
    """The answer of `/words`: prompts with one of these are refused."""

    words: list[BlockedWord] = Field(max_length=500)


class PutWords(BlockedWords):
    """Body of `PUT /words`. With `was`, the words are replaced only where these are the ones that are blocked: nobody's
    change is undone by somebody who has not seen it.
    """

    was: list[BlockedWord] | None = Field(default=None, max_length=500)
