"""One contract of trainings as the bot sees them: over its fake, and over its API client in front of the backend."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from backend_lambda.api.handler import respond
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import PictureFault, PictureState, Training, TrainingPolicy
from backend_lambda.events.trainings import handle_message
from backend_lambda.training_ports import JobStatus, Upload
from bot.aws.signed_training_api import SignedTrainingApi
from bot.invocation import Kind
from bot.ports.backend import ApiRefused, ApiUnavailable, Caller, Credentials, Grant, PictureGone
from bot.ports.records import Json
from bot.ports.trainings import TrainingApi
from commands.training_offers import Wanted, estimate_for
from commands.training_order import TrainingOrder
from tests.fakes.backend import BUCKET
from tests.fakes.backend_events import progress_message, request
from tests.fakes.backend_trainings import FakeTrainings
from tests.fakes.bot import FakeClock, TheirFile
from tests.fakes.bot_access import FakeIam, FakeSessions, role_arn
from tests.fakes.bot_trainings import FakeTrainingApi
from tests.fakes.training_pictures import BAD, png, write_bad
from tests.fakes.training_stage import APPROVALS, TrainingStage
from tests.unit.backend.test_training_routes import job_message

TEAM = "T0EASEL"
ORDER = TrainingOrder("mascot", "zblx", "tiny", what="mug", options={"rank": 4}, licence_note="our own")


class World(Protocol):
    """A backend, and people who may do anything in it."""

    api: TrainingApi

    def who(self, member: str, team: str = TEAM) -> Credentials:
        """Somebody's credentials."""
        ...

    def set_place(self, place: str) -> None:
        """What the policy says."""
        ...


class FakeWorld:
    """The bot's own fake."""

    def __init__(self) -> None:
        self._fake = FakeTrainingApi(FakeIam(), FakeClock())
        self.api: TrainingApi = self._fake

    def who(self, member: str, team: str = TEAM) -> Credentials:
        """An admin: what IAM says is not what this is about."""
        return FakeSessions().assume(Grant(role_arn("admin"), "x"), Caller(team, "C1", member))

    def set_place(self, place: str) -> None:
        """What the policy says."""
        self._fake.place = place


class BackendWorld:
    """The bot's client in front of the backend's API function, over HTTP."""

    def __init__(self) -> None:
        self.backend = FakeTrainings()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.backend))
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        made = self.backend.files.upload

        def upload(key: str, size: int) -> Upload:
            there = made(key, size)
            return Upload(f"{self.url}/put/{key}", there.headers, there.expires_at)

        self.backend.files.upload = upload  # type: ignore[method-assign]
        self.api: TrainingApi = SignedTrainingApi(f"{self.url}/v1", "us-east-1", FakeClock())

    def who(self, member: str, team: str = TEAM) -> Credentials:
        """The gateway would say whose they are; here the access key does."""
        return Credentials(f"{team}.{member}", "secret", "token", time.time() + 3_600)

    def set_place(self, place: str) -> None:
        """What the policy says."""
        self.backend.store.policies[TEAM] = TrainingPolicy(approvals_place=place)

    def stop(self) -> None:
        """No more requests."""
        self._server.shutdown()
        self._server.server_close()


class StoredPictures:
    """What the backend has stored."""

    def __init__(self, backend: FakeTrainings) -> None:
        self._files = backend.files

    def read(self, bucket: str, key: str) -> bytes:
        """As the bot reads from S3."""
        found = self._files.read(key, 10_000_000)
        if bucket != BUCKET or found is None:
            raise PictureGone(key)
        return found.content


def _handler(backend: FakeTrainings) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _ask(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            address = urlsplit(self.path)
            if address.path.startswith("/put/"):
                backend.files.write(unquote(address.path.removeprefix("/put/")), body, "")
                self._answer(200, b"")
                return
            [key] = re.findall(r"Credential=([^/]+)/", self.headers["Authorization"])
            team, member, *_ = key.split(".")
            arn = f"arn:aws:sts::123456789012:assumed-role/easel-admin/{team}.{member}"
            query = dict(parse_qsl(address.query)) or None
            path, sent = address.path.removeprefix("/v1"), body.decode() or None
            answer = respond(request(self.command, path, sent, arn=arn, query=query), None, backend.backend.backend)
            self._answer(answer["statusCode"], answer["body"].encode())

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _ask

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler


@pytest.fixture(params=["fake", "backend"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    backend = BackendWorld()
    yield backend
    backend.stop()


def _body(key: str = "form-1", order: TrainingOrder = ORDER) -> Json:
    return {**order.to_json(), "idempotency_key": key, "context": {"form": key}}


def _send(world: World, training: Training, key: str, content: bytes, filename: str = "", who: str = "U0ADA") -> Any:
    ada = world.who(who)
    body = {"key": key, "filename": filename or f"{key}.png", "bytes": len(content)}
    upload = world.api.add_picture(ada, training.training_id, body)
    world.api.upload_picture(upload, content)
    return world.api.check_picture(ada, training.training_id, upload.picture_id)


def _asked(world: World, key: str = "form-1") -> Training:
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body(key))
    for number in range(3):
        assert _send(world, training, f"F{number}", png(number, 128, 128)).state is PictureState.ACCEPTED
    return world.api.submit_training(ada, training.training_id, {})


def _refused(code: str, status: int, call: Any, *arguments: Any) -> None:
    with pytest.raises(ApiRefused) as refused:
        call(*arguments)
    assert (refused.value.body["code"], refused.value.status) == (code, status)


def test_what_can_be_trained_comes_with_an_estimate(world: World) -> None:
    trainable = next(one for one in world.api.list_trainables(world.who("U0ADA")) if one.name == "tiny")
    estimate = estimate_for(trainable, Wanted("standard"))
    assert estimate is not None and estimate.seconds > 0 and trainable.title and trainable.model


def test_the_place_of_approvals_is_the_policys(world: World) -> None:
    assert world.api.approvals_place(world.who("U0ADA")) == ""
    world.set_place("C9")
    assert world.api.approvals_place(world.who("U0ADA")) == "C9"


def test_the_same_key_is_the_same_draft(world: World) -> None:
    ada = world.who("U0ADA")
    first = world.api.create_training(ada, _body())
    assert world.api.create_training(ada, _body()).training_id == first.training_id
    assert first.state is TrainingState.DRAFT and first.settings.rank == 4 and first.submitted_at is None
    assert first.owner.member == "U0ADA" and first.estimate.seconds > 0 and first.contact_sheet is None
    other = TrainingOrder(**{**ORDER.to_json(), "trigger": "other"})
    _refused("idempotency_conflict", 409, world.api.create_training, ada, _body(order=other))
    assert world.api.create_training(ada, _body("form-2", other)).training_id != first.training_id


def test_what_is_nobodys_is_not_found(world: World) -> None:
    ada, unknown = world.who("U0ADA"), "trn-" + "a" * 26
    _refused("training_not_found", 404, world.api.see_training, ada, unknown)
    training = world.api.create_training(ada, _body())
    _refused("training_not_found", 404, world.api.see_training, world.who("U0EVE", "T0OTHER"), training.training_id)
    elsewhere = TrainingOrder(**{**ORDER.to_json(), "endpoint": "nowhere"})
    _refused("endpoint_not_found", 404, world.api.create_training, ada, _body("form-3", elsewhere))


def test_a_picture_is_added_once_and_checked_once(world: World) -> None:
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body())
    first = _send(world, training, "F1", png(1, 128, 128))
    again = _send(world, training, "F1", png(1, 128, 128))
    assert first.state is again.state is PictureState.ACCEPTED and first.picture_id == again.picture_id
    [kept] = world.api.see_training(ada, training.training_id).pictures
    assert (kept.key, kept.filename) == ("F1", "F1.png") and "zblx" in kept.caption and "mug" in kept.caption


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("words.png", PictureFault.NOT_A_PICTURE),
        ("cut.png", PictureFault.TRUNCATED),
        ("moving.gif", PictureFault.ANIMATED),
        ("stamp.png", PictureFault.TOO_SMALL),
        ("ribbon.png", PictureFault.TOO_NARROW),
        ("bomb.png", PictureFault.TOO_MANY_PIXELS),
        ("same.png", PictureFault.DUPLICATE),
    ],
)
def test_each_bad_picture_has_its_fault(world: World, tmp_path: Path, name: str, fault: PictureFault) -> None:
    training = world.api.create_training(world.who("U0ADA"), _body())
    assert set(BAD) >= {name} and _send(world, training, "F0", png(0), "good-0.png").state is PictureState.ACCEPTED
    checked = _send(world, training, "F9", write_bad(tmp_path, name).read_bytes(), name)
    assert (checked.state, checked.fault) == (PictureState.REFUSED, fault)
    assert checked.same_as == ("good-0.png" if fault is PictureFault.DUPLICATE else None)


def test_a_picture_that_never_came_is_refused(world: World) -> None:
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body())
    upload = world.api.add_picture(ada, training.training_id, {"key": "F1", "filename": "a.png", "bytes": 10})
    checked = world.api.check_picture(ada, training.training_id, upload.picture_id)
    assert (checked.state, checked.fault) == (PictureState.REFUSED, PictureFault.NOT_UPLOADED)


def test_a_picture_can_be_taken_out(world: World) -> None:
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body())
    checked = _send(world, training, "F1", png(1, 128, 128))
    for _ in range(2):
        world.api.remove_picture(ada, training.training_id, checked.picture_id)
    assert world.api.see_training(ada, training.training_id).pictures == []


def test_too_few_pictures_cant_be_submitted(world: World) -> None:
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body())
    _send(world, training, "F1", png(1, 128, 128))
    _refused("pictures_missing", 422, world.api.submit_training, ada, training.training_id, {})


def test_a_submission_settles_captions_and_happens_once(world: World) -> None:
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body())
    pictures = [_send(world, training, f"F{number}", png(number, 128, 128)) for number in range(3)]
    captions = {pictures[1].picture_id: "a zblx mug, upside down"}
    asked = world.api.submit_training(ada, training.training_id, captions)
    assert asked.state is TrainingState.AWAITING_APPROVAL and asked.submitted_at is not None
    assert asked.contact_sheet is not None and asked.expires_at is not None
    assert {one.picture_id: one.caption for one in asked.pictures}[pictures[1].picture_id] == "a zblx mug, upside down"
    again = world.api.submit_training(ada, training.training_id, {})
    assert (again.state, again.submitted_at) == (asked.state, asked.submitted_at)


def test_ones_own_is_decided_on_the_other_route(world: World) -> None:
    ada, asked = world.who("U0ADA"), _asked(world)
    _refused("self_approval", 409, world.api.decide_training, ada, asked.training_id, True, "")
    approved = world.api.approve_own_training(ada, asked.training_id)
    assert approved.decision is not None and approved.decision.approved and approved.decision.by.member == "U0ADA"


def test_it_is_decided_once_and_who_comes_later_reads_how(world: World) -> None:
    asked = _asked(world)
    first = world.api.decide_training(world.who("U0GRACE"), asked.training_id, False, "Not ours.")
    later = world.api.decide_training(world.who("U0LIN"), asked.training_id, True, "")
    assert first.state is later.state is TrainingState.DENIED
    for one in (first, later):
        assert one.decision is not None and not one.decision.approved
        assert (one.decision.by.member, one.decision.reason) == ("U0GRACE", "Not ours.")


def test_cancelling_ends_what_is_open_and_leaves_what_has_ended(world: World) -> None:
    ada = world.who("U0ADA")
    draft = world.api.create_training(ada, _body())
    for _ in range(2):
        assert world.api.cancel_training(ada, draft.training_id).state is TrainingState.CANCELLED
    denied = _asked(world, "form-2")
    world.api.decide_training(world.who("U0GRACE"), denied.training_id, False, "No.")
    assert world.api.cancel_training(ada, denied.training_id).state is TrainingState.DENIED
    body = {"key": "F1", "filename": "a.png", "bytes": 10}
    _refused("training_not_in_state", 409, world.api.add_picture, ada, draft.training_id, body)
    asked = _asked(world, "form-3")
    assert world.api.cancel_training(world.who("U0GRACE"), asked.training_id).state is TrainingState.CANCELLED


def test_a_draft_is_its_makers_alone(world: World) -> None:
    draft = world.api.create_training(world.who("U0ADA"), _body())
    grace, body = world.who("U0GRACE"), {"key": "F1", "filename": "a.png", "bytes": 10}
    _refused("not_allowed", 403, world.api.add_picture, grace, draft.training_id, body)
    _refused("not_allowed", 403, world.api.submit_training, grace, draft.training_id, {})


def test_an_upload_that_nobody_takes_may_be_tried_again() -> None:
    world = BackendWorld()
    ada = world.who("U0ADA")
    training = world.api.create_training(ada, _body())
    upload = world.api.add_picture(ada, training.training_id, {"key": "F1", "filename": "a.png", "bytes": 10})
    world.stop()
    gone = upload.model_copy(update={"url": "http://127.0.0.1:9/put/secret-key"})
    with pytest.raises(ApiUnavailable) as raised:
        world.api.upload_picture(gone, b"x" * 10)
    assert "secret-key" not in str(raised.value) and json.dumps(str(raised.value))


def test_a_whole_life_with_the_backend_behind_the_bot() -> None:
    """Four pictures at a time, real decoding, real events, both functions of the bot."""
    world, stage = BackendWorld(), TrainingStage(pictures=8)
    stage.trainings = world.api  # type: ignore[assignment]
    stage.pictures_at_once = 4
    stage.pictures = StoredPictures(world.backend)  # type: ignore[assignment]
    world.backend.store.policies["T1"] = TrainingPolicy(approvals_place=APPROVALS)
    stage.slack.their_files["F9"] = TheirFile("again.png", png(1))
    told: set[str] = set()

    def tell() -> None:
        for event in world.backend.events():
            if event.event_id not in told:
                told.add(event.event_id)
                detail = event.model_dump(mode="json")
                envelope = {"source": "easel.backend", "detail-type": type(event).__name__, "detail": detail}
                stage.clock.sleep(30)
                assert stage.announce(envelope)

    for number in range(1, 10):
        kept = stage.slack.their_files[f"F{number}"]
        stage.slack.their_files[f"F{number}"] = replace(kept, content=png(number % 9 or 1, 128, 128))
    try:
        assert stage.work(stage.checking())
        assert stage.view_says("1 picture can't be used") and stage.view_says("shows the same as")
        assert stage.work(stage.checking([], key="pictures-2"))
        assert stage.view["callback_id"] == "easel_training_review" and stage.view_says("*8 pictures*")
        assert stage.work(stage.asking())
        tell()
        training_id = next(iter(world.backend.store.records))
        assert stage.has_live_buttons() and len(stage.request.file_ids) == 1
        assert stage.work(stage.decision(Kind.TRAINING_APPROVE, value=training_id))
        tell()
        assert not stage.has_live_buttons() and stage.request.says("Approved by <@UADMIN>")
        status = next(one for one in stage.slack.messages if one.channel == "C1")
        assert status.says("Waiting for an instance")

        world.backend.jobs.tell(training_id, JobStatus.RUNNING)
        handle_message(job_message(training_id), world.backend.ports)
        prefix = world.backend.store.records[training_id].prefix
        world.backend.files.write(f"{prefix}loss-40.png", b"a plot", "image/png")
        handle_message(progress_message(BUCKET, world.backend.report_of(training_id, 40)), world.backend.ports)
        tell()
        assert status.says("step 40 of") and len(stage.pictures_message.file_ids) == 1
        world.backend.train_of(training_id)
        handle_message(job_message(training_id, "Completed", "Completed"), world.backend.ports)
        tell()
        assert status.says("is ready") and status.says("/imagine a zblx mug --lora mascot")
    finally:
        world.stop()
