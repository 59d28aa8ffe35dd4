"""One run of the schedule: writes what was opened since to the search log, as far as it is worth a block."""

from collections.abc import Iterator
from datetime import timedelta

from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.ports import SearchLog

_WORK_FOR = timedelta(seconds=60)
# Longer than a function runs that could still write an older request, and than the index lags.
_SETTLED_AFTER = timedelta(minutes=2)
# A block of so many requests costs a fraction of a write unit for each. Until then, searches read these themselves.
_ENOUGH = 50
_BLOCK = 100


@dataclass(frozen=True)
class KeepSearch:
    log: SearchLog
    deployments: DeploymentStore
    clock: Clock

    def __call__(self) -> Iterator[tuple[int, Exception]]:
        """Bring every deployment's log up to its requests; yield what went wrong where, which holds up no other.

        Two runs at once write the same block, or entries that searches see once.
        """
        stop_at = self.clock.now() + _WORK_FOR
        for deployment_id in self.deployments.list_ids():
            try:
                while self.clock.now() < stop_at and self._next_block(deployment_id):
                    pass
            except Exception as error:
                yield deployment_id, error

    def _next_block(self, deployment_id: int) -> bool:
        settled, latest = self.clock.now() - _SETTLED_AFTER, self.log.latest(deployment_id)
        waiting = self.log.waiting(deployment_id, latest, settled, _BLOCK)
        if len(waiting) < _ENOUGH:
            return False
        self.log.append(deployment_id, self.log.entries(waiting), waiting[-1])
        return len(waiting) == _BLOCK
