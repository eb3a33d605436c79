"""LoRAs and trainings in words: the phrases of lists, cards and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend_lambda.contract.training_state import TrainingState
from commands.grammar.clean import clean, escape, shorten
from commands.grammar.subjects import mention
from commands.trouble import code
from commands.views.access_words import member_text
from commands.views.moments import moment
from commands.views.status import duration

if TYPE_CHECKING:
    from backend_lambda.contract.loras import Lora
    from backend_lambda.contract.trainings import Training, TrainingReport

REASON_CHARS = 200


def scope_text(lora: Lora) -> str:
    """Who may use it."""
    match lora.scope.value:
        case "workspace":
            return "for everybody"
        case "channel":
            where = mention("channel", lora.channel or "") or "a channel"
            return f"for everybody in {where}"
        case _:
            return f"for {member_text(lora.owner.member)} alone"


def lora_line(lora: Lora) -> str:
    """One LoRA in one line, its newest version."""
    phrases = [
        f"*{escape(lora.name)}@{lora.version}*",
        f"say {code(lora.trigger)}" if lora.trigger else "",
        f"fits {escape(lora.model)}",
        scope_text(lora),
        f"by {member_text(lora.owner.member)}",
        moment(lora.created_at),
    ]
    return " · ".join(phrase for phrase in phrases if phrase)


def training_line(training: Training) -> str:
    """One training in one line."""
    asked_at = training.submitted_at or training.created_at
    phrases = [
        f"*{escape(training.name)}*",
        state_text(training),
        f"by {member_text(training.owner.member)}",
        moment(asked_at),
        code(training.training_id),
    ]
    return " · ".join(phrases)


def state_text(training: Training) -> str:
    """Where a training is, and why."""
    match training.state:
        case TrainingState.DRAFT:
            return "not submitted yet"
        case TrainingState.AWAITING_APPROVAL:
            until = f" until {moment(training.expires_at)}" if training.expires_at is not None else ""
            return f"waits for an approval{until}"
        case TrainingState.APPROVED:
            return "approved, about to start"
        case TrainingState.STARTING:
            return "waits for a machine"
        case TrainingState.RUNNING:
            return f"running{_progress(training.report)}"
        case TrainingState.SUCCEEDED:
            version = f" as {escape(training.name)}@{training.lora_version}" if training.lora_version else ""
            return f"finished{version}"
        case TrainingState.FAILED:
            return f"failed{_because(training.failure.message if training.failure is not None else '')}"
        case TrainingState.DENIED:
            decision = training.decision
            by = f" by {member_text(decision.by.member)}" if decision is not None else ""
            return f"denied{by}{_because(decision.reason if decision is not None else '')}"
        case TrainingState.CANCELLED:
            return "cancelled"
        case TrainingState.EXPIRED:
            return "given up: nobody answered in time"
        case _:
            return "deleted"


def megabytes(size_bytes: int) -> str:
    """`3.2 MB`."""
    return f"{size_bytes / 2**20:.1f} MB"


def _progress(report: TrainingReport | None) -> str:
    if report is None:
        return ""
    left = f", {duration(report.seconds_left)} left" if report.seconds_left is not None else ""
    if report.phase != "training":
        return f": {escape(report.phase)}{left}"
    return f": step {report.step:,} of {report.steps:,}{left}"


def _because(reason: str) -> str:
    said = clean(reason)
    return f": {escape(shorten(said, REASON_CHARS))}" if said else ""
