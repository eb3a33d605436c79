"""Where messages are, and under which keys the bot remembers things."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One message. `thread_ts` is its thread's root, None for a message of the channel itself."""

    team: str
    channel: str
    ts: str
    thread_ts: str | None = None

    @property
    def key(self) -> str:
        """The message's record."""
        return message_key(self.team, self.channel, self.ts)

    @property
    def root_ts(self) -> str:
        """The root of the thread that this message is in or could begin."""
        return self.thread_ts or self.ts


def message_key(team: str, channel: str, ts: str) -> str:
    """Record of a message that shows a job."""
    return f"message#{team}#{channel}#{ts}"


def thread_key(team: str, channel: str, root_ts: str) -> str:
    """Record of a thread's latest job."""
    return f"thread#{team}#{channel}#{root_ts}"


def request_record_key(request_key: str) -> str:
    """Record of a request in the worker's hands."""
    return f"request#{request_key}"


def delivery_key(job_id: str) -> str:
    """Record of a job's final message."""
    return f"delivery#{job_id}"


def training_key(training_id: str) -> str:
    """Record of a training that the bot has asked for: where its messages are."""
    return f"training#{training_id}"


def training_form_key(form_key: str) -> str:
    """Record of what is filled in in a form of trainings, and of its pictures."""
    return f"training_form#{form_key}"


def training_step_key(training_id: str, step: str) -> str:
    """Record of one step of showing a training."""
    return f"training_step#{training_id}#{step}"


def trainables_key(team: str) -> str:
    """Record of what can be trained in a workspace."""
    return f"trainables#{team}"


def models_key(team: str) -> str:
    """Record of the models that a workspace is offered."""
    return f"models#{team}"


def loras_key(team: str, channel: str, member: str) -> str:
    """Record of the LoRAs that a member is offered in a channel: not everybody may use every one."""
    return f"loras#{team}#{channel}#{member}"
