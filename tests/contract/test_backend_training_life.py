"""A training's whole life over the real adapters: DynamoDB, S3, EventBridge on MiniStack, SageMaker by its wire."""

from __future__ import annotations

import json
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.aws.dynamodb_endpoints import DynamoEndpointCatalog
from backend_lambda.aws.dynamodb_loras import DynamoLoraStore
from backend_lambda.aws.dynamodb_trainings import DynamoTrainingStore
from backend_lambda.aws.s3_loras import S3LoraFiles
from backend_lambda.aws.s3_training_files import S3TrainingFiles
from backend_lambda.aws.sagemaker_trainings import SageMakerTrainingJobs
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    AddPicture,
    DatasetPicture,
    DecideTraining,
    PictureState,
    SubmitTraining,
)
from backend_lambda.events.trainings import handle_message
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.ports import CatalogEntry
from backend_lambda.training_ports import TrainingPorts, TrainingTiming
from backend_lambda.usecases.add_picture import add_picture
from backend_lambda.usecases.cancel_training import cancel_training
from backend_lambda.usecases.check_picture import check_picture
from backend_lambda.usecases.create_training import create_training
from backend_lambda.usecases.decide_training import decide_training
from backend_lambda.usecases.read_training import read_training
from backend_lambda.usecases.register_lora import Registry
from backend_lambda.usecases.submit_training import submit_training
from backend_lambda.usecases.sweep_trainings import sweep_trainings
from backend_lambda.wiring import SystemClock
from endpoint.training_contract import LORA_NAME, MANIFEST_NAME
from tests.contract.conftest import make_access_tables
from tests.contract.test_backend_endpoints import put_entry
from tests.contract.test_backend_event_bus import listen
from tests.contract.test_backend_training_jobs import SageMaker, jobs, service  # noqa: F401
from tests.contract.test_backend_trainings import trainings_table  # noqa: F401
from tests.fakes.backend import ADA, TINY, FakeBus
from tests.fakes.backend_events import progress_message
from tests.fakes.backend_trainings import GRACE, MACHINE, MUG, STACK, manifest_of, png
from tests.unit.backend.test_training_routes import job_message


@pytest.fixture
def ports(
    aws: Clients,
    bucket: str,
    endpoints_table: str,
    trainings_table: str,  # noqa: F811
    jobs: SageMakerTrainingJobs,  # noqa: F811
) -> TrainingPorts:
    put_entry(aws, endpoints_table, CatalogEntry("tiny", "easel-tiny", TINY, training=MACHINE))
    grants, audit = make_access_tables(aws)
    access = DynamoAccessStore(aws.of("dynamodb"), grants, audit)
    loras = f"loras-{uuid.uuid4().hex[:8]}"
    aws("dynamodb").create_table(
        TableName=loras,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("tenant", "entry")],
        KeySchema=[{"AttributeName": "tenant", "KeyType": "HASH"}, {"AttributeName": "entry", "KeyType": "RANGE"}],
    )
    lifetime = timedelta(minutes=15)
    return TrainingPorts(
        trainings=DynamoTrainingStore(aws.of("dynamodb"), trainings_table, audit),
        files=S3TrainingFiles(aws.of("s3"), bucket, lifetime),
        jobs=jobs,
        bus=FakeBus(),
        clock=SystemClock(),
        catalog=DynamoEndpointCatalog(aws.of("dynamodb"), endpoints_table),
        moderation=WordListModeration(access, access),
        access=access,
        loras=Registry(DynamoLoraStore(aws.of("dynamodb"), loras), S3LoraFiles(aws.of("s3"), bucket, lifetime)),
        timing=TrainingTiming(),
        pick_seed=lambda: 7,
        wait=lambda seconds: None,
    )


def send(training_id: str, index: int, ports: TrainingPorts) -> DatasetPicture:
    """As a client does it: add, upload, check."""
    content = png(index)
    asked = AddPicture(key=f"F{index}", filename=f"{index}.png", bytes=len(content))
    upload = add_picture(ADA, training_id, asked, ports)
    put = urllib.request.Request(upload.url, data=content, headers=upload.headers, method="PUT")
    with urllib.request.urlopen(put, timeout=10) as answer:
        assert answer.status == 200
    return check_picture(ADA, training_id, upload.picture_id, ports)


def submitted(ports: TrainingPorts) -> str:
    """A training with eight pictures, sent four at a time, that waits for its approval."""
    request = MUG.model_copy(update={"idempotency_key": uuid.uuid4().hex})
    training_id = create_training(ADA, request, ports).training_id
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda index: send(training_id, index, ports), range(8)))
    assert {picture.state for picture in found} == {PictureState.ACCEPTED}
    answer = submit_training(ADA, training_id, SubmitTraining(), ports)
    assert answer.state is TrainingState.AWAITING_APPROVAL
    return training_id


def below(aws: Clients, bucket: str, prefix: str) -> set[str]:
    found = aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {one["Key"].removeprefix(prefix) for one in found}


def test_a_trainings_whole_life(ports: TrainingPorts, service: SageMaker, aws: Clients, bucket: str) -> None:  # noqa: F811
    training_id = submitted(ports)
    record = ports.trainings.get(training_id)
    assert record is not None
    assert len(below(aws, bucket, f"{record.prefix}dataset/")) == 8
    assert below(aws, bucket, record.uploads_prefix) == set()

    decide_training(GRACE, training_id, DecideTraining(approve=True), ports, by_submitter=False)
    name = f"{STACK}-{training_id}"
    [uri] = [
        one["DataSource"]["S3DataSource"]["S3Uri"]
        for one in service.jobs[name]["InputDataConfig"]
        if one["ChannelName"] == "dataset"
    ]
    assert uri.endswith(f"/{record.prefix}dataset/")
    assert "training.json" in below(aws, bucket, f"{record.prefix}dataset/")

    service.jobs[name] |= {"SecondaryStatus": "Training", "LastModifiedTime": 1_795_453_030.0}
    handle_message(job_message(training_id), ports)
    progress = {"training_id": training_id, "phase": "training", "step": 5, "steps": 200}
    key = f"{record.prefix}progress.json"
    ports.files.write(key, json.dumps(progress).encode(), "application/json")
    handle_message(progress_message(bucket, key), ports)
    running = read_training(ADA, training_id, ports)
    assert running.state is TrainingState.RUNNING and running.report is not None and running.report.step == 5

    prefix = ports.jobs.output_prefix(training_id, f"{record.prefix}output/")
    ports.files.write(f"{record.prefix}samples-200.png", b"png", "image/png")
    ports.files.write(f"{prefix}{LORA_NAME}", b"weights" * 1_000, "")
    manifest = manifest_of(record, b"weights" * 1_000)
    ports.files.write(f"{prefix}{MANIFEST_NAME}", manifest.model_dump_json().encode(), "application/json")
    service.jobs[name] |= {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: handle_message(job_message(training_id, "Completed"), ports), range(3)))

    ended = read_training(ADA, training_id, ports)
    assert (ended.state, ended.lora_version, ended.dataset_deleted) == (TrainingState.SUCCEEDED, 1, True)
    assert below(aws, bucket, record.prefix) == {"samples-200.png", "progress.json"}
    assert len(below(aws, bucket, f"tenants/{ADA.tenant}/loras/")) == 2
    assert isinstance(ports.bus, FakeBus)
    told = {event.event_id: type(event).__name__ for event in ports.bus.events}
    assert list(told.values()).count("TrainingSucceeded") == 1
    assert cancel_training(ADA, training_id, ports).state is TrainingState.DELETED
    assert below(aws, bucket, record.prefix) == set()


def test_a_training_without_any_event_is_brought_to_its_end_by_the_sweeper(
    ports: TrainingPorts,
    service: SageMaker,  # noqa: F811
) -> None:
    training_id = submitted(ports)
    service.faults = [(400, "ThrottlingException", "no")] * 5
    answer = decide_training(GRACE, training_id, DecideTraining(approve=True), ports, by_submitter=False)
    assert answer.state is TrainingState.APPROVED

    def sweep(later: timedelta) -> TrainingState:
        class Later(SystemClock):
            def now(self):  # type: ignore[no-untyped-def]
                return super().now() + later

        moved = TrainingPorts(**(vars(ports) | {"clock": Later()}))
        sweep_trainings(moved, until=moved.clock.now() + timedelta(seconds=20))
        found = ports.trainings.get(training_id)
        assert found is not None
        return found.state

    assert sweep(timedelta(minutes=2)) is TrainingState.STARTING
    service.jobs[f"{STACK}-{training_id}"] |= {
        "TrainingJobStatus": "Failed",
        "FailureReason": "CapacityError: Unable to provision requested ML compute capacity.",
    }
    assert sweep(timedelta(minutes=9)) is TrainingState.FAILED
    failure = read_training(ADA, training_id, ports).failure
    assert failure is not None and failure.code.value == "no_capacity"


def test_an_event_of_a_training_goes_over_the_bus(ports: TrainingPorts, aws: Clients) -> None:
    listener = listen(aws)
    request = MUG.model_copy(update={"idempotency_key": uuid.uuid4().hex})
    told = TrainingPorts(**(vars(ports) | {"bus": listener.bus}))
    training_id = create_training(ADA, request, told).training_id
    cancel_training(ADA, training_id, told)
    [event] = listener.received(1)
    assert type(event).__name__ == "TrainingCancelled" and event.event_id == f"{training_id}:1"
