"""`/trainings` and `/training-policy`."""

from __future__ import annotations

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from backend_lambda import wiring
from backend_lambda.api.context import backend_of, caller_of
from backend_lambda.api.query import check_query
from backend_lambda.api.responses import errors
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    AddPicture,
    CreateTraining,
    DatasetPicture,
    DecideTraining,
    PictureUpload,
    SubmitTraining,
    Training,
    TrainingList,
    TrainingPolicy,
)
from backend_lambda.training_ports import TrainingPorts
from backend_lambda.usecases.add_picture import add_picture
from backend_lambda.usecases.cancel_training import cancel_training
from backend_lambda.usecases.check_picture import check_picture
from backend_lambda.usecases.create_training import create_training
from backend_lambda.usecases.decide_training import decide_training
from backend_lambda.usecases.list_trainings import list_trainings
from backend_lambda.usecases.read_training import read_training
from backend_lambda.usecases.remove_picture import remove_picture
from backend_lambda.usecases.submit_training import submit_training
from backend_lambda.usecases.training_policy import put_training_policy, read_training_policy

router = Router()  # type: ignore[no-untyped-call]

TRAINING_ID = Path(description="A training's id, as its creation answered it.")
PICTURE_ID = Path(
    description="A picture's id, as its upload answered it.", min_length=1, max_length=40, pattern="^[a-z0-9-]+$"
)
LIST_PARAMETERS = ("limit", "member", "next", "state")
_BODY = (ErrorCode.MALFORMED_REQUEST, ErrorCode.TOO_LARGE, ErrorCode.INVALID_REQUEST)
_OF_A_DRAFT = (ErrorCode.TRAINING_NOT_FOUND, ErrorCode.TRAINING_NOT_IN_STATE, ErrorCode.TOO_MANY_REQUESTS)
_DECIDING = (*_BODY, *_OF_A_DRAFT)


def _ports(training_id: str = "") -> TrainingPorts:
    if training_id:
        wiring.logger().append_keys(training_id=training_id)
    return backend_of(router).trainings


@router.post(
    "/trainings",
    status_code=201,
    tags=["trainings"],
    operation_id="createTraining",
    summary="Begin a training",
    description=(
        "Makes a draft, with every setting and an estimate; add pictures, then submit it. The same idempotency key "
        "from the same member answers the same draft. A draft that is left alone for a day expires."
    ),
    response_description="The draft",
    responses=errors(
        201,
        Training,
        *_BODY,
        ErrorCode.ENDPOINT_NOT_FOUND,
        ErrorCode.NO_TRAINING_HERE,
        ErrorCode.LORA_NAME_TAKEN,
        ErrorCode.IDEMPOTENCY_CONFLICT,
        ErrorCode.BLOCKED_WORDS,
        ErrorCode.LIMIT_REACHED,
    ),
)
def create(request: CreateTraining) -> Training:
    """`POST /trainings`."""
    training = create_training(caller_of(router), request, _ports())
    wiring.logger().append_keys(training_id=training.training_id)
    return training


@router.get(
    "/trainings",
    tags=["trainings"],
    operation_id="listTrainings",
    summary="List the tenant's trainings, newest first",
    description=(
        "Without their pictures. A new training may take a second to appear. A page can be short, or empty, and still "
        "have a `next`."
    ),
    response_description="A page of trainings",
    responses=errors(200, TrainingList, ErrorCode.INVALID_REQUEST),
)
def list_(
    limit: Annotated[int, Query(ge=1, le=50, description="Trainings on a page.")] = 20,
    next: Annotated[str | None, Query(max_length=200, description="The `next` of the page before.")] = None,
    state: Annotated[TrainingState | None, Query(description="Only trainings in this state.")] = None,
    member: Annotated[Literal["me"] | None, Query(description="`me`: only the caller's own trainings.")] = None,
) -> TrainingList:
    """`GET /trainings`."""
    check_query(router, LIST_PARAMETERS)
    return list_trainings(caller_of(router), _ports(), limit=limit, position=next, state=state, mine=member is not None)


@router.get(
    "/trainings/<training_id>",
    tags=["trainings"],
    operation_id="readTraining",
    summary="Read a training",
    description="Its pictures come with links that last 15 minutes, as long as they are kept.",
    response_description="The training",
    responses=errors(200, Training, ErrorCode.TRAINING_NOT_FOUND),
)
def read(training_id: Annotated[str, TRAINING_ID]) -> Training:
    """`GET /trainings/{id}`."""
    return read_training(caller_of(router), training_id, _ports(training_id))


@router.delete(
    "/trainings/<training_id>",
    tags=["trainings"],
    operation_id="deleteTraining",
    summary="Cancel a training, or delete what is left of it",
    description=(
        "A training that is open becomes `cancelled` and its job is stopped. One that has ended loses its files and "
        "becomes `deleted`; its LoRA stays, and so does the record. `only=open` makes it a mere cancellation. In the "
        "moment in which its LoRA is being listed it can't be cancelled."
    ),
    response_description="The training after that",
    responses=errors(200, Training, *_OF_A_DRAFT, ErrorCode.INVALID_REQUEST),
)
def delete(
    training_id: Annotated[str, TRAINING_ID],
    only: Annotated[
        Literal["open"] | None, Query(description="`open`: cancel at most; leave a training that has ended as it is.")
    ] = None,
) -> Training:
    """`DELETE /trainings/{id}`."""
    check_query(router, ("only",))
    return cancel_training(caller_of(router), training_id, _ports(training_id), only_open=only is not None)


@router.post(
    "/trainings/<training_id>/pictures",
    status_code=201,
    tags=["trainings"],
    operation_id="addPicture",
    summary="Add a picture to a draft",
    description=(
        "Answers where to PUT its bytes, with exactly these headers, within 15 minutes; then have it checked. The same "
        "key is the same picture: one that waits or was refused is awaited anew, an accepted one stays as it is."
    ),
    response_description="Where to upload it",
    responses=errors(201, PictureUpload, *_BODY, *_OF_A_DRAFT, ErrorCode.PICTURES_MISSING, ErrorCode.BLOCKED_WORDS),
)
def add(training_id: Annotated[str, TRAINING_ID], request: AddPicture) -> PictureUpload:
    """`POST /trainings/{id}/pictures`."""
    return add_picture(caller_of(router), training_id, request, _ports(training_id))


@router.post(
    "/trainings/<training_id>/pictures/<picture_id>/check",
    tags=["trainings"],
    operation_id="checkPicture",
    summary="Have an uploaded picture looked at",
    description=(
        "It is decoded, made upright, freed of all metadata and kept as an RGB PNG; or it is refused, `fault` and "
        "`message` say why. What was uploaded is deleted. Checking it again answers the same, until something else is "
        "uploaded."
    ),
    response_description="The picture, accepted or refused",
    responses=errors(200, DatasetPicture, *_OF_A_DRAFT, ErrorCode.INVALID_REQUEST),
)
def check(training_id: Annotated[str, TRAINING_ID], picture_id: Annotated[str, PICTURE_ID]) -> DatasetPicture:
    """`POST /trainings/{id}/pictures/{picture}/check`."""
    return check_picture(caller_of(router), training_id, picture_id, _ports(training_id))


@router.delete(
    "/trainings/<training_id>/pictures/<picture_id>",
    tags=["trainings"],
    operation_id="removePicture",
    summary="Take a picture out of a draft",
    description="Nothing of it is kept. One that is not there is no matter.",
    response_description="The training without it",
    responses=errors(200, Training, *_OF_A_DRAFT, ErrorCode.INVALID_REQUEST),
)
def remove(training_id: Annotated[str, TRAINING_ID], picture_id: Annotated[str, PICTURE_ID]) -> Training:
    """`DELETE /trainings/{id}/pictures/{picture}`."""
    return remove_picture(caller_of(router), training_id, picture_id, _ports(training_id))


@router.post(
    "/trainings/<training_id>/submission",
    tags=["trainings"],
    operation_id="submitTraining",
    summary="Ask for a training's approval",
    description=(
        "All its pictures must have been checked, and enough of them accepted; those that were refused are left out. "
        "Submitting it again answers it as it is."
    ),
    response_description="The training, waiting for its approval",
    responses=errors(200, Training, *_BODY, *_OF_A_DRAFT, ErrorCode.PICTURES_MISSING, ErrorCode.BLOCKED_WORDS),
)
def submit(training_id: Annotated[str, TRAINING_ID], request: SubmitTraining) -> Training:
    """`POST /trainings/{id}/submission`."""
    return submit_training(caller_of(router), training_id, request, _ports(training_id))


@router.post(
    "/trainings/<training_id>/approval",
    tags=["trainings"],
    operation_id="approveTraining",
    summary="Approve or deny somebody else's training",
    description=(
        "Approving starts it; a denial has a reason. It is decided once: whoever comes later is answered what was "
        "decided. Who submitted it is refused here, whatever IAM says."
    ),
    response_description="The training as it was decided",
    responses=errors(200, Training, *_DECIDING, ErrorCode.SELF_APPROVAL),
)
def approve(training_id: Annotated[str, TRAINING_ID], request: DecideTraining) -> Training:
    """`POST /trainings/{id}/approval`."""
    return decide_training(caller_of(router), training_id, request, _ports(training_id), by_submitter=False)


@router.post(
    "/trainings/<training_id>/self-approval",
    tags=["trainings"],
    operation_id="selfApproveTraining",
    summary="Approve or deny one's own training",
    description="As the approval, for who submitted it and nobody else: a route of its own, so that IAM decides on it.",
    response_description="The training as it was decided",
    responses=errors(200, Training, *_DECIDING),
)
def self_approve(training_id: Annotated[str, TRAINING_ID], request: DecideTraining) -> Training:
    """`POST /trainings/{id}/self-approval`."""
    return decide_training(caller_of(router), training_id, request, _ports(training_id), by_submitter=True)


@router.get(
    "/training-policy",
    tags=["trainings"],
    operation_id="readTrainingPolicy",
    summary="Read how the workspace trains",
    description="Where requests for approval go, how long they stand, how long pictures are kept.",
    response_description="The policy",
    responses=errors(200, TrainingPolicy),
)
def read_policy() -> TrainingPolicy:
    """`GET /training-policy`."""
    return read_training_policy(caller_of(router), _ports())


@router.put(
    "/training-policy",
    tags=["trainings"],
    operation_id="putTrainingPolicy",
    summary="Change how the workspace trains",
    description="It holds for what is submitted, and for what ends, from now on. The change is in the audit trail.",
    response_description="The policy as it stands now",
    responses=errors(200, TrainingPolicy, *_BODY),
)
def put_policy(request: TrainingPolicy) -> TrainingPolicy:
    """`PUT /training-policy`."""
    return put_training_policy(caller_of(router), request, _ports())
