"""Check that a webhook, or a push to your `resume_url`, really comes from your Flow HITL.

from flow_hitl_client import signature

signature.verify(
    secret,                                   # whsec_… of the webhook, or the deployment's resume signing secret
    body,                                     # the raw bytes, before any JSON parsing
    signature=request.headers["X-Signature"],
    timestamp=request.headers["X-Timestamp"],
)                                             # raises InvalidSignature, else the body is genuine and fresh
"""

import hashlib
import hmac
import time

from flow_hitl_client.errors import FlowHitlClientError


class InvalidSignature(FlowHitlClientError):
    """The body is not from the holder of the secret, was altered, or is too old. Answer 401 and do nothing."""


def verify(
    secret: str,
    body: bytes,
    *,
    signature: str | None,
    timestamp: str | None,
    tolerance_seconds: int = 300,
    now: float | None = None,
) -> None:
    """Return if the body was signed with the secret within the tolerance, else raise InvalidSignature.

    `signature` and `timestamp` are the headers `X-Signature` and `X-Timestamp` (None if absent). `now` is in Unix
    seconds and defaults to the clock; give it in tests.
    """
    if not signature or not timestamp:
        raise InvalidSignature("X-Signature or X-Timestamp is missing")
    signed = timestamp.encode(errors="replace") + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
        raise InvalidSignature("X-Signature does not belong to this body and secret")
    age = (time.time() if now is None else now) - int(timestamp)
    if abs(age) > tolerance_seconds:
        raise InvalidSignature(f"X-Timestamp is {age:.0f} seconds old; at most {tolerance_seconds} are allowed")
