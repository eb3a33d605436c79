"""What was trained and imported, what is being trained, and how a workspace trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend_lambda.contract.loras import Lora, LoraUpload
from backend_lambda.contract.trainings import Training, TrainingPolicy
from bot.ports.backend import Credentials
from bot.ports.records import Json


class RegistryApi(Protocol):
    """LoRAs, trainings as far as they are looked at and ended, and the policy in the backend's REST API.

    Called as someone. Raises `ApiRefused` and `ApiUnavailable`.
    """

    def list_loras(self, credentials: Credentials, most: int) -> Sequence[Lora]:
        """The first `most` of those that the caller may use, by name, the newest version of each."""
        ...

    def read_lora(self, credentials: Credentials, name: str) -> Sequence[Lora]:
        """All versions of one, newest first."""
        ...

    def change_lora(self, credentials: Credentials, name: str, change: Json) -> Lora:
        """Rename, share, retire, note: `ChangeLora` as JSON; as it stands then."""
        ...

    def delete_lora(self, credentials: Credentials, name: str, version: int | None) -> None:
        """Delete one version, or all."""
        ...

    def import_lora(self, credentials: Credentials, body: Json) -> LoraUpload:
        """Announce a file: `ImportLora` as JSON. The same idempotency key is the same import."""
        ...

    def upload_lora(self, upload: LoraUpload, content: bytes) -> None:
        """Send the file's bytes to where the backend wants them; no credentials are needed."""
        ...

    def check_lora(self, credentials: Credentials, name: str) -> Lora:
        """Have the uploaded file read and listed."""
        ...

    def list_trainings(self, credentials: Credentials, most: int) -> Sequence[Training]:
        """The newest `most` of them, newest first, without pictures."""
        ...

    def read_training(self, credentials: Credentials, training_id: str) -> Training:
        """One of them."""
        ...

    def cancel_training(self, credentials: Credentials, training_id: str) -> Training:
        """Cancel one that is open; a final one stays as it is. As it stands then."""
        ...

    def delete_training(self, credentials: Credentials, training_id: str) -> None:
        """Cancel one that is open, or delete a final one with its pictures."""
        ...

    def read_training_policy(self, credentials: Credentials) -> TrainingPolicy:
        """How the caller's workspace trains."""
        ...

    def put_training_policy(self, credentials: Credentials, policy: TrainingPolicy) -> TrainingPolicy:
        """Replace it; as it stands then."""
        ...
