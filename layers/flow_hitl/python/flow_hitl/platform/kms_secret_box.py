"""Secrets at rest: encrypted by KMS, each bound to what it is the secret of."""

import base64
from collections.abc import Callable, Mapping
from typing import Any


class KmsSecretBox:
    """One KMS key; a ciphertext opens only with the names that it was sealed under."""

    def __init__(self, client: Callable[[], Any], key_id: str) -> None:
        self._client, self._key_id = client, key_id

    def seal(self, secret: str, belongs_to: Mapping[str, str]) -> str:
        answer = self._client().encrypt(
            KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=dict(belongs_to)
        )
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def open(self, ciphertext: str, belongs_to: Mapping[str, str]) -> str:
        answer = self._client().decrypt(
            KeyId=self._key_id,
            CiphertextBlob=base64.b64decode(ciphertext),
            EncryptionContext=dict(belongs_to),
        )
        plain: bytes = answer["Plaintext"]
        return plain.decode()
