"""LoRAs, trainings and the training policy through the backend's REST API."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from backend_lambda.contract.loras import Lora, LoraList, LoraUpload, LoraVersions
from backend_lambda.contract.trainings import Training, TrainingList, TrainingPolicy
from bot.aws.presigned_uploads import PresignedUploads
from bot.aws.signed_requests import SignedRequests
from bot.ports.backend import Credentials
from bot.ports.clock import Clock
from bot.ports.records import Json

MAX_PAGES = 40


class SignedRegistryApi:
    """Implements `bot.ports.registry.RegistryApi`."""

    def __init__(self, api_url: str, region: str, clock: Clock) -> None:
        self._requests = SignedRequests(api_url, region, clock)
        self._uploads = PresignedUploads()

    def list_loras(self, credentials: Credentials, most: int) -> Sequence[Lora]:
        """The first `most`. Pages may be short, or empty: as many are read as it takes."""
        found: list[Lora] = []
        position: str | None = None
        for _ in range(MAX_PAGES):
            page = LoraList.model_validate(self._requests.call(credentials, "GET", _paged("/loras", position)))
            found += page.loras
            position = page.next
            if position is None or len(found) >= most:
                break
        return found[:most]

    def read_lora(self, credentials: Credentials, name: str) -> Sequence[Lora]:
        """All versions of one, newest first."""
        return LoraVersions.model_validate(self._requests.call(credentials, "GET", _lora(name))).versions

    def change_lora(self, credentials: Credentials, name: str, change: Json) -> Lora:
        """Rename, share, retire, note."""
        return Lora.model_validate(self._requests.call(credentials, "PATCH", _lora(name), change))

    def delete_lora(self, credentials: Credentials, name: str, version: int | None) -> None:
        """Delete one version, or all."""
        query = f"?version={version}" if version is not None else ""
        self._requests.call(credentials, "DELETE", f"{_lora(name)}{query}")

    def import_lora(self, credentials: Credentials, body: Json) -> LoraUpload:
        """Announce a file."""
        return LoraUpload.model_validate(self._requests.call(credentials, "POST", "/loras", body))

    def upload_lora(self, upload: LoraUpload, content: bytes) -> None:
        """Send the file's bytes."""
        self._uploads.put(upload.url, upload.headers, content)

    def check_lora(self, credentials: Credentials, name: str) -> Lora:
        """Have the uploaded file read and listed."""
        return Lora.model_validate(self._requests.call(credentials, "POST", f"{_lora(name)}/check"))

    def list_trainings(self, credentials: Credentials, most: int) -> Sequence[Training]:
        """The newest `most`. Pages may be short, or empty: as many are read as it takes."""
        found: list[Training] = []
        position: str | None = None
        for _ in range(MAX_PAGES):
            page = TrainingList.model_validate(self._requests.call(credentials, "GET", _paged("/trainings", position)))
            found += page.trainings
            position = page.next
            if position is None or len(found) >= most:
                break
        return found[:most]

    def read_training(self, credentials: Credentials, training_id: str) -> Training:
        """One of them."""
        return Training.model_validate(self._requests.call(credentials, "GET", _training(training_id)))

    def cancel_training(self, credentials: Credentials, training_id: str) -> Training:
        """Cancel one that is open; a final one stays as it is."""
        path = f"{_training(training_id)}?only=open"
        return Training.model_validate(self._requests.call(credentials, "DELETE", path))

    def delete_training(self, credentials: Credentials, training_id: str) -> None:
        """Cancel one that is open, or delete a final one with its pictures."""
        self._requests.call(credentials, "DELETE", _training(training_id))

    def read_training_policy(self, credentials: Credentials) -> TrainingPolicy:
        """How the caller's workspace trains."""
        return TrainingPolicy.model_validate(self._requests.call(credentials, "GET", "/training-policy"))

    def put_training_policy(self, credentials: Credentials, policy: TrainingPolicy) -> TrainingPolicy:
        """Replace it."""
        body = policy.model_dump(mode="json")
        return TrainingPolicy.model_validate(self._requests.call(credentials, "PUT", "/training-policy", body))


def _paged(path: str, position: str | None) -> str:
    return f"{path}?{urlencode({'next': position})}" if position is not None else path


def _lora(name: str) -> str:
    return f"/loras/{quote(name, safe='')}"


def _training(training_id: str) -> str:
    return f"/trainings/{quote(training_id, safe='')}"
