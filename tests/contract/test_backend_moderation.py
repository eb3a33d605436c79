"""The contract of `Moderation`, over the fake, the word list and Rekognition; and how Rekognition is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from backend_lambda.aws.clients import Clients
from backend_lambda.aws.rekognition_moderation import RekognitionModeration
from backend_lambda.contract.jobs import JobPicture
from backend_lambda.moderation.word_list import WordListModeration
from backend_lambda.ports import Moderation, ModerationUnavailable
from tests.contract.conftest import clients_under
from tests.contract.rekognition import Rekognition, RekognitionServer
from tests.fakes.backend import FakeModeration
from tests.fakes.backend_access import FakeAccessStore
from tests.fakes.limiting import block

LABELS = ("Explicit", "violence")


def picture(name: str) -> JobPicture:
    return JobPicture(bucket="pictures", key=f"tenants/T1/jobs/j/{name}", seed=1, width=64, height=64, bytes=3)


@pytest.fixture
def rekognition() -> Iterator[Rekognition]:
    with RekognitionServer() as state:
        yield state


@pytest.fixture
def access() -> FakeAccessStore:
    return FakeAccessStore()


@pytest.fixture
def asking(rekognition: Rekognition, access: FakeAccessStore) -> Callable[..., RekognitionModeration]:
    clients = clients_under({"AWS_ENDPOINT_URL": rekognition.url}, "rekognition")

    def make(labels: tuple[str, ...] = LABELS, confidence: float = 80) -> RekognitionModeration:
        words = WordListModeration(access, access)
        return RekognitionModeration(clients.of("rekognition"), words, min_confidence=confidence, labels=labels)

    return make


@dataclass
class Case:
    """A moderation of pictures, and how a picture becomes one to refuse, or one that can't be looked at."""

    port: Moderation
    refuse: Callable[[JobPicture, str], None]
    fail: Callable[[], None]


@pytest.fixture(params=["fake", "rekognition"])
def case(request: pytest.FixtureRequest, access: FakeAccessStore) -> Case:
    if request.param == "fake":
        fake = FakeModeration(access, access)

        def fail() -> None:
            fake.unavailable = 1

        return Case(fake, lambda refused, word: fake.refused.add(word), fail)
    state: Rekognition = request.getfixturevalue("rekognition")
    make: Callable[..., RekognitionModeration] = request.getfixturevalue("asking")

    def refuse(refused: JobPicture, word: str) -> None:
        state.labels[f"{refused.bucket}/{refused.key}"] = [(word, "", 99.0)]

    # botocore asks three times.
    return Case(make((*LABELS, "bad.png")), refuse, lambda: state.faults.extend([(400, "ThrottlingException")] * 3))


def test_pictures_that_nobody_objects_to_pass(case: Case) -> None:
    assert case.port.check_pictures([]).refused_for is None
    assert case.port.check_pictures([picture("0.png"), picture("1.png")]).refused_for is None


def test_one_refused_picture_refuses_all(case: Case) -> None:
    bad = picture("bad.png")
    case.refuse(bad, "bad.png")
    for order in ([bad, picture("0.png")], [picture("0.png"), bad]):
        assert case.port.check_pictures(order).refused_for == "bad.png"


def test_what_could_not_be_looked_at_has_no_verdict(case: Case) -> None:
    case.fail()
    with pytest.raises(ModerationUnavailable):
        case.port.check_pictures([picture("0.png")])
    assert case.port.check_pictures([picture("0.png")]).refused_for is None


def test_prompts_are_checked_by_the_workspaces_own_words(case: Case, access: FakeAccessStore) -> None:
    block(access, "blood", tenant="T1")
    assert case.port.check_prompt("T1", "Blood!").refused_for == "blood"
    assert case.port.check_prompt("T2", "Blood!").refused_for is None
    assert case.port.check_prompt("T1", "water").refused_for is None


def test_the_word_list_lets_every_picture_pass(access: FakeAccessStore) -> None:
    assert WordListModeration(access, access).check_pictures([picture("bad.png")]).refused_for is None


# ---------------------------------------------------------------- Rekognition


def test_it_is_asked_about_the_object_in_s3(
    rekognition: Rekognition, asking: Callable[..., RekognitionModeration]
) -> None:
    asking().check_pictures([picture("0.png")])
    assert rekognition.asked == [
        {
            "Image": {"S3Object": {"Bucket": "pictures", "Name": "tenants/T1/jobs/j/0.png"}},
            "MinConfidence": 80,
        }
    ]


@pytest.mark.parametrize(
    ("seen", "refused_for"),
    [
        (("Explicit", "", 99.0), "Explicit"),
        (("EXPLICIT", "", 80.0), "EXPLICIT"),
        (("Graphic Violence", "Violence", 90.0), "Graphic Violence"),
        (("Explicit", "", 79.9), None),
        (("Alcohol", "", 99.0), None),
        (("Beer", "Alcohol", 99.0), None),
    ],
)
def test_labels_count_by_name_or_by_the_one_above(
    rekognition: Rekognition,
    asking: Callable[..., RekognitionModeration],
    seen: tuple[str, str, float],
    refused_for: str | None,
) -> None:
    rekognition.labels["pictures/tenants/T1/jobs/j/0.png"] = [("Smoking", "Tobacco", 99.0), seen]
    assert asking().check_pictures([picture("0.png")]).refused_for == refused_for


def test_without_labels_any_label_counts(
    rekognition: Rekognition, asking: Callable[..., RekognitionModeration]
) -> None:
    rekognition.labels["pictures/tenants/T1/jobs/j/0.png"] = [("Beer", "Alcohol", 99.0)]
    assert asking(()).check_pictures([picture("0.png")]).refused_for == "Beer"
    assert asking(("Explicit",)).check_pictures([picture("0.png")]).refused_for is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "AccessDeniedException"),
        (400, "InvalidS3ObjectException"),
        (400, "ProvisionedThroughputExceededException"),
        (500, "InternalServerError"),
    ],
)
def test_every_error_means_that_nobody_looked(
    rekognition: Rekognition, asking: Callable[..., RekognitionModeration], status: int, code: str
) -> None:
    rekognition.faults += [(status, code)] * 3
    with pytest.raises(ModerationUnavailable):
        asking().check_pictures([picture("0.png")])


def test_a_throttle_is_waited_out(rekognition: Rekognition, asking: Callable[..., RekognitionModeration]) -> None:
    rekognition.faults += [(400, "ThrottlingException")] * 2
    assert asking().check_pictures([picture("0.png")]).refused_for is None


def test_what_it_cannot_read_is_not_waved_through(asking: Callable[..., RekognitionModeration]) -> None:
    with pytest.raises(ModerationUnavailable):
        asking().check_pictures([picture("0.txt")])


def test_a_service_that_is_not_there_is_unavailable(access: FakeAccessStore) -> None:
    with RekognitionServer() as gone:
        url = gone.url
    client: Clients = clients_under({"AWS_ENDPOINT_URL": url}, "rekognition")
    words = WordListModeration(access, access)
    moderation = RekognitionModeration(client.of("rekognition"), words, min_confidence=80, labels=())
    with pytest.raises(ModerationUnavailable):
        moderation.check_pictures([picture("0.png")])
