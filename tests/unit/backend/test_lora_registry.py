"""Who sees which LoRA, who changes it, and what becomes of names and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from backend_lambda.callers import Caller
from backend_lambda.contract.access import Effect, Entry
from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import ChangeLora, LoraScope
from backend_lambda.contract.subjects import SubjectKind
from backend_lambda.lora_record import MAX_VERSIONS
from backend_lambda.lora_store import LoraOvertaken
from backend_lambda.ports import StoreBusy
from backend_lambda.usecases.change_lora import change_lora
from backend_lambda.usecases.delete_lora import delete_lora
from backend_lambda.usecases.list_loras import PAGE, list_loras, read_lora
from backend_lambda.usecases.lora_access import check_lora_name
from backend_lambda.usecases.refusals import (
    FieldRefused,
    LoraNameTaken,
    LoraNotFound,
    NotYourLora,
    Refusal,
)
from tests.fakes.backend import ADA, BOB, MALLORY, NOON, FakeBackend
from tests.fakes.loras import lora_of, version_of

IN_C1 = replace(BOB, channel="C1")
IN_C2 = replace(BOB, channel="C2")
CY = Caller("T0EASEL", "U0CY", "arn:aws:sts::123456789012:assumed-role/easel-admin/T0EASEL.U0CY")
FARM = Caller("iam-123456789012-farm", "i-1", "arn:aws:sts::123456789012:assumed-role/farm/i-1")
BOX = replace(FARM, member="i-2")


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    grant(backend, "U0CY", "admin")
    return backend


def grant(backend: FakeBackend, member: str, role: str, **more: object) -> None:
    """Into the tenant's grants."""
    access = backend.access.read("T0EASEL")
    entry = Entry.model_validate(
        {
            "effect": Effect.GRANT,
            "kind": SubjectKind.MEMBER,
            "id": member,
            "role": role,
            "role_arn": f"arn:aws:iam::123456789012:role/easel-{role}",
            "made_at": NOON,
            **more,
        }
    )
    backend.access.tenants["T0EASEL"] = replace(access, entries=(*access.entries, entry))


def keep(backend: FakeBackend, name: str = "mascot", *versions: object, **more: object) -> None:
    """List a LoRA, its files in the bucket."""
    record = lora_of(name, *versions, **more)  # type: ignore[arg-type]
    for version in record.versions:
        for key in version.keys:
            backend.pictures.write(key, b"file", "x")
    backend.loras.write(record)


def names(backend: FakeBackend, caller: Caller) -> list[str]:
    return [lora.name for lora in list_loras(caller, backend.lora_ports, position=None).loras]


def change(backend: FakeBackend, caller: Caller, of: str = "mascot", /, **more: object) -> object:
    return change_lora(caller, of, ChangeLora.model_validate(more), backend.lora_ports)


# ---------------------------------------------------------------- who sees what


def test_each_scope_is_seen_by_whom_it_is_for(backend: FakeBackend) -> None:
    keep(backend, "all")
    keep(backend, "here", scope=LoraScope.CHANNEL, channel="C1")
    keep(backend, "mine", scope=LoraScope.MEMBER)
    assert names(backend, ADA) == ["all", "here", "mine"]
    assert names(backend, IN_C1) == ["all", "here"]
    assert names(backend, IN_C2) == names(backend, BOB) == ["all"]
    assert names(backend, MALLORY) == []


def test_an_admin_uses_no_more_than_others_and_sees_all_to_look_after_it(backend: FakeBackend) -> None:
    keep(backend, "mine", scope=LoraScope.MEMBER)
    assert names(backend, CY) == []
    assert read_lora(CY, "mine", backend.lora_ports).versions[0].name == "mine"
    with pytest.raises(LoraNotFound):
        read_lora(BOB, "mine", backend.lora_ports)


def test_all_sessions_of_an_iam_principal_are_one(backend: FakeBackend) -> None:
    keep(backend, "mine", tenant=FARM.tenant, owner="i-1", scope=LoraScope.MEMBER)
    assert names(backend, BOX) == ["mine"]
    change(backend, BOX, "mine", is_retired=True)
    check_lora_name(Owner(tenant=FARM.tenant, member="i-2"), "mine", backend.loras, NOON)


def test_a_list_shows_the_newest_version_with_a_link_to_its_samples(backend: FakeBackend) -> None:
    keep(backend, "mascot", version_of(1), version_of(3, "trn-three"), is_retired=True)
    [lora] = list_loras(ADA, backend.lora_ports, position=None).loras
    assert (lora.version, lora.is_retired, lora.training_id, lora.owner.member) == (3, True, "trn-three", "U0ADA")
    assert lora.samples is not None
    assert lora.samples.url == backend.pictures.link(lora.samples.key)
    assert [one.version for one in read_lora(ADA, "mascot", backend.lora_ports).versions] == [3, 1]


def test_pages_follow_one_another_and_leave_nothing_out(backend: FakeBackend) -> None:
    expected = [f"lora-{number:03}" for number in range(2 * PAGE + 10)]
    for name in expected:
        keep(backend, name)
        keep(backend, f"{name}-hidden", owner="U0EVE", scope=LoraScope.MEMBER)
    found: list[str] = []
    position = None
    while True:
        page = list_loras(ADA, backend.lora_ports, position=position)
        assert len(page.loras) <= PAGE
        found += [lora.name for lora in page.loras]
        position = page.next
        if position is None:
            break
        with pytest.raises(FieldRefused):
            list_loras(MALLORY, backend.lora_ports, position=position)
    assert found == expected


@pytest.mark.parametrize("other", [MALLORY, BOB])
def test_what_is_not_ones_own_answers_as_what_there_is_not(backend: FakeBackend, other: Caller) -> None:
    keep(backend, "mine", scope=LoraScope.MEMBER)
    calls: list[Callable[[str], object]] = [
        lambda name: read_lora(other, name, backend.lora_ports),
        lambda name: change(backend, other, name, is_retired=True),
        lambda name: delete_lora(other, name, None, backend.lora_ports),
        lambda name: delete_lora(other, name, 7, backend.lora_ports),
    ]
    for call in calls:
        answers = []
        for name in ("mine", "none"):
            with pytest.raises(LoraNotFound) as refused:
                call(name)
            answers.append((refused.value.message, refused.value.allowed, refused.value.available))
        assert answers[0] == answers[1]
    assert not backend.loras.get("T0EASEL", "mine").is_retired


# ---------------------------------------------------------------- who changes what


def test_others_may_use_and_not_change_it_but_admins_may(backend: FakeBackend) -> None:
    keep(backend)
    for call in (
        lambda: change(backend, BOB, is_retired=True),
        lambda: delete_lora(BOB, "mascot", None, backend.lora_ports),
    ):
        with pytest.raises(NotYourLora):
            call()
    change(backend, CY, is_retired=True)
    assert backend.loras.get("T0EASEL", "mascot").is_retired
    delete_lora(CY, "mascot", None, backend.lora_ports)
    assert names(backend, ADA) == []


def test_who_was_an_admin_is_none(backend: FakeBackend) -> None:
    keep(backend)
    grant(backend, "U0BOB", "admin", ends_at=NOON)
    with pytest.raises(NotYourLora):
        change(backend, BOB, is_retired=True)
    grant(backend, "U0BOB", "admin", ends_at=NOON + timedelta(hours=1))
    change(backend, BOB, is_retired=True)


def test_only_what_is_given_changes_in_all_versions(backend: FakeBackend) -> None:
    keep(backend, "mascot", version_of(1), version_of(2, "trn-two"))
    change(backend, ADA, licence_note="CC0")
    record = backend.loras.get("T0EASEL", "mascot")
    assert {version.licence_note for version in record.versions} == {"CC0"}
    assert (record.scope, record.is_retired, record.last_number) == (LoraScope.WORKSPACE, False, 2)
    before = record.revision
    change(backend, ADA)
    assert backend.loras.get("T0EASEL", "mascot").revision == before


def test_sharing_with_a_channel_takes_the_callers_own_or_the_named_one(backend: FakeBackend) -> None:
    keep(backend)
    change(backend, replace(ADA, channel="C1"), scope="channel")
    assert names(backend, IN_C1) == ["mascot"]
    assert names(backend, IN_C2) == []
    change(backend, ADA, scope="channel", channel="C2")
    assert names(backend, IN_C2) == ["mascot"]
    assert names(backend, IN_C1) == []
    for wrong in ({"scope": "channel"}, {"scope": "workspace", "channel": "C1"}, {"channel": "C1"}):
        with pytest.raises(FieldRefused):
            change(backend, ADA, **wrong)
    change(backend, ADA, scope="member")
    assert backend.loras.get("T0EASEL", "mascot").channel is None
    assert names(backend, IN_C2) == []


# ---------------------------------------------------------------- names and numbers


def test_a_rename_frees_the_old_name_and_moves_no_file(backend: FakeBackend) -> None:
    keep(backend)
    before = dict(backend.pictures.objects)
    change(backend, ADA, name="crown")
    assert backend.pictures.objects == before
    assert names(backend, ADA) == ["crown"]
    check_lora_name(Owner(tenant="T0EASEL", member="U0BOB"), "mascot", backend.loras, NOON)
    with pytest.raises(LoraNotFound):
        change(backend, ADA, "mascot", name="crown")


def test_a_name_is_given_to_one(backend: FakeBackend) -> None:
    keep(backend)
    keep(backend, "crown", owner="U0BOB")
    for taken in ("crown",):
        with pytest.raises(LoraNameTaken):
            change(backend, ADA, name=taken)
    assert names(backend, ADA) == ["crown", "mascot"]
    with pytest.raises(LoraNameTaken):
        check_lora_name(Owner(tenant="T0EASEL", member="U0ADA"), "crown", backend.loras, NOON)
    with pytest.raises(LoraNameTaken):
        check_lora_name(Owner(tenant="T0EASEL", member="U0CY"), "crown", backend.loras, NOON)
    check_lora_name(Owner(tenant="T0EASEL", member="U0BOB"), "crown", backend.loras, NOON)
    check_lora_name(Owner(tenant="T0OTHER", member="U0EVE"), "crown", backend.loras, NOON)


def test_two_that_take_a_name_at_once_do_not_both_get_it(backend: FakeBackend) -> None:
    keep(backend)
    keep(backend, "tower", owner="U0BOB")
    backend.loras.meanwhile = lambda: change(backend, BOB, "tower", name="crown")
    with pytest.raises(LoraNameTaken):
        change(backend, ADA, name="crown")
    assert backend.loras.get("T0EASEL", "crown").owner == "U0BOB"
    assert names(backend, ADA) == ["crown", "mascot"]


def test_a_number_of_a_name_means_one_file_for_ever(backend: FakeBackend) -> None:
    keep(backend, "mascot", version_of(1), version_of(2, "trn-two"))
    delete_lora(ADA, "mascot", None, backend.lora_ports)
    keep(backend, "crown", version_of(1, "trn-crown"), version_of(4, "trn-more"))
    change(backend, ADA, "crown", name="mascot")
    record = backend.loras.get("T0EASEL", "mascot")
    assert [(version.number, version.origin) for version in record.versions] == [(3, "trn-crown"), (6, "trn-more")]
    assert record.last_number == 6
    assert backend.loras.get("T0EASEL", "crown").last_number == 4


def test_a_name_that_was_never_used_changes_no_number(backend: FakeBackend) -> None:
    keep(backend, "mascot", version_of(2), version_of(5, "trn-five"))
    change(backend, ADA, name="crown")
    assert [version.number for version in backend.loras.get("T0EASEL", "crown").versions] == [2, 5]


def test_whoever_is_overtaken_again_and_again_is_told_to_come_back(backend: FakeBackend) -> None:
    keep(backend)

    def overtake(*_: object, **__: object) -> None:
        raise LoraOvertaken

    backend.loras.write = overtake  # type: ignore[method-assign]
    with pytest.raises(StoreBusy):
        change(backend, ADA, is_retired=True)


# ---------------------------------------------------------------- deleting


def test_deleting_takes_the_files_and_frees_the_name(backend: FakeBackend) -> None:
    keep(backend, "mascot", version_of(1), version_of(2, "trn-two"))
    keep(backend, "crown")
    kept = set(backend.pictures.objects) - {
        key for version in backend.loras.get("T0EASEL", "mascot").versions for key in version.keys
    }
    gone = delete_lora(ADA, "mascot", None, backend.lora_ports).versions
    assert [(lora.version, lora.samples) for lora in gone] == [(2, None), (1, None)]
    assert set(backend.pictures.objects) == kept
    assert names(backend, ADA) == ["crown"]
    assert backend.loras.deletions == {}
    with pytest.raises(LoraNotFound):
        delete_lora(ADA, "mascot", None, backend.lora_ports)


def test_one_version_goes_and_the_others_stay(backend: FakeBackend) -> None:
    keep(backend, "mascot", version_of(1), version_of(2, "trn-two"), version_of(3, "trn-three"))
    with pytest.raises(LoraNotFound) as refused:
        delete_lora(ADA, "mascot", 9, backend.lora_ports)
    assert refused.value.available == ["1", "2", "3"]
    delete_lora(ADA, "mascot", 3, backend.lora_ports)
    [listed] = list_loras(ADA, backend.lora_ports, position=None).loras
    assert listed.version == 2
    assert backend.pictures.below("tenants/T0EASEL/loras/") == {
        "trn-one.safetensors",
        "trn-one-samples.png",
        "trn-two.safetensors",
        "trn-two-samples.png",
    }
    assert backend.loras.get("T0EASEL", "mascot").last_number == 3


def test_whoever_dies_while_deleting_leaves_it_to_the_next(backend: FakeBackend) -> None:
    keep(backend)
    backend.lora_files.failing = 1
    with pytest.raises(RuntimeError):
        delete_lora(ADA, "mascot", None, backend.lora_ports)
    assert names(backend, ADA) == []
    assert backend.pictures.below("tenants/T0EASEL/loras/")
    # They try again: it is gone, and by now its files are.
    with pytest.raises(LoraNotFound):
        delete_lora(ADA, "mascot", None, backend.lora_ports)
    assert backend.pictures.below("tenants/T0EASEL/loras/") == set()
    assert backend.loras.deletions == {}


def test_a_change_and_a_deletion_at_once_lose_nothing(backend: FakeBackend) -> None:
    keep(backend)
    backend.loras.meanwhile = lambda: change(backend, ADA, name="crown")
    with pytest.raises(Refusal):
        delete_lora(ADA, "mascot", None, backend.lora_ports)
    assert names(backend, ADA) == ["crown"]
    assert backend.pictures.below("tenants/T0EASEL/loras/")
    backend.loras.meanwhile = lambda: delete_lora(ADA, "crown", None, backend.lora_ports)
    with pytest.raises(Refusal):
        change(backend, ADA, "crown", is_retired=True)
    assert names(backend, ADA) == []


def test_there_are_so_many_versions_at_most(backend: FakeBackend) -> None:
    assert MAX_VERSIONS * 1_200 < 350_000, "all of a LoRA's versions are one item of at most 400 KB"
