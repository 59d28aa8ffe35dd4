"""What keeps webhooks and their deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.platform.repeated_calls import CallRecord
from flow_hitl.webhooks.webhook import Delivery, DeliveryResult, Webhook


class WebhookStore(Protocol):
    """Reads webhooks, consistently; they are written in the transaction that changes their deployment."""

    def list(self, deployment_id: int) -> Sequence[Webhook]:
        """Return a deployment's webhooks, oldest first."""

    def load(self, deployment_id: int, webhook_id: str) -> Webhook:
        """Return one; raises NotFound."""

    def writing(self, webhook: Webhook) -> TransactionPart:
        """Return what writes a webhook, for `DeploymentStore.commit`."""

    def removing(self, webhook: Webhook) -> TransactionPart:
        """Return what removes a webhook, for `DeploymentStore.commit`."""


@dataclass(frozen=True)
class DeliveryPage:
    """Some deliveries, and the cursor at which to go on, if there is more."""

    deliveries: Sequence[Delivery]
    next_cursor: str | None


class DeliveryLog(Protocol):
    """The deliveries of each webhook, for 90 days; a delivery's record is also what one worker at a time takes."""

    def add(self, delivery: Delivery, called: CallRecord | None = None) -> None:
        """Write a delivery, and the call that asked for it; one that stands there stays as it is.

        Raises CalledBefore.
        """

    def load(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Read a delivery consistently; raises NotFound."""

    def page(self, webhook_id: str, limit: int, cursor: str | None) -> DeliveryPage:
        """Return deliveries, newest first; raises ValidationFailed for a cursor that is none of ours."""

    def begin(self, delivery: Delivery, now: datetime, lease: timedelta) -> int:
        """Take a delivery for as long as the lease and return how often that was done by now.

        Raises EffectBusy if another worker has it, or has finished it since it was read.
        """

    def finish(self, delivery: Delivery, result: DeliveryResult) -> None:
        """Write what came of a delivery."""


class DeliveryQueue(Protocol):
    def send(self, delivery: Delivery) -> None: ...
