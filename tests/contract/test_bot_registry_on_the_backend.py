"""The bot's registry client against the backend's own routes: both sides of the contract, over the fakes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from backend_lambda.api.handler import respond
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import TrainingPolicy
from bot.aws.signed_registry_api import SignedRegistryApi
from bot.aws.signed_requests import SignedRequests
from bot.ports.backend import ApiRefused, Credentials
from bot.worker.refusals import refusal_trouble
from commands.sentences import trouble_text
from tests.fakes.backend import ADA, BOB
from tests.fakes.backend_events import request
from tests.fakes.backend_trainings import MUG, FakeTrainings
from tests.fakes.bot import FakeClock
from tests.fakes.loras import lora_file, lora_of

ADAS, BOBS = (Credentials(arn, "s", "t", time.time() + 3_600) for arn in (ADA.arn, BOB.arn))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTrainings]:
    fakes = FakeTrainings()

    def send(self: SignedRequests, credentials: Credentials, method: str, path: str, data: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        event = request(
            method,
            unquote(parts.path),
            json.loads(data) if data else None,
            arn=credentials.access_key,
            query=dict(parse_qsl(parts.query)) or None,
        )
        answer = respond(event, None, fakes.backend.backend)
        return answer["statusCode"], json.loads(answer["body"])

    monkeypatch.setattr(SignedRequests, "_send", send)
    yield fakes


@pytest.fixture
def api() -> SignedRegistryApi:
    return SignedRegistryApi("https://api.example/v1", "us-east-1", FakeClock())


def said(call: Any, *args: Any) -> str:
    """What a person reads when the backend refuses."""
    with pytest.raises(ApiRefused) as refused:
        call(*args)
    return trouble_text(refusal_trouble(refused.value, "tiny", "ref"))


def test_an_import_is_shared_renamed_noted_retired_and_deleted(fakes: FakeTrainings, api: SignedRegistryApi) -> None:
    body = {"name": "ink", "endpoint": "tiny", "bytes": len(lora_file()), "trigger": None, "licence_note": "ours",
            "idempotency_key": "import-1"}  # fmt: skip
    upload = api.import_lora(ADAS, body)
    assert api.import_lora(ADAS, body).version == upload.version
    fakes.backend.lora_files.put(upload.url, lora_file())
    lora = api.check_lora(ADAS, "ink")
    assert api.check_lora(ADAS, "ink") == lora and lora.scope.value == "member"
    assert [one.name for one in api.list_loras(ADAS, 10)] == ["ink"] and list(api.list_loras(BOBS, 10)) == []
    assert "There is no LoRA `ink` that you may use here. There is none yet." in said(api.read_lora, BOBS, "ink")
    assert api.change_lora(ADAS, "ink", {"scope": "workspace"}).scope.value == "workspace"
    assert api.change_lora(ADAS, "ink", {"licence_note": ""}).licence_note == ""
    assert api.change_lora(ADAS, "ink", {"is_retired": True}).is_retired
    assert api.change_lora(ADAS, "ink", {"name": "pen"}).sha256 == lora.sha256
    api.change_lora(ADAS, "pen", {"is_retired": False})
    assert "Did you mean `pen`?" in said(api.read_lora, BOBS, "penn")
    assert "has no version 9" in said(api.delete_lora, ADAS, "pen", 9) and "It has `@1`" in said(
        api.delete_lora, ADAS, "pen", 9
    )
    with pytest.raises(ApiRefused) as refused:
        api.change_lora(BOBS, "pen", {"name": "mine"})
    assert refused.value.body["code"] == "not_allowed" and refused.value.body["field"]
    fakes.backend.loras.write(lora_of("taken"))
    assert "has the name `taken` already" in said(api.change_lora, ADAS, "pen", {"name": "taken"})
    api.delete_lora(ADAS, "pen", None)
    assert said(api.delete_lora, ADAS, "pen", None).startswith("There is no LoRA `pen`")


def test_a_pickle_is_refused_in_the_backends_words(fakes: FakeTrainings, api: SignedRegistryApi) -> None:
    content = b"\x80\x04" + b"x" * 100
    body = {"name": "ink", "endpoint": "tiny", "bytes": len(content), "idempotency_key": "import-1"}
    upload = api.import_lora(ADAS, body)
    fakes.backend.lora_files.put(upload.url, content)
    assert "This is a pickle" in said(api.check_lora, ADAS, "ink")


def test_trainings_and_the_policy(fakes: FakeTrainings, api: SignedRegistryApi) -> None:
    requests = SignedRequests("https://api.example/v1", "us-east-1", FakeClock())
    draft = requests.call(ADAS, "POST", "/trainings", MUG.model_dump(mode="json", exclude_defaults=True))
    assert [one.training_id for one in api.list_trainings(BOBS, 10)] == [draft["training_id"]]
    assert api.read_training(BOBS, draft["training_id"]).state is TrainingState.DRAFT
    assert api.cancel_training(ADAS, draft["training_id"]).state is TrainingState.CANCELLED
    assert api.cancel_training(ADAS, draft["training_id"]).state is TrainingState.CANCELLED
    api.delete_training(ADAS, draft["training_id"])
    assert api.read_training(ADAS, draft["training_id"]).state is TrainingState.DELETED
    assert "There is no such training here" in said(api.read_training, ADAS, "trn-" + "a" * 26)
    policy = TrainingPolicy(approvals_place="C9", approval_days=3, keep_dataset_days=30)
    assert api.read_training_policy(ADAS) == TrainingPolicy()
    assert api.put_training_policy(ADAS, policy) == policy == api.read_training_policy(BOBS)
