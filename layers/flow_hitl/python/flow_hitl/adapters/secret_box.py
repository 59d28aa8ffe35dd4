"""Secrets at rest: encrypted by KMS, each bound to what it is the secret of."""

import base64
from collections.abc import Callable
from typing import Any


class KmsSecretBox:
    """One KMS key; a ciphertext opens only for the webhook that it was sealed for."""

    def __init__(self, client: Callable[[], Any], key_id: str) -> None:
        self._client, self._key_id = client, key_id

    def seal(self, secret: str, webhook_id: str) -> str:
        answer = self._client().encrypt(
            KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=_context(webhook_id)
        )
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def open(self, ciphertext: str, webhook_id: str) -> str:
        answer = self._client().decrypt(
            KeyId=self._key_id,
            CiphertextBlob=base64.b64decode(ciphertext),
            EncryptionContext=_context(webhook_id),
        )
        plain: bytes = answer["Plaintext"]
        return plain.decode()


def _context(webhook_id: str) -> dict[str, str]:
    return {"webhook_id": webhook_id}
