"""A decision's receipt: a compact JWS (RFC 7515) that anyone can check with the published key."""

import base64
from collections.abc import Sequence
from typing import Any

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.contract.shapes import Time
from flow_hitl.platform.digests import canonical_json, digest
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.proof.verify_audit import RECEIPT_TYPE, Trust, signature_numbers
from flow_hitl.requests.request import Request, request_shown

_OCTETS = 32


@dataclass(frozen=True)
class Key:
    """A public key as a JSON Web Key (RFC 7517)."""

    kty: str
    """`EC`."""
    crv: str
    """`P-256`."""
    x: str
    """The point's x coordinate."""
    y: str
    """The point's y coordinate."""
    kid: str
    """The SHA-256 of the key as DER, by which seals of the audit log name it too."""
    use: str
    """`sig`."""
    alg: str
    """`ES256`."""
    retired_at: Time | None
    """When it was replaced: nothing later is signed by it. Null for the key in use."""


@dataclass(frozen=True)
class KeySet:
    """The keys that verify receipts, exports, and digests, as a JSON Web Key Set."""

    keys: Sequence[Key]
    """The key in use, then those before it."""


def key_set(trusted: Trust) -> KeySet:
    """Return P-256 public keys as a key set."""
    return KeySet([_key(name, key, trusted.retired.get(name)) for name, key in trusted.keys.items()])


def _key(name: str, public_key: bytes, retired_at: str | None) -> Key:
    # An uncompressed point is the end of the DER.
    x, y = public_key[-2 * _OCTETS : -_OCTETS], public_key[-_OCTETS:]
    return Key("EC", "P-256", _base64(x), _base64(y), name, "sig", "ES256", retired_at)


def claims_of(request: Request, decision: AuditEvent) -> dict[str, Any]:
    """Return what the receipt of a decided request says; `exp` (Unix seconds) is left out without an end."""
    response, shown = request.response, request_shown(request)
    if response is None:
        raise ValueError(f"request {request.head.request_id} has no answer")
    claims = {
        "request_id": request.head.request_id,
        "deployment_id": request.head.deployment_id,
        "content_sha256": digest(shown),
        # What was approved: as the reviewer changed it.
        "output_sha256": digest(shown["output"] if response.output is None else response.output),
        "outcome": response.outcome,
        "data_sha256": None if response.data is None else digest(response.data),
        # A receipt names no one who is only claimed to have answered.
        "responder": response.responder if response.responder_verified else None,
        "verified_by": decision.data.get("verification", {}).get("method"),
        "responded_at": rfc3339(response.responded_at),
    }
    return {**claims, "exp": int(response.valid_until.timestamp())} if response.valid_until else claims


def signing_input(claims: dict[str, Any], key: str) -> bytes:
    """Return the bytes to sign for these claims with the key of this name."""
    header = {"alg": "ES256", "kid": key, "typ": RECEIPT_TYPE}
    return ".".join(_base64(canonical_json(part).encode()) for part in (header, claims)).encode()


def receipt_of(signed: bytes, signature: bytes) -> str:
    """Return the receipt of a signing input and its DER signature, which a JWS holds as r and s."""
    numbers = signature_numbers(signature)
    if numbers is None:
        raise ValueError("the signature is not a DER signature")
    raw = b"".join(number.to_bytes(_OCTETS, "big") for number in numbers)
    return f"{signed.decode()}.{_base64(raw)}"


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
