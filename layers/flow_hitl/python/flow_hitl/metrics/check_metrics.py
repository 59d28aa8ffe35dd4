"""Compares the stored figures with the audit log, up to the place that they have come to."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from flow_hitl.metrics.measured_log import MeasuredLog
from flow_hitl.metrics.metrics import (
    ALL_TIME,
    Bucket,
    Position,
    Span,
    Tallies,
    Tally,
    merge,
    merged,
    month_period,
    next_month,
)
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.errors import Conflict, NotFound
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds


@dataclass(frozen=True)
class Difference:
    """A counter that is shown with another number than the audit log has."""

    bucket: Bucket
    counter: str
    shown: int
    logged: int


@dataclass(frozen=True)
class CheckMetrics:
    """Compare a deployment's figures with its log, for the operator; what is younger is read from the log anyway."""

    metrics: MetricStore
    log: MeasuredLog
    pause: Callable[[int], None]

    def __call__(self, deployment_id: int, progress: Callable[[str], object]) -> Iterator[Difference]:
        """Yield where they differ, latest month first, and call `progress` with each month that was read.

        Raises NotFound, and Conflict if other figures are shown meanwhile or those shown are of an earlier version.
        """
        beginning = self.log.beginning(deployment_id)
        if beginning is None:
            raise NotFound(f"There is no deployment {deployment_id}.")
        number = self.metrics.generations(deployment_id).live.number
        start = reached = self._position(deployment_id, number)
        # A reassignment changes the month in which its request was opened: its changes wait for that month.
        logged: dict[Bucket, Counter[str]] = {}
        # What is added to the figures while this runs.
        later: dict[Bucket, Counter[str]] = {}
        for first, last in reversed(list(_months(beginning, start))):
            month = month_period(first.at.date())
            self._add(logged, deployment_id, first, last)
            now, shown = self._shown(deployment_id, number, partial(self._month, deployment_id, number, month))
            self._add(later, deployment_id, reached, now)
            reached = now
            yield from _differing(shown, merged([_of(logged, month), _of(later, month)]))
            logged = {bucket: tally for bucket, tally in logged.items() if not bucket.period.startswith(month)}
            progress(month)
        now, shown = self._shown(deployment_id, number, partial(self._all_time, deployment_id, number))
        self._add(later, deployment_id, reached, now)
        yield from _differing(shown, merged([_of(logged, ALL_TIME), _of(later, ALL_TIME)]))

    def _add(self, sums: dict[Bucket, Counter[str]], deployment_id: int, first: Position, last: Position) -> None:
        for seen in self.log.between(deployment_id, first, last):
            merge(sums, seen.tallies or {})

    def _position(self, deployment_id: int, number: int) -> Position:
        live = self.metrics.generations(deployment_id).live
        progress = live.progress
        if live.number == number and progress is None:
            progress = self.log.begun(deployment_id, self._all_time(deployment_id, number))
        if live.number != number or progress is None or progress.ahead is not None:
            raise Conflict(f"the figures of deployment {deployment_id} are being rebuilt, or grow")
        return progress.position

    def _shown(self, deployment_id: int, number: int, read: Callable[[], Tallies]) -> tuple[Position, Tallies]:
        """Return what is stored, and the place up to which it counts."""

        def attempt() -> tuple[Position, Tallies]:
            before = self._position(deployment_id, number)
            shown = read()
            if self._position(deployment_id, number) != before:
                raise Conflict(f"the figures of deployment {deployment_id} have grown")
            return before, shown

        return in_rounds(attempt, self.pause)

    def _all_time(self, deployment_id: int, number: int) -> Tallies:
        return self.metrics.all_time(deployment_id, number).tallies

    def _month(self, deployment_id: int, number: int, month: str) -> Tallies:
        days = Span(f"{month}-01", f"{month}-31")
        return {
            **self.metrics.contents(deployment_id, number, days),
            **self.metrics.contents(deployment_id, number, Span(month, month)),
        }


def _months(first: Position, last: Position) -> Iterator[tuple[Position, Position]]:
    """Yield where each month between two places begins and ends."""
    while True:
        begins = first.at.date()
        ends = Position(first.at.replace(month=next_month(begins).month, year=next_month(begins).year, day=1))
        if ends.at > last.at:
            yield first, last
            return
        yield first, ends
        first = ends


def _of(sums: Tallies, period: str) -> Tallies:
    return {bucket: tally for bucket, tally in sums.items() if bucket.period.startswith(period)}


def _differing(shown: Tallies, logged: Tallies) -> Iterator[Difference]:
    nothing: Tally = {}
    for bucket in sorted({*shown, *logged}, key=repr):
        stored, found = shown.get(bucket, nothing), logged.get(bucket, nothing)
        for counter in sorted({*stored, *found}):
            if stored.get(counter, 0) != found.get(counter, 0):
                yield Difference(bucket, counter, stored.get(counter, 0), found.get(counter, 0))
