"""Verify that a webhook or a push to your `resume_url` comes from your Flow HITL.

from flow_hitl_client import signature

signature.verify(
    secret,                                   # whsec_… of the webhook, or the deployment's resume signing secret;
                                              # during a rotation, a list of both
    body,                                     # the raw bytes, before any JSON parsing
    signature=request.headers["X-Signature"],
    timestamp=request.headers["X-Timestamp"],
)                                             # raises InvalidSignature unless genuine and fresh
"""

import hashlib
import hmac
import time
from collections.abc import Iterable

from flow_hitl_client.errors import FlowHitlClientError

_LONGEST_TIMESTAMP = 12


class InvalidSignature(FlowHitlClientError):
    """The body was not signed with the secret, was altered, or is too old. Answer 401 and do nothing."""


def verify(
    secret: str | Iterable[str],
    body: bytes,
    *,
    signature: str | None,
    timestamp: str | None,
    tolerance_seconds: int = 300,
    now: float | None = None,
) -> None:
    """Raise InvalidSignature unless the body was signed with one of the secrets within the tolerance.

    `signature` and `timestamp` are the headers `X-Signature` and `X-Timestamp` (None if absent); `now` is in Unix
    seconds (default: the clock).
    """
    if not signature or not timestamp:
        raise InvalidSignature("X-Signature or X-Timestamp is missing")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        raise InvalidSignature("X-Timestamp is not in Unix seconds")
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets or not all(secrets):
        raise ValueError("no secret, or an empty one, which would let everyone in")
    signed = timestamp.encode() + b"." + body
    given = signature.encode(errors="replace")
    # Constant time: try every secret.
    fits = [
        hmac.compare_digest(f"sha256={hmac.new(one.encode(), signed, hashlib.sha256).hexdigest()}".encode(), given)
        for one in secrets
    ]
    if not any(fits):
        raise InvalidSignature("X-Signature does not match the body and secret")
    age = (time.time() if now is None else now) - int(timestamp)
    if abs(age) > tolerance_seconds:
        raise InvalidSignature(f"X-Timestamp is {age:.0f} seconds old; at most {tolerance_seconds} are allowed")
