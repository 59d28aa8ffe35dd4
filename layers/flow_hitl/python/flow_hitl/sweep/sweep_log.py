"""The log is looked at again, event by event, each once, as far as one run gets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.ports import Clock
from flow_hitl.sweep.looks import SETTLED_AFTER
from flow_hitl.sweep.ports import Watermarks
from flow_hitl.sweep.second_look import Looked, SecondLook
from flow_hitl.sweep.watermark import Watermark

# What was before the first run of all, a replay looks at.
_FIRST_LOOK_BACK = timedelta(days=1)
# The next run begins after five minutes.
_WORK_FOR = timedelta(seconds=120)
_MOST_EVENTS = 5_000


@dataclass(frozen=True)
class SweepLog:
    """Take the log from the watermark to what has settled; two at once do no harm, as all they do is idempotent."""

    second_look: SecondLook
    marks: Watermarks
    clock: Clock

    def __call__(self) -> Iterator[Looked]:
        """Yield what came of each batch; behind the last one the watermark is moved, also when it ends by an error.

        After an outage one run may not be enough; the next one goes on where this one stopped.
        """
        started = self.clock.now().replace(microsecond=0)
        mark = self.marks.load() or Watermark(started - _FIRST_LOOK_BACK)
        stop_at, events = started + _WORK_FOR, 0
        try:
            while (period := mark.next_period(started - SETTLED_AFTER)) is not None:
                for batch in self.second_look.batches(period, mark.after):
                    yield self.second_look(batch)
                    events, mark = events + len(batch), mark.passed(period, batch[-1])
                    if events >= _MOST_EVENTS or self.clock.now() >= stop_at:
                        return
                mark = mark.finished(period)
        finally:
            self._move(mark)

    def _move(self, mark: Watermark) -> None:
        try:
            self.marks.save(mark.written())
        except Conflict:
            # Another run has looked at the same: what it has come to stands.
            return
