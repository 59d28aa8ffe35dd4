"""Turn an audit event into its effects: one message each, with an id that a second relay repeats."""

from collections.abc import Callable
from dataclasses import dataclass

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import EffectKind, effects_of
from flow_hitl.delivery.ports import EffectQueue
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.times import parse_rfc3339
from flow_hitl.requests.ports import Deadlines
from flow_hitl.webhooks.webhook import event_of


@dataclass(frozen=True)
class RelayEvent:
    queue: EffectQueue
    deadlines: Deadlines
    deployments: Callable[[], DeploymentStore]
    clock: Clock

    def __call__(self, event: AuditEvent) -> None:
        """Pass on every effect of an event; repeating it is harmless because each worker claims its effect."""
        for effect in effects_of(event):
            if effect.kind is EffectKind.DEADLINE:
                due_at = parse_rfc3339(event.data["auto_response"]["due_at"])
                self.deadlines.schedule(effect.request_id, due_at, self.clock.now())
            elif effect.kind is EffectKind.SCHEDULE_REMINDER:
                due_at = parse_rfc3339(effect.target)
                self.deadlines.schedule(effect.request_id, due_at, self.clock.now(), reminder=True)
            elif effect.kind is not EffectKind.WEBHOOK or self._is_wanted(event):
                self.queue.send(effect)

    def _is_wanted(self, event: AuditEvent) -> bool:
        """Tell whether any webhook subscribes to an event; intake has already checked new requests."""
        if event.kind is EventKind.REQUEST_CREATED:
            return True
        return event_of(event) in self.deployments().load(int(event.data["deployment_id"])).webhook_events
