"""The email that confirms a delegation by reply."""

from typing import ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.mails.contexts import TellingContext
from flow_hitl.mails.mail import Mail
from flow_hitl.platform.records import dataclass


@dataclass(frozen=True, kw_only=True)
class PassedOnContext(TellingContext):
    kind: ClassVar[str] = EffectKind.CONFIRM_DELEGATION
    passed_on_to: str


MAIL = Mail(
    recipient=lambda occasion: str(occasion.event.data["delegated_by"]),
    context=lambda occasion, _: PassedOnContext(**occasion.names, passed_on_to=occasion.event.data["delegated_to"]),
    leaves=EventKind.CONFIRMATION_SENT,
    answers_mail=True,
)
