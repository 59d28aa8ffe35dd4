"""How far effects have come, and the deliveries of webhooks, which are effects of effects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.effects import Effect, EffectKind, EffectState
from flow_hitl.audit.ports import EffectStates
from flow_hitl.platform.records import dataclass
from flow_hitl.webhooks.ports import DeliveryLog, WebhookStore
from flow_hitl.webhooks.webhook import delivery_effect, delivery_of, event_of, first_delivery


@dataclass(frozen=True)
class Progress:
    """Reads the records of effects; those of webhooks only where there are any."""

    effects: EffectStates
    webhooks: Callable[[], WebhookStore]
    log: Callable[[], DeliveryLog]

    def states(self, effects: Sequence[Effect], now: datetime) -> Mapping[Effect, EffectState]:
        deliveries, others = dict[Effect, tuple[str, str]](), list[Effect]()
        for effect in effects:
            ids = delivery_of(effect.target) if effect.kind is EffectKind.WEBHOOK else None
            if ids is not None:
                deliveries[effect] = ids
            else:
                others.append(effect)
        states = dict(self.effects.states(others, now)) if others else {}
        if deliveries:
            found = self.log().states(list(deliveries.values()), now)
            states |= {effect: found[ids] for effect, ids in deliveries.items()}
        return states

    def deliveries(self, deployment_id: int, events: Sequence[AuditEvent]) -> Iterator[tuple[AuditEvent, Effect]]:
        """Yield the deliveries of events to the webhooks that there are now, whether they were made or not."""
        webhooks = self.webhooks().list(deployment_id) if events else ()
        for event in events:
            name = event_of(event)
            if name is not None:
                for webhook in webhooks:
                    yield event, delivery_effect(first_delivery(webhook, event, name), event)
