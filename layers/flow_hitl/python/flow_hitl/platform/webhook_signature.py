"""The signature of what we POST, as the spec's "Signature Headers" and the contract's "Webhooks" define it."""

import hashlib
import hmac
from datetime import datetime


def signature_headers(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return `X-Signature` and `X-Timestamp` over `"{timestamp}.{body}"`, keyed by the whole `whsec_…` text."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Signature": f"sha256={digest}", "X-Timestamp": timestamp}
