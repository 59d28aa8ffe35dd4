"""Turn an audit event into its effects: one message each, with an id that a second relay repeats."""

from collections.abc import Callable, Collection, Iterator

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.effects import Effect, EffectKind, effects_of
from flow_hitl.delivery.ports import EffectQueue
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
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
        """Hand on every effect of an event; one that fails holds up no other, and is raised after them.

        Repeating this is harmless, because each worker claims its effect.
        """
        failed: Exception | None = None
        for effect in owed(event, self.webhook_events):
            try:
                self.hand_on(event, effect)
            except Exception as error:
                failed = failed or error
        if failed:
            raise failed

    def hand_on(self, event: AuditEvent, effect: Effect) -> None:
        """Pass on one effect of an event."""
        if effect.kind is EffectKind.DEADLINE:
            due_at = parse_rfc3339(event.data["auto_response"]["due_at"])
            self.deadlines.schedule(effect.request_id, due_at, self.clock.now())
        elif effect.kind is EffectKind.SCHEDULE_REMINDER:
            due_at = parse_rfc3339(effect.target)
            self.deadlines.schedule(effect.request_id, due_at, self.clock.now(), reminder=True)
        else:
            self.queue.send(effect)

    def webhook_events(self, deployment_id: int) -> Collection[WebhookEvent]:
        """Return what webhooks of a deployment want to be told of."""
        return self.deployments().load(deployment_id).webhook_events


def owed(event: AuditEvent, webhook_events: Callable[[int], Collection[WebhookEvent]]) -> Iterator[Effect]:
    """Yield the effects of an event; the one for webhooks only if any subscribes, which the event may say.

    `webhook_events` is called only if it matters.
    """
    for effect in effects_of(event):
        if (
            effect.kind is not EffectKind.WEBHOOK
            or "webhooks" in event.data
            or event_of(event) in webhook_events(int(event.data["deployment_id"]))
        ):
            yield effect
