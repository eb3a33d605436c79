"""Envelope encryption: a KMS data key for each thing that is sealed, AES-256-GCM, bound to a workspace twice.

The workspace's id is the data key's encryption context, which KMS checks and IAM policies can name, and the additional
data of the cipher. So what was sealed for one workspace can't be opened as another's, whoever moves it.
"""

from __future__ import annotations

import base64
import os
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


class KmsEnvelope:
    """Seals and opens under one KMS key. Raises `AwsCallFailed` where KMS refuses or does not answer."""

    def __init__(self, key_arn: str) -> None:
        self._kms = SignedJson("kms", "KMS", "TrentService", "1.1")
        self._key_arn = key_arn

    def seal(self, workspace: str, plaintext: bytes) -> Sealed:
        """Encrypt for a workspace, under a data key of its own."""
        # Imported here: the acknowledging function seldom needs a token.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        answer = self._kms.call(
            "GenerateDataKey",
            {"KeyId": self._key_arn, "KeySpec": "AES_256", "EncryptionContext": {CONTEXT_KEY: workspace}},
        )
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = AESGCM(base64.b64decode(answer["Plaintext"])).encrypt(nonce, plaintext, workspace.encode())
        return Sealed(answer["CiphertextBlob"], _text(nonce), _text(ciphertext))

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
