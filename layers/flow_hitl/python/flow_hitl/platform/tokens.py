"""Signed texts: each purpose has keys of its own, so that nothing signed for one is valid for another."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from flow_hitl.platform.errors import TokenInvalid
from flow_hitl.platform.key_ring import KeyRing, derive

_KEY = "k"


def sign(keys: KeyRing, purpose: str, payload: Mapping[str, Any]) -> str:
    """Return the token that carries a JSON object, readable by everybody, safe in URLs and cookies."""
    return _serializer(keys, purpose).dumps({**payload, _KEY: keys.active_id()})


def read(keys: KeyRing, purpose: str, token: str, refusal: str) -> Any:
    """Return what a token carries; raises TokenInvalid, which says `refusal`, if we did not sign it for the purpose."""
    try:
        return _read(keys, purpose, token, refusal)
    except BadData:
        if not _is_newer(keys, token):
            raise TokenInvalid(refusal) from None
    try:
        return _read(keys, purpose, token, refusal)
    except BadData:
        raise TokenInvalid(refusal) from None


def _is_newer(keys: KeyRing, token: str) -> bool:
    """Tell whether a token may be of a key that was added since the keys were read, and is known now."""
    # Only to learn which key it names: nothing of it is believed.
    _, payload = URLSafeSerializer(b"").loads_unsafe(token)
    named = payload.get(_KEY) if isinstance(payload, Mapping) else None
    if not isinstance(named, str):
        # Earlier tokens name no key: one of a newer key looks like an altered one.
        return keys.refresh()
    return named not in keys.all_keys() and (keys.key(named) is not None or keys.refresh())


def _read(keys: KeyRing, purpose: str, token: str, refusal: str) -> Any:
    signature = token.rpartition(".")[2]
    # Base64 spells the same octets in several ways: only the one that we gave out is the token.
    if base64_encode(base64_decode(signature)).decode() != signature:
        raise TokenInvalid(refusal)
    return _serializer(keys, purpose).loads(token)


def _serializer(keys: KeyRing, purpose: str) -> URLSafeSerializer:
    active = keys.active_id()
    # itsdangerous signs with the last key of the list and accepts them all.
    ring = sorted(keys.all_keys().items(), key=lambda item: item[0] == active)
    return _serializer_of(tuple(key for _, key in ring), purpose)


@lru_cache(maxsize=16)
def _serializer_of(ring: tuple[bytes, ...], purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        [derive(key, purpose) for key in ring], salt=purpose, signer_kwargs={"digest_method": sha256}
    )
