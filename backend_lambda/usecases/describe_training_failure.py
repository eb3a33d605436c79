"""Turn what SageMaker and the container say about a failed training into what a person needs to know."""

from __future__ import annotations

import re

from backend_lambda.contract.trainings import TrainingFailure, TrainingFailureCode
from backend_lambda.training_ports import JobCondition, JobRefusal, JobStatus
from backend_lambda.usecases.describe_failure import new_reference

SENTENCES = {
    TrainingFailureCode.START_FAILED: "SageMaker does not take this training. Ask whoever runs Easel to look at it.",
    TrainingFailureCode.NO_CAPACITY: "AWS had no free instance for it in time. Please try again later.",
    TrainingFailureCode.OUT_OF_MEMORY: (
        "The training ran out of memory. A lower resolution or rank may work, or training without the text encoder."
    ),
    TrainingFailureCode.TIMED_OUT: "It took longer than it may. Fewer steps or a lower resolution may work.",
    TrainingFailureCode.TRAINING_FAILED: "The training failed while it ran. Please try again.",
    TrainingFailureCode.LOST: "SageMaker knows nothing of this training any more. Please try again.",
}
QUOTA = (
    "This AWS account's quota of such training instances is used up. Try again when other trainings have ended, "
    "or ask whoever runs Easel to raise it."
)
UNFIT = "What the training left behind is not what it says it is, so it is not used. Please try again."
_MEMORY = re.compile(r"out of memory|OutOfMemory|\bOOM\b|MemoryError|exit code: 137", re.IGNORECASE)
_CAPACITY = re.compile(r"CapacityError|insufficient capacity|Unable to provision", re.IGNORECASE)
_OWN = re.compile(r"(?:AlgorithmError:\s*)?(?P<sentence>[A-Z][^\n\r]{10,280}?\.)(?:,?\s*exit code: -?[0-9]+)?\s*")
_NOT_A_SENTENCE = re.compile(r"Traceback|Error\b|Exception\b|[\\/{}<>\[\]]|\bat 0x")


def describe_training(code: TrainingFailureCode, message: str | None = None) -> TrainingFailure:
    """A failure with its sentence, and a new reference."""
    return TrainingFailure(code=code, message=message or SENTENCES[code], reference=new_reference())


def describe_refusal_of_job(why: JobRefusal) -> TrainingFailure:
    """Why SageMaker would not take it."""
    if why is JobRefusal.QUOTA:
        return describe_training(TrainingFailureCode.NO_CAPACITY, QUOTA)
    return describe_training(TrainingFailureCode.START_FAILED)


def describe_job(condition: JobCondition) -> TrainingFailure:
    """Why a job ended that did not complete."""
    match condition.status:
        case JobStatus.TIMED_OUT:
            return describe_training(TrainingFailureCode.TIMED_OUT)
        case JobStatus.NO_CAPACITY:
            return describe_training(TrainingFailureCode.NO_CAPACITY)
        case JobStatus.MISSING:
            return describe_training(TrainingFailureCode.LOST)
    if _CAPACITY.search(condition.reason):
        return describe_training(TrainingFailureCode.NO_CAPACITY)
    if _MEMORY.search(condition.reason):
        return describe_training(TrainingFailureCode.OUT_OF_MEMORY)
    return describe_training(TrainingFailureCode.TRAINING_FAILED, _own_sentence(condition.reason))


def _own_sentence(reason: str) -> str | None:
    """What the container wrote to say why, which its contract promises to be a sentence for people. Where SageMaker
    found nothing of that kind it quotes the log: that is for nobody.
    """
    found = _OWN.fullmatch(reason.strip())
    if found is None or _NOT_A_SENTENCE.search(found["sentence"]):
        return None
    return found["sentence"]
