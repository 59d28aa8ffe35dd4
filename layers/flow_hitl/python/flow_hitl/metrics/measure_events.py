"""Adds audit events to the figures of their deployments, each once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.metrics.metrics import Measurement, measure
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.rounds import in_rounds


@dataclass(frozen=True)
class MeasureEvents:
    """Add events to the figures; adding one again changes nothing."""

    metrics: MetricStore
    clock: Clock
    pause: Callable[[int], None]

    def __call__(self, events: Sequence[AuditEvent]) -> None:
        """Add events of any deployments, in any order; raises Conflict, and before adding any what `measure` raises."""
        by_deployment: dict[int, list[Measurement]] = {}
        for event in events:
            measured = measure(event)
            if measured is not None:
                by_deployment.setdefault(int(event.data["deployment_id"]), []).append(measured)
        for deployment_id, all_measured in by_deployment.items():
            self._record(deployment_id, all_measured)

    def _record(self, deployment_id: int, measured: Sequence[Measurement]) -> None:
        def attempt() -> None:
            generations = self.metrics.generations(deployment_id)
            for generation in generations.growing:
                taken = [each for each in measured if generation.takes(each.at)]
                self.metrics.record(deployment_id, generations, generation.number, taken, self.clock.now())

        # On a conflict with other writers or a rebuild, what was added already has its markers.
        in_rounds(attempt, self.pause)
