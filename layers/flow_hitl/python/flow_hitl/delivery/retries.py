"""How often and how long a queue's message is retried, with growing pauses."""

from itertools import chain, repeat
from typing import Self

from flow_hitl.platform.records import dataclass

_HOUR = 3600
# A message that keeps failing for this long deserves an alarm.
_LATE_SECONDS = 600


@dataclass(frozen=True)
class Patience:
    """The seconds between failed attempts."""

    pauses: tuple[int, ...]

    @classmethod
    def growing(cls, first: tuple[int, ...], *, hours: int) -> Self:
        """Return these pauses and then hourly ones, for this many hours in all."""
        rest = -(-(hours * _HOUR - sum(first)) // _HOUR)
        return cls(tuple(chain(first, repeat(_HOUR, rest))))

    @property
    def attempts(self) -> int:
        return len(self.pauses) + 1

    def pause_after(self, attempt: int) -> int | None:
        """Return the seconds to wait after failed attempt number `attempt` (from 1), or None after the last."""
        return self.pauses[attempt - 1] if attempt <= len(self.pauses) else None

    def is_late(self, attempt: int) -> bool:
        """Tell whether an attempt comes so long after the first that someone should look."""
        return sum(self.pauses[: attempt - 1]) > _LATE_SECONDS


RESUME = Patience.growing((5, 15, 60, 300, 900), hours=24)
"""For a resumption: the contract's "growing pauses … for 24 hours"."""

DAYS = Patience.growing((10, 30, 60, 180, 600, 1800), hours=4 * 24)
"""For everything else a request waits for: an outage of a weekend loses no email and no deadline."""
