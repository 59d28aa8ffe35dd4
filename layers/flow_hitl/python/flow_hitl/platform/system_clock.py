"""Time, ids and randomness of the real world."""

import secrets
import time
from datetime import UTC, datetime

from flow_hitl.platform.uuids import uuid_text, with_version


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class RandomIds:
    def request_id(self, at: datetime) -> str:
        """Return a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits."""
        milliseconds = int(at.timestamp() * 1000)
        return uuid_text(with_version(milliseconds.to_bytes(6, "big") + secrets.token_bytes(10), 7))

    def event_id(self) -> str:
        return with_version(secrets.token_bytes(16), 4).hex()


def jitter() -> float:
    """Return a random share from 0 up to 1."""
    return secrets.randbelow(1 << 20) / (1 << 20)
