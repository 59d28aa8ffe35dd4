"""One run of the schedule: brings the stored figures of every deployment up to the log, as far as it is worth it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.metrics.fold_events import FoldEvents
from flow_hitl.metrics.metrics import Cut
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.metrics.rebuild_metrics import RebuildMetrics
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds

# The next run begins after five minutes.
_WORK_FOR = timedelta(seconds=200)
_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class Folded:
    """What was added to the figures of a deployment: events, and the names of those that made no sense."""

    deployment_id: int
    events: int
    senseless: tuple[str, ...]


@dataclass(frozen=True)
class Behind:
    """The figures of a deployment were not brought up to the log: by an error, or None if time ran out."""

    deployment_id: int
    error: Exception | None


@dataclass(frozen=True)
class KeepFigures:
    """Fold what is due, then go on with what is being rebuilt; two runs at once do no harm."""

    metrics: MetricStore
    fold: FoldEvents
    rebuild: RebuildMetrics
    deployments: DeploymentStore
    clock: Clock
    pause: Callable[[int], None]

    def __call__(self) -> Iterator[Folded | Behind]:
        """Yield what came of it, deployment by deployment; one that fails holds up no other."""
        started = self.clock.now()
        stop_at = started + _WORK_FOR
        unfinished: set[int] = set()
        order = _in_turn(sorted(self.deployments.list_ids()), started)
        for deployment_id in order:
            yield from _told(deployment_id, partial(self._fold_live, deployment_id, stop_at, unfinished))
        for deployment_id in order:
            if deployment_id in unfinished and self.clock.now() < stop_at:
                yield from _told(deployment_id, partial(self._rebuild, deployment_id, stop_at))

    def _fold_live(
        self, deployment_id: int, stop_at: datetime, unfinished: set[int], note: Callable[[Cut], object]
    ) -> bool:
        def attempt() -> bool:
            generations = self.metrics.generations(deployment_id)
            if generations.is_unfinished:
                unfinished.add(deployment_id)
            live = generations.live
            if live.progress is None or not self.fold.is_due(deployment_id, live.progress):
                return True
            return self.fold(deployment_id, live.number, live.progress, stop_at=stop_at, note=note)

        return self.clock.now() < stop_at and in_rounds(attempt, self.pause)

    def _rebuild(self, deployment_id: int, stop_at: datetime, note: Callable[[Cut], object]) -> bool:
        with suppress(Conflict):
            # Otherwise an operator, or another run, is at it.
            self.rebuild.go_on(deployment_id, stop_at=stop_at, note=note)
        return True


def _in_turn(ids: Sequence[int], now: datetime) -> Sequence[int]:
    """Return the deployments with another one first in each run, so that nobody is always last."""
    first = int(now.timestamp() // _EVERY.total_seconds()) % len(ids) if ids else 0
    return [*ids[first:], *ids[:first]]


def _told(deployment_id: int, work: Callable[[Callable[[Cut], object]], bool]) -> Iterator[Folded | Behind]:
    done: list[Cut] = []
    error = None
    try:
        finished = work(done.append)
    except Exception as raised:
        finished, error = False, raised
    if done:
        senseless = tuple(name for cut in done for name in cut.senseless)
        yield Folded(deployment_id, sum(cut.events for cut in done), senseless)
    if not finished:
        yield Behind(deployment_id, error)
