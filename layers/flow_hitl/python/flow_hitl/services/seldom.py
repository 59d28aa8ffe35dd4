"""What is worth noting, but not each time: a process remembers for a while what it has noted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Seldom:
    """Does something by name, at most once in a while in each process."""

    every: timedelta
    done: dict[str, datetime] = field(default_factory=dict)

    def __call__(self, name: str, now: datetime, note: Callable[[], None]) -> None:
        """Call `note` unless that was done under this name a short while ago; it counts as done once it returns."""
        # They stand in the order of their times: what may be forgotten is at the front.
        while self.done and now - self.done[oldest := next(iter(self.done))] >= self.every:
            del self.done[oldest]
        if name not in self.done:
            note()
            self.done[name] = now
