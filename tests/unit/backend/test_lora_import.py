"""Importing a LoRA's file: its place, its upload, its check."""

from __future__ import annotations

import hashlib
import pickle
from datetime import timedelta

import pytest

from backend_lambda.callers import Caller
from backend_lambda.contract.access import PutWords
from backend_lambda.contract.loras import ChangeLora, ImportLora, Lora, LoraScope, LoraUpload
from backend_lambda.lora_record import MAX_VERSIONS, UPLOAD_LIFETIME
from backend_lambda.usecases.blocked_words import put_words
from backend_lambda.usecases.change_lora import change_lora
from backend_lambda.usecases.delete_lora import delete_lora
from backend_lambda.usecases.import_lora import check_lora, import_lora
from backend_lambda.usecases.list_loras import list_loras, read_lora
from backend_lambda.usecases.refusals import (
    EndpointNotFound,
    IdempotencyConflict,
    LoraFileUnusable,
    LoraNameTaken,
    LoraNotFound,
    WordsBlocked,
)
from tests.fakes.backend import ADA, BOB, MALLORY, FakeBackend
from tests.fakes.loras import lora_file, lora_of, safetensors, version_of

GOOD = lora_file()


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


def begin(
    backend: FakeBackend, content: bytes = GOOD, caller: Caller = ADA, key: str = "k", **more: object
) -> LoraUpload:
    asked = {"name": "mascot", "endpoint": "tiny", "bytes": len(content), "idempotency_key": key, **more}
    return import_lora(caller, ImportLora.model_validate(asked), backend.lora_ports)


def check(backend: FakeBackend, caller: Caller = ADA, name: str = "mascot") -> Lora:
    return check_lora(caller, name, backend.lora_ports)


def imported(backend: FakeBackend, content: bytes = GOOD, caller: Caller = ADA, key: str = "k") -> Lora:
    backend.lora_files.put(begin(backend, content, caller, key).url, content)
    return check(backend, caller)


def stored(backend: FakeBackend, prefix: str = "") -> set[str]:
    return backend.pictures.below(prefix)


def test_a_file_is_imported_for_its_importer_alone(backend: FakeBackend) -> None:
    upload = begin(backend, trigger="zblx", licence_note="CC0")
    assert (upload.name, upload.version, upload.headers["content-length"]) == ("mascot", 1, str(len(GOOD)))
    assert list_loras(ADA, backend.lora_ports, position=None).loras == []
    backend.lora_files.put(upload.url, GOOD)
    lora = check(backend)
    assert (lora.name, lora.version, lora.model, lora.rank) == ("mascot", 1, "tiny", 4)
    assert (lora.sha256, lora.bytes) == (hashlib.sha256(GOOD).hexdigest(), len(GOOD))
    assert (lora.trigger, lora.licence_note, lora.training_id, lora.samples) == ("zblx", "CC0", None, None)
    assert (lora.scope, lora.owner.member) == (LoraScope.MEMBER, "U0ADA")
    assert list_loras(BOB, backend.lora_ports, position=None).loras == []
    # What was uploaded is gone, what was checked is kept.
    assert stored(backend, "uploads/") == set()
    [key] = stored(backend, "tenants/T0EASEL/loras/")
    assert backend.pictures.read(f"tenants/T0EASEL/loras/{key}") == GOOD


def test_the_same_again_answers_the_same(backend: FakeBackend) -> None:
    first = begin(backend)
    assert begin(backend) == first
    backend.lora_files.put(first.url, GOOD)
    lora = check(backend)
    assert check(backend) == lora
    assert begin(backend).version == 1
    assert len(read_lora(ADA, "mascot", backend.lora_ports).versions) == 1


def test_a_key_is_for_one_request_and_one_member(backend: FakeBackend) -> None:
    begin(backend)
    for other in ({"bytes": 7}, {"trigger": "zblx"}, {"licence_note": "x"}):
        with pytest.raises(IdempotencyConflict):
            begin(backend, **other)
    with pytest.raises(LoraNameTaken):
        begin(backend, caller=BOB)
    assert begin(backend, caller=MALLORY).url != begin(backend).url


def test_another_key_begins_anew(backend: FakeBackend) -> None:
    first, second = begin(backend), begin(backend, key="k2")
    assert (first.version, second.version) == (1, 2)
    backend.lora_files.put(first.url, b"x" * len(GOOD))
    backend.lora_files.put(second.url, GOOD)
    assert check(backend).version == 2


def test_the_next_import_is_the_next_version(backend: FakeBackend) -> None:
    imported(backend)
    assert imported(backend, lora_file(8), key="k2").version == 2
    assert [one.rank for one in read_lora(ADA, "mascot", backend.lora_ports).versions] == [8, 4]


def test_a_key_of_a_version_that_was_deleted_is_free_again(backend: FakeBackend) -> None:
    imported(backend)
    delete_lora(ADA, "mascot", None, backend.lora_ports)
    assert imported(backend).version == 2
    assert len(stored(backend, "tenants/T0EASEL/loras/")) == 1


def test_an_upload_keeps_its_name_for_a_day(backend: FakeBackend) -> None:
    begin(backend)
    backend.clock.go_on(UPLOAD_LIFETIME - timedelta(seconds=1))
    with pytest.raises(LoraNameTaken):
        begin(backend, caller=BOB)
    backend.clock.go_on(timedelta(seconds=1))
    assert imported(backend, caller=BOB).version == 2
    with pytest.raises(LoraNotFound):
        check(backend, ADA)


def test_somebody_elses_name_and_too_many_versions_are_refused_before_anything_is_uploaded(
    backend: FakeBackend,
) -> None:
    backend.loras.write(lora_of("mascot", *[version_of(n, f"trn-{n}") for n in range(1, MAX_VERSIONS + 1)]))
    for caller in (ADA, BOB):
        with pytest.raises(LoraNameTaken):
            begin(backend, caller=caller)
    with pytest.raises(EndpointNotFound):
        begin(backend, name="other", endpoint="none")


def test_two_that_begin_with_one_name_at_once_do_not_both_get_it(backend: FakeBackend) -> None:
    backend.loras.meanwhile = lambda: begin(backend, caller=BOB)
    with pytest.raises(LoraNameTaken):
        begin(backend)
    assert backend.loras.get("T0EASEL", "mascot").owner == "U0BOB"


def test_blocked_words_stand_in_no_lora(backend: FakeBackend) -> None:
    put_words(ADA, PutWords(words=["boat"]), backend.access_ports)
    for more in ({"name": "my-boat"}, {"trigger": "boat"}, {"licence_note": "of a boat"}):
        with pytest.raises(WordsBlocked):
            begin(backend, **more)
    assert backend.loras.records == {}
    imported(backend)
    for change in (ChangeLora(name="my-boat"), ChangeLora(licence_note="of a boat")):
        with pytest.raises(WordsBlocked):
            change_lora(ADA, "mascot", change, backend.lora_ports)
    assert read_lora(ADA, "mascot", backend.lora_ports).versions[0].licence_note == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"w": [1.0] * 99}, 4), "pickle"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (safetensors({"model.diffusion_model.x": (4, 4)}), "whole model"),
        (safetensors({"lora_te1_x.lora_down.weight": (4, 4)}), "Stable Diffusion XL"),
        (GOOD[:-1], "outside of the file"),
    ],
)
def test_what_is_no_lora_is_refused_and_deleted_and_may_be_tried_again(
    backend: FakeBackend, content: bytes, words: str
) -> None:
    backend.lora_files.put(begin(backend, content).url, content)
    with pytest.raises(LoraFileUnusable) as refused:
        check(backend)
    assert words in refused.value.message
    assert backend.pictures.objects == {}
    with pytest.raises(LoraFileUnusable, match="Nothing has been uploaded"):
        check(backend)
    again = begin(backend, content)
    assert again.version == 1
    assert imported(backend, key="k2").version == 2


def test_another_length_than_was_announced_is_refused(backend: FakeBackend) -> None:
    backend.lora_files.put(begin(backend, GOOD).url, lora_file(8))
    with pytest.raises(LoraFileUnusable, match="were announced"):
        check(backend)


def test_there_is_nothing_to_check_where_nothing_was_begun(backend: FakeBackend) -> None:
    with pytest.raises(LoraNotFound):
        check(backend)
    backend.loras.write(lora_of())
    with pytest.raises(LoraFileUnusable, match="no upload to check"):
        check(backend)


def test_nobody_checks_or_sees_somebody_elses_upload(backend: FakeBackend) -> None:
    backend.lora_files.put(begin(backend).url, GOOD)
    for caller in (BOB, MALLORY):
        with pytest.raises(LoraNotFound):
            check(backend, caller)
        with pytest.raises(LoraNotFound):
            read_lora(caller, "mascot", backend.lora_ports)
    assert check(backend).version == 1


def test_what_is_swapped_while_it_is_checked_is_not_listed(backend: FakeBackend) -> None:
    upload = begin(backend)
    backend.lora_files.put(upload.url, GOOD)
    evil = b"PK\x03\x04" + bytes(len(GOOD) - 4)
    backend.lora_files.before_copy = lambda: backend.lora_files.put(upload.url, evil)
    with pytest.raises(LoraFileUnusable, match="uploaded anew"):
        check(backend)
    assert stored(backend, "tenants/") == set()
    with pytest.raises(LoraFileUnusable, match="zip archive"):
        check(backend)


def test_two_checks_at_once_list_one_version(backend: FakeBackend) -> None:
    backend.lora_files.put(begin(backend).url, GOOD)
    backend.loras.meanwhile = lambda: check(backend)
    lora = check(backend)
    assert read_lora(ADA, "mascot", backend.lora_ports).versions == [lora]
    [key] = stored(backend, "tenants/T0EASEL/loras/")
    assert backend.loras.get("T0EASEL", "mascot").versions[0].key.endswith(key)


def test_two_checks_of_different_files_keep_the_one_that_is_listed(backend: FakeBackend) -> None:
    other = lora_file(4, "x")
    good = lora_file(4, "y")
    upload = begin(backend, good)
    backend.lora_files.put(upload.url, good)

    def meanwhile() -> None:
        backend.lora_files.put(upload.url, other)
        check(backend)

    backend.loras.meanwhile = meanwhile
    assert check(backend).sha256 == hashlib.sha256(other).hexdigest()
    [key] = stored(backend, "tenants/T0EASEL/loras/")
    assert backend.pictures.read(f"tenants/T0EASEL/loras/{key}") == other


def test_another_import_that_takes_its_place_while_it_is_checked_leaves_nothing_behind(backend: FakeBackend) -> None:
    backend.lora_files.put(begin(backend).url, GOOD)
    backend.loras.meanwhile = lambda: begin(backend, key="k2")
    with pytest.raises(LoraFileUnusable, match="took its place"):
        check(backend)
    assert stored(backend, "tenants/") == set()


def test_whoever_dies_before_it_is_listed_may_check_again(backend: FakeBackend) -> None:
    backend.lora_files.put(begin(backend).url, GOOD)

    def die() -> None:
        raise ConnectionError

    backend.loras.meanwhile = die
    with pytest.raises(ConnectionError):
        check(backend)
    assert check(backend).version == 1
    assert len(stored(backend, "tenants/")) == 1


def test_an_upload_goes_with_the_lora_that_it_belongs_to(backend: FakeBackend) -> None:
    imported(backend)
    upload = begin(backend, lora_file(8), key="k2")
    change_lora(ADA, "mascot", ChangeLora(name="crown"), backend.lora_ports)
    backend.lora_files.put(upload.url, lora_file(8))
    with pytest.raises(LoraNotFound):
        check(backend)
    assert check(backend, name="crown").version == 2


def test_deleting_a_lora_takes_its_upload_along(backend: FakeBackend) -> None:
    imported(backend)
    backend.lora_files.put(begin(backend, lora_file(8), key="k2").url, lora_file(8))
    delete_lora(ADA, "mascot", None, backend.lora_ports)
    assert backend.pictures.objects == {}
