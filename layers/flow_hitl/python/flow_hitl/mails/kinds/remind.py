"""The email that asks again, in the notification's thread."""

from datetime import datetime
from typing import ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.mails.contexts import AskingContext
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.request_view import request_view
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Status


@dataclass(frozen=True, kw_only=True)
class ReminderContext(AskingContext):
    """Its subject is that of the notification sent at `asked_at`."""

    kind: ClassVar[str] = EffectKind.REMIND
    asked_at: datetime
    sla_due_at: datetime | None = None


def _context(occasion: Occasion, recipient: str) -> ReminderContext | None:
    head = occasion.request.head
    if head.status is not Status.PENDING:
        return None
    return ReminderContext(
        request=request_view(occasion.request, recipient, zone=occasion.zone_of(recipient)),
        reply_to=occasion.reply_to(recipient),
        review_url=occasion.review_url(recipient),
        asked_at=head.created_at,
        sla_due_at=head.sla_due_at,
    )


MAIL = Mail(
    recipient=lambda occasion: occasion.still_asked,
    context=_context,
    leaves=EventKind.REMINDER_SENT,
    follows_notification=True,
    repeats_subject=True,
)
