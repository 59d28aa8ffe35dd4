"""What looks for what should have happened and did not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flow_hitl.delivery.wiring import DeliveryParts

if TYPE_CHECKING:
    from flow_hitl.sweep.replay import Replay
    from flow_hitl.sweep.second_look import SecondLook
    from flow_hitl.sweep.sweep_log import SweepLog


class SweepParts(DeliveryParts):
    @cached_property
    def sweep_log(self) -> SweepLog:
        from flow_hitl.sweep.sweep_log import SweepLog
        from flow_hitl.sweep.sweep_store import DynamoWatermarks

        marks = DynamoWatermarks(self.client("dynamodb"), self.settings.deployments_table)
        return SweepLog(self._second_look, marks, self.clock)

    @cached_property
    def replay(self) -> Replay:
        from flow_hitl.sweep.replay import Replay

        return Replay(self._second_look)

    @cached_property
    def _second_look(self) -> SecondLook:
        from flow_hitl.sweep.second_look import SecondLook

        return SecondLook(self._audit, self._effects, self._deployments, self.relay_event, self.clock)
