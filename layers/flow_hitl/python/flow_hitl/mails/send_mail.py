"""The mails to responders: the notification and what follows it, the confirmation, the refusal of a reply."""

from collections.abc import Mapping
from dataclasses import dataclass

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect, EffectKind
from flow_hitl.audit.ports import AuditLog, EffectLog
from flow_hitl.mails.contexts import (
    ConfirmationContext,
    HandledContext,
    MailContext,
    NotificationContext,
    PassedOnContext,
    ReminderContext,
    ReplyRejectedContext,
)
from flow_hitl.mails.mail_feedback import KIND_TAG, REQUEST_TAG
from flow_hitl.mails.ports import MailRefused, MailRenderer, MailSender, OutgoingMail, SuppressionList
from flow_hitl.mails.request_view import decision_of, request_view, what_follows, who_did
from flow_hitl.mails.undelivered import Undelivered
from flow_hitl.platform.address import GROUP_PREFIX, same_address
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.product import PRODUCT_NAME
from flow_hitl.platform.worker_times import WORKER
from flow_hitl.replies.rejections import PAGE_CAN_HELP, REPLY_CAN_HELP, RejectionReason
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
from flow_hitl.requests.evidence import mail_digest
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import SERVICE, Change, Head, Request, Status, note

_SENT = {
    EffectKind.NOTIFY: EventKind.NOTIFICATION_SENT,
    EffectKind.CONFIRM: EventKind.CONFIRMATION_SENT,
    EffectKind.REJECT_REPLY: EventKind.ERROR_MAIL_SENT,
    EffectKind.REMIND: EventKind.REMINDER_SENT,
    EffectKind.TELL_HANDLED: EventKind.HANDLED_MAIL_SENT,
    EffectKind.CONFIRM_DELEGATION: EventKind.CONFIRMATION_SENT,
}
# The others answer a mail.
_UNASKED = frozenset({EffectKind.NOTIFY, EffectKind.REMIND, EffectKind.TELL_HANDLED})
_NEEDS_NO_ANSWER = (ConfirmationContext, HandledContext, PassedOnContext)
# To who never got the notification, these would say nothing.
_IN_ITS_THREAD = frozenset({EffectKind.REMIND, EffectKind.TELL_HANDLED})


@dataclass(frozen=True)
class SendMail:
    """Send the mail of an effect, once unless a worker dies between sending and saying so, then twice."""

    requests: RequestStore
    audit: AuditLog
    effects: EffectLog
    addresses: AnswerAddresses
    renderer: MailRenderer
    sender: MailSender
    suppressed: SuppressionList
    undelivered: Undelivered
    change_request: ChangeRequest
    clock: Clock
    ids: Ids

    def __call__(self, effect: Effect) -> None:
        """Send it and note it on the timeline; raises EffectBusy while another worker holds the effect."""
        if not self.effects.claim(effect, self.clock.now(), WORKER.lease):
            return
        request = self.requests.load(effect.request_id)
        event = self.audit.event(effect.request_id, effect.event_seq)
        recipient = _recipient(effect, event, request.head)
        context = self._context(effect, event, request, recipient) if recipient else None
        follows = self._notification_id(effect, recipient) if recipient and context else None
        if recipient is None or context is None or (effect.kind in _IN_ITS_THREAD and follows is None):
            self.effects.complete(effect)
            return
        try:
            message_id, sha256 = self._send(effect, request.head.deployment_id, recipient, context, follows)
        except MailRefused as refused:
            self._refused(effect, request, recipient, str(refused))
            return
        data = {"to": recipient, "message_id": message_id, "sha256": sha256, "mail": effect.kind.value}
        self._note(effect, request, _SENT[effect.kind], data)

    def _refused(self, effect: Effect, request: Request, recipient: str, reason: str) -> None:
        if effect.kind is EffectKind.NOTIFY:
            once = f"undelivered/{effect.request_id}/{effect.event_seq}"
            once += f"/{effect.target}" if effect.target else ""
            self.undelivered(effect.request_id, recipient, reason, once=once)
            self.effects.complete(effect)
        else:
            data = {"to": recipient, "mail": effect.kind.value, "reason": reason}
            self._note(effect, request, EventKind.MAIL_REFUSED, data)

    def _note(self, effect: Effect, request: Request, kind: EventKind, data: Mapping[str, str]) -> None:
        def step(head: Head) -> Change:
            event_id, at = self.ids.event_id(), self.clock.now()
            return note(head, kind, data, event_id=event_id, at=at, actor=SERVICE)

        self.change_request(effect.request_id, step, completes=effect, known=request)

    def _context(self, effect: Effect, event: AuditEvent, request: Request, recipient: str) -> MailContext | None:
        """Return what the mail shows, or None if by now there is nothing to say."""
        head = request.head
        if effect.kind is EffectKind.NOTIFY:
            if head.status is not Status.PENDING:
                return None
            may_pass_on = bool(event.data.get("may_pass_on"))
            return NotificationContext(
                request=request_view(request, recipient, may_pass_on=may_pass_on),
                reply_to=self.addresses.reply_to(head, recipient),
                review_url=self.addresses.review_url(head, recipient),
            )
        if effect.kind is EffectKind.REMIND:
            if head.status is not Status.PENDING:
                return None
            return ReminderContext(
                request=request_view(request, recipient),
                reply_to=self.addresses.reply_to(head, recipient),
                review_url=self.addresses.review_url(head, recipient),
                asked_at=head.created_at,
                sla_due_at=head.sla_due_at,
            )
        flow_name = head.flow_name or request.content.deployment_name
        if effect.kind is EffectKind.TELL_HANDLED:
            reassigned = event.kind is EventKind.REQUEST_REASSIGNED
            return HandledContext(
                flow_name=flow_name,
                method_name=head.method_name,
                message=request.content.message,
                decision=None if reassigned else decision_of(request),
                test=head.test,
                reassigned_to=event.data["assigned_to_email"].removeprefix(GROUP_PREFIX) if reassigned else None,
                by=who_did(event.actor, request.content),
            )
        if effect.kind is EffectKind.CONFIRM:
            decision = decision_of(request)
            if decision is None:
                return None
            return ConfirmationContext(
                flow_name=flow_name,
                method_name=head.method_name,
                message=request.content.message,
                decision=decision,
                is_cut=bool(event.data.get("is_cut")),
                test=head.test,
                then=what_follows(request),
            )
        if effect.kind is EffectKind.CONFIRM_DELEGATION:
            return PassedOnContext(
                flow_name=flow_name,
                method_name=head.method_name,
                message=request.content.message,
                passed_on_to=event.data["delegated_to"],
                test=head.test,
            )
        reason = RejectionReason(event.data["reason"])
        pending = head.status is Status.PENDING
        return ReplyRejectedContext(
            flow_name=flow_name,
            method_name=head.method_name,
            message=request.content.message,
            reason=reason,
            assigned_to=recipient,
            # What they probably meant comes first.
            emit_options=sorted(head.emit_options, key=lambda option: option != event.data.get("meant")),
            reply_to=self.addresses.reply_to(head, recipient) if pending and reason in REPLY_CAN_HELP else None,
            review_url=self.addresses.review_url(head, recipient) if pending and reason in PAGE_CAN_HELP else None,
            quoted=event.data.get("quoted") or "",
            meant=event.data.get("meant"),
            own=bool(event.data.get("own")),
            claimed_sender=event.data.get("claimed_sender"),
            # Whoever no longer has the request learns nothing new about it.
            decision=decision_of(request) if reason is not RejectionReason.REASSIGNED else None,
            test=head.test,
        )

    def _notification_id(self, effect: Effect, recipient: str) -> str | None:
        """Return the message id of the recipient's notification for a mail that continues its thread, else None."""
        if effect.kind not in _IN_ITS_THREAD:
            return None
        for event in reversed(self.audit.timeline(effect.request_id)):
            if event.kind is EventKind.NOTIFICATION_SENT and same_address(event.data["to"], recipient):
                return str(event.data["message_id"])
        return None

    def _send(
        self, effect: Effect, deployment_id: int, recipient: str, context: MailContext, follows: str | None
    ) -> tuple[str, str]:
        """Send the mail and return its message id and its hash."""
        suppressed = self.suppressed.reason(recipient, deployment_id)
        if suppressed is not None:
            raise MailRefused(f"earlier mail to this address {suppressed}")
        rendered = self.renderer.render_email(context)
        automatic = "auto-generated" if effect.kind in _UNASKED else "auto-replied"
        mail = OutgoingMail(
            to=recipient,
            from_name=PRODUCT_NAME,
            # The reminder's subject is the notification's.
            subject=f"Re: {rendered.subject}" if effect.kind is EffectKind.REMIND else rendered.subject,
            text=rendered.text,
            html=rendered.html,
            reply_to=None if isinstance(context, _NEEDS_NO_ANSWER) else context.reply_to,
            # RFC 3834, and Microsoft's own word for it: nobody's out-of-office may answer us, and an
            # emoji that Outlook would offer is no answer.
            headers={"Auto-Submitted": automatic, "X-Auto-Response-Suppress": "All", "X-MS-Reactions": "disallow"},
            tags={REQUEST_TAG: effect.request_id, KIND_TAG: effect.kind.value},
            follows=follows,
        )
        return self.sender.send(mail), mail_digest(mail.subject, mail.text, mail.html)


def _recipient(effect: Effect, event: AuditEvent, head: Head) -> str | None:
    """Return the address that the event was about, unless the request has gone to somebody else since."""
    if effect.kind is EffectKind.CONFIRM:
        return str(event.data["responder"])
    if effect.kind is EffectKind.CONFIRM_DELEGATION:
        return str(event.data["delegated_by"])
    if effect.kind is EffectKind.TELL_HANDLED:
        # Somebody may have given it back to them meanwhile.
        asked = head.responders if head.status is Status.PENDING else ()
        return None if any(same_address(effect.target, one) for one in asked) else effect.target
    address = effect.target or str(event.data.get("responder") or event.data["assigned_to_email"])
    if event.data.get("reason") == RejectionReason.REASSIGNED:
        return address
    return address if any(same_address(address, responder) for responder in head.responders) else None
