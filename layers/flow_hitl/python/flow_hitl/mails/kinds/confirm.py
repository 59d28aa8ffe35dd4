"""The email that confirms an emailed answer."""

from typing import ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.mails.contexts import Decision, TellingContext
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.request_view import decision_of, what_follows
from flow_hitl.platform.records import dataclass


@dataclass(frozen=True, kw_only=True)
class ConfirmationContext(TellingContext):
    """`is_cut`: the answer was too long and was truncated. `then` is what happens next, a clause."""

    kind: ClassVar[str] = EffectKind.CONFIRM
    decision: Decision
    is_cut: bool = False
    then: str | None = None


def _context(occasion: Occasion, _: str) -> ConfirmationContext | None:
    decision = decision_of(occasion.request)
    if decision is None:
        return None
    return ConfirmationContext(
        **occasion.names,
        decision=decision,
        is_cut=bool(occasion.event.data.get("is_cut")),
        then=what_follows(occasion.request),
    )


MAIL = Mail(
    recipient=lambda occasion: str(occasion.event.data["responder"]),
    context=_context,
    leaves=EventKind.CONFIRMATION_SENT,
    answers_mail=True,
)
