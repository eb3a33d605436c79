"""Secrets sealed under a KMS key (envelope encryption).

What is sealed: a version byte, the length of the wrapped data key (two bytes), the data key as KMS wrapped it, a nonce
of 12 bytes, and AES-256-GCM's answer. The tenant is KMS's encryption context and GCM's associated data: bytes that were
moved to another tenant's item can't be opened there, and CloudTrail names the tenant of every data key.
"""

from __future__ import annotations

import secrets

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend_lambda.aws.clients import Client
from backend_lambda.webhooks.ports import CannotOpen

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class KmsVault:
    """`Vault` under one KMS key, with a data key of its own for everything that is sealed."""

    def __init__(self, client: Client, key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def seal(self, secret: str, tenant: str) -> bytes:
        made = self._client().generate_data_key(
            KeyId=self._key_arn, KeySpec="AES_256", EncryptionContext=_context(tenant)
        )
        wrapped: bytes = made["CiphertextBlob"]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        hidden = AESGCM(made["Plaintext"]).encrypt(nonce, secret.encode(), _bound_to(tenant))
        return _VERSION + len(wrapped).to_bytes(2, "big") + wrapped + nonce + hidden

    def open(self, sealed: bytes, tenant: str) -> str:
        wrapped_end = 3 + int.from_bytes(sealed[1:3], "big")
        nonce, hidden = sealed[wrapped_end : wrapped_end + _NONCE_BYTES], sealed[wrapped_end + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or wrapped_end == 3 or len(hidden) < _TAG_BYTES:
            raise CannotOpen("not something that was sealed")
        try:
            key = self._client().decrypt(
                KeyId=self._key_arn, CiphertextBlob=sealed[3:wrapped_end], EncryptionContext=_context(tenant)
            )["Plaintext"]
            return AESGCM(key).decrypt(nonce, hidden, _bound_to(tenant)).decode()
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"InvalidCiphertextException", "IncorrectKeyException"}:
                raise
            raise CannotOpen("KMS did not wrap this for the tenant") from None
        except InvalidTag:
            raise CannotOpen("sealed for another tenant, or damaged") from None


def _context(tenant: str) -> dict[str, str]:
    return {"tenant": tenant}


def _bound_to(tenant: str) -> bytes:
    return f"webhook|{tenant}".encode()
