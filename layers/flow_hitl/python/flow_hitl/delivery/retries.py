"""How often and how long a queue's message is tried again after a failure, with growing pauses."""

from dataclasses import dataclass
from itertools import chain, repeat
from typing import Self

_HOUR = 3600
# A message that has been tried in vain for so long is worth an alarm.
_LATE_SECONDS = 600


@dataclass(frozen=True)
class Patience:
    """The seconds between one failed attempt and the next."""

    pauses: tuple[int, ...]

    @classmethod
    def growing(cls, first: tuple[int, ...], *, hours: int) -> Self:
        """Return these pauses and as many of an hour as it takes to last for so many hours."""
        rest = -(-(hours * _HOUR - sum(first)) // _HOUR)
        return cls(tuple(chain(first, repeat(_HOUR, rest))))

    @property
    def attempts(self) -> int:
        return len(self.pauses) + 1

    def pause_after(self, attempt: int) -> int | None:
        """Return the seconds to wait after the failed attempt of this number (from 1), or None if it was the last."""
        return self.pauses[attempt - 1] if attempt <= len(self.pauses) else None

    def is_late(self, attempt: int) -> bool:
        """Tell whether an attempt comes so long after the first that somebody should look."""
        return sum(self.pauses[: attempt - 1]) > _LATE_SECONDS


RESUME = Patience.growing((5, 15, 60, 300, 900), hours=24)
"""For a resumption: the contract's "growing pauses … for 24 hours"."""

DAYS = Patience.growing((10, 30, 60, 180, 600, 1800), hours=4 * 24)
"""For everything else that a request waits for: a weekend's outage loses no mail, no reply and no deadline."""
