"""The signed local part of a reply-to address.

35 octets in lower-case base32 are exactly 56 characters, without padding and without a second spelling; RFC 5321
section 4.5.3.1.1 allows 64:

    key id 1 | request id 16 | expiry 4 (Unix seconds) | MAC 14 (HMAC-SHA256, 112 bits)

The MAC also covers the purpose and the authorised address, which are not in the token: when a request is reassigned,
tokens issued to the former assignee no longer verify.
"""

import base64
import binascii
import hashlib
import hmac
import re
import struct
from datetime import UTC, datetime

from flow_hitl.platform.errors import TokenExpired, TokenInvalid
from flow_hitl.platform.key_ring import KeyRing, derive
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.uuids import uuid_bytes, uuid_text

_PURPOSE = "reply-address/v1"
_LAYOUT = struct.Struct(">B16sI")
_MAC_OCTETS = 14
_TOKEN = re.compile(r"[a-z2-7]{56}")


@dataclass(frozen=True)
class ReplyToken:
    """A parsed token, not yet verified."""

    key_id: int
    request_id: str
    expires_at: int
    mac: bytes


def sign(keys: KeyRing, request_id: str, address: str, expires_at: datetime) -> str:
    """Return the local part with which `address` can answer a request until `expires_at` (whole seconds)."""
    key_id = keys.active_id()
    key = keys.key(key_id)
    if key is None:
        raise LookupError(f"the active signing key {key_id} is not in the key ring")
    head = _LAYOUT.pack(int(key_id), uuid_bytes(request_id), int(expires_at.timestamp()))
    return base64.b32encode(head + _mac(key, head, address)).decode().lower()


def parse(local_part: str) -> ReplyToken | None:
    """Return the token in a local part, in any case, or None."""
    text = local_part.lower()
    # Before folding, which turns the Kelvin sign into a k.
    if not local_part.isascii() or not _TOKEN.fullmatch(text):
        return None
    try:
        octets = base64.b32decode(text.upper())
    except binascii.Error:
        return None
    key_id, request, expires_at = _LAYOUT.unpack_from(octets)
    return ReplyToken(key_id, uuid_text(request), expires_at, octets[_LAYOUT.size :])


def verify(keys: KeyRing, token: ReplyToken, address: str, now: datetime) -> None:
    """Raise TokenInvalid unless the token was issued to `address`, and TokenExpired if it has expired."""
    key = keys.key(str(token.key_id))
    head = _LAYOUT.pack(token.key_id, uuid_bytes(token.request_id), token.expires_at)
    if key is None or not hmac.compare_digest(_mac(key, head, address), token.mac):
        raise TokenInvalid("The reply address was not issued to the person this request is assigned to.")
    if now > datetime.fromtimestamp(token.expires_at, UTC):
        raise TokenExpired("The reply address has expired.", request_id=token.request_id)


def _mac(key: bytes, head: bytes, address: str) -> bytes:
    message = head + address.lower().encode()
    return hmac.new(derive(key, _PURPOSE), message, hashlib.sha256).digest()[:_MAC_OCTETS]
