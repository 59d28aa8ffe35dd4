"""Webhooks: one message per event of a request, and one per delivery of it."""

from flow_hitl.audit.ports import EffectBusy
from flow_hitl.bootstrap import current
from flow_hitl.delivery.queues import read_effect
from flow_hitl.webhooks.delivery_queue import read_delivery
from functions.workers import Message, Postponed, queue_handler


def send(message: Message) -> None:
    delivery = read_delivery(message.body)
    try:
        if delivery is None:
            current().fan_out_webhooks(read_effect(message.body))
        else:
            current().send_webhook(delivery)
    except EffectBusy as busy:
        # Delivered twice at once: the other worker finishes it, or its lease ends before the next try.
        raise Postponed from busy


handler = queue_handler(send, retried="webhook")
