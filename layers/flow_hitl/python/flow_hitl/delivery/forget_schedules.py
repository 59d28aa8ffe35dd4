"""Schedules of a request that is over are deleted: they would find nothing to do."""

from collections.abc import Iterable

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339
from flow_hitl.requests.ports import Deadlines


@dataclass(frozen=True)
class ForgetSchedules:
    deadlines: Deadlines

    def __call__(self, events: Iterable[AuditEvent]) -> bool:
        """Delete what was scheduled for requests that these events end; stop and return False if Scheduler is away."""
        return all(self._forget(event) for event in events if "scheduled" in event.data)

    def _forget(self, event: AuditEvent) -> bool:
        scheduled = event.data["scheduled"]
        moments = [*([None] if scheduled["auto_response"] else []), *map(parse_rfc3339, scheduled["reminders"])]
        return all(self.deadlines.forget(event.request_id, moment) for moment in moments)
