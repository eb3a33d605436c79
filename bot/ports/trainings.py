"""The backend's trainings, called as someone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from backend_lambda.contract.trainings import DatasetPicture, PictureUpload, Training
from bot.ports.backend import Credentials
from bot.ports.records import Json
from commands.training_offers import Trainable


class TrainingApi(Protocol):
    """The REST API's trainings. Every method raises `ApiRefused` and `ApiUnavailable`, and may be repeated."""

    def list_trainables(self, credentials: Credentials) -> list[Trainable]:
        """The endpoints whose models can be trained."""
        ...

    def approvals_place(self, credentials: Credentials) -> str:
        """Where the tenant's policy has approvals asked; empty where nothing is set."""
        ...

    def create_training(self, credentials: Credentials, body: Json) -> Training:
        """Make a draft by `CreateTraining` as JSON; the same idempotency key gives the same draft."""
        ...

    def see_training(self, credentials: Credentials, training_id: str) -> Training:
        """The training with its pictures."""
        ...

    def add_picture(self, credentials: Credentials, training_id: str, body: Json) -> PictureUpload:
        """Announce a picture by `AddPicture` as JSON; the same key is the same picture."""
        ...

    def upload_picture(self, upload: PictureUpload, content: bytes) -> None:
        """Send its bytes to where the backend wants them; no credentials are needed."""
        ...

    def check_picture(self, credentials: Credentials, training_id: str, picture_id: str) -> DatasetPicture:
        """Have the backend look at it: accepted, or refused with a reason."""
        ...

    def remove_picture(self, credentials: Credentials, training_id: str, picture_id: str) -> None:
        """Take it out of the draft."""
        ...

    def submit_training(self, credentials: Credentials, training_id: str, captions: Mapping[str, str]) -> Training:
        """Ask for an approval; `captions` by picture, of those that changed."""
        ...

    def decide_training(self, credentials: Credentials, training_id: str, approve: bool, reason: str) -> Training:
        """Approve or deny somebody else's; who comes too late is answered what was decided."""
        ...

    def approve_own_training(self, credentials: Credentials, training_id: str) -> Training:
        """Approve one's own."""
        ...

    def cancel_training(self, credentials: Credentials, training_id: str) -> Training:
        """Cancel what is open; what has ended stays as it is."""
        ...
