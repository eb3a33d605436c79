"""How a finished training's LoRA gets into the registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import ChangeLora, ImportLora, LoraScope
from backend_lambda.lora_ports import LoraNotRegistrable
from backend_lambda.lora_record import MAX_VERSIONS, file_key, samples_key
from backend_lambda.usecases.change_lora import change_lora
from backend_lambda.usecases.delete_lora import delete_lora
from backend_lambda.usecases.import_lora import check_lora, import_lora
from backend_lambda.usecases.list_loras import list_loras, read_lora
from backend_lambda.usecases.refusals import LoraNameTaken
from backend_lambda.usecases.register_lora import Registry
from tests.fakes.backend import ADA, BOB, NOON, FakeBackend
from tests.fakes.loras import SETTINGS, lora_file, lora_of, trained, version_of


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def registry(backend: FakeBackend) -> Registry:
    return Registry(backend.loras, backend.lora_files)


def lora_files(backend: FakeBackend) -> set[str]:
    return backend.pictures.below("tenants/T0EASEL/loras/")


def test_it_is_listed_for_everybody_with_its_card_and_files_of_its_own(
    backend: FakeBackend, registry: Registry
) -> None:
    made = trained(backend.pictures)
    assert registry.register(made) == 1
    # The training's own files may go now.
    backend.pictures.delete_below("tenants/T0EASEL/trainings/trn-one/", keep="")
    [lora] = list_loras(BOB, backend.lora_ports, position=None).loras
    assert (lora.name, lora.version, lora.scope, lora.is_retired) == ("mascot", 1, LoraScope.WORKSPACE, False)
    assert (lora.owner, lora.training_id, lora.settings, lora.rank) == (made.owner, "trn-one", SETTINGS, 8)
    assert (lora.trigger, lora.licence_note, lora.final_loss) == ("zblx", "ours", 0.03)
    assert (lora.bytes, lora.sha256, lora.dataset_pictures) == (made.bytes, made.sha256, 8)
    assert backend.pictures.read(file_key("T0EASEL", "trn-one")) == lora_file(8, "trn-one")
    assert backend.pictures.read(samples_key("T0EASEL", "trn-one")) == b"png"


def test_twice_registers_once(backend: FakeBackend, registry: Registry) -> None:
    made = trained(backend.pictures)
    assert [registry.register(made) for _ in range(3)] == [1, 1, 1]
    assert len(read_lora(ADA, "mascot", backend.lora_ports).versions) == 1


def test_two_deliveries_at_once_register_once(backend: FakeBackend, registry: Registry) -> None:
    made = trained(backend.pictures)
    backend.loras.meanwhile = lambda: registry.register(made)
    assert registry.register(made) == 1
    assert len(read_lora(ADA, "mascot", backend.lora_ports).versions) == 1
    assert lora_files(backend) == {"trn-one.safetensors", "trn-one-samples.png"}


def test_a_deleted_version_stays_deleted_however_often_it_is_told(backend: FakeBackend, registry: Registry) -> None:
    made = trained(backend.pictures)

    def told_and_deleted() -> None:
        registry.register(made)
        delete_lora(ADA, "mascot", None, backend.lora_ports)

    backend.loras.meanwhile = told_and_deleted
    assert registry.register(made) == 1
    assert registry.register(made) == 1
    assert list_loras(ADA, backend.lora_ports, position=None).loras == []
    assert lora_files(backend) == set()


def test_whoever_dies_half_way_is_followed_by_another_try(backend: FakeBackend, registry: Registry) -> None:
    made = trained(backend.pictures)

    def die() -> None:
        raise ConnectionError

    for step in ("copy", "write"):
        if step == "copy":
            backend.lora_files.before_copy = die
        else:
            backend.loras.meanwhile = die
        with pytest.raises(ConnectionError):
            registry.register(made)
        assert list_loras(ADA, backend.lora_ports, position=None).loras == []
    assert registry.register(made) == 1


def test_the_owners_next_training_is_the_next_version_and_offers_it_again(
    backend: FakeBackend, registry: Registry
) -> None:
    registry.register(trained(backend.pictures))
    change_lora(ADA, "mascot", ChangeLora(is_retired=True, scope=LoraScope.MEMBER), backend.lora_ports)
    assert registry.register(trained(backend.pictures, training_id="trn-two")) == 2
    [lora] = list_loras(ADA, backend.lora_ports, position=None).loras
    assert (lora.version, lora.is_retired, lora.scope) == (2, False, LoraScope.MEMBER)


def test_two_trainings_of_one_name_that_end_at_once_both_get_a_number(backend: FakeBackend, registry: Registry) -> None:
    first, second = trained(backend.pictures), trained(backend.pictures, training_id="trn-two")
    backend.loras.meanwhile = lambda: registry.register(second)
    assert registry.register(first) == 2
    origins = [one.training_id for one in read_lora(ADA, "mascot", backend.lora_ports).versions]
    assert origins == ["trn-one", "trn-two"]


def test_somebody_elses_name_is_not_taken(backend: FakeBackend, registry: Registry) -> None:
    backend.loras.write(lora_of())
    with pytest.raises(LoraNotRegistrable) as refused:
        registry.register(trained(backend.pictures, member="U0BOB"))
    assert "another name" in refused.value.message
    assert lora_files(backend) == set()
    # Somebody takes it in the last moment.
    backend.loras.meanwhile = lambda: backend.loras.write(lora_of("crown"))
    with pytest.raises(LoraNotRegistrable):
        registry.register(trained(backend.pictures, "crown", "trn-two", member="U0BOB"))
    assert lora_files(backend) == set()


def test_a_mere_upload_does_not_cost_a_training_its_name(backend: FakeBackend, registry: Registry) -> None:
    asked = ImportLora(name="mascot", endpoint="tiny", bytes=10, idempotency_key="k")
    import_lora(BOB, asked, backend.lora_ports)
    assert registry.register(trained(backend.pictures)) == 2
    assert backend.loras.get("T0EASEL", "mascot").owner == "U0ADA"


def test_the_owners_own_upload_and_training_both_become_versions(backend: FakeBackend, registry: Registry) -> None:
    content = lora_file()
    asked = ImportLora(name="mascot", endpoint="tiny", bytes=len(content), idempotency_key="k")
    upload = import_lora(ADA, asked, backend.lora_ports)
    assert registry.register(trained(backend.pictures)) == 2
    backend.lora_files.put(upload.url, content)
    assert check_lora(ADA, "mascot", backend.lora_ports).version == 1
    assert [one.version for one in read_lora(BOB, "mascot", backend.lora_ports).versions] == [2, 1]


def test_a_rename_while_a_training_ends_loses_neither(backend: FakeBackend, registry: Registry) -> None:
    registry.register(trained(backend.pictures))
    rename = ChangeLora(name="crown")
    backend.loras.meanwhile = lambda: change_lora(ADA, "mascot", rename, backend.lora_ports)
    assert registry.register(trained(backend.pictures, training_id="trn-two")) == 2
    found = {lora.name: lora.training_id for lora in list_loras(ADA, backend.lora_ports, position=None).loras}
    assert found == {"crown": "trn-one", "mascot": "trn-two"}
    # The other way round: the training is there before the rename is written.
    third = trained(backend.pictures, training_id="trn-three")
    backend.loras.meanwhile = lambda: registry.register(third)
    change_lora(ADA, "mascot", ChangeLora(name="tower"), backend.lora_ports)
    assert [one.training_id for one in read_lora(ADA, "tower", backend.lora_ports).versions] == [
        "trn-three",
        "trn-two",
    ]
    assert registry.register(third) == 3


def test_there_are_only_so_many_versions(backend: FakeBackend, registry: Registry) -> None:
    versions = [version_of(number, f"trn-{number}") for number in range(1, MAX_VERSIONS + 1)]
    backend.loras.write(lora_of("mascot", *versions))
    with pytest.raises(LoraNotRegistrable) as refused:
        registry.register(trained(backend.pictures))
    assert str(MAX_VERSIONS) in refused.value.message


def test_a_name_is_checked_before_anything_is_trained(backend: FakeBackend, registry: Registry) -> None:
    full = [version_of(number, f"trn-{number}") for number in range(1, MAX_VERSIONS + 1)]
    backend.loras.write(lora_of("mascot", *full), lora_of("crown"))
    ada, bob = (Owner(tenant="T0EASEL", member=member) for member in ("U0ADA", "U0BOB"))
    for owner, name in ((ada, "mascot"), (bob, "mascot"), (bob, "crown")):
        with pytest.raises(LoraNameTaken):
            registry.check_name(owner, name, NOON)
    registry.check_name(ada, "crown", NOON)
    registry.check_name(bob, "tower", NOON)


def test_a_file_that_is_not_the_one_that_was_checked_is_not_listed(backend: FakeBackend, registry: Registry) -> None:
    made = trained(backend.pictures)
    with pytest.raises(RuntimeError):
        registry.register(replace(made, sha256="0" * 64))
    with pytest.raises(FileNotFoundError):
        registry.register(replace(made, file_key="tenants/T0EASEL/trainings/trn-one/output/none"))
    assert list_loras(ADA, backend.lora_ports, position=None).loras == []


def test_a_training_without_samples_has_a_card_without_them(backend: FakeBackend, registry: Registry) -> None:
    registry.register(replace(trained(backend.pictures), samples_key=None))
    assert read_lora(ADA, "mascot", backend.lora_ports).versions[0].samples is None
    backend.clock.go_on(timedelta(days=1))
