"""Storage for webhooks and their deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from flow_hitl.audit.effects import EffectState
from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import CallRecord
from flow_hitl.webhooks.webhook import Delivery, DeliveryResult, Webhook


class WebhookStore(Protocol):
    """Reads webhooks consistently; they are written in their deployment's transaction."""

    def list(self, deployment_id: int) -> Sequence[Webhook]:
        """Return a deployment's webhooks, oldest first."""

    def load(self, deployment_id: int, webhook_id: str) -> Webhook:
        """Return one; raises NotFound."""

    def reading(self, deployment_id: int, webhook_id: str) -> Reading[Webhook | None]:
        """Return the reading of one, None if there is none."""

    def stored(self, deployment_id: int) -> Mapping[str, Mapping[str, Any]]:
        """Return a deployment's webhooks as they stand there, by their ids."""

    def writing(self, webhook: Webhook) -> TransactionPart:
        """Return the part of a transaction that writes a webhook, for `DeploymentStore.commit`."""

    def removing(self, webhook: Webhook) -> TransactionPart:
        """Return the part of a transaction that deletes a webhook, for `DeploymentStore.commit`."""


@dataclass(frozen=True)
class DeliveryPage:
    """A page of deliveries, and the cursor of the next."""

    deliveries: Sequence[Delivery]
    next_cursor: str | None


class DeliveryLog(Protocol):
    """The deliveries of each webhook, kept for 90 days; a worker claims one by its record."""

    def add(self, delivery: Delivery, called: CallRecord | None = None) -> None:
        """Write a delivery and the call that asked for it, unless it exists; raises CalledBefore."""

    def load(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Read a delivery consistently; raises NotFound."""

    def reading(self, webhook_id: str, delivery_id: str) -> Reading[Delivery]:
        """Return the reading of a delivery, which raises NotFound."""

    def states(self, ids: Sequence[tuple[str, str]], now: datetime) -> Mapping[tuple[str, str], EffectState]:
        """Return how far deliveries have come (webhook id, delivery id), as far as was known a second ago.

        Those that do not exist, or whose webhook was deleted, are done: nothing is left to send.
        """

    def page(self, webhook_id: str, limit: int, cursor: str | None) -> DeliveryPage:
        """Return deliveries, newest first; raises ValidationFailed for a foreign cursor."""

    def begin(self, delivery: Delivery, now: datetime, lease: timedelta) -> int:
        """Claim a delivery for the lease and return how often it has been claimed.

        Raises EffectBusy if another worker holds it, or has finished it since it was read.
        """

    def finish(self, delivery: Delivery, result: DeliveryResult) -> None:
        """Write a delivery's result, without its event."""

    def finishing(self, delivery: Delivery, result: DeliveryResult) -> TransactionPart:
        """Return the part of a transaction that writes a delivery's first result, together with its event."""


class DeliveryQueue(Protocol):
    def send(self, delivery: Delivery) -> None: ...
