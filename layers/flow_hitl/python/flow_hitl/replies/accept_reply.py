"""A mail comes in: who sent it is proven, what it says is found, and only then is it an answer.

Nothing unproven decides, nobody but the address that a token was issued to is ever written to, and every mail ends as
a decision, a rejection that its responder is told of, or a discard with its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.ports import AuditLog
from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.people.access import Action, ProvenAddress, authorize
from flow_hitl.platform.address import domain_of, same_address
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AnsweredAlike,
    DelegationOff,
    Forbidden,
    NotAnOption,
    NotFound,
    NotPending,
    SelfApproval,
    TokenExpired,
    TokenInvalid,
    TooLarge,
    ValidationFailed,
)
from flow_hitl.platform.key_ring import KeyRing, KeysTooOld
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.product import PRODUCT_NAME
from flow_hitl.platform.text import split_answer
from flow_hitl.platform.times import ceil_second
from flow_hitl.replies.inbound_mail import (
    FAIL,
    Disproven,
    InboundMail,
    Receipt,
    Unproven,
    UnreadableMail,
    judge_sender,
    single_mailbox,
)
from flow_hitl.replies.ports import DiscardLog, MailBucket, MailParser
from flow_hitl.replies.reactions import is_reaction
from flow_hitl.replies.rejections import Discard, DiscardReason, RejectionReason, counted_rejection
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.changing.delegate import Delegate, Delegation
from flow_hitl.requests.changing.delegation import delegated_to
from flow_hitl.requests.deciding import reply_address
from flow_hitl.requests.deciding.record_response import MAX_ANSWER_CHARS, RecordResponse, Submission
from flow_hitl.requests.deciding.reply_address import ReplyToken
from flow_hitl.requests.evidence import mail_shown, verification
from flow_hitl.requests.ports import RequestStore, TakenAlready
from flow_hitl.requests.request import SERVICE, Change, Head, Stamp, Status, asked_before, note

_MAX_BYTES = 10_000_000
_QUOTED_CHARS = 200


class Discarded(Exception):
    """The mail is no answer and nobody is told; `reason` is counted and can be looked up.

    `request_id` is the request that its reply address names, be that proven or not.
    """

    def __init__(self, reason: DiscardReason, request_id: str | None = None, details: str = "") -> None:
        self.reason = f"{reason}: {details}" if details else reason.value
        super().__init__(self.reason)
        self.request_id = request_id


class Rejected(Exception):
    """The mail reached us by a genuine token and decided nothing; the token's address is told why.

    What has a `once` is told but once for all mails that have the same.
    """

    def __init__(self, reason: RejectionReason, *, once: str | None = None, **data: Any) -> None:
        super().__init__(reason.value)
        self.reason, self.data, self.once = reason, data, once


@dataclass(frozen=True)
class AcceptReply:
    """Take one mail from the receipt to its end; the same mail again does nothing new."""

    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    mails: MailBucket
    parser: MailParser
    discards: DiscardLog
    record_response: RecordResponse
    delegate: Delegate
    change_request: ChangeRequest
    keys: KeyRing
    clock: Clock
    ids: Ids
    inbound_domain: str
    own_address: str

    def __call__(self, receipt: Receipt) -> str:
        """Return what became of the mail: `decided`, `delegated`, `rejected: …` or `discarded: …`.

        Raises KeysTooOld where only later it can be told whether we issued the address.
        """
        try:
            token = self._token(receipt)
            head, responder, is_asked = self._authorized_head(receipt, token)
            if head.decision_id == _decision_id(receipt):
                return "decided"
            try:
                mail = self._mail(receipt, head)
                if not is_asked:
                    self._turn_away(receipt, mail, head, responder)
                return self._obey(receipt, mail, token, head, responder)
            except Rejected as rejected:
                self._reject(receipt, head, responder, rejected)
                return f"rejected: {rejected.reason}"
        except Discarded as discarded:
            at, details = self.clock.now(), {"verdicts": _verdicts(receipt)}
            self.discards.record(Discard(receipt.message_id, discarded.reason, at, discarded.request_id, details))
            return f"discarded: {discarded.reason}"

    def _token(self, receipt: Receipt) -> ReplyToken:
        tokens = set(filter(None, map(self._token_of, receipt.recipients)))
        if len(tokens) != 1:
            raise Discarded(DiscardReason.SEVERAL_REPLY_ADDRESSES if tokens else DiscardReason.NO_REPLY_ADDRESS)
        return tokens.pop()

    def _token_of(self, recipient: str) -> ReplyToken | None:
        return reply_address.parse(recipient.rpartition("@")[0]) if self._is_ours(recipient) else None

    def _is_ours(self, address: str) -> bool:
        return domain_of(address) == self.inbound_domain.lower()

    def _authorized_head(self, receipt: Receipt, token: ReplyToken) -> tuple[Head, str, bool]:
        """Return the head of the token's request, to whom the token was issued, and whether they are asked still.

        Expiry is judged later, because a genuine token's owner is told.
        """
        try:
            head = self.requests.head(token.request_id)
        except NotFound:
            raise Discarded(DiscardReason.NOT_ISSUED) from None
        owner = self._owner(receipt, token, head.responders)
        if owner is not None:
            return head, owner, True
        if self.keys.key(str(token.key_id)) is None:
            if not self.keys.read_since(receipt.at):
                raise KeysTooOld
        elif owner := self._owner(receipt, token, asked_before(self.audit.timeline(head.request_id))):
            return head, owner, False
        raise Discarded(DiscardReason.NOT_ISSUED, head.request_id)

    def _owner(self, receipt: Receipt, token: ReplyToken, addresses: Sequence[str]) -> str | None:
        for address in addresses:
            try:
                reply_address.verify(self.keys, token, address, receipt.at)
            except TokenInvalid:
                continue
            except TokenExpired:
                pass
            return address
        return None

    def _mail(self, receipt: Receipt, head: Head) -> InboundMail:
        for reason, verdict in ((DiscardReason.VIRUS, receipt.virus), (DiscardReason.SPAM, receipt.spam)):
            if verdict == FAIL:
                raise Discarded(reason, head.request_id)
        if receipt.null_sender:
            raise Discarded(DiscardReason.AUTOMATIC, head.request_id, "no envelope sender")
        try:
            mail = self.parser.parse_mail(self.mails.read(receipt.key, _MAX_BYTES))
        except (UnreadableMail, TooLarge) as error:
            raise Rejected(RejectionReason.UNREADABLE, why=str(error)) from None
        if mail.automatic:
            raise Discarded(DiscardReason.AUTOMATIC, head.request_id, mail.automatic)
        claimed = single_mailbox(mail.from_headers)
        if claimed and (same_address(claimed, self.own_address) or self._is_ours(claimed)):
            raise Discarded(DiscardReason.AUTOMATIC, head.request_id, "our own mail")
        return mail

    def _turn_away(self, receipt: Receipt, mail: InboundMail, head: Head, former: str) -> NoReturn:
        """Have somebody told who had the request before, if the mail is proven to be theirs."""
        try:
            sender = self._sender(receipt, mail, self.deployments.load(head.deployment_id))
        except Rejected as unproven:
            raise Discarded(DiscardReason.NO_LONGER_ASKED, head.request_id, unproven.data["why"]) from None
        if not sender.is_known_as(former):
            raise Discarded(DiscardReason.NO_LONGER_ASKED, head.request_id, "sent by somebody else")
        if mail.reaction or is_reaction(self.parser.answer_text(mail), mail.sender_name):
            raise Discarded(DiscardReason.EMOJI_REACTION, head.request_id)
        raise Rejected(RejectionReason.REASSIGNED)

    def _sender(self, receipt: Receipt, mail: InboundMail, deployment: Deployment) -> ProvenAddress:
        verdict = judge_sender(receipt, mail, deployment.settings.require_dmarc_pass)
        if isinstance(verdict, Disproven | Unproven):
            claimed = single_mailbox(mail.from_headers)
            raise Rejected(RejectionReason.SENDER_UNPROVEN, why=verdict.reason, claimed_sender=claimed)
        return ProvenAddress.of(deployment, verdict.address)

    def _obey(self, receipt: Receipt, mail: InboundMail, token: ReplyToken, head: Head, responder: str) -> str:
        """Answer the request, or pass it on, as a mail says whose sender is proven; return which."""
        deployment = self.deployments.load(head.deployment_id)
        answer = self.parser.answer_text(mail, head.emit_options, (PRODUCT_NAME, self.own_address, self.inbound_domain))
        reaction = mail.reaction or ("its text" if is_reaction(answer, mail.sender_name) else None)
        delegate_to = delegated_to(answer, head.emit_options)
        try:
            sender = self._sender(receipt, mail, deployment)
            action = Action.RESPOND if delegate_to is None else Action.DELEGATE
            renewed = self._permit(receipt, token, head, responder, sender, action, deployment)
        except Rejected:
            if reaction is None:
                raise
            raise Discarded(DiscardReason.EMOJI_REACTION, head.request_id, reaction) from None
        if reaction is not None:
            if head.status is not Status.PENDING:
                raise Discarded(DiscardReason.EMOJI_REACTION, head.request_id, reaction)
            once = f"reaction/{head.request_id}/{responder.lower()}"
            raise Rejected(RejectionReason.EMOJI_REACTION, once=once, why=reaction, **renewed)
        if renewed:
            raise Rejected(RejectionReason.EXPIRED, **renewed)
        if not split_answer(answer)[0]:
            raise Rejected(RejectionReason.NO_ANSWER_FOUND)
        if delegate_to is not None:
            delegation = Delegation(sender, responder, delegate_to, Channel.EMAIL, _verification(receipt, mail, sender))
            self._pass_on(receipt, deployment, head, delegation)
            return "delegated"
        submission = Submission(
            request_id=head.request_id,
            actor=sender,
            via=Channel.EMAIL,
            decision_id=_decision_id(receipt),
            # What is longer stays in the mail bucket; a mail of megabytes must not stop the flow.
            text=answer[:MAX_ANSWER_CHARS],
            is_cut=len(answer) > MAX_ANSWER_CHARS or self.parser.answer_is_cut(mail, answer),
            responder=responder,
            responder_verified=True,
            verification=_verification(receipt, mail, sender),
            shown=mail_shown(self.audit.timeline(head.request_id), responder, mail.answers),
        )
        try:
            self.record_response(submission)
        except AnsweredAlike:
            raise Rejected(RejectionReason.ALREADY_RESPONDED, own=True) from None
        except AlreadyResponded:
            raise Rejected(RejectionReason.ALREADY_RESPONDED) from None
        except NotPending:
            raise Rejected(RejectionReason.CANCELLED) from None
        except NotAnOption as refused:
            meant = {"meant": refused.meant} if refused.meant else {}
            quoted = refused.first_line[:_QUOTED_CHARS]
            raise Rejected(RejectionReason.NOT_AN_OPTION, quoted=quoted, **meant) from None
        return "decided"

    def _permit(
        self,
        receipt: Receipt,
        token: ReplyToken,
        head: Head,
        responder: str,
        sender: ProvenAddress,
        action: Action,
        deployment: Deployment,
    ) -> dict[str, Any]:
        """Return for how many days the addresses are to hold anew where this one has expired; raises Rejected."""
        try:
            authorize(sender, action, head)
            if not sender.is_known_as(responder):
                raise Forbidden("This reply address was issued to somebody else of the group.")
            reply_address.verify(self.keys, token, responder, receipt.at)
        except SelfApproval:
            raise Rejected(RejectionReason.SELF_APPROVAL) from None
        except Forbidden:
            raise Rejected(RejectionReason.SENDER_MISMATCH, claimed_sender=sender.email) from None
        except TokenExpired:
            return {"renewed_days": deployment.settings.reply_token_days}
        return {}

    def _pass_on(self, receipt: Receipt, deployment: Deployment, head: Head, delegation: Delegation) -> None:
        quoted = f"delegate: {delegation.to}"[:_QUOTED_CHARS]
        try:
            self.delegate(deployment, head.request_id, delegation, once=f"mail/{receipt.message_id}")
        except TakenAlready:
            return
        except AlreadyResponded:
            raise Rejected(RejectionReason.ALREADY_RESPONDED) from None
        except NotPending:
            raise Rejected(RejectionReason.CANCELLED) from None
        except DelegationOff:
            raise Rejected(RejectionReason.DELEGATION_OFF, quoted=quoted) from None
        except ValidationFailed as refused:
            why = refused.errors[0].message
            raise Rejected(RejectionReason.DELEGATION_REFUSED, quoted=quoted, why=why) from None

    def _reject(self, receipt: Receipt, head: Head, responder: str, rejected: Rejected) -> None:
        data: Mapping[str, Any] = {
            "reason": rejected.reason.value,
            "mail": receipt.message_id,
            "assigned_to_email": head.assigned_to_email,
            "responder": responder,
            "verdicts": _verdicts(receipt),
            **rejected.data,
        }

        def step(current: Head) -> Change:
            now = self.clock.now()
            rejections = counted_rejection(current, now)
            if rejections is None:
                raise Discarded(DiscardReason.TOO_MANY_ERROR_MAILS, head.request_id, rejected.reason.value)
            expires_at = current.token_expires_at
            if "renewed_days" in rejected.data:
                # The mail that says so carries addresses that hold again.
                expires_at = ceil_second(now + timedelta(days=rejected.data["renewed_days"]))
            return note(
                current,
                EventKind.REPLY_REJECTED,
                data,
                stamp=Stamp(self.ids.event_id(), now, SERVICE),
                rejections=rejections,
                token_expires_at=expires_at,
            )

        once = rejected.once or f"mail/{receipt.message_id}"
        try:
            self.change_request(head.request_id, step, once)
        except TakenAlready:
            events = self.audit.timeline(head.request_id) if rejected.once else ()
            if rejected.once and not any(event.data.get("mail") == receipt.message_id for event in events):
                raise Discarded(DiscardReason.EMOJI_REACTION, head.request_id, rejected.data["why"]) from None


def _decision_id(receipt: Receipt) -> str:
    return f"mail/{receipt.message_id}"


def _verification(receipt: Receipt, mail: InboundMail, sender: ProvenAddress) -> Mapping[str, Any]:
    on_behalf = mail.sent_by and not same_address(mail.sent_by, sender.email)
    return verification(
        "reply_address",
        sender=sender.email,
        **({"sent_by": mail.sent_by} if on_behalf else {}),
        verdicts=_verdicts(receipt),
        mail=receipt.message_id,
        mail_sha256=mail.sha256,
    )


def _verdicts(receipt: Receipt) -> Mapping[str, str | Sequence[str]]:
    return {"spf": receipt.spf, "dkim": receipt.dkim, "dmarc": receipt.dmarc, "from": receipt.mail_from}
