"""A fake of LoRAs, trainings and the training policy that behaves as the backend does: whose they are, and who asks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from backend_lambda.contract.jobs import Owner
from backend_lambda.contract.loras import ChangeLora, ImportLora, Lora, LoraScope, LoraUpload
from backend_lambda.contract.training_state import TrainingState
from backend_lambda.contract.trainings import (
    Estimate,
    StoredPicture,
    Training,
    TrainingKind,
    TrainingPolicy,
    TrainingPreset,
    TrainingSettings,
)
from bot.ports.backend import ApiRefused, Caller, Credentials
from bot.ports.clock import Clock
from bot.ports.records import Json
from tests.fakes.bot_access import FakeIam, caller_of

ADMIN_ROLE = "easel-admin"
SETTINGS = TrainingSettings(
    rank=8,
    steps=400,
    batch_size=1,
    learning_rate=1e-4,
    resolution=128,
    prior_preservation=True,
    text_encoder=False,
    seed=0,
)


class FakeRegistry:
    """Implements `bot.ports.registry.RegistryApi`. A LoRA's name maps to its versions, oldest first."""

    def __init__(self, clock: Clock, iam: FakeIam) -> None:
        self._clock = clock
        self._iam = iam
        self.loras: dict[str, dict[str, list[Lora]]] = {}
        self.trainings: dict[str, Training] = {}
        self.policies: dict[str, TrainingPolicy] = {}
        self.uploaded: dict[str, bytes] = {}
        self._imports: dict[tuple[str, str], tuple[ImportLora, str, int]] = {}
        self.refusal: ApiRefused | None = None

    # what tests set up

    def add_lora(self, tenant: str, name: str, member: str = "U1", **facts: Any) -> Lora:
        """The next version of it, as it stands after a training."""
        versions = self.loras.setdefault(tenant, {}).setdefault(name, [])
        version = len(versions) + 1
        known: dict[str, Any] = {
            "name": name,
            "version": version,
            "model": "tiny-world",
            "trigger": "zblx",
            "kind": TrainingKind.SUBJECT,
            "scope": LoraScope.WORKSPACE,
            "owner": Owner(tenant=tenant, member=member),
            "settings": SETTINGS,
            "rank": 8,
            "bytes": 3_400_000,
            "sha256": hashlib.sha256(f"{tenant}{name}{version}".encode()).hexdigest(),
            "final_loss": 0.0712,
            "dataset_pictures": 8,
            "samples": StoredPicture(bucket="pictures", key=f"tenants/{tenant}/loras/{name}/{version}-samples.png"),
            "created_at": self._now(),
        }
        versions.append(Lora(**{**known, **facts}))
        return versions[-1]

    def add_training(self, tenant: str, name: str, state: TrainingState, member: str = "U1", **facts: Any) -> Training:
        """A training in this state."""
        digest = hashlib.sha256(f"{tenant}{name}{len(self.trainings)}".encode()).hexdigest()
        letters = "".join("abcdefghijklmnopqrstuvwxyz234567"[int(digest[at : at + 2], 16) % 32] for at in range(26))
        created_at = self._now() + timedelta(seconds=len(self.trainings))
        known: dict[str, Any] = {
            "training_id": f"trn-{letters}",
            "state": state,
            "name": name,
            "trigger": "zblx",
            "kind": TrainingKind.SUBJECT,
            "what": "mug",
            "endpoint": "tiny",
            "model": "tiny-world",
            "preset": TrainingPreset.STANDARD,
            "settings": SETTINGS,
            "owner": Owner(tenant=tenant, member=member),
            "licence_note": "",
            "context": {},
            "pictures": [],
            "estimate": Estimate(seconds=240, dollars=0.04, instance_type="ml.g5.xlarge", spot=True),
            "created_at": created_at,
            "submitted_at": created_at,
        }
        training = Training(**{**known, **facts})
        self.trainings[training.training_id] = training
        return training

    def choose(self, caller: Caller, loras: Sequence[Mapping[str, Any]], model: str) -> list[Json]:
        """What a job of the caller's paints with, each with its exact version."""
        chosen = []
        for one in loras:
            versions = self._usable(caller, one["name"], one.get("version"))
            if versions[-1].model != model:
                made_for = versions[-1].model
                message = (
                    f"The LoRA {one['name']} was made for the model {made_for} and does not fit the model {model}."
                )
                raise ApiRefused(422, {"code": "lora_not_fitting", "message": message, "given": made_for})
            chosen.append({"name": one["name"], "version": versions[-1].version, "weight": one["weight"]})
        return chosen

    # RegistryApi

    def list_loras(self, credentials: Credentials, most: int) -> Sequence[Lora]:
        """Those that the caller may use."""
        caller = self._admit(credentials, "GET/loras")
        found = [versions[-1] for versions in self._all(caller).values() if _may_use(caller, versions[-1])]
        return sorted(found, key=lambda one: one.name)[:most]

    def read_lora(self, credentials: Credentials, name: str) -> Sequence[Lora]:
        """Newest first."""
        return self._usable(self._admit(credentials, f"GET/loras/{name}"), name)[::-1]

    def change_lora(self, credentials: Credentials, name: str, change: Json) -> Lora:
        """In all its versions."""
        caller = self._admit(credentials, f"PATCH/loras/{name}")
        wanted = ChangeLora.model_validate_json(json.dumps(change))
        versions = self._owned(credentials, caller, name)
        new_name = wanted.name or name
        if new_name != name and new_name in self._all(caller):
            raise ApiRefused(409, {"code": "lora_name_taken", "message": "taken", "given": new_name})
        named = wanted.model_dump(exclude_none=True)
        if wanted.scope is not None:
            is_channel = wanted.scope is LoraScope.CHANNEL
            named["channel"] = (wanted.channel or caller.channel) if is_channel else None
        del self._all(caller)[name]
        self._all(caller)[new_name] = [one.model_copy(update=named) for one in versions]
        return self._all(caller)[new_name][-1]

    def delete_lora(self, credentials: Credentials, name: str, version: int | None) -> None:
        """All of it, or a version."""
        caller = self._admit(credentials, f"DELETE/loras/{name}")
        versions = self._owned(credentials, caller, name, version)
        left = [one for one in self._all(caller)[name] if one not in versions] if version is not None else []
        if left:
            self._all(caller)[name] = left
        else:
            del self._all(caller)[name]

    def import_lora(self, credentials: Credentials, body: Json) -> LoraUpload:
        """The same key is the same import."""
        caller = self._admit(credentials, "POST/loras")
        wanted = ImportLora.model_validate_json(json.dumps(body))
        known = self._imports.get((caller.team, wanted.idempotency_key))
        if known is None:
            if wanted.name in self._all(caller):
                self._owned(credentials, caller, wanted.name)
            version = len(self._all(caller).get(wanted.name, [])) + 1
            url = f"https://s3.example/{caller.team}/{wanted.name}/{version}?X-Amz-Signature=secret"
            known = self._imports[caller.team, wanted.idempotency_key] = (wanted, url, version)
        return LoraUpload(
            name=wanted.name, version=known[2], url=known[1], headers={"content-length": "1"}, expires_at=self._now()
        )

    def upload_lora(self, upload: LoraUpload, content: bytes) -> None:
        """Keep the bytes."""
        self.uploaded[upload.url] = content

    def check_lora(self, credentials: Credentials, name: str) -> Lora:
        """A file is good where its header is a JSON object, as that of safetensors is."""
        caller = self._admit(credentials, f"POST/loras/{name}/check")
        found = [one for (tenant, _), one in self._imports.items() if tenant == caller.team and one[0].name == name]
        wanted, url, version = found[-1]
        content = self.uploaded[url]
        if content[8:9] != b"{":
            raise ApiRefused(
                422, {"code": "lora_file_unusable", "message": "This is a pickle, which can carry programs."}
            )
        if len(self._all(caller).get(name, [])) < version:
            facts = {
                "trigger": wanted.trigger,
                "licence_note": wanted.licence_note,
                "scope": LoraScope.MEMBER,
                "kind": None,
                "settings": None,
                "final_loss": None,
                "dataset_pictures": None,
                "samples": None,
                "bytes": len(content),
            }
            self.add_lora(caller.team, name, caller.member, **facts)
        return self._all(caller)[name][version - 1]

    def list_trainings(self, credentials: Credentials, most: int) -> Sequence[Training]:
        """Newest first."""
        caller = self._admit(credentials, "GET/trainings")
        found = [one for one in self.trainings.values() if one.owner.tenant == caller.team]
        found = [one for one in found if one.state is not TrainingState.DELETED]
        return sorted(found, key=lambda one: one.created_at, reverse=True)[:most]

    def read_training(self, credentials: Credentials, training_id: str) -> Training:
        """One of the tenant's."""
        return self._training(self._admit(credentials, f"GET/trainings/{training_id}"), training_id)

    def cancel_training(self, credentials: Credentials, training_id: str) -> Training:
        """Unless it is final."""
        caller = self._admit(credentials, f"DELETE/trainings/{training_id}")
        training = self._training(caller, training_id)
        if training.state.is_final:
            return training
        self.trainings[training_id] = training.model_copy(update={"state": TrainingState.CANCELLED})
        return self.trainings[training_id]

    def delete_training(self, credentials: Credentials, training_id: str) -> None:
        """Whatever its state."""
        caller = self._admit(credentials, f"DELETE/trainings/{training_id}")
        deleted = {"state": TrainingState.DELETED, "dataset_deleted": True}
        self.trainings[training_id] = self._training(caller, training_id).model_copy(update=deleted)

    def read_training_policy(self, credentials: Credentials) -> TrainingPolicy:
        """As it was put, or as it is without."""
        caller = self._admit(credentials, "GET/training-policy")
        return self.policies.get(caller.team, TrainingPolicy())

    def put_training_policy(self, credentials: Credentials, policy: TrainingPolicy) -> TrainingPolicy:
        """Replace it."""
        self.policies[self._admit(credentials, "PUT/training-policy").team] = policy
        return policy

    # inside

    def _admit(self, credentials: Credentials, route: str) -> Caller:
        self._iam.check(credentials, route)
        if self.refusal is not None:
            raise self.refusal
        return caller_of(credentials)

    def _all(self, caller: Caller) -> dict[str, list[Lora]]:
        return self.loras.setdefault(caller.team, {})

    def _usable(self, caller: Caller, name: str, version: int | None = None) -> list[Lora]:
        """Its versions, or the one that is named, oldest first; what the caller may not use is not there."""
        versions = [one for one in self._all(caller).get(name, []) if _may_use(caller, one)]
        found = [one for one in versions if version in {None, one.version}]
        if not versions:
            available = sorted(one for one, (*_, newest) in self._all(caller).items() if _may_use(caller, newest))
            facts: Json = {"message": "none", "field": "name", "given": name, "available": available}
            raise ApiRefused(404, {"code": "lora_not_found", **facts})
        if not found:
            message = f"The LoRA {name} has no version {version}."
            available = [str(one.version) for one in versions]
            facts = {"message": message, "field": "version", "given": str(version), "available": available}
            raise ApiRefused(404, {"code": "lora_not_found", **facts})
        return found

    def _owned(self, credentials: Credentials, caller: Caller, name: str, version: int | None = None) -> list[Lora]:
        versions = self._usable(caller, name, version)
        is_admin = json.loads(credentials.session_token)["role_arn"].endswith(ADMIN_ROLE)
        if versions[-1].owner.member != caller.member and not is_admin:
            message = "Only who made this LoRA or an admin may change it."
            raise ApiRefused(403, {"code": "not_allowed", "message": message, "field": "name", "given": name})
        return versions

    def _training(self, caller: Caller, training_id: str) -> Training:
        training = self.trainings.get(training_id)
        if training is None or training.owner.tenant != caller.team:
            raise ApiRefused(404, {"code": "training_not_found", "message": "none"})
        return training

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def _may_use(caller: Caller, lora: Lora) -> bool:
    match lora.scope:
        case LoraScope.WORKSPACE:
            return True
        case LoraScope.CHANNEL:
            return lora.channel == caller.channel
        case _:
            return lora.owner.member == caller.member
