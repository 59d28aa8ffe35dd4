"""Rebuilds the figures from the audit log beside those shown, compares them, and replaces them.

Events keep arriving meanwhile. Those older than an hour are added here, a month at a time. Later ones are added one by
one, here and by `measure_events`: thanks to their markers, only the first of the two counts.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, groupby, islice

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.index import Period, midnight, periods
from flow_hitl.audit.ports import AuditArchive, AuditRecord
from flow_hitl.metrics.metrics import (
    ALL_TIME,
    Bucket,
    Dimension,
    Generations,
    Measurement,
    Span,
    Tallies,
    Tally,
    measure,
    merge,
    merged,
    month_period,
)
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.rounds import in_rounds

# Longer than any function runs and any index lags: older events have settled.
_SETTLED_AFTER = timedelta(hours=1)
_INDEX_LAG_SECONDS = 5
# Longer than a batch of the stream waits to be measured.
_MEASURE_LAG_SECONDS = 30
_READ_AHEAD = 100
_ADD_AT_ONCE = 1000
_TOTAL = Bucket(Dimension.TOTAL, ALL_TIME)


@dataclass(frozen=True)
class Counted:
    """How many events were added, and how many were malformed."""

    added: int
    senseless: int


@dataclass(frozen=True)
class Difference:
    """A counter that is shown with another number than the audit log has."""

    bucket: Bucket
    counter: str
    shown: int
    logged: int


@dataclass(frozen=True)
class RebuildMetrics:
    """Recomputes a deployment's figures, for the operator; calls `progress` with each finished month."""

    metrics: MetricStore
    archive: AuditArchive
    clock: Clock
    pause: Callable[[int], None]

    def rebuild(self, deployment_id: int, progress: Callable[[str], object]) -> Counted:
        """Rebuild the figures, replace the old ones, and remove those.

        Raises NotFound, and Conflict if another rebuild has begun, which removes what this one has built.
        """
        beginning = self._beginning(deployment_id)
        generations = self._begin(deployment_id)
        building = generations.growing[-1]
        found = _Found()
        everything: Counter[str] = Counter()
        for month, days in self._months(beginning):
            sums: dict[Bucket, Counter[str]] = {}
            recent: list[Measurement] = []
            for measured in self._measured(deployment_id, days, found):
                if not building.takes(measured.at):
                    merge(sums, measured.tallies)
                    continue
                recent.append(measured)
                if len(recent) == _ADD_AT_ONCE:
                    self._record(deployment_id, generations, recent)
                    recent = []
            self._record(deployment_id, generations, recent)
            everything.update(sums.pop(_TOTAL, {}))
            self.metrics.add(deployment_id, generations, building.number, sums, month)
            progress(month)
        self.metrics.add(deployment_id, generations, building.number, {_TOTAL: everything}, ALL_TIME)
        switched = generations.switched()
        self.metrics.save(deployment_id, switched)
        self._remove_discarded(deployment_id, switched)
        return Counted(found.counted, found.senseless)

    def differences(self, deployment_id: int, progress: Callable[[str], object]) -> Iterator[Difference]:
        """Yield where the figures shown differ from the audit log, latest month first; raises NotFound.

        If a figure changes meanwhile, the log must be between its values before and after.
        """
        beginning = self._beginning(deployment_id)
        number = self.metrics.generations(deployment_id).live.number
        total: Counter[str] = Counter()
        before = self.metrics.all_time(deployment_id, number)
        # Changes of earlier months wait for their turn.
        earlier: dict[Bucket, Counter[str]] = {}
        for month, days in reversed(list(self._months(beginning))):
            shown = self._month(deployment_id, number, month)
            measured = (each.tallies for each in self._measured(deployment_id, days, _Found()))
            found = merged(chain([earlier], measured))
            total.update(found.pop(_TOTAL, {}))
            logged = {bucket: tally for bucket, tally in found.items() if bucket.period.startswith(month)}
            earlier = {bucket: tally for bucket, tally in found.items() if bucket not in logged}
            yield from self._compare(shown, logged, partial(self._month, deployment_id, number, month))
            progress(month)
        yield from self._compare(
            {_TOTAL: before}, {_TOTAL: total}, lambda: {_TOTAL: self.metrics.all_time(deployment_id, number)}
        )

    def _beginning(self, deployment_id: int) -> datetime:
        first = self.archive.first_events([deployment_id]).get(deployment_id)
        if first is None:
            raise NotFound(f"There is no deployment {deployment_id}.")
        return midnight(first.at)

    def _begin(self, deployment_id: int) -> Generations:
        since = (self.clock.now() - _SETTLED_AFTER).replace(microsecond=0)
        generations = self.metrics.generations(deployment_id).begun(since)
        self.metrics.save(deployment_id, generations)
        # Events measured until now went only to the old figures, and must be in the index when we read it.
        self.clock.sleep(_INDEX_LAG_SECONDS)
        return generations

    def _months(self, beginning: datetime) -> Iterator[tuple[str, list[Period]]]:
        """Yield each month until now with its days."""
        days = periods(beginning, self.clock.now() + timedelta(minutes=5))
        for month, found in groupby(days, key=lambda day: month_period(day.since.date())):
            yield month, list(found)

    def _measured(self, deployment_id: int, days: list[Period], found: "_Found") -> Iterator[Measurement]:
        for day in days:
            index = self.archive.indexed(day, deployment_id)
            while batch := list(islice(index, _READ_AHEAD)):
                for record in self.archive.records(batch):
                    measured = found.count(record)
                    if measured is not None:
                        yield measured

    def _record(self, deployment_id: int, generations: Generations, recent: list[Measurement]) -> None:
        number = generations.growing[-1].number
        record = partial(self.metrics.record, deployment_id, generations, number, recent, self.clock.now())
        in_rounds(record, self.pause)

    def _remove_discarded(self, deployment_id: int, generations: Generations) -> None:
        for number in generations.discarded:
            self.metrics.remove(deployment_id, number)
        self.metrics.save(deployment_id, generations.cleared())

    def _month(self, deployment_id: int, number: int, month: str) -> Tallies:
        days = Span(f"{month}-01", f"{month}-31")
        months = Span(month, month)
        return {
            **self.metrics.contents(deployment_id, number, days),
            **self.metrics.contents(deployment_id, number, months),
        }

    def _compare(self, shown: Tallies, logged: Tallies, look_again: Callable[[], Tallies]) -> Iterator[Difference]:
        if not any(_differing(shown, logged, shown)):
            return
        # It may have grown while we were reading, or not have been measured yet.
        self.clock.sleep(_MEASURE_LAG_SECONDS)
        yield from _differing(shown, logged, look_again())


class _Found:
    """What was found in the log so far."""

    def __init__(self) -> None:
        self.counted = self.senseless = 0

    def count(self, record: AuditRecord) -> Measurement | None:
        try:
            measured = measure(AuditEvent.from_dict(record))
        except (KeyError, TypeError, ValueError):
            self.senseless += 1
            return None
        self.counted += measured is not None
        return measured


def _differing(before: Tallies, logged: Tallies, after: Tallies) -> Iterator[Difference]:
    """Yield the counters of the log that are not between those of two reads of the figures."""
    nothing: Tally = {}
    for bucket in sorted({*before, *logged, *after}, key=repr):
        low, high = before.get(bucket, nothing), after.get(bucket, nothing)
        log = logged.get(bucket, nothing)
        for counter in sorted({*low, *log, *high}):
            first, last = low.get(counter, 0), high.get(counter, 0)
            if not min(first, last) <= log.get(counter, 0) <= max(first, last):
                yield Difference(bucket, counter, last, log.get(counter, 0))
