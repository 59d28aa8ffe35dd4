"""Deliveries on their way to the webhook worker."""

import json
from typing import Any

from flow_hitl.webhooks.webhook import Delivery, delivery_of


class SqsDeliveryQueue:
    """Sends deliveries to the webhook worker's queue, which carries its effects too."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, delivery: Delivery) -> None:
        body = json.dumps({"webhook_id": delivery.webhook_id, "delivery_id": delivery.delivery_id})
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)


def read_delivery(body: str) -> tuple[str, str] | None:
    """Return the webhook id and delivery id in a message, be it of a delivery or of an effect that is one, or None."""
    message = json.loads(body)
    if "delivery_id" in message:
        return str(message["webhook_id"]), str(message["delivery_id"])
    return delivery_of(str(message.get("target", "")))
