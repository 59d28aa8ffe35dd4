"""The signing keys, from Secrets Manager: read once, and again when a key id is unknown."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flow_hitl.platform.ports import Clock

# A stranger can send any token, and that must not make us call Secrets Manager each time: a few looks at once, then one
# in so many seconds. An id that is not there is not looked for again for as long.
_LOOKS = 3
_SECONDS_PER_LOOK = 5.0


class SecretKeyRing:
    """The secret is JSON: `{"active": "<id>", "<id>": "<key>", …}`; ids are the numbers 1 to 255."""

    def __init__(self, client: Callable[[], Any], secret_id: str, clock: Clock) -> None:
        self._client, self._secret_id, self._clock = client, secret_id, clock
        self._keys: Mapping[str, str] = {}
        self._read_at: datetime | None = None
        self._looks = float(_LOOKS)
        self._looked_at: datetime | None = None
        self._missed: dict[str, datetime] = {}

    def active_id(self) -> str:
        return self._loaded()["active"]

    def key(self, key_id: str) -> bytes | None:
        if key_id not in self._loaded() and not self._missed_lately(key_id) and self._look():
            self._missed[key_id] = self._clock.now()
        found = self._keys.get(key_id) if key_id.isdecimal() else None
        return found.encode() if found else None

    def refresh(self) -> bool:
        age = (self._clock.now() - self._read_at).total_seconds() if self._read_at else _SECONDS_PER_LOOK
        return age >= _SECONDS_PER_LOOK and self._look()

    def _look(self) -> bool:
        now = self._clock.now()
        if self._looked_at is not None:
            gained = max(0.0, (now - self._looked_at).total_seconds()) / _SECONDS_PER_LOOK
            self._looks = min(float(_LOOKS), self._looks + gained)
        self._looked_at = now
        if self._looks < 1:
            return False
        self._looks -= 1
        self._read()
        return True

    def read_since(self, moment: datetime) -> bool:
        return self._read_at is not None and self._read_at >= moment

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
        self._read_at = self._clock.now()

    def _missed_lately(self, key_id: str) -> bool:
        missed_at = self._missed.get(key_id)
        return missed_at is not None and (self._clock.now() - missed_at).total_seconds() < _SECONDS_PER_LOOK
