"""What follows from an audit event: each effect is one message to one worker."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any, Self

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.records import dataclass

_Data = Mapping[str, Any]
_Targets = Callable[[_Data], Sequence[str]]


_NEVER: Mapping[EventKind, _Targets] = {}


def _always(_: _Data) -> Sequence[str]:
    return ("",)


def _once_if(is_wanted: Callable[[_Data], object]) -> _Targets:
    return lambda data: ("",) if is_wanted(data) else ()


def _each_person(data: _Data) -> Sequence[str]:
    return tuple(data.get("people") or ("",))


def _each_notified(data: _Data) -> Sequence[str]:
    return _each_person(data) if data["notify"] else ()


def _others(data: _Data) -> Sequence[str]:
    return tuple(data.get("others", ()))


# Of an answer by API and a cancellation, nobody has read the configuration: the relay leaves this out if no webhook
# wants it.
_unless_test = _once_if(lambda data: not data.get("test") and data.get("webhooks", True))


class EffectKind(StrEnum):
    """Every effect: its name, the events that it follows from, and its targets by each event's data.

    They stand in the order in which people want their emails.
    """

    targets: Mapping[EventKind, _Targets]

    # A kind is also looked up by its name alone.
    def __new__(cls, name: str, targets: Mapping[EventKind, _Targets] = _NEVER) -> Self:
        kind = str.__new__(cls, name)
        kind._value_, kind.targets = name, targets
        return kind

    SCHEDULE_REMINDER = "schedule_reminder", {EventKind.REQUEST_CREATED: lambda data: data.get("reminders", ())}
    TELL_HANDLED = (
        "tell_handled",
        {
            EventKind.RESPONSE_SUBMITTED: _others,
            EventKind.REQUEST_CANCELLED: _others,
            EventKind.REQUEST_REASSIGNED: _others,
        },
    )
    NOTIFY = "notify", {EventKind.REQUEST_CREATED: _each_notified, EventKind.REQUEST_REASSIGNED: _each_notified}
    REMIND = "remind", {EventKind.REMINDER_DUE: _each_person}
    RECEIPT = "receipt", {EventKind.RESPONSE_SUBMITTED: _once_if(lambda data: data.get("with_receipt"))}
    RESUME = (
        "resume",
        {
            # A flow that wants a receipt is told when there is one.
            EventKind.RESPONSE_SUBMITTED: _once_if(lambda data: data["push"] and not data.get("with_receipt")),
            EventKind.RECEIPT_ISSUED: _once_if(lambda data: data["push"]),
            EventKind.RESUME_RETRIED: _always,
        },
    )
    ASK_FLOW = "ask_flow", {EventKind.QUESTION_ASKED: _once_if(lambda data: data["push"])}
    TELL_ANSWER = "tell_answer", {EventKind.QUESTION_ANSWERED: _each_notified}
    CONFIRM = (
        "confirm",
        {EventKind.RESPONSE_SUBMITTED: _once_if(lambda data: data["responded_via"] == Channel.EMAIL)},
    )
    CONFIRM_DELEGATION = (
        "confirm_delegation",
        {EventKind.REQUEST_REASSIGNED: _once_if(lambda data: data.get("via") == Channel.EMAIL)},
    )
    REJECT_REPLY = "reject_reply", {EventKind.REPLY_REJECTED: _always}
    DEADLINE = "deadline", {EventKind.REQUEST_CREATED: _once_if(lambda data: data["auto_response"])}
    WEBHOOK = (
        "webhook",
        {
            EventKind.REQUEST_CREATED: _once_if(lambda data: data.get("webhooks")),
            EventKind.RESPONSE_SUBMITTED: _unless_test,
            EventKind.REQUEST_CANCELLED: _unless_test,
            EventKind.QUESTION_ASKED: _unless_test,
        },
    )


NOTED = frozenset(EffectKind) - {EffectKind.WEBHOOK, EffectKind.DEADLINE, EffectKind.SCHEDULE_REMINDER}
"""Kinds whose outcome is an event of the request, in which `did` names the effect: that it is done needs no record."""

MAILS = NOTED - {EffectKind.RECEIPT, EffectKind.RESUME, EffectKind.ASK_FLOW}


# Of one that never reached its person, the relay counts whether anyone is left to be told.
_LISTENED_TO = {kind for effect in EffectKind for kind in effect.targets} | {EventKind.NOTIFICATION_UNDELIVERED}

UNHEARD = frozenset(EventKind) - _LISTENED_TO
"""Events from which nothing follows: the audit stream does not call the relay for them."""


@dataclass(frozen=True)
class Effect:
    """One effect of one event; the four members together are its deterministic id.

    `target` tells several effects of one kind and event apart: for whom each is. `about` is no part of the id
    and saves a read: the address that the event is about, or, of what is sent to the flow, the deployment's id.
    """

    kind: EffectKind
    request_id: str
    event_seq: int
    target: str = ""
    about: str = field(default="", compare=False, repr=False)

    @property
    def name(self) -> str:
        """Its name among the effects of its request."""
        return "#".join((f"{self.event_seq:06d}", self.kind.value, *([self.target] if self.target else ())))


class EffectState(StrEnum):
    """How far an effect has come; `begun`: a worker had it, and has given it back or died."""

    UNKNOWN = "unknown"
    TAKEN = "taken"
    BEGUN = "begun"
    DONE = "done"


def addressee(data: _Data, target: str) -> str:
    """Return the address that an event is about, by its data and an effect's target."""
    return target or str(data.get("responder") or data.get("assigned_to_email", ""))


def _about(kind: EffectKind, data: _Data, target: str) -> str:
    if kind in (EffectKind.RESUME, EffectKind.ASK_FLOW):
        return str(data.get("deployment_id", ""))
    return addressee(data, target) if kind in MAILS else ""


def named_done(events: Iterable[AuditEvent]) -> frozenset[tuple[str, str]]:
    """Return request id and name of each effect that one of the events is the outcome of."""
    return frozenset((event.request_id, str(event.data["did"])) for event in events if "did" in event.data)


def is_done(effect: Effect, later: Collection[AuditEvent]) -> bool:
    """Tell from the events behind its own whether an effect is done, or an email is none any more.

    Of a request whose content was erased nobody is emailed, so that no record of whom it was to be sent to is needed.
    """
    if (effect.request_id, effect.name) in named_done(later):
        return True
    return effect.kind in MAILS and any(one.kind is EventKind.CONTENT_ERASED for one in later)


def effects_of(event: AuditEvent) -> tuple[Effect, ...]:
    """Return what must happen because of an event."""
    return tuple(
        Effect(kind, event.request_id, event.seq, target, _about(kind, event.data, target))
        for kind in EffectKind
        if event.kind in kind.targets
        for target in kind.targets[event.kind](event.data)
    )
