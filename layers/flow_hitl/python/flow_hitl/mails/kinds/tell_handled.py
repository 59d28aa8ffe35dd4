"""The short email to someone whose answer is no longer needed."""

from typing import ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.contract.shapes import Channel
from flow_hitl.mails.contexts import Decision, TellingContext
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.request_view import decision_of, who_did
from flow_hitl.platform.address import GROUP_PREFIX
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Status


@dataclass(frozen=True, kw_only=True)
class HandledContext(TellingContext):
    """Answered if it has a `decision`, reassigned if it has `reassigned_to`, else canceled.

    `by` is who reassigned or canceled it, if that may be shown.
    """

    kind: ClassVar[str] = EffectKind.TELL_HANDLED
    decision: Decision | None = None
    reassigned_to: str | None = None
    by: str | None = None

    @property
    def headline(self) -> str:
        """What happened, in a few words."""
        if self.decision is not None:
            if self.decision.via is Channel.AUTO_RESPONSE:
                return "Answered automatically"
            return f"Answered by {self.decision.by}" if self.decision.by else "Already answered"
        return f"Reassigned to {self.reassigned_to}" if self.reassigned_to else "Cancelled"

    @property
    def happened(self) -> str:
        """Why no answer is needed, as a clause."""
        if self.decision is not None:
            if self.decision.via is Channel.AUTO_RESPONSE:
                return "no one answered in time, so it was answered automatically"
            return f"{self.decision.by or 'someone else'} answered first, and the first answer counts"
        if self.reassigned_to:
            return f"{self.by} reassigned it to {self.reassigned_to}" if self.by else f"{self.reassigned_to} now has it"
        return f"{self.by} cancelled it" if self.by else "it was cancelled"


def _recipient(occasion: Occasion) -> str | None:
    """Return who was asked, unless the request has come back to them."""
    is_open = occasion.request.head.status is Status.PENDING
    return None if is_open and occasion.still_asked else occasion.addressee


def _context(occasion: Occasion, _: str) -> HandledContext:
    event = occasion.event
    reassigned = event.kind is EventKind.REQUEST_REASSIGNED
    return HandledContext(
        **occasion.names,
        decision=None if reassigned else decision_of(occasion.request),
        reassigned_to=event.data["assigned_to_email"].removeprefix(GROUP_PREFIX) if reassigned else None,
        by=who_did(event.actor, occasion.request.content),
    )


MAIL = Mail(
    recipient=_recipient,
    context=_context,
    leaves=EventKind.HANDLED_MAIL_SENT,
    follows_notification=True,
)
