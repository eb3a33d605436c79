"""The backend's functions over their real adapters: a job's whole way, on MiniStack's DynamoDB, S3 and EventBridge."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend_lambda.access_ports import AccessPorts
from backend_lambda.api.context import Backend
from backend_lambda.api.handler import respond
from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_access import DynamoAccessStore
from backend_lambda.aws.dynamodb_endpoints import DynamoEndpointCatalog, DynamoPaceBook
from backend_lambda.aws.dynamodb_jobs import DynamoJobStore
from backend_lambda.aws.dynamodb_loras import DynamoLoraStore
from backend_lambda.aws.s3_loras import S3LoraFiles
from backend_lambda.aws.s3_pictures import S3PictureStore
from backend_lambda.aws.sagemaker_monitor import SageMakerMonitor
from backend_lambda.aws.sagemaker_starter import SageMakerStarter
from backend_lambda.contract.jobs import Job, JobList
from backend_lambda.events.batch import handle_batch
from backend_lambda.events.completions import handle_message as handle_completion
from backend_lambda.events.progress import handle_message as handle_progress
from backend_lambda.events.sweep import sweep
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.ports import LoraPorts, SubmittingPorts
from backend_lambda.role_register import RoleRegister
from backend_lambda.usecases.register_lora import Registry
from backend_lambda.wiring import SystemClock
from endpoint.contract import GRID_NAME, MANIFEST_NAME, PROGRESS_NAME, GenerateRequest, Progress
from tests.contract.conftest import SageMaker, make_access_tables
from tests.contract.test_backend_endpoints import TINY_ENTRY, put_entry
from tests.contract.test_backend_event_bus import Listener, listen
from tests.contract.test_backend_loras import make_loras_table
from tests.fakes.backend import ADA, MALLORY, TIMING, FakeBackend, FakePictureStore, manifest_of
from tests.fakes.backend_events import completion_message, progress_message, request, sqs_batch
from tests.fakes.backend_trainings import FakeTrainings
from tests.fakes.loras import lora_file, trained


@pytest.fixture
def listener(aws: Clients) -> Listener:
    return listen(aws)


@pytest.fixture
def access(aws: Clients) -> DynamoAccessStore:
    return DynamoAccessStore(aws.of("dynamodb"), *make_access_tables(aws))


@pytest.fixture
def ports(
    aws: Clients,
    sagemaker: SageMaker,
    sagemaker_clients: Clients,
    jobs_table: str,
    usage_table: str,
    endpoints_table: str,
    bucket: str,
    listener: Listener,
    access: DynamoAccessStore,
    lora_ports: LoraPorts,
) -> SubmittingPorts:
    put_entry(aws, endpoints_table, TINY_ENTRY)
    sagemaker.endpoints["easel-tiny"] = {"EndpointStatus": "InService", "ProductionVariants": []}
    return SubmittingPorts(
        jobs=DynamoJobStore(aws.of("dynamodb"), jobs_table, usage_table),
        pictures=S3PictureStore(aws.of("s3"), bucket, timedelta(minutes=15)),
        bus=listener.bus,
        clock=SystemClock(),
        timing=TIMING,
        moderation=WordListModeration(access, access),
        paces=DynamoPaceBook(aws.of("dynamodb"), endpoints_table),
        starter=SageMakerStarter(sagemaker_clients.of("sagemaker-runtime"), bucket, TIMING),
        catalog=DynamoEndpointCatalog(aws.of("dynamodb"), endpoints_table),
        access=access,
        recent_access=access,
        pick_seed=lambda: 7,
        loras=lora_ports.store,
    )


@pytest.fixture
def lora_ports(aws: Clients, endpoints_table: str, bucket: str, access: DynamoAccessStore) -> LoraPorts:
    return LoraPorts(
        store=DynamoLoraStore(aws.of("dynamodb"), make_loras_table(aws)),
        files=S3LoraFiles(aws.of("s3"), bucket, timedelta(minutes=15)),
        catalog=DynamoEndpointCatalog(aws.of("dynamodb"), endpoints_table),
        access=access,
        clock=SystemClock(),
        moderation=WordListModeration(access, access),
    )


class Api:
    """Asks the API function."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __call__(self, method: str, path: str, body: Any = None, *, arn: str = ADA.arn) -> tuple[int, Any]:
        answer = respond(request(method, path, body, arn=arn), None, self._backend)
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def api(ports: SubmittingPorts, access: DynamoAccessStore, sagemaker_clients: Clients, lora_ports: LoraPorts) -> Api:
    backend = Backend(
        ports=ports,
        monitor=SageMakerMonitor(sagemaker_clients.of("sagemaker")),
        mapped_roles=("easel-artist", "easel-admin"),
        access=AccessPorts(access, SystemClock(), time.sleep),
        standing=RoleRegister(access, SystemClock()).standing,
        region="us-east-1",
        webhooks=FakeBackend().webhooks.registry,
        trainings=FakeTrainings().ports,
        loras=lora_ports,
    )
    return Api(backend)


def test_a_job_from_its_request_to_its_pictures_and_its_end(
    api: Api, ports: SubmittingPorts, sagemaker: SageMaker, listener: Listener
) -> None:
    body = {"prompt": "a red circle 🎈", "pictures": 2, "idempotency_key": "whole-way", "context": {"channel": "C1"}}
    status, answer = api("POST", "/endpoints/tiny/jobs", body)
    assert (status, answer["state"]) == (202, "queued")
    job = Job.model_validate(answer)
    assert api("POST", "/endpoints/tiny/jobs", body)[1]["job_id"] == job.job_id
    [invocation] = sagemaker.invocations
    assert invocation["x-amzn-sagemaker-inference-id"] == job.job_id

    # What the endpoint does.
    location = invocation["x-amzn-sagemaker-inputlocation"]
    given = GenerateRequest.model_validate_json(ports.pictures.read_location(location) or b"")
    assert given.seeds == [7, 8]
    prefix = given.output.prefix
    progress = Progress(job_id=job.job_id, step=0, steps=40)
    ports.pictures.write(prefix + PROGRESS_NAME, progress.model_dump_json().encode(), "application/json")
    told = sqs_batch(progress_message(ports.pictures.bucket, prefix + PROGRESS_NAME))
    assert handle_batch(told, None, lambda text: handle_progress(text, ports)) == {"batchItemFailures": []}
    assert api("GET", f"/jobs/{job.job_id}")[1]["state"] == "running"
    record = ports.jobs.get(job.job_id)
    assert record is not None
    for name in ("0.png", "1.png", GRID_NAME):
        ports.pictures.write(prefix + name, b"png", "image/png")
    manifest = manifest_of(record).model_dump_json().encode()
    ports.pictures.write(prefix + MANIFEST_NAME, manifest, "application/json")

    completion = completion_message(job.job_id)
    for _ in range(2):
        batch = sqs_batch(completion, "not a message")
        failures = handle_batch(batch, None, lambda text: handle_completion(text, ports))
        assert failures == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}

    status, answer = api("GET", f"/jobs/{job.job_id}")
    done = Job.model_validate(answer)
    assert (status, done.state.value, len(done.pictures), done.model_seconds) == (200, "succeeded", 2, 1.8)
    assert done.grid is not None
    for url in (done.pictures[0].url, done.grid.url):
        assert url is not None
        with urllib.request.urlopen(url, timeout=5) as picture:
            assert picture.read() == b"png"
    events = listener.received(2)
    assert sorted(event.event_id for event in events) == [f"{job.job_id}:progressed:0", f"{job.job_id}:succeeded"]
    assert {event.context["channel"] for event in events} == {"C1"}

    assert api("GET", f"/jobs/{job.job_id}", arn=MALLORY.arn)[0] == 404
    assert JobList.model_validate(api("GET", "/jobs", arn=MALLORY.arn)[1]).jobs == []
    assert job.job_id in {found.job_id for found in JobList.model_validate(api("GET", "/jobs")[1]).jobs}

    for _ in range(2):
        status, answer = api("DELETE", f"/jobs/{job.job_id}")
        assert (status, answer["state"], answer["pictures"]) == (200, "deleted", [])
    assert all(ports.pictures.read(prefix + name) is None for name in ("0.png", "1.png", GRID_NAME, MANIFEST_NAME))
    assert ports.jobs.get(job.job_id) is not None


def test_a_lora_from_its_upload_to_a_job_and_its_end(
    api: Api, ports: SubmittingPorts, lora_ports: LoraPorts, sagemaker: SageMaker
) -> None:
    content = lora_file(salt="on the way")
    body = {"name": "mascot", "endpoint": "tiny", "bytes": len(content), "idempotency_key": "k1"}
    status, upload = api("POST", "/loras", body)
    assert status == 201
    put = urllib.request.Request(upload["url"], data=content, method="PUT", headers=upload["headers"])
    with urllib.request.urlopen(put, timeout=5):
        pass
    status, lora = api("POST", "/loras/mascot/check")
    assert (status, lora["sha256"]) == (200, hashlib.sha256(content).hexdigest())

    registry = Registry(lora_ports.store, lora_ports.files)
    made = trained(FakePictureStore(), training_id="trn-whole-way", samples_key=None)
    ports.pictures.write(made.file_key, lora_file(8, "trn-whole-way"), "application/octet-stream")
    assert [registry.register(made) for _ in range(2)] == [2, 2]
    assert [one["version"] for one in api("GET", "/loras/mascot")[1]["versions"]] == [2, 1]

    assert api("PATCH", "/loras/mascot", {"name": "crown", "scope": "workspace"})[0] == 200
    assert api("GET", "/loras/crown", arn=MALLORY.arn)[0] == 404
    asked = {"prompt": "a boat", "idempotency_key": "lora", "loras": [{"name": "crown", "version": 1, "weight": 0.8}]}
    job = Job.model_validate(api("POST", "/endpoints/tiny/jobs", asked)[1])
    location = sagemaker.invocations[-1]["x-amzn-sagemaker-inputlocation"]
    [weights] = GenerateRequest.model_validate_json(ports.pictures.read_location(location) or b"").loras
    assert (weights.name, weights.weight, weights.sha256) == ("crown", 0.8, lora["sha256"])
    assert ports.pictures.read(weights.key) == content
    assert api("GET", f"/jobs/{job.job_id}")[1]["settings"]["loras"] == [{"name": "crown", "version": 1, "weight": 0.8}]

    assert [one["version"] for one in api("DELETE", "/loras/crown")[1]["versions"]] == [2, 1]
    assert ports.pictures.read(weights.key) is None
    assert api("GET", "/loras")[1]["loras"] == []


def test_grants_are_kept_changed_and_recorded(api: Api) -> None:
    assert api("PUT", "/grants/member/U0ADA", {"role": "admin"})[0] == 200
    status, answer = api("PUT", "/grants/channel/C1", {"role": "artist", "limits": {"images_per_day": 50}})
    assert (status, answer["role_arn"]) == (200, "arn:aws:iam::123456789012:role/easel-artist")
    assert api("PUT", "/denies/member/U0EVE", {"reason": "spam"})[0] == 200
    assert api("DELETE", "/grants/member/U0ADA")[1]["code"] == "last_admin"
    assert api("PUT", "/words", {"words": ["boat"]})[0] == 200
    assert [entry["id"] for entry in api("GET", "/grants")[1]["entries"]] == ["C1", "U0ADA", "U0EVE"]
    actions = [entry["action"] for entry in api("GET", "/audit")[1]["entries"]]
    assert actions == ["put_words", "put_deny", "put_grant", "put_grant"]
    assert api("GET", "/grants", arn=MALLORY.arn)[1]["entries"] == []


def test_endpoints_are_listed_with_their_condition(api: Api) -> None:
    status, answer = api("GET", "/endpoints")
    assert status == 200
    assert [(found["name"], found["status"]) for found in answer["endpoints"]] == [("tiny", "ready")]


def test_an_endpoint_that_sagemaker_does_not_know_fails_the_job(
    api: Api, sagemaker: SageMaker, listener: Listener
) -> None:
    sagemaker.endpoints.clear()
    status, answer = api("POST", "/endpoints/tiny/jobs", {"prompt": "x", "idempotency_key": "refused"})
    assert (status, answer["state"], answer["failure"]["code"]) == (202, "failed", "start_failed")
    [event] = listener.received(1)
    assert event.event_id == f"{answer['job_id']}:failed"


def test_the_sweeper_starts_what_a_throttle_left_and_finds_what_no_completion_told(
    api: Api, ports: SubmittingPorts, sagemaker: SageMaker, listener: Listener
) -> None:
    sagemaker.faults += [(400, "ThrottlingException")] * 3
    status, answer = api("POST", "/endpoints/tiny/jobs", {"prompt": "x", "idempotency_key": "throttled"})
    assert (status, answer["state"]) == (202, "accepted")
    job_id = answer["job_id"]

    later = _later(ports, timedelta(minutes=2))
    assert sweep(None, later, FakeTrainings().ports) == {"queued": 1}
    record = ports.jobs.get(job_id)
    assert record is not None
    assert record.failure_location is not None
    manifest = manifest_of(record).model_dump_json().encode()
    ports.pictures.write(record.prefix + MANIFEST_NAME, manifest, "application/json")
    assert sweep(None, later, FakeTrainings().ports) == {}
    much_later = _later(ports, timedelta(hours=3))
    assert sweep(None, much_later, FakeTrainings().ports) == {"succeeded": 1}
    assert [event.event_id for event in listener.received(1)] == [f"{job_id}:succeeded"]
    assert sweep(None, much_later, FakeTrainings().ports) == {}


def _later(ports: SubmittingPorts, time: timedelta) -> SubmittingPorts:
    class Later(SystemClock):
        def now(self) -> Any:
            return super().now() + time

    return replace(ports, clock=Later())
