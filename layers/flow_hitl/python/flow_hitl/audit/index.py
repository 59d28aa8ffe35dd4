"""The index of the audit log by day: which events there are, deployment by deployment, without what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339


@dataclass(frozen=True)
class IndexedEvent:
    """Of an event no more than what the index holds; `at` is in whole seconds."""

    deployment_id: int
    subject: str
    seq: int
    at: datetime
    hash: str


@dataclass(frozen=True)
class Period:
    """A time within one day in UTC: from `since` (included) to `until` (excluded)."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


def place_in_day(at: datetime, subject: str, seq: int) -> str:
    """Return where an event stands among those of its day and deployment, as text that sorts in their order."""
    return f"{rfc3339(at)}#{subject}#{seq:06d}"


def midnight(moment: datetime) -> datetime:
    """Return the beginning of a moment's day in UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def periods(since: datetime, until: datetime) -> Iterator[Period]:
    """Yield the days and parts of days between two moments, in order."""
    while since < until:
        # The calendar may end before the next midnight does.
        begin, day = midnight(since), timedelta(days=1)
        end = until if until - begin <= day else begin + day
        yield Period(since, end)
        since = end
