"""The key ring: one secret, several keys by id, one of them active; each purpose gets keys of its own."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from flow_hitl.domain.deployment import ResumeSecret


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


def resume_signing_secret(key: bytes, deployment_id: int, rotation: str = "") -> str:
    """Return the `whsec_…` secret with which a deployment's resumptions are signed, the first or a rotation's.

    It is derived, not stored: whoever reads the tables learns no secret, and it stays as long as the deployment
    names the same key id and rotation.
    """
    return "whsec_" + derive(key, f"resume/{deployment_id}/{rotation}" if rotation else f"resume/{deployment_id}").hex()


def resume_secret_of(keys: KeyRing, deployment_id: int, wanted: ResumeSecret) -> str:
    """Return the text of a deployment's resume secret; raises LookupError if the key that it derives from is gone."""
    key = keys.key(wanted.key_id)
    if key is None:
        raise LookupError(f"the signing key {wanted.key_id} is not in the key ring")
    return resume_signing_secret(key, deployment_id, wanted.rotation)
