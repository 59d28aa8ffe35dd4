"""The audit log as the figures see it: each event of a deployment in its place, with what it adds."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.index import IndexedEvent, Period, midnight, periods
from flow_hitl.audit.ports import AuditArchive, AuditRecord
from flow_hitl.metrics.metrics import Position, Progress, Seen, Tallies, measure
from flow_hitl.platform.records import dataclass

# As many as DynamoDB reads in one call.
_AT_ONCE = 100


@dataclass(frozen=True)
class MeasuredLog:
    archive: AuditArchive

    def beginning(self, deployment_id: int) -> Position | None:
        """Return the place before all events of a deployment, None if it has none."""
        first = self.archive.first_events([deployment_id]).get(deployment_id)
        return Position(midnight(first.at)) if first is not None else None

    def begun(self, deployment_id: int, all_time: Tallies) -> Progress | None:
        """Return how far a set of figures has come for which that is not written down, by its total of all time.

        An empty one is at the beginning; None for one of a version that wrote nothing down, until it is rebuilt.
        """
        beginning = self.beginning(deployment_id) if not all_time else None
        return Progress(beginning) if beginning is not None else None

    def waiting(self, deployment_id: int, position: Position, until: datetime, most: int) -> int:
        """Return how many events come after a place and before a time (whole seconds), up to so many."""
        found = 0
        for _, rows in self._days(deployment_id, position, until):
            found += sum(1 for _ in islice(rows, most - found))
            if found == most:
                break
        return found

    def after(self, deployment_id: int, position: Position, until: datetime, *, fresh: bool = False) -> Iterator[Seen]:
        """Yield each event after a place and before a time (whole seconds) in order, and where each day ends.

        With `fresh` that is also right of events of the last second, at double the cost.
        """
        read = self.archive.records if fresh else self.archive.settled
        for day, rows in self._days(deployment_id, position, until):
            while batch := list(islice(rows, _AT_ONCE)):
                yield from _seen(batch, read(batch))
            yield Seen(Position(day.until))

    def between(self, deployment_id: int, first: Position, last: Position) -> Iterator[Seen]:
        """Yield what comes after one place, and not after another."""
        until = last.at if last.after is None else last.at + timedelta(seconds=1)
        for seen in self.after(deployment_id, first, until):
            yield seen
            if seen.position == last:
                return

    def _days(
        self, deployment_id: int, position: Position, until: datetime
    ) -> Iterator[tuple[Period, Iterator[IndexedEvent]]]:
        passed = position.after
        for day in periods(position.at, until):
            yield day, self.archive.indexed(day, deployment_id, passed, ahead=_AT_ONCE)
            passed = None


def _seen(batch: Sequence[IndexedEvent], records: Sequence[AuditRecord]) -> Iterator[Seen]:
    found = {(record["subject"], record["seq"]): record for record in records}
    for event in batch:
        position = Position.behind(event)
        try:
            measured = measure(AuditEvent.from_dict(found[event.subject, event.seq]))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            # Somebody wrote it who is none of us: it may not hold up the others.
            yield Seen(position, senseless=f"{event.subject}#{event.seq}")
        else:
            yield Seen(position, measured.tallies if measured is not None else None)
