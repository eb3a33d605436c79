"""LoRAs of a job: from the request to what the endpoint is given, and to its failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from backend_lambda.aws.job_item import from_item, to_item
from backend_lambda.contract.errors import JobFailureCode
from backend_lambda.contract.jobs import Job, UsedLora
from backend_lambda.contract.loras import ChangeLora, LoraScope
from backend_lambda.usecases.change_lora import change_lora
from backend_lambda.usecases.delete_lora import delete_lora
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.refusals import FieldRefused, IdempotencyConflict, LoraNotFitting, LoraNotFound
from backend_lambda.usecases.register_lora import Registry
from backend_lambda.usecases.submit_job import fingerprint, submit_job
from backend_lambda.usecases.sweep_jobs import sweep_jobs
from endpoint.contract import EndpointError, EndpointErrorCode, LoraWeights
from tests.fakes.backend import ADA, BOB, BUCKET, MALLORY, FakeBackend, ask
from tests.fakes.loras import lora_of, trained, version_of

MASCOT = {"name": "mascot"}


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    backend.loras.write(lora_of("mascot", version_of(1), version_of(2, "trn-two", sha256="22" * 32, bytes=5_000)))
    return backend


def submit(backend: FakeBackend, *loras: dict[str, object], caller: object = ADA, key: str = "k1") -> Job:
    return submit_job(caller, "tiny", ask(key=key, loras=list(loras)), backend.ports)  # type: ignore[arg-type]


def weights(backend: FakeBackend, job: Job) -> list[LoraWeights]:
    return backend.request_of(backend.jobs.records[job.job_id]).loras


def test_the_endpoint_gets_the_newest_version_and_the_job_says_which(backend: FakeBackend) -> None:
    backend.loras.write(lora_of("ink", version_of(1, "trn-ink")))
    job = submit(backend, {"name": "mascot", "weight": 0.8}, {"name": "ink", "weight": -0.5})
    assert job.settings.loras == [
        UsedLora(name="mascot", version=2, weight=0.8),
        UsedLora(name="ink", version=1, weight=-0.5),
    ]
    assert weights(backend, job) == [
        LoraWeights(
            name="mascot",
            bucket=BUCKET,
            key="tenants/T0EASEL/loras/trn-two.safetensors",
            sha256="22" * 32,
            bytes=5_000,
            weight=0.8,
        ),
        LoraWeights(
            name="ink",
            bucket=BUCKET,
            key="tenants/T0EASEL/loras/trn-ink.safetensors",
            sha256="5a" * 32,
            bytes=4_000,
            weight=-0.5,
        ),
    ]


def test_a_named_version_paints_and_a_weight_is_one_by_itself(backend: FakeBackend) -> None:
    job = submit(backend, {"name": "mascot", "version": 1})
    assert job.settings.loras == [UsedLora(name="mascot", version=1, weight=1.0)]
    assert weights(backend, job)[0].key == "tenants/T0EASEL/loras/trn-one.safetensors"


def test_painting_again_takes_the_same_version_after_a_new_one_was_trained(backend: FakeBackend) -> None:
    first = submit(backend, MASCOT)
    Registry(backend.loras, backend.lora_files).register(trained(backend.pictures, training_id="trn-three"))
    assert submit(backend, MASCOT, key="k2").settings.loras[0].version == 3
    used = first.settings.loras[0]
    again = submit(backend, used.model_dump(), key="k3")
    assert weights(backend, again) == weights(backend, first)


def test_painting_again_never_takes_another_file_of_the_same_name(backend: FakeBackend) -> None:
    used = submit(backend, MASCOT).settings.loras[0]
    delete_lora(ADA, "mascot", None, backend.lora_ports)
    backend.loras.write(lora_of("crown", version_of(2, "trn-crown")))
    change_lora(ADA, "crown", ChangeLora(name="mascot"), backend.lora_ports)
    with pytest.raises(LoraNotFound):
        submit(backend, used.model_dump(), key="k2")
    assert submit(backend, MASCOT, key="k3").settings.loras[0].version == 3


def test_a_retired_one_paints_where_it_is_named_and_is_not_offered(backend: FakeBackend) -> None:
    change_lora(ADA, "mascot", ChangeLora(is_retired=True), backend.lora_ports)
    assert submit(backend, MASCOT).settings.loras[0].version == 2
    with pytest.raises(LoraNotFound) as refused:
        submit(backend, {"name": "mascto"}, key="k2")
    assert (refused.value.available, refused.value.allowed) == ([], "none yet")


def test_what_the_caller_may_not_use_is_not_there_and_what_they_may_is_named(backend: FakeBackend) -> None:
    backend.loras.write(lora_of("mine", scope=LoraScope.MEMBER))
    backend.loras.write(lora_of("here", scope=LoraScope.CHANNEL, channel="C1"))
    backend.loras.write(lora_of("xl", version_of(1, "trn-xl", model="other")))
    for caller, name, available in (
        (BOB, "mine", ["mascot"]),
        (BOB, "here", ["mascot"]),
        (replace(BOB, channel="C2"), "here", ["mascot"]),
        (replace(BOB, channel="C1"), "mine", ["here", "mascot"]),
        (MALLORY, "mascot", []),
        (ADA, "none", ["here", "mascot", "mine"]),
    ):
        with pytest.raises(LoraNotFound) as refused:
            submit(backend, {"name": name}, caller=caller)
        assert (refused.value.field, refused.value.given) == ("loras.0.name", name)
        assert refused.value.available == available
    assert submit(backend, {"name": "here"}, caller=replace(BOB, channel="C1")).settings.loras[0].name == "here"
    assert backend.jobs.records.keys() == {next(iter(backend.jobs.records))}


def test_a_version_that_there_is_not_is_told_those_there_are(backend: FakeBackend) -> None:
    with pytest.raises(LoraNotFound) as refused:
        submit(backend, {"name": "mascot", "version": 9})
    assert (refused.value.field, refused.value.available) == ("loras.0.version", ["1", "2"])


def test_one_that_was_made_for_another_model_does_not_fit(backend: FakeBackend) -> None:
    backend.loras.write(lora_of("xl", version_of(1, "trn-xl", model="other")))
    with pytest.raises(LoraNotFitting) as refused:
        submit(backend, MASCOT, {"name": "xl"})
    assert (refused.value.field, refused.value.given, refused.value.allowed) == ("loras.1.name", "other", "tiny")
    assert backend.jobs.records == {}


def test_the_same_one_twice_is_refused(backend: FakeBackend) -> None:
    with pytest.raises(FieldRefused) as refused:
        submit(backend, MASCOT, {"name": "mascot", "version": 1, "weight": 0.1})
    assert (refused.value.field, refused.value.given) == ("loras.1.name", "mascot")


def test_a_key_with_other_loras_is_a_conflict_and_with_the_same_the_same_job(backend: FakeBackend) -> None:
    job = submit(backend, MASCOT)
    assert submit(backend, MASCOT).job_id == job.job_id
    for other in ([], [{"name": "mascot", "weight": 0.5}], [{"name": "mascot", "version": 2}]):
        with pytest.raises(IdempotencyConflict):
            submit(backend, *other)
    # It was deleted since: a request that is repeated gets its job all the same.
    delete_lora(ADA, "mascot", None, backend.lora_ports)
    assert submit(backend, MASCOT).job_id == job.job_id


def test_requests_from_before_there_were_loras_are_the_same_as_now() -> None:
    # What the backend has written for this very request ever since.
    assert fingerprint("tiny", ask()) == "38d345fb92822f7bb2724dd19fbe85c0d936d856adab1c16545e8caa6c395f60"
    assert fingerprint("tiny", ask(loras=[MASCOT])) != fingerprint("tiny", ask())


def test_a_job_that_is_started_late_gets_the_version_that_it_was_accepted_with(backend: FakeBackend) -> None:
    backend.starter.busy.add("easel-tiny")
    job = submit(backend, MASCOT)
    Registry(backend.loras, backend.lora_files).register(trained(backend.pictures, training_id="trn-three"))
    backend.starter.busy.clear()
    backend.clock.go_on(timedelta(minutes=2))
    sweep_jobs(backend.ports, until=backend.clock.now() + timedelta(seconds=30))
    assert len(backend.starter.started) == 1
    assert weights(backend, job)[0].key.endswith("trn-two.safetensors")


def test_a_record_keeps_its_files(backend: FakeBackend) -> None:
    record = backend.jobs.records[submit(backend, MASCOT).job_id]
    assert record.loras
    assert from_item(to_item(record)) == record
    without = backend.jobs.records[submit(backend, key="k2").job_id]
    assert "loras" not in to_item(without)
    assert from_item(to_item(without)) == without


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("The LoRA mascot is no longer there.", "The LoRA mascot is no longer there."),
        ("", "A LoRA can't be used: it was deleted meanwhile, or it does not fit the model."),
    ],
)
def test_a_lora_that_was_deleted_meanwhile_fails_the_job_with_a_sentence(
    backend: FakeBackend, message: str, expected: str
) -> None:
    job = submit(backend, MASCOT)
    delete_lora(ADA, "mascot", None, backend.lora_ports)
    error = EndpointError(job_id=job.job_id, code=EndpointErrorCode.LORA_UNUSABLE, message=message)
    reason = f"Received client error (400) from model. {error.model_dump_json()}"
    record = finish_job(Completion(job.job_id, Outcome.FAILED, reason), backend.ports)
    assert record is not None and record.failure is not None
    assert (record.failure.code, record.failure.message) == (JobFailureCode.LORA_UNUSABLE, expected)
