"""The signing keys, from Secrets Manager: read once, and once more when a key id is unknown."""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from flow_hitl.ports import Clock

_LOOK_AGAIN_SECONDS = 60


class SecretKeyRing:
    """The secret is JSON: `{"active": "<id>", "<id>": "<key>", …}`; ids are the numbers 1 to 255."""

    def __init__(self, client: Callable[[], Any], secret_id: str, clock: Clock) -> None:
        self._client, self._secret_id, self._clock = client, secret_id, clock
        self._keys: Mapping[str, str] = {}
        self._read_at: float | None = None

    def active_id(self) -> str:
        return self._loaded()["active"]

    def key(self, key_id: str) -> bytes | None:
        if key_id not in self._loaded():
            self.refresh()
        found = self._keys.get(key_id) if key_id.isdecimal() else None
        return found.encode() if found else None

    def refresh(self) -> bool:
        # A stranger can send any token; that must not make us call Secrets Manager each time.
        if self._read_at is not None and self._clock.now().timestamp() - self._read_at < _LOOK_AGAIN_SECONDS:
            return False
        self._read()
        return True

    def all_keys(self) -> Mapping[str, bytes]:
        return {key_id: key.encode() for key_id, key in self._loaded().items() if key_id.isdecimal()}

    def write(self, active: str, added: str | None = None, removed: str | None = None) -> None:
        self._read()
        keys = {key_id: key for key_id, key in self._keys.items() if key_id != removed}
        if added is not None:
            keys[added] = secrets.token_urlsafe(32)
        self._client().put_secret_value(SecretId=self._secret_id, SecretString=json.dumps({**keys, "active": active}))
        self._read()

    def _loaded(self) -> Mapping[str, str]:
        if self._read_at is None:
            self._read()
        return self._keys

    def _read(self) -> None:
        self._keys = json.loads(self._client().get_secret_value(SecretId=self._secret_id)["SecretString"])
        self._read_at = self._clock.now().timestamp()
