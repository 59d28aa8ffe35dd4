"""An email arrives at a reply address: read it, have `ruling` judge it, and carry the ruling out.

Nothing unproven decides, and only the address a token was issued to is ever written to. Every email ends as a decision,
a delegation, a question, a rejection its responder is told about, or a discard with its reason.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from flow_hitl.audit.ports import AuditLog
from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.people.access import ProvenAddress
from flow_hitl.platform.address import domain_of, same_address
from flow_hitl.platform.errors import (
    FlowHitlError,
    NotAsLogged,
    NotFound,
    QuestionsOff,
    TokenExpired,
    TokenInvalid,
    TooLarge,
    ValidationFailed,
)
from flow_hitl.platform.key_ring import KeyRing, KeysTooOld
from flow_hitl.platform.ports import Clock, ReadTogether
from flow_hitl.platform.product import PRODUCT_NAME
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.replies.inbound_mail import MAX_BYTES, InboundMail, Receipt, UnreadableMail, single_mailbox
from flow_hitl.replies.ports import DiscardLog, MailBucket, MailParser
from flow_hitl.replies.rejections import Discard, DiscardReason, RejectionReason, TooManyRejections, note_rejection
from flow_hitl.replies.ruling import (
    Addressee,
    Answers,
    Asks,
    Discarded,
    PassesOn,
    Rejected,
    judge_question,
    judge_receipt,
    judge_refusal,
    judge_reply,
)
from flow_hitl.requests.bound import is_as_logged
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.changing.delegate import Delegate, Delegation
from flow_hitl.requests.deciding import reply_address
from flow_hitl.requests.deciding.record_response import MAX_ANSWER_CHARS, RecordResponse, Submission
from flow_hitl.requests.deciding.reply_address import ReplyToken
from flow_hitl.requests.evidence import Shown, mail_shown
from flow_hitl.requests.ports import RequestStore, TakenAlready
from flow_hitl.requests.request import Head, Request, asked_before

if TYPE_CHECKING:
    from flow_hitl.requests.deciding.ask_back import AskBack


@dataclass(frozen=True)
class AcceptReply:
    """Process one email from its receipt; processing it again changes nothing."""

    read: ReadTogether
    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    mails: MailBucket
    parser: MailParser
    discards: DiscardLog
    record_response: RecordResponse
    delegate: Delegate
    ask_back: Callable[[], "AskBack"]
    change_request: ChangeRequest
    keys: KeyRing
    clock: Clock
    inbound_domain: str
    own_address: str

    def __call__(self, receipt: Receipt) -> str:
        """Return the result: `decided`, `delegated`, `asked`, `rejected: …`, or `discarded: …`.

        Raises KeysTooOld if only newer keys can tell whether we issued the address, and NotAsLogged.
        """
        tokens = {token for recipient in receipt.recipients if (token := self._token(recipient))}
        if len(tokens) != 1:
            reason = DiscardReason.SEVERAL_REPLY_ADDRESSES if tokens else DiscardReason.NO_REPLY_ADDRESS
            return self._discard(receipt, Discarded(reason))
        token = tokens.pop()
        try:
            request = self.requests.load(token.request_id)
        except NotFound:
            return self._discard(receipt, Discarded(DiscardReason.NOT_ISSUED))
        head = request.head
        addressee = self._addressee(receipt, token, head)
        if addressee is None:
            return self._discard(receipt, Discarded(DiscardReason.NOT_ISSUED), head)
        if head.decision_id == _once(receipt):
            return "decided"
        result = self._result(receipt, addressee, request)
        if isinstance(result, Rejected):
            result = self._reject(receipt, addressee, request, result)
        return self._discard(receipt, result, head) if isinstance(result, Discarded) else str(result)

    def _discard(self, receipt: Receipt, discarded: Discarded, head: Head | None = None) -> str:
        request_id, details = head.request_id if head else None, {"verdicts": receipt.verdicts}
        at = self.clock.now()
        self.discards.record(Discard(receipt.message_id, discarded.full_reason, at, request_id, details))
        return str(discarded)

    def _token(self, recipient: str) -> ReplyToken | None:
        return reply_address.parse(recipient.rpartition("@")[0]) if self._is_ours(recipient) else None

    def _is_ours(self, address: str) -> bool:
        return domain_of(address) == self.inbound_domain.lower()

    def _addressee(self, receipt: Receipt, token: ReplyToken, head: Head) -> Addressee | None:
        """Return whom the token was issued to, None if we did not issue it."""
        addressee = self._issued_to(head.responders, receipt, token, is_asked=True)
        if addressee is None and self.keys.key(str(token.key_id)) is not None:
            return self._issued_to(asked_before(self.audit.timeline(head.request_id)), receipt, token, is_asked=False)
        if addressee is None and not self.keys.read_since(receipt.at):
            raise KeysTooOld
        return addressee

    def _issued_to(
        self, addresses: Iterable[str], receipt: Receipt, token: ReplyToken, *, is_asked: bool
    ) -> Addressee | None:
        for address in addresses:
            try:
                reply_address.verify(self.keys, token, address, receipt.at)
            except TokenInvalid:
                continue
            except TokenExpired:
                return Addressee(address, is_asked, has_expired=True)
            return Addressee(address, is_asked, has_expired=False)
        return None

    def _result(self, receipt: Receipt, addressee: Addressee, request: Request) -> str | Rejected | Discarded:
        if unread := judge_receipt(receipt):
            return unread
        try:
            mail = self.parser.parse_mail(self.mails.read(receipt.key, MAX_BYTES))
        except (UnreadableMail, TooLarge) as error:
            return Rejected(RejectionReason.UNREADABLE, {"why": str(error)})
        claimed = single_mailbox(mail.from_headers)
        is_own = claimed and (same_address(claimed, self.own_address) or self._is_ours(claimed))
        if automatic := mail.automatic or ("our own mail" if is_own else None):
            return Discarded(DiscardReason.AUTOMATIC, automatic)
        head = request.head
        ours = (PRODUCT_NAME, self.own_address, self.inbound_domain)
        answer = self.parser.answer_text(mail, head.option_names, ours)
        deployment, events = self.read(
            self.deployments.reading(head.deployment_id),
            self.audit.reading_first(head.request_id, head.seq),
        )
        if not is_as_logged(request, events):
            # The email comes again, until somebody has repaired the request, or taken it out of the queue.
            raise NotAsLogged
        ruling = judge_reply(receipt, mail, answer, addressee, head, deployment)
        try:
            match ruling:
                case Answers(sender):
                    shown = mail_shown(events, addressee.email, mail.answers)
                    submission = self._submission(receipt, mail, answer, addressee, sender, head, shown)
                    self.record_response(replace(submission, deployment=deployment), request)
                    return "decided"
                case PassesOn(sender, to):
                    evidence = _verification(receipt, mail, sender)
                    delegation = Delegation(sender, addressee.email, to, Channel.EMAIL, evidence)
                    self.delegate(deployment, head.request_id, delegation, once=_once(receipt))
                    return "delegated"
                case Asks():
                    return self._ask(receipt, mail, addressee, request, ruling)
                case Rejected() | Discarded():
                    return ruling
        except TakenAlready:
            return "delegated"
        except FlowHitlError as refused:
            return judge_refusal(refused, ruling.to if isinstance(ruling, PassesOn) else None)

    def _ask(
        self, receipt: Receipt, mail: InboundMail, addressee: Addressee, request: Request, asks: Asks
    ) -> str | Rejected:
        from flow_hitl.requests.deciding.ask_back import Question

        evidence = _verification(receipt, mail, asks.sender)
        question = Question(asks.sender, asks.question, Channel.EMAIL, addressee.email, evidence)
        try:
            self.ask_back()(request.head.request_id, question, _once(receipt), request)
        except TakenAlready:
            pass
        except (QuestionsOff, ValidationFailed) as refused:
            return judge_question(refused)
        return "asked"

    def _submission(
        self,
        receipt: Receipt,
        mail: InboundMail,
        answer: str,
        addressee: Addressee,
        sender: ProvenAddress,
        head: Head,
        shown: Shown | None,
    ) -> Submission:
        return Submission(
            request_id=head.request_id,
            actor=sender,
            via=Channel.EMAIL,
            decision_id=_once(receipt),
            # The rest stays in the mail bucket; a huge email must not stop the flow.
            text=answer[:MAX_ANSWER_CHARS],
            is_cut=len(answer) > MAX_ANSWER_CHARS or self.parser.answer_is_cut(mail, answer),
            responder=addressee.email,
            responder_verified=True,
            verification=_verification(receipt, mail, sender),
            shown=shown,
        )

    def _reject(
        self, receipt: Receipt, addressee: Addressee, request: Request, rejected: Rejected
    ) -> Rejected | Discarded:
        head = request.head
        data = {
            "reason": rejected.reason.value,
            "mail": receipt.message_id,
            "assigned_to_email": head.assigned_to_email,
            "responder": addressee.email,
            "verdicts": receipt.verdicts,
            **rejected.data,
        }

        try:
            takes = rejected.once or _once(receipt)
            self.change_request(head.request_id, partial(note_rejection, data), takes, request)
        except TooManyRejections:
            return Discarded(DiscardReason.TOO_MANY_ERROR_MAILS, rejected.reason)
        except TakenAlready:
            if rejected.once and not self._was_told_of(receipt, head):
                return Discarded(DiscardReason.EMOJI_REACTION, rejected.data["why"])
        return rejected

    def _was_told_of(self, receipt: Receipt, head: Head) -> bool:
        return any(event.data.get("mail") == receipt.message_id for event in self.audit.timeline(head.request_id))


def _once(receipt: Receipt) -> str:
    return f"mail/{receipt.message_id}"


def _verification(receipt: Receipt, mail: InboundMail, sender: ProvenAddress) -> Mapping[str, object]:
    on_behalf = mail.sent_by and not same_address(mail.sent_by, sender.email)
    return {
        "method": "reply_address",
        "sender": sender.email,
        **({"sent_by": mail.sent_by} if on_behalf else {}),
        "verdicts": receipt.verdicts,
        "mail": receipt.message_id,
        "mail_sha256": mail.sha256,
    }
