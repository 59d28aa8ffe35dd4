"""What is worth noting, but not each time: a process remembers for a while what it has noted."""

import logging
from collections.abc import Callable
from dataclasses import field
from datetime import datetime, timedelta

from flow_hitl.platform.records import dataclass

# The name under which `telemetry` writes.
_logger = logging.getLogger("flow-hitl")


@dataclass(frozen=True)
class Seldom:
    """Does something by name, at most once in a while in each process."""

    every: timedelta
    done: dict[str, datetime] = field(default_factory=dict)

    def __call__(self, name: str, now: datetime, note: Callable[[], None]) -> None:
        """Call `note` unless that was done under this name a short while ago; it counts as done once it returns.

        Whoever is served meanwhile does not suffer from a note that fails: it is logged, and made the next time.
        """
        # They stand in the order of their times: what may be forgotten is at the front.
        while self.done and now - self.done[oldest := next(iter(self.done))] >= self.every:
            del self.done[oldest]
        if name not in self.done:
            try:
                note()
            except Exception:
                _logger.exception("not noted", extra={"note": name})
                return
            self.done[name] = now
