"""When something is looked at again, and what is handed on again then."""

from datetime import timedelta

from flow_hitl.audit.effects import EffectKind, EffectState
from flow_hitl.delivery.retries import DAYS

SETTLED_AFTER = timedelta(minutes=10)
"""The age at which an event is looked at again: its effects have long happened, unless something is wrong."""

STILL_QUEUED = timedelta(seconds=sum(DAYS.pauses)) + timedelta(hours=1)
"""Until then a queue delivers a message again by itself, and after that it has given it up."""


def goes_again(kind: EffectKind, state: EffectState, age: timedelta) -> bool:
    """Tell whether an effect is to be handed on again, so long after its event.

    One that no worker knows of is lost. One that a worker has begun is still in its queue, until the queue gives it up;
    an answer or a question that its flow did not accept for a day then goes back from the dead-letter queue, for one
    attempt a time.
    """
    if state is not EffectState.BEGUN:
        return state is EffectState.UNKNOWN
    return kind not in (EffectKind.RESUME, EffectKind.ASK_FLOW) and age >= STILL_QUEUED
