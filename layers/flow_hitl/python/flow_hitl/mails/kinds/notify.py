"""The email that asks for an answer."""

from dataclasses import replace
from typing import ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.mails.contexts import AskingContext
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.request_view import request_view
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Status


@dataclass(frozen=True, kw_only=True)
class NotificationContext(AskingContext):
    kind: ClassVar[str] = EffectKind.NOTIFY


def _context(occasion: Occasion, recipient: str) -> NotificationContext | None:
    if occasion.request.head.status is not Status.PENDING:
        return None
    may_pass_on = bool(occasion.event.data.get("may_pass_on"))
    context = NotificationContext(
        request=request_view(occasion.request, recipient, may_pass_on=may_pass_on, zone=occasion.zone_of(recipient)),
        reply_to=occasion.reply_to(recipient),
        review_url=occasion.review_url(recipient),
    )
    attachments = context.request.attachments
    if not attachments:
        return context
    from flow_hitl.mails.attached import email_files

    files, images = email_files(attachments, context.review_url)
    return replace(context, files=files, images=images)


MAIL = Mail(
    recipient=lambda occasion: occasion.still_asked,
    context=_context,
    leaves=EventKind.NOTIFICATION_SENT,
    must_arrive=True,
)
