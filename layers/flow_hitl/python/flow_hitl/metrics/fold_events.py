"""Adds events to the stored figures, each once: what has settled, in the order of the log."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import takewhile

from flow_hitl.audit.index import midnight
from flow_hitl.metrics.measured_log import MeasuredLog
from flow_hitl.metrics.metrics import Cut, Progress, cuts, whole_cut
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass

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

    def is_due(self, deployment_id: int, progress: Progress) -> bool:
        """Tell whether it is worth its writes to go on: much waits, a day is over, or a cut was begun."""
        settled = self.settled
        if progress.ahead is not None or progress.position.at < midnight(settled):
            return True
        return self.log.waiting(deployment_id, progress.position, settled, _ENOUGH) == _ENOUGH

    def __call__(
        self,
        deployment_id: int,
        number: int,
        progress: Progress,
        *,
        stop_at: datetime | None,
        note: Callable[[Cut], object],
    ) -> bool:
        """Add what has settled to a set that has come so far, and note each cut.

        Returns False if time ran out before that was done. Raises Conflict if another run adds to the set, too.
        """
        if progress.ahead is not None:
            # Some buckets have this cut: first the others get it.
            begun = self.log.between(deployment_id, progress.position, progress.ahead)
            cut = whole_cut(progress.ahead, begun)
            progress = self.metrics.fold(deployment_id, number, progress, cut)
            note(cut)
        settled = self.settled
        seen = self.log.after(deployment_id, progress.position, settled)
        for cut in cuts(takewhile(lambda _: stop_at is None or self.clock.now() < stop_at, seen)):
            progress = self.metrics.fold(deployment_id, number, progress, cut)
            note(cut)
        return progress.position.at >= settled
