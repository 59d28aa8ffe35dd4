"""Deliveries on their way to the webhook worker."""

import json
from typing import Any

from flow_hitl.webhooks.webhook import Delivery, DeliveryName, delivery_of


class SqsDeliveryQueue:
    """Sends deliveries to the webhook worker's queue, which carries its effects too."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, delivery: Delivery) -> None:
        body = {
            "webhook_id": delivery.webhook_id,
            "delivery_id": delivery.delivery_id,
            "deployment_id": delivery.deployment_id,
            "request_id": delivery.request_id,
            "event_seq": delivery.event_seq,
        }
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(body))


def read_delivery(body: str) -> DeliveryName | None:
    """Return the delivery that a message names, be it of a delivery or of an effect that is one, or None."""
    message = json.loads(body)
    if "delivery_id" in message:
        known = (message.get(name) for name in ("deployment_id", "request_id", "event_seq"))
        return DeliveryName(str(message["webhook_id"]), str(message["delivery_id"]), *known)
    named = delivery_of(str(message.get("target", "")))
    return DeliveryName(*named) if named else None
