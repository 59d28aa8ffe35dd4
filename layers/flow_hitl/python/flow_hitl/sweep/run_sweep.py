"""One run of the sweep: what is due on the agenda, the seal, and the log, each event once, as far as the run gets."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from flow_hitl.audit.index import midnight
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.sweep.keep_agenda import KeepAgenda, Kept
from flow_hitl.sweep.looks import SETTLED_AFTER
from flow_hitl.sweep.ports import Watermarks
from flow_hitl.sweep.second_look import Looked, SecondLook
from flow_hitl.sweep.watch_seal import WatchSeal
from flow_hitl.sweep.watermark import Watermark

# Older events than that are for a replay, before the first run of all.
_FIRST_LOOK_BACK = timedelta(days=1)
# The next run begins after five minutes. The agenda may not take all of the time.
_WORK_FOR = timedelta(seconds=120)
_AGENDA_FOR = timedelta(seconds=60)
_MOST_EVENTS = 5_000
# A replay may still add to the agenda of a day that is just over.
_DAY_IS_OVER = timedelta(days=1, hours=1)


@dataclass(frozen=True)
class RunSweep:
    """Do a bounded part of what there is to do; two runs at once do no harm, as all they do is idempotent."""

    keep_agenda: KeepAgenda
    watch_seal: WatchSeal
    second_look: SecondLook
    marks: Watermarks
    clock: Clock

    def __call__(self) -> Iterator[Kept | Looked]:
        """Yield what came of each batch; after the last one the watermark is moved, also when it ends by an error.

        After an outage one run may not be enough; the next one goes on where this one stopped.
        """
        started = self.clock.now().replace(microsecond=0)
        mark = self.marks.load() or Watermark(started - _FIRST_LOOK_BACK)
        try:
            for day in _days(mark.agenda_from or midnight(started), started):
                mark = replace(mark, agenda_from=day)
                for kept in self.keep_agenda(day):
                    yield kept
                    if self.clock.now() >= started + _AGENDA_FOR:
                        return
            if mark.unsealed is not None and mark.unsealed.due_at <= started:
                kept, left = self.watch_seal(mark.unsealed, started)
                mark = replace(mark, unsealed=left)
                yield kept
            events = 0
            while (period := mark.next_period(started - SETTLED_AFTER)) is not None:
                for batch in self.second_look.batches(period, mark.after):
                    yield self.second_look(batch, first=True)
                    events, mark = events + len(batch), mark.passed(period, batch)
                    if events >= _MOST_EVENTS or self.clock.now() >= started + _WORK_FOR:
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


def _days(first: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the days that may have something due: from the first that was not seen to be over."""
    day = first
    while day + _DAY_IS_OVER <= now:
        yield day
        day += timedelta(days=1)
    yield day
    if day < midnight(now):
        yield midnight(now)
