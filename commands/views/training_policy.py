"""How a workspace trains, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend_lambda.contract.subjects import SubjectKind
from commands.grammar.subjects import mention
from commands.trouble import code
from commands.views.blocks import Message, context, message, section


def policy_message(policy: Mapping[str, Any]) -> Message:
    """`policy`: the API's `TrainingPolicy` as JSON."""
    return message(
        "How this workspace trains",
        [
            section("\n".join(policy_sentences(policy))),
            context(f"{code('/imagine-admin training --approvals #channel --keep-pictures off')} changes it."),
        ],
    )


def policy_sentences(named: Mapping[str, Any]) -> list[str]:
    """A sentence for each field that is named."""
    sentences = []
    if "approvals_place" in named:
        place = str(named["approvals_place"])
        where = mention(SubjectKind.CHANNEL, place) or (code(place) if place else "")
        sentences.append(
            f"Requests for approval are posted in {where}. Easel has to be a member there."
            if where
            else "Requests for approval are posted where the training is asked for."
        )
    if "approval_days" in named:
        sentences.append(f"A request that nobody answers is given up after {_days(named['approval_days'])}.")
    if "keep_dataset_days" in named:
        kept = int(named["keep_dataset_days"])
        sentences.append(
            f"The pictures of a training are kept for {_days(kept)} after it has ended."
            if kept
            else "The pictures of a training are deleted as soon as it has ended."
        )
    return sentences


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"
