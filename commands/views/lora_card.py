"""`/finetune card` and `/finetune status`: all about one LoRA, and how far a training is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.grammar.clean import escape
from commands.trouble import code
from commands.views.access_words import member_text
from commands.views.blocks import Message, context, message, picture, section
from commands.views.lora_words import megabytes, scope_text, state_text
from commands.views.moments import moment
from commands.views.status import duration

if TYPE_CHECKING:
    from backend_lambda.contract.loras import Lora
    from backend_lambda.contract.trainings import Training, TrainingSettings

LISTED_VERSIONS = 12
BAR_CELLS = 10


def lora_card(lora: Lora, versions: Sequence[Lora], file_id: str | None) -> Message:
    """The card of one version, with its samples where they could be brought into Slack."""
    name = f"{lora.name}@{lora.version}"
    retired = " · retired: no longer offered" if lora.is_retired else ""
    prompt = f"a {lora.trigger} in the snow" if lora.trigger else "a boat in the snow"
    return message(
        f"LoRA {name}",
        [
            section(f"*{escape(name)}* · fits {escape(lora.model)} · {scope_text(lora)}{retired}"),
            picture(file_id, f"Samples of {name}: before the training and after it") if file_id else None,
            section("\n".join(_facts(lora))),
            section(f"*Versions*\n{_versions(versions)}") if len(versions) > 1 else None,
            context(code(f"/imagine {prompt} --lora {lora.name}")),
        ],
    )


def training_status(training: Training, file_id: str | None) -> Message:
    """How far a training is, with its newest samples where they could be brought into Slack."""
    estimate = training.estimate
    cost = f", about ${estimate.dollars:.2f}" if estimate.dollars is not None else ""
    report = training.report
    bar = ""
    if report is not None and report.steps > 0 and not training.state.is_final:
        done = int(min(1.0, max(0.0, report.step / report.steps)) * BAR_CELLS)
        bar = "▰" * done + "▱" * (BAR_CELLS - done) + " "
    loss = f"Loss {report.loss:.4f}" if report is not None and report.loss is not None else ""
    facts = [
        f"{_kind(training.kind.value, training.what)}, say {code(training.trigger)}, on {escape(training.model)}",
        f"Asked by {member_text(training.owner.member)} {moment(training.submitted_at or training.created_at)}",
        _decided(training),
        f"Estimate: {duration(estimate.seconds)} on {escape(estimate.instance_type)}{cost}",
        settings_text(training.settings),
        loss,
        "The pictures that it was trained on are deleted." if training.dataset_deleted else "",
    ]
    hint = "" if training.state.is_final else code(f"/finetune cancel {training.name}") + " ends it."
    return message(
        f"Training of {training.name}",
        [
            section(f"*{escape(training.name)}* · {bar}{state_text(training)}"),
            picture(file_id, f"Samples of {training.name} so far") if file_id else None,
            section("\n".join(fact for fact in facts if fact)),
            context(code(training.training_id), hint),
        ],
    )


def settings_text(settings: TrainingSettings) -> str:
    """What decided what was made, in one line."""
    phrases = [
        f"{settings.steps:,} steps",
        f"rank {settings.rank}",
        f"learning rate {settings.learning_rate:g}",
        f"{settings.resolution} pixels",
        f"batches of {settings.batch_size}" if settings.batch_size > 1 else "",
        "prior preservation" if settings.prior_preservation else "",
        "text encoder too" if settings.text_encoder else "",
        f"seed {settings.seed}",
    ]
    return ", ".join(phrase for phrase in phrases if phrase)


def _facts(lora: Lora) -> list[str]:
    trained_on = f" on {lora.dataset_pictures} pictures" if lora.dataset_pictures is not None else ""
    how = f"Trained{trained_on}" if lora.training_id is not None else "Imported"
    kind = f"A {lora.kind.value}" if lora.kind is not None else ""
    says = f"say {code(lora.trigger)} in the prompt" if lora.trigger else "its trigger word is not known"
    loss = f"Final loss {lora.final_loss:.4f}" if lora.final_loss is not None else ""
    facts = [
        f"{kind}: {says}" if kind else f"{says[0].upper()}{says[1:]}",
        f"{how} by {member_text(lora.owner.member)} {moment(lora.created_at)}",
        settings_text(lora.settings) if lora.settings is not None else f"rank {lora.rank}",
        loss,
        f"{megabytes(lora.bytes)}, SHA-256 {code(lora.sha256[:16])}",
        f"Note: {escape(lora.licence_note)}" if lora.licence_note else "No note says what it may be used for.",
        f"Training {code(lora.training_id)}" if lora.training_id is not None else "",
    ]
    return [fact for fact in facts if fact]


def _versions(versions: Sequence[Lora]) -> str:
    lines = [
        f"{escape(one.name)}@{one.version} · by {member_text(one.owner.member)} · {moment(one.created_at)}"
        for one in versions[:LISTED_VERSIONS]
    ]
    more = len(versions) - len(lines)
    return "\n".join([*lines, *([f"{more} older ones"] if more > 0 else [])])


def _kind(kind: str, what: str) -> str:
    return f"A {kind}: {escape(what)}" if what else f"A {kind}"


def _decided(training: Training) -> str:
    decision = training.decision
    if decision is None:
        return "Nobody but who asked may approve it." if training.is_only_approver else ""
    return f"{'Approved' if decision.approved else 'Denied'} by {member_text(decision.by.member)} {moment(decision.at)}"
