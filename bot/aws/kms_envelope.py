"""Envelope encryption: a KMS data key for each thing that is sealed, AES-256-GCM, bound to a workspace twice.

The workspace's id is the data key's encryption context, which KMS checks and IAM policies can name, and the additional
data of the cipher. So what was sealed for one workspace can't be opened as another's, whoever moves it.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.aws.signed_json import AwsCallFailed, SignedJson

CONTEXT_KEY = "workspace"
NONCE_BYTES = 12


class CannotOpen(Exception):
    """It was sealed for another workspace or under another key, or was changed. Nothing of it is in the text."""


class Sealed(NamedTuple):
    """All three in base64; the data key is encrypted."""

    data_key: str
    nonce: str
    ciphertext: str


@dataclass(frozen=True)
class DataKey:
    """A key for one workspace: as it is, and as KMS encrypts it (base64)."""

    workspace: str
    plaintext: bytes = field(repr=False)
    encrypted: str = field(repr=False)


class KmsEnvelope:
    """Seals and opens under one KMS key. Raises `AwsCallFailed` where KMS refuses or does not answer."""

    def __init__(self, key_arn: str) -> None:
        self._kms = SignedJson("kms", "KMS", "TrentService", "1.1")
        self._key_arn = key_arn

    def data_key(self, workspace: str) -> DataKey:
        """A new data key for a workspace."""
        answer = self._kms.call(
            "GenerateDataKey",
            {"KeyId": self._key_arn, "KeySpec": "AES_256", "EncryptionContext": {CONTEXT_KEY: workspace}},
        )
        return DataKey(workspace, base64.b64decode(answer["Plaintext"]), answer["CiphertextBlob"])

    @staticmethod
    def seal(key: DataKey, plaintext: bytes) -> Sealed:
        """Encrypt for the key's workspace. Calls nobody."""
        # Imported here: the acknowledging function seldom needs a token.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(NONCE_BYTES)
        ciphertext = AESGCM(key.plaintext).encrypt(nonce, plaintext, key.workspace.encode())
        return Sealed(key.encrypted, _text(nonce), _text(ciphertext))

    def open(self, workspace: str, sealed: Sealed) -> bytes:
        """Decrypt what was sealed for this workspace; raises `CannotOpen`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            answer = self._kms.call(
                "Decrypt",
                {
                    "KeyId": self._key_arn,
                    "CiphertextBlob": sealed.data_key,
                    "EncryptionContext": {CONTEXT_KEY: workspace},
                },
            )
            key, nonce, ciphertext = (
                base64.b64decode(part) for part in (answer["Plaintext"], sealed.nonce, sealed.ciphertext)
            )
            return AESGCM(key).decrypt(nonce, ciphertext, workspace.encode())
        except AwsCallFailed as error:
            if error.code in {"InvalidCiphertextException", "IncorrectKeyException"}:
                raise CannotOpen(error.code) from None
            raise
        except (InvalidTag, ValueError):
            raise CannotOpen("changed") from None


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
