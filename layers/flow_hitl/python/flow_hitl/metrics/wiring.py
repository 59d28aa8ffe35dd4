"""The figures."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.requests.wiring import RequestsParts

if TYPE_CHECKING:
    from flow_hitl.metrics.check_metrics import CheckMetrics
    from flow_hitl.metrics.fold_events import FoldEvents
    from flow_hitl.metrics.keep_figures import KeepFigures
    from flow_hitl.metrics.measured_log import MeasuredLog
    from flow_hitl.metrics.metric_store import DynamoMetricStore
    from flow_hitl.metrics.read_analytics import ReadAnalytics
    from flow_hitl.metrics.rebuild_metrics import RebuildMetrics


class MetricsParts(RequestsParts):
    @cached_property
    def _metrics(self) -> DynamoMetricStore:
        from flow_hitl.metrics.metric_store import DynamoMetricStore

        return DynamoMetricStore(self.client("dynamodb"), self.settings.deployments_table, self.pause)

    @cached_property
    def _measured_log(self) -> MeasuredLog:
        from flow_hitl.metrics.measured_log import MeasuredLog

        return MeasuredLog(self._audit)

    @cached_property
    def _fold_events(self) -> FoldEvents:
        from flow_hitl.metrics.fold_events import FoldEvents

        return FoldEvents(self._metrics, self._measured_log, self.clock)

    @cached_property
    def keep_figures(self) -> KeepFigures:
        from flow_hitl.metrics.keep_figures import KeepFigures

        return KeepFigures(
            self._metrics, self._fold_events, self.rebuild_metrics, self._deployments, self.clock, self.pause
        )

    @cached_property
    def rebuild_metrics(self) -> RebuildMetrics:
        from flow_hitl.metrics.rebuild_metrics import RebuildMetrics

        return RebuildMetrics(self._metrics, self._measured_log, self._fold_events, self.clock, self.pause)

    @cached_property
    def check_metrics(self) -> CheckMetrics:
        from flow_hitl.metrics.check_metrics import CheckMetrics

        return CheckMetrics(self._metrics, self._measured_log, self.pause)

    @cached_property
    def read_analytics(self) -> ReadAnalytics:
        from flow_hitl.metrics.read_analytics import ReadAnalytics

        return ReadAnalytics(self._metrics, self._measured_log, self._rows, self.clock, self.pause)
