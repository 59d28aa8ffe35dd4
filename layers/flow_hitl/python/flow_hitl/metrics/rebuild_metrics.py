"""The figures once more, from the audit log: built beside those that are shown, compared with them, put in their place.

Events go on arriving meanwhile. Those before a moment an hour ago are added here, month by month and all at once; those
after it one by one, as `measure_events` does with what arrives: each has its marker, so it does not matter who of the
two comes first, or that both come.
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
    merged,
    month_period,
)
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.rounds import in_rounds

# Longer than any function lives, and than an index takes to show what was written: older events have settled.
_SETTLED_AFTER = timedelta(hours=1)
_INDEX_LAG_SECONDS = 5
# Longer than the stream's batches wait to be measured.
_MEASURE_LAG_SECONDS = 30
_READ_AHEAD = 100
_ADD_AT_ONCE = 1000
_TOTAL = Bucket(Dimension.TOTAL, ALL_TIME)


@dataclass(frozen=True)
class Counted:
    """How many events were added, and how many made no sense, as they did not when they arrived."""

    added: int
    senseless: int


@dataclass(frozen=True)
class Difference:
    """A counter of a bucket that is shown with another number than the audit log has."""

    bucket: Bucket
    counter: str
    shown: int
    logged: int


@dataclass(frozen=True)
class RebuildMetrics:
    """Recompute a deployment's figures, for the operator; `progress` is told of each month that is done."""

    metrics: MetricStore
    archive: AuditArchive
    clock: Clock
    pause: Callable[[int], None]

    def rebuild(self, deployment_id: int, progress: Callable[[str], object]) -> Counted:
        """Build the figures anew and show them in place of the old ones, which are then removed.

        Raises NotFound, and Conflict if another rebuild has begun meanwhile, which removes what this one has built.
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
                    _add(sums, measured.tallies)
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
        """Yield where the figures that are shown differ from the audit log, latest month first; changes nothing.

        Of a figure that changes meanwhile, the log must be between what is shown before and after. Raises NotFound.
        """
        beginning = self._beginning(deployment_id)
        number = self.metrics.generations(deployment_id).live.number
        total: Counter[str] = Counter()
        before = self.metrics.all_time(deployment_id, number)
        # What an event changes of an earlier month waits until that month comes.
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
        # What was measured until now went to the old figures alone, and must be in the index when we read it.
        self.clock.sleep(_INDEX_LAG_SECONDS)
        return generations

    def _months(self, beginning: datetime) -> Iterator[tuple[str, list[Period]]]:
        """Yield each month up to now with its days."""
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
        # Perhaps it grew while we read, or has not been measured yet.
        self.clock.sleep(_MEASURE_LAG_SECONDS)
        yield from _differing(shown, logged, look_again())


class _Found:
    """What was found in the log by now."""

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


def _add(sums: dict[Bucket, Counter[str]], tallies: Tallies) -> None:
    for bucket, tally in tallies.items():
        sums.setdefault(bucket, Counter()).update(tally)


def _differing(before: Tallies, logged: Tallies, after: Tallies) -> Iterator[Difference]:
    """Yield the counters of the log that are not between those of two looks at the figures."""
    nothing: Tally = {}
    for bucket in sorted({*before, *logged, *after}, key=repr):
        low, high = before.get(bucket, nothing), after.get(bucket, nothing)
        log = logged.get(bucket, nothing)
        for counter in sorted({*low, *log, *high}):
            first, last = low.get(counter, 0), high.get(counter, 0)
            if not min(first, last) <= log.get(counter, 0) <= max(first, last):
                yield Difference(bucket, counter, last, log.get(counter, 0))
