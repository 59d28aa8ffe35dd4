"""The figures."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.requests.wiring import RequestsParts

if TYPE_CHECKING:
    from flow_hitl.metrics.measure_events import MeasureEvents
    from flow_hitl.metrics.metric_store import DynamoMetricStore
    from flow_hitl.metrics.read_analytics import ReadAnalytics
    from flow_hitl.metrics.rebuild_metrics import RebuildMetrics


class MetricsParts(RequestsParts):
    @cached_property
    def _metrics(self) -> DynamoMetricStore:
        from flow_hitl.metrics.metric_store import DynamoMetricStore

        return DynamoMetricStore(self.client("dynamodb"), self.settings.deployments_table, self.pause)

    @cached_property
    def measure_events(self) -> MeasureEvents:
        from flow_hitl.metrics.measure_events import MeasureEvents

        return MeasureEvents(self._metrics, self.clock, self.pause)

    @cached_property
    def rebuild_metrics(self) -> RebuildMetrics:
        from flow_hitl.metrics.rebuild_metrics import RebuildMetrics

        return RebuildMetrics(self._metrics, self._audit, self.clock, self.pause)

    @cached_property
    def read_analytics(self) -> ReadAnalytics:
        from flow_hitl.metrics.read_analytics import ReadAnalytics

        return ReadAnalytics(self._metrics, self._rows, self.clock)
