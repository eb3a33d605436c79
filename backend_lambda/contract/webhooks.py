"""The REST API's webhooks: where another system wants to be told what happens to its tenant's jobs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_WEBHOOKS = 5
"""Webhooks that one tenant may have."""


class Model(BaseModel):
    """Unknown fields are refused; values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EventName(StrEnum):
    """The events there are; `contract/events.py` says what each carries."""

    JOB_PROGRESSED = "JobProgressed"
    JOB_SUCCEEDED = "JobSucceeded"
    JOB_FAILED = "JobFailed"
    JOB_CANCELLED = "JobCancelled"


ENDS = (EventName.JOB_SUCCEEDED, EventName.JOB_FAILED, EventName.JOB_CANCELLED)
"""What a webhook is told where it doesn't say what it wants: how each job ended."""


class RegisterWebhook(Model):
    """Body of `POST /webhooks`: where to, and which events; how each job ended where `events` is left out.

    The URL is https, and its host has public addresses only.
    """

    url: str = Field(min_length=1, max_length=1_000, examples=["https://hooks.example.com/easel"])
    events: list[EventName] = Field(default_factory=lambda: list(ENDS), min_length=1, max_length=len(EventName))

    @field_validator("events")
    @classmethod
    def _each_once(cls, events: list[EventName]) -> list[EventName]:
        return list(dict.fromkeys(events))


class TroubleCode(StrEnum):
    """Why a try failed."""

    STATUS = "status"
    """The answer was not 2xx; redirects are not followed."""
    UNKNOWN_HOST = "unknown_host"
    """The host's name has no address."""
    ADDRESS_REFUSED = "address_refused"
    """One of the host's addresses is not public."""
    UNREACHABLE = "unreachable"
    """No connection."""
    TLS = "tls"
    """The certificate is not valid for the host, or there is no encryption."""
    TIMEOUT = "timeout"
    """No answer in time."""
    NO_ANSWER = "no_answer"
    """What came back is no HTTP answer."""


class Trouble(Model):
    """The last try that failed. `status` is the answer's, where there was one."""

    at: datetime
    code: TroubleCode
    status: int | None = None


class DisabledBecause(StrEnum):
    """Why nothing is delivered any more."""

    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """A delivery failed to the last try, and no other went well meanwhile."""


class Webhook(Model):
    """A webhook as it stands. `failures` counts the tries that failed since the last one that went well.

    A disabled one is told nothing. Registering its URL again enables it.
    """

    webhook_id: str
    url: str
    events: list[EventName]
    registered_at: datetime
    registered_by: str
    failures: int = 0
    delivered_at: datetime | None = None
    trouble: Trouble | None = None
    disabled_at: datetime | None = None
    disabled_because: DisabledBecause | None = None


class RegisteredWebhook(Webhook):
    """And its secret, which is not shown again."""

    secret: str


class WebhookList(Model):
    """All of the tenant's webhooks, without their secrets."""

    webhooks: list[Webhook]
