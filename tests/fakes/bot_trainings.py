"""The backend's trainings as a fake that behaves: drafts, checked pictures, approvals, and the events of all of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any

from PIL import Image, UnidentifiedImageError

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.training_estimate import TrainingOffer, estimate
from backend_lambda.contract.training_events import TRAINING_EVENT_TYPES
from backend_lambda.contract.training_limits import (
    MAX_PICTURE_ASPECT,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_PIXELS,
    MAX_TRAINING_PICTURES,
    MIN_PICTURE_SIDE,
    MIN_TRAINING_PICTURES,
)
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    AddPicture,
    CreateTraining,
    DatasetPicture,
    DecideTraining,
    Decision,
    PictureFault,
    PictureState,
    PictureUpload,
    StoredPicture,
    SubmitTraining,
    Training,
    TrainingFailure,
    TrainingFailureCode,
    TrainingPreset,
    TrainingReport,
    TrainingSettings,
)
from bot.ports.backend import ApiRefused, Credentials
from bot.ports.clock import Clock
from bot.ports.records import Json
from commands.training_offers import Trainable
from tests.fakes.bot_access import FakeIam, caller_of

BUCKET = "pictures"
WITHIN = timedelta(days=7)


def settings(**facts: Any) -> TrainingSettings:
    """Of the standard preset."""
    values = {
        "rank": 8,
        "steps": 400,
        "batch_size": 1,
        "learning_rate": 1e-4,
        "resolution": 512,
        "prior_preservation": False,
        "text_encoder": False,
        "seed": 0,
    }
    return TrainingSettings(**{**values, **facts})


OFFER = TrainingOffer(
    instance_type="ml.g5.xlarge",
    price_per_hour=1.2,
    spot=True,
    start_seconds=240,
    seconds_per_step=0.9,
    presets={
        TrainingPreset.DRAFT: settings(steps=100),
        TrainingPreset.STANDARD: settings(),
        TrainingPreset.FINE: settings(steps=1_200, rank=32),
    },
)


@dataclass
class _Kept:
    """A training in the fake, its uploads, and how many events it has had."""

    training: Training
    body: CreateTraining
    pictures: dict[str, DatasetPicture] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    sequence: int = 0


class FakeTrainingApi:
    """Implements `TrainingApi` for whoever IAM lets through. `outbox` has the events, oldest first, as envelopes."""

    def __init__(self, iam: FakeIam, clock: Clock) -> None:
        self._iam = iam
        self._clock = clock
        self.trainables = [
            Trainable("tiny", "Tiny", "tiny-world", OFFER.model_dump(mode="json")),
            Trainable("large", "Large one", "big-world", OFFER.model_dump(mode="json")),
        ]
        self.place = ""
        self.kept: dict[str, _Kept] = {}
        self.outbox: list[Json] = []
        self.uploads = 0
        self.refusal: ApiRefused | None = None
        self.taken_names: set[str] = set()
        self.only_approvers: set[str] = set()
        # The worker checks several pictures at the same time.
        self._lock = RLock()

    # ------------------------------------------------------------ TrainingApi

    def list_trainables(self, credentials: Credentials) -> list[Trainable]:
        """All."""
        self._iam.check(credentials, "GET/endpoints")
        return self.trainables

    def approvals_place(self, credentials: Credentials) -> str:
        """As a test sets it."""
        self._iam.check(credentials, "GET/training-policy")
        return self.place

    def create_training(self, credentials: Credentials, body: Json) -> Training:
        """The same key is the same draft; with another body it is a conflict."""
        self._admit(credentials, "POST/trainings")
        wanted, caller = CreateTraining.model_validate(body), caller_of(credentials)
        digest = hashlib.sha256(f"{caller.team}|{caller.member}|{wanted.idempotency_key}".encode()).hexdigest()
        training_id = "trn-" + digest.translate(str.maketrans("0189", "ghij"))[:26]
        if training_id in self.kept:
            if self.kept[training_id].body != wanted:
                raise ApiRefused(409, {"code": "idempotency_conflict", "message": "conflict"})
            return self._seen(training_id)
        if wanted.name in self.taken_names:
            raise ApiRefused(409, {"code": "lora_name_taken", "message": "taken", "field": "name"})
        if wanted.endpoint not in {one.name for one in self.trainables}:
            raise ApiRefused(404, {"code": "endpoint_not_found", "message": "no", "field": "endpoint"})
        chosen = OFFER.presets[wanted.preset].model_copy(update=wanted.options.model_dump(exclude_none=True))
        training = Training(
            training_id=training_id,
            state=TrainingState.DRAFT,
            name=wanted.name,
            trigger=wanted.trigger,
            kind=wanted.kind,
            what=wanted.what,
            endpoint=wanted.endpoint,
            model="tiny-world",
            preset=wanted.preset,
            settings=chosen,
            owner=Owner(tenant=caller.team, member=caller.member),
            licence_note=wanted.licence_note,
            context=wanted.context,
            pictures=[],
            estimate=estimate(OFFER, chosen),
            created_at=self._now(),
            expires_at=self._now() + WITHIN,
            is_only_approver=caller.member in self.only_approvers,
        )
        self.kept[training_id] = _Kept(training, wanted)
        return training

    def see_training(self, credentials: Credentials, training_id: str) -> Training:
        """With its pictures."""
        self._find(credentials, f"GET/trainings/{training_id}", training_id)
        return self._seen(training_id)

    def add_picture(self, credentials: Credentials, training_id: str, body: Json) -> PictureUpload:
        """The same key is the same picture."""
        with self._lock:
            return self._add(credentials, training_id, body)

    def _add(self, credentials: Credentials, training_id: str, body: Json) -> PictureUpload:
        kept = self._draft(credentials, f"POST/trainings/{training_id}/pictures", training_id)
        wanted = AddPicture.model_validate(body)
        picture_id = f"pic-{hashlib.sha256(wanted.key.encode()).hexdigest()[:12]}"
        default = f"a {kept.body.trigger} {kept.body.what}".strip()
        if picture_id not in kept.pictures and len(kept.pictures) >= 2 * MAX_TRAINING_PICTURES:
            raise ApiRefused(422, {"code": "pictures_missing", "message": "too many"})
        kept.pictures.setdefault(
            picture_id,
            DatasetPicture(
                picture_id=picture_id,
                key=wanted.key,
                filename=wanted.filename,
                caption=wanted.caption or default,
                state=PictureState.WAITING,
            ),
        )
        url = f"https://s3.example/{training_id}/{picture_id}"
        expires_at = self._now() + timedelta(hours=1)
        return PictureUpload(picture_id=picture_id, url=url, headers={}, expires_at=expires_at)

    def upload_picture(self, upload: PictureUpload, content: bytes) -> None:
        """Its bytes."""
        _, training_id, picture_id = upload.url.rsplit("/", 2)
        with self._lock:
            self.uploads += 1
        self.kept[training_id].uploads[picture_id] = content

    def check_picture(self, credentials: Credentials, training_id: str, picture_id: str) -> DatasetPicture:
        """Decodes it; what was decided stays."""
        with self._lock:
            return self._check(credentials, training_id, picture_id)

    def _check(self, credentials: Credentials, training_id: str, picture_id: str) -> DatasetPicture:
        kept = self._draft(credentials, f"POST/trainings/{training_id}/pictures/{picture_id}/check", training_id)
        picture = kept.pictures[picture_id]
        if picture.state is not PictureState.WAITING:
            return picture
        content = kept.uploads.get(picture_id)
        same_as = next(
            (
                one.filename
                for one in kept.pictures.values()
                if content is not None
                and one.state is PictureState.ACCEPTED
                and one.sha256 == hashlib.sha256(content).hexdigest()
            ),
            None,
        )
        fault = PictureFault.DUPLICATE if same_as else fault_of(content)
        sha256 = hashlib.sha256(content).hexdigest() if content is not None else None
        state = PictureState.REFUSED if fault else PictureState.ACCEPTED
        update = {"state": state, "fault": fault, "same_as": same_as, "sha256": sha256}
        kept.pictures[picture_id] = picture.model_copy(update=update)
        return kept.pictures[picture_id]

    def remove_picture(self, credentials: Credentials, training_id: str, picture_id: str) -> None:
        """Gone."""
        kept = self._draft(credentials, f"DELETE/trainings/{training_id}/pictures/{picture_id}", training_id)
        kept.pictures.pop(picture_id, None)

    def submit_training(self, credentials: Credentials, training_id: str, captions: Mapping[str, str]) -> Training:
        """Waits for an approval from then on; a second time it is answered as it is."""
        kept = self._find(credentials, f"POST/trainings/{training_id}/submission", training_id)
        if kept.training.submitted_at is not None:
            return self._seen(training_id)
        kept = self._draft(credentials, f"POST/trainings/{training_id}/submission", training_id)
        wanted = SubmitTraining(captions=dict(captions))
        if not MIN_TRAINING_PICTURES <= len(self._accepted(kept)) <= MAX_TRAINING_PICTURES:
            raise ApiRefused(422, {"code": "pictures_missing", "message": "too few or too many"})
        for picture_id, caption in wanted.captions.items():
            kept.pictures[picture_id] = kept.pictures[picture_id].model_copy(update={"caption": caption})
        self._change(training_id, state=TrainingState.AWAITING_APPROVAL, submitted_at=self._now())
        self.announce(training_id, "TrainingRequested", approvals_place=self.place)
        return self._seen(training_id)

    def decide_training(self, credentials: Credentials, training_id: str, approve: bool, reason: str) -> Training:
        """By anybody but who submitted it."""
        route = f"POST/trainings/{training_id}/approval"
        kept = self._find(credentials, route, training_id)
        if kept.training.owner.member == caller_of(credentials).member:
            raise ApiRefused(409, {"code": "self_approval", "message": "own"})
        return self._decide(credentials, training_id, approve, reason)

    def approve_own_training(self, credentials: Credentials, training_id: str) -> Training:
        """By who submitted it."""
        self._find(credentials, f"POST/trainings/{training_id}/self-approval", training_id)
        return self._decide(credentials, training_id, True, "")

    def cancel_training(self, credentials: Credentials, training_id: str) -> Training:
        """What is open, for whoever IAM lets through; what has ended stays as it is."""
        kept = self._find(credentials, f"DELETE/trainings/{training_id}", training_id)
        if not kept.training.state.is_final:
            self._change(training_id, state=TrainingState.CANCELLED)
            self.announce(training_id, "TrainingCancelled")
        return self._seen(training_id)

    # ------------------------------------------------------------ what tests let happen

    def announce(self, training_id: str, kind: str, **facts: Any) -> Json:
        """An event about the training as it is now, in its envelope; it is put into the outbox too."""
        kept = self.kept[training_id]
        kept.sequence += 1
        event = TRAINING_EVENT_TYPES[kind](
            event_id=f"{training_id}-{kept.sequence}",
            sequence=kept.sequence,
            training=self._seen(training_id),
            at=self._now(),
            **facts,
        )
        detail = event.model_dump(mode="json")
        envelope = {"version": "0", "source": "easel.backend", "detail-type": kind, "detail": detail}
        self.outbox.append(envelope)
        return envelope

    def start(self, training_id: str) -> Json:
        """SageMaker has it; a second time: it was interrupted."""
        self._change(training_id, state=TrainingState.STARTING)
        return self.announce(training_id, "TrainingProgressed")

    def progress(self, training_id: str, step: int, **facts: Any) -> Json:
        """It is so far, with a plot and samples of that step."""
        prefix = f"tenants/T1/trainings/{training_id}/"
        values = {
            "phase": "training",
            "step": step,
            "steps": self.kept[training_id].training.settings.steps,
            "loss": 0.5 - step / 10_000,
            "seconds_left": 90.0,
            "loss_plot": StoredPicture(bucket=BUCKET, key=f"{prefix}loss-{step}.png"),
            "samples": StoredPicture(bucket=BUCKET, key=f"{prefix}samples-{step}.png"),
        }
        self._change(training_id, state=TrainingState.RUNNING, report=TrainingReport(**{**values, **facts}))
        return self.announce(training_id, "TrainingProgressed")

    def succeed(self, training_id: str) -> Json:
        """Its LoRA is listed."""
        steps = self.kept[training_id].training.settings.steps
        self.progress(training_id, steps, seconds_left=0.0)
        self.outbox.pop()
        facts = {"state": TrainingState.SUCCEEDED, "lora_version": 1, "final_loss": 0.12, "dataset_deleted": True}
        self._change(training_id, **facts)
        return self.announce(training_id, "TrainingSucceeded")

    def fail(self, training_id: str, code: TrainingFailureCode) -> Json:
        """It ends without a LoRA."""
        failure = TrainingFailure(code=code, message="internal words", reference="ref42")
        self._change(training_id, state=TrainingState.FAILED, failure=failure)
        return self.announce(training_id, "TrainingFailed")

    def expire(self, training_id: str) -> Json:
        """Nobody decided."""
        self._change(training_id, state=TrainingState.EXPIRED)
        return self.announce(training_id, "TrainingExpired")

    @property
    def latest(self) -> str:
        """The id of the training that was made last."""
        return list(self.kept)[-1]

    def training(self, training_id: str) -> Training:
        """As it is now."""
        return self._seen(training_id)

    # ------------------------------------------------------------ inside

    def _decide(self, credentials: Credentials, training_id: str, approve: bool, reason: str) -> Training:
        kept, wanted = self.kept[training_id], DecideTraining(approve=approve, reason=reason)
        if kept.training.decision is not None:
            return self._seen(training_id)
        if kept.training.state is not TrainingState.AWAITING_APPROVAL:
            state = kept.training.state.value
            raise ApiRefused(409, {"code": "training_not_in_state", "message": "no", "given": state})
        caller = caller_of(credentials)
        by = Owner(tenant=caller.team, member=caller.member)
        decision = Decision(approved=wanted.approve, by=by, reason=wanted.reason, at=self._now())
        state_now = TrainingState.APPROVED if approve else TrainingState.DENIED
        self._change(training_id, state=state_now, decision=decision)
        self.announce(training_id, "TrainingDecided")
        return self._seen(training_id)

    def _admit(self, credentials: Credentials, route: str) -> None:
        self._iam.check(credentials, route)
        if self.refusal is not None:
            raise self.refusal

    def _find(self, credentials: Credentials, route: str, training_id: str) -> _Kept:
        self._admit(credentials, route)
        kept = self.kept.get(training_id)
        if kept is None or kept.training.owner.tenant != caller_of(credentials).team:
            raise ApiRefused(404, {"code": "training_not_found", "message": "none"})
        return kept

    def _draft(self, credentials: Credentials, route: str, training_id: str) -> _Kept:
        kept = self._find(credentials, route, training_id)
        if kept.training.owner.member != caller_of(credentials).member:
            raise ApiRefused(403, {"code": "not_allowed", "message": "not yours"})
        if kept.training.state is not TrainingState.DRAFT:
            state = kept.training.state.value
            raise ApiRefused(409, {"code": "training_not_in_state", "message": "no", "given": state})
        return kept

    def _seen(self, training_id: str) -> Training:
        kept = self.kept[training_id]
        sheet = StoredPicture(bucket=BUCKET, key=f"tenants/T1/trainings/{training_id}/contact-sheet.png")
        pictures = list(kept.pictures.values())
        update = {"pictures": pictures, "contact_sheet": sheet if kept.training.submitted_at else None}
        return kept.training.model_copy(update=update)

    def _change(self, training_id: str, **facts: Any) -> None:
        kept = self.kept[training_id]
        kept.training = kept.training.model_copy(update=facts)

    @staticmethod
    def _accepted(kept: _Kept) -> list[DatasetPicture]:
        return [one for one in kept.pictures.values() if one.state is PictureState.ACCEPTED]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def fault_of(content: bytes | None) -> PictureFault | None:
    """What is wrong with a picture, as the contract names it."""
    if not content:
        return PictureFault.NOT_UPLOADED
    if len(content) > MAX_PICTURE_BYTES:
        return PictureFault.TOO_LARGE
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if getattr(image, "n_frames", 1) > 1:
                return PictureFault.ANIMATED
            if width * height > MAX_PICTURE_PIXELS:
                return PictureFault.TOO_MANY_PIXELS
            if min(width, height) < MIN_PICTURE_SIDE:
                return PictureFault.TOO_SMALL
            if max(width, height) > MAX_PICTURE_ASPECT * min(width, height):
                return PictureFault.TOO_NARROW
            image.load()
    except Image.DecompressionBombError:
        return PictureFault.TOO_MANY_PIXELS
    except UnidentifiedImageError:
        return PictureFault.NOT_A_PICTURE
    except (OSError, SyntaxError, ValueError):
        return PictureFault.TRUNCATED
    return None
