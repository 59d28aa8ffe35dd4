"""Time, ids and randomness of the real world."""

import secrets
import time
import uuid
from datetime import UTC, datetime


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class RandomIds:
    def request_id(self, at: datetime) -> str:
        """Return a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits."""
        milliseconds = int(at.timestamp() * 1000)
        value = (milliseconds << 80) | secrets.randbits(80)
        value = value & ~(0xF << 76) | (0x7 << 76)
        value = value & ~(0x3 << 62) | (0x2 << 62)
        return str(uuid.UUID(int=value))

    def event_id(self) -> str:
        return uuid.UUID(bytes=secrets.token_bytes(16), version=4).hex


def jitter() -> float:
    """Return a random share from 0 up to 1."""
    return secrets.randbelow(1 << 20) / (1 << 20)
