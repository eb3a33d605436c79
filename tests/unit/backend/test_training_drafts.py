"""Drafts: what may be asked for, which pictures are taken, when it may be submitted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from backend_lambda.contract.access import PutWords
from backend_lambda.contract.training_events import TrainingFailed, TrainingProgressed
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    AddPicture,
    CreateTraining,
    PictureFault,
    PictureState,
    SubmitTraining,
    Training,
    TrainingKind,
    TrainingOptions,
    TrainingPreset,
)
from backend_lambda.ports import CatalogEntry
from backend_lambda.usecases.add_picture import add_picture
from backend_lambda.usecases.announce_training import _event, with_event
from backend_lambda.usecases.blocked_words import put_words
from backend_lambda.usecases.check_picture import check_picture
from backend_lambda.usecases.create_training import MAX_OPEN_TRAININGS, create_training
from backend_lambda.usecases.list_trainings import list_trainings
from backend_lambda.usecases.read_training import read_training
from backend_lambda.usecases.refusals import (
    EndpointNotFound,
    FieldRefused,
    IdempotencyConflict,
    LimitReached,
    LoraNameTaken,
    NotAllowed,
    NoTrainingHere,
    PicturesMissing,
    TrainingNotInState,
    WordsBlocked,
)
from backend_lambda.usecases.remove_picture import remove_picture
from backend_lambda.usecases.submit_training import submit_training
from backend_lambda.usecases.training_request import training_request
from tests.fakes.backend import ADA, BOB, BUCKET, MALLORY, TINY
from tests.fakes.backend_trainings import MUG, FakeTrainings, encoded, picture, png


@pytest.fixture
def fakes() -> FakeTrainings:
    return FakeTrainings()


def asked(**more: object) -> CreateTraining:
    return CreateTraining.model_validate(MUG.model_dump() | more)


def test_a_draft_has_every_setting_and_an_estimate(fakes: FakeTrainings) -> None:
    training = create_training(ADA, asked(options=TrainingOptions(steps=400, rank=16)), fakes.ports)
    assert training.training_id.startswith("trn-") and len(training.training_id) == 30
    assert (training.settings.steps, training.settings.rank, training.settings.seed) == (400, 16, 7)
    assert (training.model, training.estimate.seconds, training.estimate.dollars) == ("tiny", 320, 0.11)
    assert training.state is TrainingState.DRAFT
    assert training.expires_at == training.created_at + timedelta(days=1)


def test_somebody_elses_name_is_refused_before_anything_is_trained(fakes: FakeTrainings) -> None:
    fakes.loras.taken = {"mascot"}
    with pytest.raises(LoraNameTaken):
        create_training(ADA, asked(name="mascot"), fakes.ports)
    assert list_trainings(ADA, fakes.ports, limit=9, position=None, state=None, mine=False).trainings == []
    training = create_training(ADA, asked(name="crown"), fakes.ports)
    for seed in range(3):
        fakes.send(training, png(seed), key=f"p{seed}")
    fakes.loras.taken = {"crown"}
    with pytest.raises(LoraNameTaken):
        submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports)
    assert read_training(ADA, training.training_id, fakes.ports).state is TrainingState.DRAFT
    # The same request again is answered, whatever is refused by now.
    assert create_training(ADA, asked(name="crown"), fakes.ports).training_id == training.training_id
    fakes.loras.taken = set()
    submitted = submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports)
    assert submitted.state is TrainingState.AWAITING_APPROVAL


def test_the_same_key_is_the_same_draft_for_the_same_member_only(fakes: FakeTrainings) -> None:
    first = create_training(ADA, MUG, fakes.ports)
    assert create_training(ADA, MUG, fakes.ports) == first
    again = asked(context={"message": "another"})
    assert create_training(ADA, again, fakes.ports).training_id == first.training_id
    others = {create_training(caller, MUG, fakes.ports).training_id for caller in (ADA, BOB, MALLORY)}
    assert len(others) == 3
    with pytest.raises(IdempotencyConflict):
        create_training(ADA, asked(name="other"), fakes.ports)
    # What would be refused by now is answered all the same.
    put_words(BOB, PutWords(words=["mug"]), fakes.backend.access_ports)
    assert create_training(ADA, MUG, fakes.ports) == first


def test_an_endpoint_that_can_not_be_trained_says_which_can(fakes: FakeTrainings) -> None:
    fakes.backend.catalog.add(CatalogEntry("sdxl", "easel-sdxl", TINY))
    with pytest.raises(NoTrainingHere) as refused:
        create_training(ADA, asked(endpoint="sdxl"), fakes.ports)
    assert refused.value.available == ["tiny"]
    with pytest.raises(EndpointNotFound):
        create_training(ADA, asked(endpoint="nowhere"), fakes.ports)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"options": {"resolution": 136}}, "options.resolution"),
        ({"options": {"resolution": 1024}}, "options.resolution"),
        ({"what": " ", "options": {"prior_preservation": True}}, "what"),
        ({"context": {"x": "y" * 3_000}}, "context"),
    ],
)
def test_what_the_model_can_not_do_is_refused(fakes: FakeTrainings, more: dict[str, object], field: str) -> None:
    with pytest.raises(FieldRefused) as refused:
        create_training(ADA, asked(**more), fakes.ports)
    assert refused.value.field == field


@pytest.mark.parametrize("field", ["name", "what", "trigger", "licence_note"])
def test_blocked_words_hold_for_every_text(fakes: FakeTrainings, field: str) -> None:
    put_words(BOB, PutWords(words=["evil corp"]), fakes.backend.access_ports)
    put_words(BOB, PutWords(words=["evil", "evil corp"]), fakes.backend.access_ports)
    value = "an-evil-corp-mascot" if field in {"name", "trigger"} else "an evil corp mascot"
    with pytest.raises(WordsBlocked) as refused:
        create_training(ADA, asked(**{field: value}), fakes.ports)
    assert refused.value.field == field


def test_so_many_trainings_of_a_tenant_may_be_open(fakes: FakeTrainings) -> None:
    for _ in range(MAX_OPEN_TRAININGS):
        last = fakes.draft()
    with pytest.raises(LimitReached, match="20 trainings"):
        fakes.draft()
    create_training(MALLORY, MUG, fakes.ports)
    fakes.clock.go_on(timedelta(seconds=1))
    remaining = read_training(ADA, last.training_id, fakes.ports)
    assert remaining.state is TrainingState.DRAFT


def test_a_picture_is_taken_and_its_upload_is_deleted(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    found = fakes.send(training, png(1), key="a")
    assert (found.state, found.width, found.height, found.message) == (PictureState.ACCEPTED, 128, 128, None)
    assert found.caption == "a zblx mug"
    record = fakes.record(training)
    assert found.url is not None and f"{record.prefix}dataset/{found.picture_id}.png" in found.url
    assert fakes.files.below(record.prefix) == {
        f"dataset/{found.picture_id}.png",
        f"thumbnails/{found.picture_id}.png",
    }
    assert fakes.files.below("uploads/") == set()
    assert check_picture(ADA, training.training_id, found.picture_id, fakes.ports) == found


def test_a_picture_that_is_refused_says_why_and_stays_refused(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    for content, fault in (
        (b"no picture", PictureFault.NOT_A_PICTURE),
        (png(1)[:100], PictureFault.TRUNCATED),
        (encoded(picture(1, (60, 60))), PictureFault.TOO_SMALL),
        (b"x" * (10 * 2**20 + 1), PictureFault.TOO_LARGE),
    ):
        key = fault.value
        asked_for = AddPicture(key=key, filename=f"{key}.png", bytes=100)
        upload = add_picture(ADA, training.training_id, asked_for, fakes.ports)
        fakes.files.put(upload.url, content)
        found = check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
        assert (found.state, found.fault) == (PictureState.REFUSED, fault)
        assert found.message is not None and f"{key}.png" in found.message
        assert check_picture(ADA, training.training_id, upload.picture_id, fakes.ports) == found
    assert fakes.files.objects == {}


def test_nothing_uploaded_is_a_fault_until_something_is(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    upload = add_picture(ADA, training.training_id, AddPicture(key="a", filename="a.png", bytes=9), fakes.ports)
    missing = check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert (missing.state, missing.fault) == (PictureState.REFUSED, PictureFault.NOT_UPLOADED)
    fakes.files.put(upload.url, png(1))
    found = check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert (found.state, found.fault, found.message) == (PictureState.ACCEPTED, None, None)


def test_the_same_key_is_the_same_picture(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    refused = fakes.send(training, b"no picture", key="a")
    accepted = fakes.send(training, png(1), key="a")
    assert accepted.picture_id == refused.picture_id and accepted.state is PictureState.ACCEPTED
    assert fakes.send(training, png(2), key="a").sha256 == accepted.sha256
    assert len(fakes.record(training).pictures) == 1


def test_duplicates_are_told_by_pixels_and_by_looks_and_name_the_other(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    first = fakes.send(training, encoded(picture(1, (256, 256))), key="first")
    for key, content in (
        ("bmp", encoded(picture(1, (256, 256)), "BMP")),
        ("jpeg", encoded(picture(1, (256, 256)), "JPEG", quality=80)),
        ("small", encoded(picture(1, (256, 256)).resize((128, 128)))),
    ):
        found = fakes.send(training, content, key=key)
        assert (found.fault, found.same_as) == (PictureFault.DUPLICATE, "first.png")
        assert found.message == f"{key}.png shows the same as first.png. Send a different picture, or leave it out."
    assert fakes.send(training, png(2)).state is PictureState.ACCEPTED
    remove_picture(ADA, training.training_id, first.picture_id, fakes.ports)
    again = fakes.send(training, encoded(picture(1, (256, 256)), "BMP"), key="bmp")
    assert again.state is PictureState.ACCEPTED


def test_of_two_equal_pictures_that_are_checked_at_once_one_is_taken(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    uploads = [
        add_picture(ADA, training.training_id, AddPicture(key=f"k{index}", filename="x.png", bytes=9), fakes.ports)
        for index in range(8)
    ]
    for index, upload in enumerate(uploads):
        fakes.files.put(upload.url, png(index // 2))
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda one: check_picture(ADA, training.training_id, one.picture_id, fakes.ports), uploads * 2)
        )
    states = {one.picture_id: one.state for one in found}
    assert list(states.values()).count(PictureState.ACCEPTED) == 4
    record = fakes.record(training)
    for one in record.accepted:
        assert f"{record.prefix}dataset/{one.picture_id}.png" in fakes.files.objects


def test_a_picture_that_is_removed_while_it_is_checked_is_not_taken(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    upload = add_picture(ADA, training.training_id, AddPicture(key="a", filename="a.png", bytes=9), fakes.ports)
    fakes.files.put(upload.url, png(1))
    fakes.store.meanwhile = lambda: remove_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    with pytest.raises(FieldRefused, match="no such picture"):
        check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert fakes.record(training).pictures == ()


def test_a_picture_that_is_removed_and_added_again_while_it_is_checked_is_looked_at_again(
    fakes: FakeTrainings,
) -> None:
    training = fakes.draft()
    request = AddPicture(key="a", filename="a.png", bytes=9)
    upload = add_picture(ADA, training.training_id, request, fakes.ports)
    fakes.files.put(upload.url, b"no picture")

    def replace() -> None:
        remove_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
        fakes.clock.go_on(timedelta(seconds=1))
        fakes.files.put(add_picture(ADA, training.training_id, request, fakes.ports).url, png(4))

    fakes.store.meanwhile = replace
    found = check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert found.state is PictureState.ACCEPTED
    assert f"{fakes.record(training).prefix}dataset/{found.picture_id}.png" in fakes.files.objects


def test_a_picture_whose_like_is_removed_while_it_is_checked_is_taken_with_its_files(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    first = fakes.send(training, png(1))
    upload = add_picture(ADA, training.training_id, AddPicture(key="b", filename="b.png", bytes=9), fakes.ports)
    fakes.files.put(upload.url, png(1))
    fakes.store.meanwhile = lambda: remove_picture(ADA, training.training_id, first.picture_id, fakes.ports)
    found = check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert found.state is PictureState.ACCEPTED
    assert f"{fakes.record(training).prefix}dataset/{found.picture_id}.png" in fakes.files.objects


def test_only_who_began_a_draft_changes_it(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    found = fakes.send(training, png(1))
    for change in (
        lambda: add_picture(BOB, training.training_id, AddPicture(key="b", filename="b", bytes=1), fakes.ports),
        lambda: check_picture(BOB, training.training_id, found.picture_id, fakes.ports),
        lambda: remove_picture(BOB, training.training_id, found.picture_id, fakes.ports),
        lambda: submit_training(BOB, training.training_id, SubmitTraining(), fakes.ports),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_no_more_pictures_than_a_training_takes(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    for index in range(50):
        add_picture(ADA, training.training_id, AddPicture(key=f"k{index}", filename="x", bytes=9), fakes.ports)
    with pytest.raises(PicturesMissing, match="50 pictures at most"):
        add_picture(ADA, training.training_id, AddPicture(key="more", filename="x", bytes=9), fakes.ports)


def test_captions_have_the_trigger_and_no_blocked_word(fakes: FakeTrainings) -> None:
    put_words(BOB, PutWords(words=["secret"]), fakes.backend.access_ports)
    training = fakes.draft()
    assert fakes.send(training, png(1), caption="  on a\ntable ").caption == "zblx, on a table"
    assert fakes.send(training, png(2), caption="a ZBLX mug").caption == "a ZBLX mug"
    style = fakes.draft(kind=TrainingKind.STYLE, what="watercolour")
    assert fakes.send(style, png(1)).caption == "zblx watercolour"
    with pytest.raises(WordsBlocked):
        fakes.send(training, png(3), caption="the secret mug")
    with pytest.raises(FieldRefused, match="longer than"):
        fakes.send(training, png(4), caption="x" * 2_000)


def test_captions_together_fit_on_the_bus(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    with pytest.raises(FieldRefused, match="too long together"):
        for index in range(50):
            request = AddPicture(key=f"k{index}", filename="x", bytes=9, caption="€" * 1_900)
            add_picture(ADA, training.training_id, request, fakes.ports)


def test_the_largest_training_fits_on_the_bus_and_into_its_table(fakes: FakeTrainings) -> None:
    training = fakes.draft()
    for index in range(75):
        state = PictureState.REFUSED if index < 25 else PictureState.ACCEPTED
        request = AddPicture(key=f"k{index}", filename="🎈" * 200, bytes=9, caption="é" * 390)
        upload = add_picture(ADA, training.training_id, request, fakes.ports)
        record = fakes.record(training)
        added = record.picture(upload.picture_id)
        assert added is not None
        judged = added.model_copy(
            update={"state": state, "sha256": "a" * 64, "look": "x" * 576, "message": "y" * 250, "same_as": "🎈" * 200}
        )
        fakes.store.save(record.with_picture(judged))
    record = fakes.record(training)
    told = with_event(record, TrainingProgressed, fakes.clock.now())
    for _ in range(5):
        told = with_event(told, TrainingFailed, fakes.clock.now())
    event = _event(told, told.outbox[0])
    assert len(event.model_dump_json().encode()) < 256 * 1024
    assert len(told.model_dump_json().encode()) < 400 * 1024


def ready(fakes: FakeTrainings, pictures: int = 3) -> Training:
    training = fakes.draft()
    for index in range(pictures):
        fakes.send(training, png(index), key=f"k{index}")
    return training


def test_a_submission_settles_captions_and_makes_the_sheet(fakes: FakeTrainings) -> None:
    training = ready(fakes)
    fakes.send(training, b"no picture")
    first, *_ = fakes.record(training).accepted
    asked_for = SubmitTraining(captions={first.picture_id: "zblx in the rain"})
    submitted = submit_training(ADA, training.training_id, asked_for, fakes.ports)
    assert submitted.pictures[0].caption == "zblx in the rain"
    assert submitted.contact_sheet is not None and submitted.contact_sheet.key in fakes.files.objects
    assert submitted.expires_at == fakes.clock.now() + timedelta(days=7)
    again = submit_training(ADA, training.training_id, SubmitTraining(captions={}), fakes.ports)
    assert again == submitted and fakes.names() == ["TrainingRequested"]
    request = training_request(fakes.record(training), BUCKET)
    assert [one.caption for one in request.pictures] == ["zblx in the rain", "a zblx mug", "a zblx mug"]


@pytest.mark.parametrize("pictures", [0, 2])
def test_too_few_pictures_are_no_data_set(fakes: FakeTrainings, pictures: int) -> None:
    training = ready(fakes, pictures)
    with pytest.raises(PicturesMissing) as refused:
        submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports)
    assert (refused.value.given, refused.value.allowed) == (str(pictures), "3 to 50")


def test_what_is_not_checked_yet_holds_a_submission_up(fakes: FakeTrainings) -> None:
    training = ready(fakes)
    upload = add_picture(ADA, training.training_id, AddPicture(key="w", filename="w.png", bytes=9), fakes.ports)
    with pytest.raises(TrainingNotInState, match="1 picture is not checked yet"):
        submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports)
    remove_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports).submitted_at is not None


def test_a_check_that_ends_after_the_submission_changes_nothing(fakes: FakeTrainings) -> None:
    training = ready(fakes)
    refused = fakes.send(training, b"no picture", key="late")
    upload = add_picture(ADA, training.training_id, AddPicture(key="late", filename="l.png", bytes=9), fakes.ports)
    fakes.files.put(upload.url, png(9))

    def submit() -> None:
        remove_picture(ADA, training.training_id, refused.picture_id, fakes.ports)
        submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports)

    fakes.store.meanwhile = submit
    with pytest.raises(FieldRefused):
        check_picture(ADA, training.training_id, upload.picture_id, fakes.ports)
    assert len(fakes.record(training).pictures) == 3
    for change in (
        lambda: add_picture(ADA, training.training_id, AddPicture(key="n", filename="n", bytes=9), fakes.ports),
        lambda: remove_picture(ADA, training.training_id, upload.picture_id, fakes.ports),
    ):
        with pytest.raises(TrainingNotInState, match="awaiting approval"):
            change()


def test_a_picture_whose_files_are_gone_is_named_at_the_submission(fakes: FakeTrainings) -> None:
    training = ready(fakes)
    record = fakes.record(training)
    fakes.files.delete(f"{record.prefix}thumbnails/{record.accepted[1].picture_id}.png")
    with pytest.raises(TrainingNotInState, match=r"k1\.png is no longer stored"):
        submit_training(ADA, training.training_id, SubmitTraining(), fakes.ports)


def test_a_caption_of_a_picture_that_there_is_not(fakes: FakeTrainings) -> None:
    training = ready(fakes)
    with pytest.raises(FieldRefused, match="no such picture"):
        submit_training(ADA, training.training_id, SubmitTraining(captions={"pic-x": "y"}), fakes.ports)


def test_prior_preservation_paints_the_class(fakes: FakeTrainings) -> None:
    training = fakes.submitted(preset=TrainingPreset.FINE)
    request = training_request(fakes.record(training), BUCKET)
    assert (request.prior_pictures, request.class_prompt) == (12, "a mug")
    plain = training_request(fakes.record(fakes.submitted()), BUCKET)
    assert (plain.prior_pictures, plain.class_prompt) == (0, "")
    assert plain.sample_prompts == ["a zblx mug", "a zblx mug on a white background", "a mug"]
    nameless = training_request(fakes.record(fakes.submitted(what="", kind=TrainingKind.STYLE)), BUCKET)
    assert nameless.sample_prompts == ["zblx", "a house, zblx"]


def test_lists_are_of_one_tenant_newest_first_and_without_pictures(fakes: FakeTrainings) -> None:
    made = []
    for index in range(3):
        fakes.clock.go_on(timedelta(seconds=1))
        made.append(fakes.draft(ADA if index else BOB).training_id)
    fakes.draft(MALLORY)
    first = list_trainings(ADA, fakes.ports, limit=2, position=None, state=None, mine=False)
    rest = list_trainings(ADA, fakes.ports, limit=2, position=first.next, state=None, mine=False)
    assert [one.training_id for one in [*first.trainings, *rest.trainings]] == made[::-1]
    assert rest.next is None
    mine = list_trainings(BOB, fakes.ports, limit=9, position=None, state=TrainingState.DRAFT, mine=True)
    assert [one.training_id for one in mine.trainings] == made[:1]
    with pytest.raises(FieldRefused):
        list_trainings(MALLORY, fakes.ports, limit=2, position=first.next, state=None, mine=False)
