"""What keeps how far the sweep has come, and what it is to look at later."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Protocol

from flow_hitl.platform.no_answer import Unknown
from flow_hitl.sweep.agenda import Entry
from flow_hitl.sweep.watermark import Watermark


class Watermarks(Protocol):
    def load(self) -> Watermark | None:
        """Read the watermark consistently; None before the first run."""

    def save(self, mark: Watermark) -> None:
        """Write the next version; raises Conflict if another run has written it by now."""


class Agenda(Protocol):
    def add(self, entries: Sequence[Entry]) -> None:
        """Write entries; one that stands there is the same."""

    def due(self, day: datetime, now: datetime, limit: int) -> Sequence[Entry]:
        """Return a day's entries whose moment has come, oldest first, read consistently."""

    def of_day(self, day: datetime) -> Iterator[Entry]:
        """Yield all of a day's entries, read consistently."""

    def remove(self, entries: Sequence[Entry]) -> None: ...


class StepsTaken(Protocol):
    def taken(self, names: Sequence[str]) -> Set[str]:
        """Return which of these steps, which may happen once, have happened."""


class SealedTimes(Protocol):
    def latest(self, since: datetime) -> datetime | Unknown | None:
        """Return up to when the log is sealed; None if not up to `since`. Never raises for the bucket's silence."""


class SealCalls(Protocol):
    def send(self, body: str) -> None:
        """Have all past hours sealed, with an empty JSON object."""
