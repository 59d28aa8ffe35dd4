"""Up to where the log has been looked at again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Self

from flow_hitl.audit.index import IndexedEvent, Period, periods
from flow_hitl.platform.records import dataclass
from flow_hitl.sweep.unsealed import Unsealed


@dataclass(frozen=True)
class Watermark:
    """Every event before `looked_until` has been looked at again; moments are whole seconds.

    Where a run ended within a period, that goes on to `period_until`, and what comes up to `after` is done. Of the
    agenda, every day before `agenda_from` is done. `version` counts the runs. `unsealed`: the hours of
    events that the seal has yet to cover.
    """

    looked_until: datetime
    period_until: datetime | None = None
    after: IndexedEvent | None = None
    version: int = 0
    agenda_from: datetime | None = None
    unsealed: Unsealed | None = None

    def next_period(self, settled: datetime) -> Period | None:
        """Return what is to be looked at next, a day at most, of what is older than `settled`; None if there is none.

        A period that was begun stays as it is: what has settled since comes after it.
        """
        if self.period_until is not None:
            return Period(self.looked_until, self.period_until)
        return next(periods(self.looked_until, settled), None)

    def passed(self, period: Period, events: Sequence[IndexedEvent]) -> Self:
        """Return how it stands after events within a period."""
        unsealed = Unsealed.with_events(self.unsealed, (event.at for event in events))
        return replace(self, period_until=period.until, after=events[-1], unsealed=unsealed)

    def finished(self, period: Period) -> Self:
        """Return how it stands after all of a period."""
        return replace(self, looked_until=period.until, period_until=None, after=None)

    def written(self) -> Self:
        """Return what is to be written in place of the one that was read."""
        return replace(self, version=self.version + 1)
