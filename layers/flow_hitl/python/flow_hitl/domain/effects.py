"""What follows from an audit event: each effect is one message to one worker."""

from dataclasses import dataclass
from enum import StrEnum

from flow_hitl.domain.audit import AuditEvent, EventKind
from flow_hitl.domain.request import Channel


class EffectKind(StrEnum):
    """Every effect; the first three are mails."""

    NOTIFY = "notify"
    CONFIRM = "confirm"
    REJECT_REPLY = "reject_reply"
    RESUME = "resume"
    DEADLINE = "deadline"


@dataclass(frozen=True)
class Effect:
    """One effect of one event; the three members together are its deterministic id."""

    kind: EffectKind
    request_id: str
    event_seq: int


def effects_of(event: AuditEvent) -> tuple[Effect, ...]:
    """Return what must happen because of an event, in no particular order."""
    return tuple(Effect(kind, event.request_id, event.seq) for kind in _kinds(event))


def _kinds(event: AuditEvent) -> tuple[EffectKind, ...]:
    data = event.data
    match event.kind:
        case EventKind.REQUEST_CREATED:
            wanted = (EffectKind.NOTIFY, data["notify"]), (EffectKind.DEADLINE, data["auto_response"])
            return tuple(kind for kind, needed in wanted if needed)
        case EventKind.REQUEST_REASSIGNED:
            return (EffectKind.NOTIFY,) if data["notify"] else ()
        case EventKind.RESPONSE_SUBMITTED:
            by_mail = data["responded_via"] == Channel.EMAIL.value
            wanted = (EffectKind.RESUME, data["push"]), (EffectKind.CONFIRM, by_mail)
            return tuple(kind for kind, needed in wanted if needed)
        case EventKind.REPLY_REJECTED:
            return (EffectKind.REJECT_REPLY,)
        case _:
            return ()
