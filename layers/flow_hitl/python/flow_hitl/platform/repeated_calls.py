"""Calls that their callers may make again: an `Idempotency-Key` stands for one call, for seven days."""

import hashlib
from datetime import datetime, timedelta

from flow_hitl.platform.errors import IdempotencyMismatch
from flow_hitl.platform.records import dataclass

_KEPT = timedelta(days=7)

REPEATED_CALL = "repeated_call"
"""Under which name the secret of an answer is sealed."""


@dataclass(frozen=True)
class Call:
    """A call that came with a key of its caller's, at a moment.

    `operation` says what it asks for, and of which thing; "" is `POST /v1/requests`. `body_sha256` is of what it says;
    "" where what it made is compared instead.
    """

    deployment_id: int
    operation: str
    key: str
    body_sha256: str
    at: datetime

    @property
    def expires_at(self) -> int:
        """Until when (Unix seconds) the key stands for this call."""
        return int((self.at + _KEPT).timestamp())

    @property
    def name(self) -> str:
        """What tells this call from every other of its deployment, as 64 hex digits."""
        # A key has no line break in it.
        named = f"{self.operation}\n{self.key}" if self.operation else self.key
        return hashlib.sha256(named.encode()).hexdigest()


@dataclass(frozen=True)
class CallRecord:
    """What is kept of a call: by what its answer is found again, and the secret in that answer, encrypted."""

    call: Call
    made: str
    sealed: str | None = None

    def require_same_body(self, again: Call) -> None:
        """Return if a later call under the same key says the same; raises IdempotencyMismatch."""
        if self.call.body_sha256 != again.body_sha256:
            raise IdempotencyMismatch("This Idempotency-Key was used with another body; use a new key.")
