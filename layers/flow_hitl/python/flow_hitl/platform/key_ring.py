"""The key ring: one secret, several keys by id, one of them active; each purpose gets keys of its own."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class KeyRing(Protocol):
    """Where signing keys come from; `key` looks again at the source before it says that an id is unknown."""

    def active_id(self) -> str: ...

    def key(self, key_id: str) -> bytes | None: ...

    def refresh(self) -> bool:
        """Look at the source again, unless that was done too often lately; return whether it was done."""

    def read_since(self, moment: datetime) -> bool:
        """Tell whether the source was looked at since a moment: what was signed before it is known then."""

    def all_keys(self) -> Mapping[str, bytes]: ...


class KeysTooOld(Exception):
    """The signing keys were read before a token was made, and cannot be read again yet: try again in a few seconds."""


def derive(key: bytes, purpose: str) -> bytes:
    """Return the 32-byte key of one purpose, so that nothing signed for one is valid for another."""
    return hmac.new(key, f"flow-hitl/{purpose}".encode(), hashlib.sha256).digest()
