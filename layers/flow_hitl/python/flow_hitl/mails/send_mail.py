"""Send an email about a request; its module in `kinds/` knows its recipient and content."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import tzinfo
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import AuditLog, TryLog
from flow_hitl.mails.contexts import AskingContext
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.mail_feedback import KIND_TAG, REQUEST_TAG
from flow_hitl.mails.ports import InlineImage, MailRefused, MailRenderer, MailSender, OutgoingMail, SuppressionList
from flow_hitl.mails.registry import MAIL_OF
from flow_hitl.mails.undelivered import Undelivered
from flow_hitl.platform.address import same_address
from flow_hitl.platform.ports import Clock, ReadTogether
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.worker_times import WORKER
from flow_hitl.rendering.rendered import MailContext
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
from flow_hitl.requests.evidence import mail_digest
from flow_hitl.requests.ports import AttachmentStore, RequestStore
from flow_hitl.requests.request import Change, Head, Request, Stamp, note

# What was killed between SES and the log this often is not tried again.
_MOST_TRIES = 2


@dataclass(frozen=True)
class SendMail:
    """Send an effect's email once, or twice if a worker dies between sending and recording it."""

    read: ReadTogether
    requests: RequestStore
    audit: AuditLog
    effects: TryLog
    addresses: AnswerAddresses
    renderer: MailRenderer
    sender: MailSender
    suppressed: SuppressionList
    undelivered: Undelivered
    change_request: ChangeRequest
    clock: Clock
    attachments: Callable[[], AttachmentStore]

    def __call__(self, effect: Effect) -> bool:
        """Send it and record it on the timeline; raises EffectBusy while another worker holds the effect.

        Returns False if two workers died over it, so that nobody knows whether it was sent: that is recorded instead.
        """
        request, event, suppressed_in = self.read(
            self.requests.reading(effect.request_id),
            self.audit.reading(effect.request_id, effect.event_seq),
            self.suppressed.reading(effect.about),
        )
        if request.head.content_erased_at is not None:
            # It would say nothing, and its record would name somebody who may have wanted to be forgotten.
            return True
        mail, occasion = MAIL_OF[effect.kind], Occasion(effect, event, request, self.addresses)
        recipient = mail.recipient(occasion)
        context = mail.context(occasion, recipient) if recipient else None
        follows = self._notification_id(effect, recipient) if recipient and mail.follows_notification else None
        if recipient is None or context is None or (mail.follows_notification and follows is None):
            self._let_go(effect, request, mail, occasion.addressee)
            return True
        deployment_id = request.head.deployment_id
        is_read = recipient.lower() == effect.about.lower()
        suppressed = suppressed_in(deployment_id) if is_read else self.suppressed.reason(recipient, deployment_id)
        if suppressed is not None:
            if self._claimed(effect):
                self._refused(mail, effect, request, recipient, f"earlier email to this address {suppressed}")
            return True
        outgoing = self._outgoing(mail, effect, recipient, context, follows, occasion.zone_of(recipient))
        # Nothing but the call of SES comes between this and the email: what is counted here may have been sent.
        this_try = self.effects.begin(effect, self.clock.now(), WORKER.lease)
        if this_try is None:
            return True
        if this_try.kept is None and this_try.number > _MOST_TRIES:
            self._note(effect, request, EventKind.MAIL_UNCERTAIN, {"to": recipient, "mail": effect.kind.value})
            return False
        try:
            sent = this_try.kept or self._send(effect, outgoing)
        except MailRefused as refused:
            self._refused(mail, effect, request, recipient, str(refused))
            return True
        try:
            self._note(effect, request, mail.leaves, sent)
        except Exception:
            # What cannot be recorded now, a later try can, without another email.
            with suppress(Exception):
                self.effects.keep(effect, sent)
            raise
        return True

    def _let_go(self, effect: Effect, request: Request, mail: Mail, addressee: str) -> None:
        """Complete an effect that has nothing to send any more; what an earlier try may have sent is recorded."""
        this_try = self.effects.begin(effect, self.clock.now(), WORKER.lease)
        if this_try is None:
            return
        if this_try.kept is not None:
            self._note(effect, request, mail.leaves, this_try.kept)
        elif this_try.number > 1:
            # They may even have answered it since.
            data = {"to": addressee, "mail": effect.kind.value, "moot": True}
            self._note(effect, request, EventKind.MAIL_UNCERTAIN, data)
        else:
            self.effects.complete(effect)

    def _claimed(self, effect: Effect) -> bool:
        return self.effects.claim(effect, self.clock.now(), WORKER.lease)

    def _send(self, effect: Effect, outgoing: OutgoingMail) -> Mapping[str, str]:
        """Send the email and return what its event says; what SES does not take, or does not answer, was not sent."""
        try:
            message_id = self.sender.send(outgoing)
        except Exception:
            with suppress(Exception):
                self.effects.came_to_nothing(effect)
            raise
        rendered = outgoing.rendered
        sha256 = mail_digest(rendered.subject, rendered.text, rendered.html)
        return {"to": outgoing.to, "message_id": message_id, "sha256": sha256, "mail": effect.kind.value}

    def _refused(self, mail: Mail, effect: Effect, request: Request, recipient: str, reason: str) -> None:
        if mail.must_arrive:
            once = f"undelivered/{effect.request_id}/{effect.event_seq}"
            once += f"/{effect.target}" if effect.target else ""
            self.undelivered(effect.request_id, recipient, reason, once=once)
            self.effects.complete(effect)
        else:
            data = {"to": recipient, "mail": effect.kind.value, "reason": reason}
            self._note(effect, request, EventKind.MAIL_REFUSED, data)

    def _note(self, effect: Effect, request: Request, kind: EventKind, data: Mapping[str, Any]) -> None:
        def step(head: Head, stamp: Stamp) -> Change:
            return note(head, kind, {**data, "did": effect.name}, stamp=stamp)

        self.change_request(effect.request_id, step, known=request)

    def _notification_id(self, effect: Effect, recipient: str) -> str | None:
        """Return the message id of the recipient's notification, None if they got none."""
        for event in reversed(self.audit.timeline(effect.request_id)):
            if event.kind is EventKind.NOTIFICATION_SENT and same_address(event.data["to"], recipient):
                return str(event.data["message_id"])
        return None

    def _outgoing(
        self, mail: Mail, effect: Effect, recipient: str, context: MailContext, follows: str | None, zone: tzinfo
    ) -> OutgoingMail:
        rendered = self.renderer.render_email(context, zone)
        if mail.repeats_subject:
            rendered = replace(rendered, subject=f"Re: {rendered.subject}")
        tags = {REQUEST_TAG: effect.request_id, KIND_TAG: effect.kind.value}
        images = self._images(effect.request_id, context)
        return OutgoingMail(recipient, rendered, tags, context.reply_to, follows, mail.answers_mail, images)

    def _images(self, request_id: str, context: MailContext) -> Sequence[InlineImage]:
        if not (isinstance(context, AskingContext) and context.images):
            return ()
        from flow_hitl.mails.attached import content_id

        store = self.attachments()
        return [InlineImage(content_id(one), one.media_type, store.read(request_id, one)) for one in context.images]
