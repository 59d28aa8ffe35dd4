"""Receipts of decisions, one per message of the receipt queue."""

from flow_hitl.audit.ports import EffectBusy
from flow_hitl.bootstrap import current
from flow_hitl.delivery.queues import read_effect
from functions.workers import Message, Postponed, queue_handler


def sign(message: Message) -> None:
    try:
        current().issue_receipt(read_effect(message.body))
    except EffectBusy as busy:
        # Delivered twice at once: the other worker finishes it, or its lease ends before the next try.
        raise Postponed from busy


handler = queue_handler(sign, retried="receipt")
