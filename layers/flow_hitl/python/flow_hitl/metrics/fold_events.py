"""Adds events to the stored figures, each once: what has settled, in the order of the log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from flow_hitl.audit.index import midnight
from flow_hitl.metrics.measured_log import MeasuredLog
from flow_hitl.metrics.metrics import Cut, Position, cuts
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.ports import Clock

SETTLED_AFTER = timedelta(minutes=10)
"""Longer than any function runs that could still write an older event, and than the index lags."""
# Equal buckets of so many events are written once. Until then, whoever asks for figures reads these events.
_ENOUGH = 300


@dataclass(frozen=True)
class FoldEvents:
    metrics: MetricStore
    log: MeasuredLog
    clock: Clock

    @property
    def settled(self) -> datetime:
        """Return up to when events can be folded."""
        return (self.clock.now() - SETTLED_AFTER).replace(microsecond=0)

    def is_due(self, deployment_id: int, position: Position) -> bool:
        """Tell whether it is worth its writes to fold what comes after a place: it is a lot, or its day is over."""
        settled = self.settled
        if position.at < midnight(settled):
            return True
        return self.log.waiting(deployment_id, position, settled, _ENOUGH) == _ENOUGH

    def __call__(
        self, deployment_id: int, number: int, *, stop_at: datetime | None, note: Callable[[Cut], object]
    ) -> bool:
        """Add what has settled to a set, and note each cut; return False if time ran out before that was done.

        Raises Conflict if another run adds to the set, too, or it does not grow any more.
        """
        progress = self.metrics.generations(deployment_id).progress_of(number)
        if progress is None:
            raise Conflict(f"set {number} of deployment {deployment_id} does not grow")
        settled = self.settled
        seen = self.log.after(deployment_id, progress.position, settled)
        for cut in cuts(takewhile(lambda _: stop_at is None or self.clock.now() < stop_at, seen)):
            progress = self.metrics.fold(deployment_id, number, progress, cut)
            note(cut)
        return progress.position.at >= settled
