"""Trainings through the backend's REST API, and their pictures to presigned URLs."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from backend_lambda.contract.endpoints import EndpointList
from backend_lambda.contract.trainings import DatasetPicture, PictureUpload, Training, TrainingPolicy
from bot.aws.presigned_uploads import PresignedUploads
from bot.aws.signed_requests import SignedRequests
from bot.ports.backend import Credentials
from bot.ports.clock import Clock
from bot.ports.records import Json
from commands.training_offers import Trainable


class SignedTrainingApi:
    """Implements `bot.ports.trainings.TrainingApi`."""

    def __init__(self, api_url: str, region: str, clock: Clock) -> None:
        self._requests = SignedRequests(api_url, region, clock)
        self._uploads = PresignedUploads()

    def list_trainables(self, credentials: Credentials) -> list[Trainable]:
        """The endpoints whose models can be trained."""
        listed = EndpointList.model_validate(self._requests.call(credentials, "GET", "/endpoints")).endpoints
        return [
            Trainable(one.name, one.title, one.model, one.training.model_dump(mode="json"))
            for one in listed
            if one.training is not None
        ]

    def approvals_place(self, credentials: Credentials) -> str:
        """Where the tenant's policy has approvals asked."""
        policy = self._requests.call(credentials, "GET", "/training-policy")
        return TrainingPolicy.model_validate(policy).approvals_place

    def create_training(self, credentials: Credentials, body: Json) -> Training:
        """Make a draft."""
        return Training.model_validate(self._requests.call(credentials, "POST", "/trainings", body))

    def see_training(self, credentials: Credentials, training_id: str) -> Training:
        """The training with its pictures."""
        return Training.model_validate(self._requests.call(credentials, "GET", _path(training_id)))

    def add_picture(self, credentials: Credentials, training_id: str, body: Json) -> PictureUpload:
        """Announce a picture."""
        answer = self._requests.call(credentials, "POST", f"{_path(training_id)}/pictures", body)
        return PictureUpload.model_validate(answer)

    def upload_picture(self, upload: PictureUpload, content: bytes) -> None:
        """Send its bytes."""
        self._uploads.put(upload.url, upload.headers, content)

    def check_picture(self, credentials: Credentials, training_id: str, picture_id: str) -> DatasetPicture:
        """Have the backend look at it."""
        answer = self._requests.call(credentials, "POST", f"{_path(training_id, picture_id)}/check", {})
        return DatasetPicture.model_validate(answer)

    def remove_picture(self, credentials: Credentials, training_id: str, picture_id: str) -> None:
        """Take it out of the draft."""
        self._requests.call(credentials, "DELETE", _path(training_id, picture_id))

    def submit_training(self, credentials: Credentials, training_id: str, captions: Mapping[str, str]) -> Training:
        """Ask for an approval."""
        body = {"captions": dict(captions)}
        return Training.model_validate(
            self._requests.call(credentials, "POST", f"{_path(training_id)}/submission", body)
        )

    def decide_training(self, credentials: Credentials, training_id: str, approve: bool, reason: str) -> Training:
        """Approve or deny somebody else's."""
        body = {"approve": approve, "reason": reason}
        return Training.model_validate(self._requests.call(credentials, "POST", f"{_path(training_id)}/approval", body))

    def approve_own_training(self, credentials: Credentials, training_id: str) -> Training:
        """Approve one's own."""
        path, body = f"{_path(training_id)}/self-approval", {"approve": True}
        return Training.model_validate(self._requests.call(credentials, "POST", path, body))

    def cancel_training(self, credentials: Credentials, training_id: str) -> Training:
        """Cancel what is open; what has ended stays as it is."""
        path = f"{_path(training_id)}?only=open"
        return Training.model_validate(self._requests.call(credentials, "DELETE", path))


def _path(training_id: str, picture_id: str | None = None) -> str:
    picture = f"/pictures/{quote(picture_id, safe='')}" if picture_id is not None else ""
    return f"/trainings/{quote(training_id, safe='')}{picture}"
