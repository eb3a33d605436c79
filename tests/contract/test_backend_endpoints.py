"""The contracts of `EndpointCatalog` and `EndpointMonitor`, over the fakes and over DynamoDB and SageMaker."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import botocore.session
import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.dynamodb_endpoints import DynamoEndpointCatalog, DynamoPaceBook
from backend_lambda.aws.sagemaker_monitor import STATUSES, SageMakerMonitor
from backend_lambda.contract.endpoints import EndpointStatus
from backend_lambda.ports import CatalogEntry, EndpointCatalog, EndpointCondition, PaceBook, TrainingMachine
from tests.contract.conftest import SageMaker
from tests.fakes.backend import TINY, FakeCatalog, FakePaceBook
from tests.fakes.backend_trainings import MACHINE


@dataclass
class Catalog:
    """A catalog, and how an operator adds to it."""

    port: EndpointCatalog
    paces: PaceBook
    add: Callable[[CatalogEntry], None]


class Seconds:
    """A clock for what is remembered."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def put_entry(aws: Clients, table: str, entry: CatalogEntry) -> None:
    """Write an endpoint as the deploy command does."""
    aws("dynamodb").put_item(
        TableName=table,
        Item={
            "name": {"S": entry.name},
            "sagemaker_endpoint_name": {"S": entry.sagemaker_endpoint_name},
            "card": {"S": entry.card.model_dump_json()},
            **({"training": {"S": json.dumps(_training(entry.training))}} if entry.training is not None else {}),
        },
    )


def _training(machine: TrainingMachine) -> dict[str, object]:
    offer = machine.offer.model_dump(mode="json")
    return offer | {"image_uri": machine.image_uri, "warm_pool_seconds": machine.warm_pool_seconds}


@pytest.fixture(params=["fake", "dynamodb"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    if request.param == "fake":
        fake = FakeCatalog()
        return Catalog(fake, FakePaceBook(fake), fake.add)
    aws: Clients = request.getfixturevalue("aws")
    table: str = request.getfixturevalue("endpoints_table")
    seconds = Seconds()

    def later() -> float:
        # Nothing is remembered: every question is a minute after the one before.
        seconds.now += 60
        return seconds.now

    return Catalog(
        DynamoEndpointCatalog(aws.of("dynamodb"), table, later),
        DynamoPaceBook(aws.of("dynamodb"), table),
        lambda entry: put_entry(aws, table, entry),
    )


TINY_ENTRY = CatalogEntry("tiny", "easel-tiny", TINY)
BIG_ENTRY = CatalogEntry("big", "easel-big", TINY.model_copy(update={"name": "sdxl", "license": "openrail"}))


def test_what_trains_an_endpoints_model_is_read_as_it_was_written(catalog: Catalog) -> None:
    able = CatalogEntry("tiny", "easel-tiny", TINY, training=MACHINE)
    catalog.add(able)
    assert catalog.port.find("tiny") == able


@pytest.mark.parametrize("training", ["", "{}", "[]", "null", '{"image_uri": "x", "instance_type": "ml.g5.xlarge"}'])
def test_an_offer_that_can_not_be_read_is_none_and_the_endpoint_paints(
    aws: Clients, endpoints_table: str, training: str
) -> None:
    put_entry(aws, endpoints_table, TINY_ENTRY)
    aws("dynamodb").update_item(
        TableName=endpoints_table,
        Key={"name": {"S": "tiny"}},
        UpdateExpression="SET training = :training",
        ExpressionAttributeValues={":training": {"S": training}},
    )
    assert DynamoEndpointCatalog(aws.of("dynamodb"), endpoints_table).find("tiny") == TINY_ENTRY


def test_an_empty_catalog_has_nothing(catalog: Catalog) -> None:
    assert catalog.port.entries() == []
    assert catalog.port.find("tiny") is None
    assert catalog.port.find("") is None


def test_entries_come_by_name_and_are_found_at_once(catalog: Catalog) -> None:
    assert catalog.port.find("tiny") is None
    catalog.add(TINY_ENTRY)
    catalog.add(BIG_ENTRY)
    assert catalog.port.find("tiny") == TINY_ENTRY
    assert catalog.port.find("tiny") == TINY_ENTRY
    assert catalog.port.entries() == [BIG_ENTRY, TINY_ENTRY]


def pace_of(catalog: Catalog) -> float | None:
    entry = catalog.port.find("tiny")
    assert entry is not None
    return entry.pace


def test_a_pace_is_the_average_of_the_work_done(catalog: Catalog) -> None:
    catalog.add(TINY_ENTRY)
    assert pace_of(catalog) is None
    catalog.paces.note("tiny", steps_of_megapixels=2.0, seconds=1.0)
    assert pace_of(catalog) == pytest.approx(0.5)
    # By work and not by jobs: a large one weighs more.
    catalog.paces.note("tiny", steps_of_megapixels=8.0, seconds=9.0)
    assert pace_of(catalog) == pytest.approx(1.0)
    assert [entry.pace for entry in catalog.port.entries()] == [pytest.approx(1.0)]


def test_the_pace_of_an_endpoint_that_is_gone_is_no_endpoint(catalog: Catalog) -> None:
    catalog.paces.note("gone", steps_of_megapixels=2.0, seconds=1.0)
    assert catalog.port.find("gone") is None
    assert catalog.port.entries() == []


def test_old_jobs_are_forgotten_and_none_is_lost_among_many_at_once(aws: Clients, endpoints_table: str) -> None:
    put_entry(aws, endpoints_table, TINY_ENTRY)
    paces = DynamoPaceBook(aws.of("dynamodb"), endpoints_table)

    def note(times: int, seconds: float) -> tuple[float, int]:
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda _: paces.note("tiny", steps_of_megapixels=1.0, seconds=seconds), range(times)))
        item = aws("dynamodb").get_item(TableName=endpoints_table, Key={"name": {"S": "tiny"}})["Item"]
        jobs, milliseconds, work = (int(item[name]["N"]) for name in ("paced_jobs", "paced_ms", "paced_work"))
        return milliseconds / work, jobs

    assert note(50, 1.0) == (pytest.approx(1.0), 50)
    pace, jobs = note(100, 3.0)
    assert 32 <= jobs < 74
    # An endpoint that has become slower is believed after a hundred jobs.
    assert 2.4 < pace <= 3.0


def test_a_pace_that_can_not_be_noted_is_lost_and_no_error(aws: Clients, caplog: pytest.LogCaptureFixture) -> None:
    DynamoPaceBook(aws.of("dynamodb"), "no-such-table").note("tiny", steps_of_megapixels=1.0, seconds=1.0)
    DynamoPaceBook(aws.of("dynamodb"), "no-such-table").note("tiny", steps_of_megapixels=0.0, seconds=1.0)
    # The second has nothing to note and asks nobody.
    assert [record.message for record in caplog.records].count("an endpoint's pace was not noted") == 1


def test_a_changed_card_is_seen_after_half_a_minute(aws: Clients, endpoints_table: str) -> None:
    seconds = Seconds()
    catalog = DynamoEndpointCatalog(aws.of("dynamodb"), endpoints_table, seconds)
    put_entry(aws, endpoints_table, TINY_ENTRY)
    assert catalog.find("tiny") == TINY_ENTRY
    changed = CatalogEntry("tiny", "easel-tiny-2", TINY)
    put_entry(aws, endpoints_table, changed)
    seconds.now = 29
    assert catalog.find("tiny") == TINY_ENTRY
    seconds.now = 31
    assert catalog.find("tiny") == changed
    aws("dynamodb").delete_item(TableName=endpoints_table, Key={"name": {"S": "tiny"}})
    seconds.now = 70
    assert catalog.find("tiny") is None


def test_an_item_that_cannot_be_read_hides_itself_alone(aws: Clients, endpoints_table: str) -> None:
    put_entry(aws, endpoints_table, TINY_ENTRY)
    broken = {"name": {"S": "broken"}, "sagemaker_endpoint_name": {"S": "x"}, "card": {"S": "{}"}}
    aws("dynamodb").put_item(TableName=endpoints_table, Item=broken)
    catalog = DynamoEndpointCatalog(aws.of("dynamodb"), endpoints_table)
    assert catalog.entries() == [TINY_ENTRY]
    assert catalog.find("broken") is None


def test_every_state_of_sagemaker_is_known() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    assert set(STATUSES) == set(model.shape_for("EndpointStatus").enum)


@pytest.mark.parametrize(("given", "expected"), STATUSES.items())
def test_a_state_of_sagemaker_is_told_as_clients_need_it(
    sagemaker: SageMaker, sagemaker_clients: Clients, given: str, expected: EndpointStatus
) -> None:
    sagemaker.endpoints["easel-tiny"] = {
        "EndpointStatus": given,
        "ProductionVariants": [{"VariantName": "a", "CurrentInstanceCount": 2}, {"VariantName": "b"}],
    }
    monitor = SageMakerMonitor(sagemaker_clients.of("sagemaker"))
    assert monitor.condition("easel-tiny") == EndpointCondition(expected, 2)


def test_an_endpoint_without_instances_is_ready(sagemaker: SageMaker, sagemaker_clients: Clients) -> None:
    sagemaker.endpoints["easel-tiny"] = {
        "EndpointStatus": "InService",
        "ProductionVariants": [{"VariantName": "a", "CurrentInstanceCount": 0}],
    }
    monitor = SageMakerMonitor(sagemaker_clients.of("sagemaker"))
    assert monitor.condition("easel-tiny") == EndpointCondition(EndpointStatus.READY, 0)


def test_a_missing_endpoint_and_a_new_state(sagemaker: SageMaker, sagemaker_clients: Clients) -> None:
    seconds = Seconds()
    monitor = SageMakerMonitor(sagemaker_clients.of("sagemaker"), seconds)
    assert monitor.condition("easel-tiny") == EndpointCondition(EndpointStatus.MISSING, 0)
    sagemaker.endpoints["easel-tiny"] = {"EndpointStatus": "Levitating"}
    assert monitor.condition("easel-tiny").status is EndpointStatus.MISSING
    seconds.now = 31
    assert monitor.condition("easel-tiny") == EndpointCondition(EndpointStatus.FAILED, 0)
