"""What follows from an audit event: each effect is one message to one worker."""

from dataclasses import dataclass
from enum import StrEnum

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.contract.channel import Channel


class EffectKind(StrEnum):
    """Every effect; the last two are schedules."""

    NOTIFY = "notify"
    CONFIRM = "confirm"
    REJECT_REPLY = "reject_reply"
    REMIND = "remind"
    TELL_HANDLED = "tell_handled"
    CONFIRM_DELEGATION = "confirm_delegation"
    RESUME = "resume"
    WEBHOOK = "webhook"
    DEADLINE = "deadline"
    SCHEDULE_REMINDER = "schedule_reminder"


MAILS = frozenset(
    {
        EffectKind.NOTIFY,
        EffectKind.CONFIRM,
        EffectKind.REJECT_REPLY,
        EffectKind.REMIND,
        EffectKind.TELL_HANDLED,
        EffectKind.CONFIRM_DELEGATION,
    }
)


@dataclass(frozen=True)
class Effect:
    """One effect of one event; the four members together are its deterministic id.

    `target` tells several effects of one kind and event apart: for whom each is.
    """

    kind: EffectKind
    request_id: str
    event_seq: int
    target: str = ""


# A group's people get one each.
_TO_EACH_PERSON = frozenset({EffectKind.NOTIFY, EffectKind.REMIND})


def effects_of(event: AuditEvent) -> tuple[Effect, ...]:
    """Return what must happen because of an event; the order is only how people would like their mails to come."""
    people = event.data.get("people") or ("",)
    wanted = [(kind, target) for kind in _kinds(event) for target in (people if kind in _TO_EACH_PERSON else ("",))]
    return tuple(Effect(kind, event.request_id, event.seq, target) for kind, target in (*_targets(event), *wanted))


def _kinds(event: AuditEvent) -> tuple[EffectKind, ...]:
    data = event.data
    match event.kind:
        case EventKind.REQUEST_CREATED:
            created = (
                (EffectKind.NOTIFY, data["notify"]),
                (EffectKind.DEADLINE, data["auto_response"]),
                (EffectKind.WEBHOOK, data.get("webhooks")),
            )
            return tuple(kind for kind, needed in created if needed)
        case EventKind.REQUEST_REASSIGNED:
            by_mail = data.get("via") == Channel.EMAIL.value
            passed_on = (EffectKind.NOTIFY, data["notify"]), (EffectKind.CONFIRM_DELEGATION, by_mail)
            return tuple(kind for kind, needed in passed_on if needed)
        case EventKind.RESPONSE_SUBMITTED:
            by_mail = data["responded_via"] == Channel.EMAIL.value
            # Whoever answers or cancels reads no configuration: the relay leaves this out if no webhook wants it.
            decided = (
                (EffectKind.RESUME, data["push"]),
                (EffectKind.CONFIRM, by_mail),
                (EffectKind.WEBHOOK, not data.get("test")),
            )
            return tuple(kind for kind, needed in decided if needed)
        case EventKind.REQUEST_CANCELLED:
            return () if data.get("test") else (EffectKind.WEBHOOK,)
        case EventKind.RESUME_RETRIED:
            return (EffectKind.RESUME,)
        case EventKind.REPLY_REJECTED:
            return (EffectKind.REJECT_REPLY,)
        case EventKind.REMINDER_DUE:
            return (EffectKind.REMIND,)
        case _:
            return ()


def _targets(event: AuditEvent) -> tuple[tuple[EffectKind, str], ...]:
    """Return the effects that one event has several of, each with its target."""
    if event.kind is EventKind.REQUEST_CREATED:
        return tuple((EffectKind.SCHEDULE_REMINDER, moment) for moment in event.data.get("reminders", ()))
    return tuple((EffectKind.TELL_HANDLED, person) for person in event.data.get("others", ()))
