"""Rebuilds the figures: another set is folded from the whole audit log, and replaces the one shown."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

from flow_hitl.metrics.fold_events import FoldEvents
from flow_hitl.metrics.measured_log import MeasuredLog
from flow_hitl.metrics.metrics import Cut, Generations, Position, Progress, month_period, next_month
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.errors import Conflict, NotFound
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds

# As long as the scheduled runs beside it may get in its way a few times.
_SLICE = timedelta(minutes=1)


@dataclass(frozen=True)
class Counted:
    """How many events a set counts, and how many made no sense."""

    added: int
    senseless: int


@dataclass(frozen=True)
class RebuildMetrics:
    """Recomputes a deployment's figures, in slices: whoever goes on, goes on where the last one stopped."""

    metrics: MetricStore
    log: MeasuredLog
    fold: FoldEvents
    clock: Clock
    pause: Callable[[int], None]

    def rebuild(self, deployment_id: int, progress: Callable[[str], object]) -> Counted:
        """Rebuild the figures from the beginning, for the operator; calls `progress` with each finished month.

        What has not settled yet is not counted here. Raises NotFound, and Conflict if another rebuild has begun.
        """
        # A set has the number of the version in which it was begun.
        number = in_rounds(lambda: self._begin(deployment_id), self.pause).version
        months = _Months(progress)
        while True:
            generations = self.metrics.generations(deployment_id)
            own = generations.progress_of(number)
            if own is None:
                raise Conflict(f"another rebuild of the figures of deployment {deployment_id} has begun")
            months.reach(own.position)
            if generations.live.number == number and not generations.discarded:
                months.end()
                return Counted(own.events, own.senseless)
            stop_at = self.clock.now() + _SLICE
            go_on = partial(self.go_on, deployment_id, stop_at=stop_at, note=months.note)
            in_rounds(go_on, self.pause)

    def go_on(self, deployment_id: int, *, stop_at: datetime, note: Callable[[Cut], object]) -> bool:
        """Do what is left of a rebuild, or begin one if the set shown has no position; return True when all is done.

        Raises Conflict if another run does the same.
        """
        generations = self.metrics.generations(deployment_id)
        if (generations.building or generations.live).progress is None:
            generations = self._begin(deployment_id)
        new = generations.building
        if new is not None and new.progress is not None:
            if not self.fold(deployment_id, new.number, new.progress, stop_at=stop_at, note=note):
                return False
            generations = generations.switched()
            self.metrics.save(deployment_id, generations)
        return self._remove_discarded(deployment_id, generations, stop_at)

    def _begin(self, deployment_id: int) -> Generations:
        beginning = self.log.beginning(deployment_id)
        if beginning is None:
            raise NotFound(f"There is no deployment {deployment_id}.")
        generations = self.metrics.generations(deployment_id).begun(Progress(beginning))
        self.metrics.begin(deployment_id, generations)
        return generations

    def _remove_discarded(self, deployment_id: int, generations: Generations, stop_at: datetime) -> bool:
        if not generations.discarded:
            return True
        for number in generations.discarded:
            for _ in self.metrics.remove(deployment_id, number):
                if self.clock.now() >= stop_at:
                    return False
        self.metrics.save(deployment_id, generations.cleared())
        return True


class _Months:
    """Tells of each month that is finished, once."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._month: date | None = None

    def note(self, cut: Cut) -> None:
        self.reach(cut.position)

    def reach(self, position: Position) -> None:
        month = position.at.date().replace(day=1)
        self._month = self._month or month
        while self._month < month:
            self.end()
            self._month = next_month(self._month)

    def end(self) -> None:
        if self._month is not None:
            self._tell(month_period(self._month))
