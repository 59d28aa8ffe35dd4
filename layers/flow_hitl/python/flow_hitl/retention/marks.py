"""Up to where a deployment's log has been walked through, to erase what is due."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Self

from flow_hitl.audit.index import IndexedEvent, Period, midnight, periods
from flow_hitl.platform.records import dataclass

EMAILS_LIVE = timedelta(days=30)
"""After this time the mail bucket itself removes every email."""


@dataclass(frozen=True)
class Walk:
    """Every event before `until` has been looked at; moments are whole seconds.

    Where a run ended within a period, that goes on to `period_until`, and what comes up to `after` is done.
    """

    until: datetime
    period_until: datetime | None = None
    after: IndexedEvent | None = None

    def next_period(self, limit: datetime) -> Period | None:
        """Return what is to be looked at next, a day at most, of what came before `limit`; None if there is none."""
        end = min(self.period_until, limit) if self.period_until is not None else limit
        return next(periods(self.until, end), None)

    def passed(self, period: Period, events: Sequence[IndexedEvent]) -> Self:
        return replace(self, period_until=period.until, after=events[-1])

    def finished(self, period: Period) -> Self:
        return type(self)(period.until)


@dataclass(frozen=True)
class Marks:
    """How far the walks of a deployment have come, for contents and for emails; `version` counts the writes."""

    contents: Walk
    emails: Walk
    saved_at: datetime
    version: int = 0


def first_marks(first_event_at: datetime, now: datetime) -> Marks:
    """Return where the walks of a deployment begin."""
    begin, now = midnight(first_event_at), now.replace(microsecond=0)
    return Marks(Walk(begin), Walk(max(begin, midnight(now - EMAILS_LIVE - timedelta(days=1)))), saved_at=now)
