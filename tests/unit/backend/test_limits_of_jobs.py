"""What jobs take of the limits that hold for them, what they give back, and what a refusal says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Entry
from backend_lambda.contract.errors import ErrorCode
from backend_lambda.contract.job_state import JobState
from backend_lambda.contract.jobs import Job
from backend_lambda.ports import CatalogEntry
from backend_lambda.recent_access import RecentAccess
from backend_lambda.usage import Count, Measure
from backend_lambda.usecases.delete_job import delete_job
from backend_lambda.usecases.finish_job import Completion, Outcome, finish_job
from backend_lambda.usecases.read_limits import read_limits
from backend_lambda.usecases.record_progress import record_progress
from backend_lambda.usecases.refusals import FieldRefused, IdempotencyConflict, LimitReached, Refusal
from backend_lambda.usecases.reserve_usage import FIRST_PACE, LEAST_SECONDS
from backend_lambda.usecases.submit_job import submit_job
from backend_lambda.usecases.sweep_jobs import sweep_jobs
from tests.fakes.backend import ADA, BOB, NOON, TINY, FakeBackend, ask, manifest_of
from tests.fakes.limiting import limiting, set_entries

CHANNEL = "T0EASEL|channel#C1|2026-11-23"
CHANNEL_NOW = "T0EASEL|channel#C1|now"
HERE = replace(ADA, channel="C1")
PIXELS = TINY.native_width * TINY.native_height


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


def limit(backend: FakeBackend, *entries: Entry, **limits: Any) -> None:
    """With `limits`, the channel's."""
    set_entries(backend.access, *entries, *([limiting("channel", "C1", **limits)] if limits else []))


def submit(backend: FakeBackend, key: str = "k1", caller: Caller = HERE, **more: object) -> Job:
    return submit_job(caller, "tiny", ask(key=key, **more), backend.ports)


def refused(backend: FakeBackend, key: str = "again", caller: Caller = HERE, **more: object) -> LimitReached:
    before = dict(backend.jobs.records)
    counters = {counter: dict(held) for counter, held in backend.jobs.counters.items()}
    with pytest.raises(LimitReached) as error:
        submit(backend, key, caller, **more)
    assert backend.jobs.records == before
    assert backend.jobs.counters == counters
    assert error.value.code is ErrorCode.LIMIT_REACHED
    return error.value


def used(backend: FakeBackend, measure: Measure = Measure.IMAGES, counter: str = CHANNEL) -> int:
    return backend.jobs.counters.get(counter, {}).get(measure, 0)


# ---------------------------------------------------------------- taking


def test_nothing_is_counted_where_nothing_is_limited(backend: FakeBackend) -> None:
    limit(backend, limiting("channel", "C2", images_per_day=1), limiting("channel", "C1", max_steps=30))
    job = submit(backend, pictures=4)
    assert backend.jobs.counters == {}
    assert backend.jobs.records[job.job_id].holds == ()


def test_pictures_are_counted_until_there_are_none_left(backend: FakeBackend) -> None:
    limit(backend, images_per_day=7)
    submit(backend, "k1", pictures=4)
    submit(backend, "k2", pictures=2)
    refusal = refused(backend, pictures=4)
    assert refusal.message == "This channel has 1 of 7 pictures left today; you asked for 4. Resets at 00:00 UTC."
    assert refusal.limit is not None
    assert (refusal.limit.name, refusal.limit.kind, refusal.limit.id) == ("images_per_day", "channel", "C1")
    assert (refusal.limit.used, refusal.limit.most, refusal.limit.each_member) == (6, 7, False)
    assert refusal.limit.resets_at == NOON + timedelta(hours=12)
    submit(backend, "k3", BOB_HERE, pictures=1)
    assert used(backend) == 7
    assert refused(backend).limit.used == 7  # type: ignore[union-attr]
    # Elsewhere there is no such limit, and tomorrow there is a new day.
    submit(backend, "k4", replace(ADA, channel="C2"), pictures=4)
    backend.clock.go_on(timedelta(hours=12))
    submit(backend, "k5", pictures=4)
    assert used(backend) == 7


BOB_HERE = replace(BOB, channel="C1")


def test_a_job_holds_what_it_took(backend: FakeBackend) -> None:
    limit(backend, images_per_day=7, jobs_at_once=2, gpu_seconds_per_day=600)
    record = backend.jobs.records[submit(backend, pictures=2).job_id]
    estimate = LEAST_SECONDS * 1_000 + 2 * 20 * PIXELS * FIRST_PACE / 1_000
    assert set(record.holds) == {
        Count(CHANNEL, Measure.IMAGES, 2),
        Count(CHANNEL, Measure.GPU_MS, int(estimate) + 1),
        Count(CHANNEL_NOW, Measure.JOBS, 1),
    }


def test_all_limits_hold_at_once_and_a_refusal_takes_nothing(backend: FakeBackend) -> None:
    limit(
        backend,
        limiting("workspace", "T0EASEL", images_per_day=100),
        limiting("channel", "C1", images_per_day=10),
        limiting("member", "U0ADA", images_per_day=3),
    )
    submit(backend, "k1", pictures=3)
    assert refused(backend).message == "You have 0 of 3 pictures left today; you asked for 1. Resets at 00:00 UTC."
    for number in range(7):
        submit(backend, f"b{number}", BOB_HERE)
    assert refused(backend, caller=BOB_HERE).limit.kind == "channel"  # type: ignore[union-attr]


def test_the_same_key_never_counts_twice_and_is_answered_when_the_limit_is_reached(backend: FakeBackend) -> None:
    limit(backend, images_per_day=2)
    first = submit(backend, pictures=2)
    for _ in range(3):
        assert submit(backend, pictures=2) == first
    assert used(backend) == 2
    limit(backend, images_per_day=0, max_steps=1, models=["other"])
    assert submit(backend, pictures=2) == first
    with pytest.raises(IdempotencyConflict):
        submit(backend, pictures=1)


def test_a_refused_key_may_come_again(backend: FakeBackend) -> None:
    limit(backend, images_per_day=1)
    refused(backend, "k1", pictures=2)
    limit(backend, images_per_day=2)
    assert submit(backend, "k1", pictures=2).state is JobState.QUEUED


def test_two_hundred_at_once_against_fifty_let_exactly_fifty_through(backend: FakeBackend) -> None:
    limit(backend, images_per_day=50)

    def one(number: int) -> str | None:
        try:
            return submit(backend, f"k{number}").job_id
        except LimitReached:
            return None

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(one, range(200)))
    through = [job_id for job_id in answers if job_id is not None]
    assert len(through) == 50 == used(backend)
    for job_id in through[:20]:
        delete_job(HERE, job_id, backend.ports)
    assert used(backend) == 30
    with ThreadPoolExecutor(32) as pool:
        assert len([job_id for job_id in pool.map(one, range(200, 400)) if job_id]) == 20


def test_jobs_at_once_are_those_that_have_not_ended(backend: FakeBackend) -> None:
    limit(backend, jobs_at_once=2, each_member=True)
    first = submit(backend, "k1")
    submit(backend, "k2")
    submit(backend, "k3", BOB_HERE)
    refusal = refused(backend)
    assert refusal.message == (
        "You have 2 of at most 2 jobs at once under way in this channel. Try again when one has ended."
    )
    assert refusal.limit is not None
    assert refusal.limit.resets_at is None
    delete_job(ADA, first.job_id, backend.ports)
    submit(backend, "k4")
    refused(backend)


def test_a_limit_of_nothing_says_so(backend: FakeBackend) -> None:
    limit(backend, images_per_day=0)
    assert refused(backend).message == "This channel's limit is 0 pictures a day."
    limit(backend, limiting("workspace", "T0EASEL", jobs_at_once=0, each_member=True))
    assert refused(backend).message == "Your limit is 0 jobs at once."
    limit(backend, limiting("workspace", "T0EASEL", gpu_seconds_per_day=0))
    assert refused(backend).message == "This workspace's limit is 0 GPU seconds a day."


def test_a_limit_that_was_lowered_has_nothing_left(backend: FakeBackend) -> None:
    limit(backend, images_per_day=10)
    submit(backend, pictures=4)
    limit(backend, images_per_day=3)
    assert refused(backend).message.startswith("This channel has 0 of 3 pictures left today")


def test_the_day_counts_before_what_is_over_soon(backend: FakeBackend) -> None:
    limit(backend, images_per_day=1, jobs_at_once=1)
    submit(backend)
    assert refused(backend).limit.name == "images_per_day"  # type: ignore[union-attr]


# ---------------------------------------------------------------- what is remembered of the grants


def test_a_burst_reads_the_grants_once_and_nothing_is_refused_by_what_was_remembered(backend: FakeBackend) -> None:
    seconds = 0.0
    reads: list[str] = []

    class Counting:
        def read(self, tenant: str) -> Any:
            reads.append(tenant)
            return backend.access.read(tenant)

    backend.recent_access = RecentAccess(Counting(), lambda: seconds)
    limit(backend, images_per_day=1)
    submit(backend, "k1")
    submit(backend, "k2", replace(ADA, channel="C2"))
    assert reads == ["T0EASEL"]
    limit(backend, images_per_day=3)
    submit(backend, "k3")
    limit(backend, images_per_day=2)
    # What is remembered may let through for five seconds what no longer should.
    seconds = 4.9
    refused(backend)
    seconds = 5.0
    limit(backend)
    submit(backend, "k4")
    assert len(reads) == 2
    assert used(backend) == 2


# ---------------------------------------------------------------- GPU time


def test_gpu_time_is_estimated_and_then_what_it_took(backend: FakeBackend) -> None:
    limit(backend, gpu_seconds_per_day=5)
    record = backend.jobs.records[submit(backend, pictures=4).job_id]
    assert used(backend, Measure.GPU_MS) == pytest.approx(250 + 4 * 20 * PIXELS * FIRST_PACE / 1_000, abs=1)
    backend.paint(record)
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    assert used(backend, Measure.GPU_MS) == 1_800
    entry = backend.catalog.find("tiny")
    assert entry is not None
    assert entry.pace == pytest.approx(1.8 / (4 * 20 * PIXELS / 1_000_000))
    # The next estimate is as good as the last job.
    submit(backend, "k2", pictures=4)
    assert used(backend, Measure.GPU_MS) == pytest.approx(3_850, abs=1)
    refusal = refused(backend, pictures=4)
    assert refusal.message == (
        "This channel has 1 of 5 GPU seconds left today; this needs about 3. Resets at 00:00 UTC."
    )
    assert refusal.limit is not None
    assert refusal.limit.used == pytest.approx(3.85, abs=0.01)


def test_more_time_than_was_estimated_is_counted_too(backend: FakeBackend) -> None:
    limit(backend, gpu_seconds_per_day=1)
    record = backend.jobs.records[submit(backend).job_id]
    backend.paint(record)
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    assert used(backend, Measure.GPU_MS) == 1_800
    assert refused(backend).message.startswith("This channel has 0 of 1 GPU second left today")


def test_even_the_smallest_job_takes_some_time(backend: FakeBackend) -> None:
    backend.catalog.add(CatalogEntry("tiny", "easel-tiny", TINY, pace=1e-9))
    limit(backend, gpu_seconds_per_day=1)
    for number in range(3):
        submit(backend, f"k{number}", steps=1, width=64, height=64)
    assert used(backend, Measure.GPU_MS) == pytest.approx(3 * LEAST_SECONDS * 1_000, abs=3)
    assert refused(backend, steps=1, width=64, height=64).limit is not None


def test_an_endpoint_that_reports_nonsense_is_believed_no_more_than_an_hour(backend: FakeBackend) -> None:
    limit(backend, gpu_seconds_per_day=1)
    record = backend.jobs.records[submit(backend).job_id]
    manifest = manifest_of(record)
    timings = manifest.timings.model_copy(update={"total_seconds": 1e12})
    backend.pictures.write(
        record.prefix + "manifest.json", manifest.model_copy(update={"timings": timings}).model_dump_json().encode(), ""
    )
    finish_job(Completion(record.job_id, Outcome.COMPLETED), backend.ports)
    assert used(backend, Measure.GPU_MS) == 3_600_000


# ---------------------------------------------------------------- giving back


@pytest.fixture
def all_limited(backend: FakeBackend) -> FakeBackend:
    limit(backend, images_per_day=50, gpu_seconds_per_day=600, jobs_at_once=5)
    return backend


def held(backend: FakeBackend) -> tuple[int, int, int]:
    """Pictures, milliseconds, jobs."""
    return used(backend), used(backend, Measure.GPU_MS), used(backend, Measure.JOBS, CHANNEL_NOW)


def test_succeeded_keeps_its_pictures_and_so_does_deleted(all_limited: FakeBackend) -> None:
    record = all_limited.jobs.records[submit(all_limited, pictures=3).job_id]
    all_limited.paint(record)
    for _ in range(2):
        finish_job(Completion(record.job_id, Outcome.COMPLETED), all_limited.ports)
    assert held(all_limited) == (3, 1_800, 0)
    for _ in range(2):
        delete_job(ADA, record.job_id, all_limited.ports)
    assert held(all_limited) == (3, 1_800, 0)
    assert all_limited.jobs.records[record.job_id].holds == (
        Count(CHANNEL, Measure.IMAGES, 3),
        Count(CHANNEL, Measure.GPU_MS, 1_800),
    )


def test_failed_gives_everything_back(all_limited: FakeBackend) -> None:
    record = all_limited.jobs.records[submit(all_limited, pictures=3).job_id]
    for _ in range(2):
        finish_job(Completion(record.job_id, Outcome.FAILED), all_limited.ports)
    assert held(all_limited) == (0, 0, 0)
    assert all_limited.jobs.records[record.job_id].holds == ()


def test_one_that_failed_on_the_way_keeps_the_time_it_had(all_limited: FakeBackend) -> None:
    record = all_limited.jobs.records[submit(all_limited, pictures=3).job_id]
    reserved = held(all_limited)[1]
    record_progress(record.job_id, all_limited.report(record, 0), all_limited.ports)
    all_limited.clock.go_on(timedelta(milliseconds=reserved - 100))
    finish_job(Completion(record.job_id, Outcome.FAILED), all_limited.ports)
    assert held(all_limited) == (0, reserved - 100, 0)


def test_one_that_never_was_started_gives_everything_back(all_limited: FakeBackend) -> None:
    all_limited.starter.refusing.add("easel-tiny")
    assert submit(all_limited).state is JobState.FAILED
    assert held(all_limited) == (0, 0, 0)


def test_a_lost_one_gives_everything_back(all_limited: FakeBackend) -> None:
    submit(all_limited, pictures=2)
    all_limited.clock.go_on(timedelta(hours=3))
    sweep_jobs(all_limited.ports, until=all_limited.clock.now() + timedelta(minutes=1))
    assert held(all_limited) == (0, 0, 0)


@pytest.mark.parametrize(("seconds", "kept"), [(0.05, 50), (2, None), (-5, 0)])
def test_cancelled_keeps_the_time_since_it_was_begun(
    all_limited: FakeBackend, seconds: float, kept: int | None
) -> None:
    record = all_limited.jobs.records[submit(all_limited, pictures=3).job_id]
    reserved = used(all_limited, Measure.GPU_MS)
    record_progress(record.job_id, all_limited.report(record, 0), all_limited.ports)
    all_limited.clock.go_on(timedelta(seconds=seconds))
    for _ in range(2):
        delete_job(ADA, record.job_id, all_limited.ports, only_open=True)
    assert held(all_limited) == (0, reserved if kept is None else kept, 0)
    # A completion after that changes nothing any more.
    all_limited.paint(record)
    finish_job(Completion(record.job_id, Outcome.COMPLETED), all_limited.ports)
    assert held(all_limited) == (0, reserved if kept is None else kept, 0)


def test_cancelled_before_it_was_begun_keeps_nothing(all_limited: FakeBackend) -> None:
    job = submit(all_limited)
    all_limited.clock.go_on(timedelta(minutes=5))
    delete_job(ADA, job.job_id, all_limited.ports)
    assert held(all_limited) == (0, 0, 0)


def test_what_was_taken_yesterday_is_given_back_to_yesterday(all_limited: FakeBackend) -> None:
    record = all_limited.jobs.records[submit(all_limited, pictures=3).job_id]
    all_limited.clock.go_on(timedelta(hours=12))
    submit(all_limited, "k2", pictures=1)
    finish_job(Completion(record.job_id, Outcome.FAILED), all_limited.ports)
    assert used(all_limited) == 0
    assert used(all_limited, counter="T0EASEL|channel#C1|2026-11-24") == 1


def test_a_counter_that_is_gone_is_no_obstacle(all_limited: FakeBackend) -> None:
    record = all_limited.jobs.records[submit(all_limited).job_id]
    del all_limited.jobs.counters[CHANNEL]
    finish_job(Completion(record.job_id, Outcome.FAILED), all_limited.ports)
    assert all_limited.jobs.records[record.job_id].state is JobState.FAILED
    assert CHANNEL not in all_limited.jobs.counters
    assert held(all_limited) == (0, 0, 0)


def test_a_limit_that_goes_while_a_job_runs_leaves_no_trace(all_limited: FakeBackend) -> None:
    record = all_limited.jobs.records[submit(all_limited).job_id]
    limit(all_limited)
    finish_job(Completion(record.job_id, Outcome.FAILED), all_limited.ports)
    assert held(all_limited) == (0, 0, 0)


# ---------------------------------------------------------------- ceilings


def test_what_is_asked_for_beyond_a_ceiling_is_refused_by_name(backend: FakeBackend) -> None:
    limit(
        backend,
        limiting("workspace", "T0EASEL", max_steps=30),
        limiting("channel", "C1", max_pixels=128 * 128),
        limiting("member", "U0ADA", max_steps=15),
    )

    def refusal(**more: object) -> tuple[str, str | None, str | None, str | None]:
        with pytest.raises(FieldRefused) as error:
            submit(backend, **more)
        return error.value.message, error.value.field, error.value.given, error.value.allowed

    assert refusal(steps=16) == ("Your own limit allows at most 15 steps.", "steps", "16", "1 to 15")
    assert refusal(width=256, height=128) == (
        "This channel allows at most 16384 pixels in a picture.",
        "width",
        "256x128",
        "at most 16384 pixels in all, such as 128x128",
    )
    # What the model itself can't do is refused first, in its name.
    assert refusal(steps=51)[0] == "The model Miniature takes at most 50 steps."
    assert backend.jobs.records == {}


def test_what_is_left_out_takes_what_the_limits_allow(backend: FakeBackend) -> None:
    limit(backend, max_steps=12, max_pixels=96 * 96)
    plain = submit(backend).settings
    assert (plain.steps, plain.width, plain.height) == (12, 96, 96)
    wide = submit(backend, "k2", aspect_ratio="3:2").settings
    assert wide.width > wide.height
    assert wide.width * wide.height <= 96 * 96
    odd = submit(backend, "k3", width=90, height=100).settings
    assert odd.width * odd.height <= 96 * 96


def test_a_ceiling_below_the_smallest_size_refuses_all(backend: FakeBackend) -> None:
    limit(backend, max_pixels=64 * 64 - 1)
    for number, more in enumerate(({}, {"width": 64, "height": 64}, {"aspect_ratio": "1:1"})):
        with pytest.raises(FieldRefused) as error:
            submit(backend, f"k{number}", **more)
        assert error.value.allowed == "at most 4095 pixels in all"


def test_models_that_are_not_allowed_are_refused_with_those_that_are(backend: FakeBackend) -> None:
    limit(backend, limiting("workspace", "T0EASEL", models=["big", "bigger"]))
    with pytest.raises(FieldRefused) as error:
        submit(backend)
    assert error.value.message == "This workspace allows only these: big, bigger."
    assert (error.value.field, error.value.given, error.value.available) == ("endpoint", "tiny", ["big", "bigger"])
    many = [f"model-{number}" for number in range(20)]
    limit(backend, limiting("workspace", "T0EASEL", models=many))
    with pytest.raises(FieldRefused) as error:
        submit(backend)
    assert error.value.message == "This workspace allows only these: model-0, model-1, model-10 and 17 more."
    assert error.value.available == sorted(many)
    limit(backend, limiting("workspace", "T0EASEL", models=["tiny", "big"]), limiting("channel", "C1", models=["big"]))
    with pytest.raises(FieldRefused) as error:
        submit(backend)
    assert error.value.message == "This workspace and this channel together allow only this model: big."
    limit(backend, limiting("workspace", "T0EASEL", models=["tiny"]), limiting("member", "U0ADA", models=["big"]))
    with pytest.raises(FieldRefused) as error:
        submit(backend)
    assert error.value.message == (
        "No model is allowed here: the lists of this workspace and your own limit have none in common."
    )


# ---------------------------------------------------------------- looking at them


def test_what_is_left_can_be_read(backend: FakeBackend) -> None:
    def read(caller: Caller = HERE) -> dict[str, Any]:
        return read_limits(caller, backend.access, backend.jobs, backend.clock).model_dump(mode="json")

    assert read() == {"allowances": [], "max_pixels": None, "max_steps": None, "models": None}
    limit(
        backend,
        limiting("workspace", "T0EASEL", images_per_day=9, gpu_seconds_per_day=100, each_member=True),
        limiting("channel", "C1", jobs_at_once=2, max_steps=20, max_pixels=20_000, models=["tiny"]),
    )
    submit(backend, pictures=4)
    found = read()
    midnight = "2026-11-24T00:00:00Z"
    workspace = {"kind": "workspace", "id": "T0EASEL", "each_member": True, "resets_at": midnight}
    estimate = found["allowances"][1]["used"]
    assert estimate == pytest.approx(0.25 + 4 * 20 * PIXELS * FIRST_PACE / 1_000_000, abs=0.001)
    assert found == {
        "allowances": [
            {"name": "images_per_day", "used": 4, "most": 9, **workspace},
            {"name": "gpu_seconds_per_day", "used": estimate, "most": 100, **workspace},
            {
                "name": "jobs_at_once",
                "kind": "channel",
                "id": "C1",
                "each_member": False,
                "used": 1,
                "most": 2,
                "resets_at": None,
            },
        ],
        "max_pixels": 20_000,
        "max_steps": 20,
        "models": ["tiny"],
    }
    assert [allowance["used"] for allowance in read(BOB_HERE)["allowances"]] == [0, 0, 1]
    assert len(read(BOB)["allowances"]) == 2


def test_refusals_are_no_more_than_a_line_and_start_with_a_capital(backend: FakeBackend) -> None:
    kinds = {"workspace": "T0EASEL", "channel": "C1", "usergroup": "S1", "member": "U0ADA"}
    names = {"images_per_day": 1_000_000, "gpu_seconds_per_day": 10_000_000, "jobs_at_once": 10_000}
    caller = replace(HERE, usergroup="S1")
    for kind, subject in kinds.items():
        for name, most in names.items():
            for each in (True, False):
                limit(backend, limiting(kind, subject, **{name: most}, each_member=each))
                job = submit(backend, f"{kind}{name}{each}", caller)
                for counter in backend.jobs.records[job.job_id].holds:
                    backend.jobs.counters[counter.counter][counter.measure] = most * 1_000
                with pytest.raises(Refusal) as error:
                    submit(backend, "more", caller)
                assert error.value.message[0].isupper()
                assert error.value.message.endswith(".")
                assert len(error.value.message) < 150
                json.dumps(error.value.limit.model_dump(mode="json"))  # type: ignore[union-attr]
