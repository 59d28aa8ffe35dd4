"""Resumption: one message per decision, or question, for a flow that waits at its `resume_url`."""

from flow_hitl.audit.effects import EffectKind
from flow_hitl.audit.ports import EffectBusy
from flow_hitl.bootstrap import current
from flow_hitl.delivery.dead_letters import MOVES
from flow_hitl.delivery.queues import read_effect
from flow_hitl.delivery.resume_flow import NotDelivered
from flow_hitl.delivery.retries import RESUME
from functions.workers import Message, Postponed, queue_handler


def resume(message: Message) -> None:
    attempt = message.attempt
    if MOVES in message.attributes:
        # It has had its 24 hours: now it is tried once each time that it comes back.
        attempt += RESUME.attempts - 1
    effect = read_effect(message.body)
    tell = current().ask_flow if effect.kind is EffectKind.ASK_FLOW else current().resume_flow
    try:
        tell(effect, attempt)
    except EffectBusy as busy:
        raise Postponed from busy
    except NotDelivered as failed:
        # After the last attempt, the queue moves the message to its dead-letter queue.
        current().messages("resume").postpone(message.receipt_handle, failed.pause_seconds or 0)
        raise Postponed from failed


handler = queue_handler(resume)
