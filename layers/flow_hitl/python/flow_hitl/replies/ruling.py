"""What becomes of an email: it answers, delegates, asks back, is rejected with a reason, or is discarded silently."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from flow_hitl.deployments.deployment import Deployment
from flow_hitl.people.access import Action, ProvenAddress, authorize
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AnsweredAlike,
    AssignedElsewhere,
    CommentMissing,
    DelegationOff,
    Forbidden,
    NotAnOption,
    NotPending,
    QuestionsOff,
    SelfApproval,
    ValidationFailed,
    WrongFields,
)
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import split_answer
from flow_hitl.replies.inbound_mail import FAIL, InboundMail, Proven, Receipt, judge_sender, single_mailbox
from flow_hitl.replies.reactions import is_reaction
from flow_hitl.replies.rejections import DiscardReason, RejectionReason
from flow_hitl.requests.changing.delegation import delegated_to
from flow_hitl.requests.request import Head, Status

_QUOTED_CHARS = 200


@dataclass(frozen=True)
class Answers:
    """It is the sender's answer."""

    sender: ProvenAddress


@dataclass(frozen=True)
class PassesOn:
    """The sender delegates the request to `to`, as written."""

    sender: ProvenAddress
    to: str


@dataclass(frozen=True)
class Asks:
    """The sender asks the flow back."""

    sender: ProvenAddress
    question: str


@dataclass(frozen=True)
class Rejected:
    """It decides nothing, and whoever its reply address was issued to is told why.

    `data` goes into the event. Of all emails with the same `once`, only the first is answered.
    """

    reason: RejectionReason
    data: Mapping[str, Any] = field(default_factory=dict)
    once: str | None = None

    def __str__(self) -> str:
        return f"rejected: {self.reason}"


@dataclass(frozen=True)
class Discarded:
    """It decides nothing, and no one is told."""

    reason: DiscardReason
    details: str = ""

    def __str__(self) -> str:
        return f"discarded: {self.full_reason}"

    @property
    def full_reason(self) -> str:
        return f"{self.reason}: {self.details}" if self.details else self.reason.value


Ruling = Answers | PassesOn | Asks | Rejected | Discarded


@dataclass(frozen=True)
class Addressee:
    """Whom a reply address was issued to, whether they are still asked, and whether it has expired."""

    email: str
    is_asked: bool
    has_expired: bool


def judge_receipt(receipt: Receipt) -> Discarded | None:
    """Return why an email is not even read, if so."""
    for reason, verdict in ((DiscardReason.VIRUS, receipt.virus), (DiscardReason.SPAM, receipt.spam)):
        if verdict == FAIL:
            return Discarded(reason)
    return Discarded(DiscardReason.AUTOMATIC, "no envelope sender") if receipt.null_sender else None


def judge_reply(
    receipt: Receipt, mail: InboundMail, answer: str, addressee: Addressee, head: Head, deployment: Deployment
) -> Ruling:
    """Return what becomes of a person's email whose own text is `answer`."""
    sender = _sender(receipt, mail, deployment)
    reaction = mail.reaction or ("its text" if is_reaction(answer, mail.sender_name) else None)
    if not addressee.is_asked:
        return _judge_former(sender, addressee, reaction)
    to = delegated_to(answer, head.option_names)
    if isinstance(sender, ProvenAddress):
        sender = _permitted(sender, Action.RESPOND if to is None else Action.DELEGATE, addressee, head)
    # The email about an expired address carries a new one.
    renewed = {"renewed_days": deployment.settings.reply_token_days} if addressee.has_expired else {}
    if reaction is not None:
        if isinstance(sender, Rejected) or head.status is not Status.PENDING:
            return Discarded(DiscardReason.EMOJI_REACTION, reaction)
        once = f"reaction/{head.request_id}/{addressee.email.lower()}"
        return Rejected(RejectionReason.EMOJI_REACTION, {"why": reaction, **renewed}, once)
    if isinstance(sender, Rejected):
        return sender
    if renewed:
        return Rejected(RejectionReason.EXPIRED, renewed)
    if not split_answer(answer)[0]:
        return Rejected(RejectionReason.NO_ANSWER_FOUND)
    if to is not None:
        return PassesOn(sender, to)
    question = _question(answer, head)
    return Answers(sender) if question is None else Asks(sender, question)


def _question(answer: str, head: Head) -> str | None:
    """Return what a reply asks, None for an ordinary answer; most requests take no questions."""
    if not head.questions:
        return None
    from flow_hitl.requests.deciding.questions import asked_in

    return asked_in(answer, head)


def judge_question(refused: QuestionsOff | ValidationFailed) -> Rejected:
    """Return what the responder is told when their question was refused."""
    why = refused.errors[0].message if isinstance(refused, ValidationFailed) else refused.detail
    return Rejected(RejectionReason.QUESTION_REFUSED, {"why": why})


def judge_refusal(refused: Exception, passed_on_to: str | None = None) -> Rejected:
    """Return what the responder is told when their answer or delegation was refused."""
    quoted = f"delegate: {passed_on_to}"[:_QUOTED_CHARS]
    match refused:
        case AnsweredAlike():
            return Rejected(RejectionReason.ALREADY_RESPONDED, {"own": True})
        case AlreadyResponded():
            return Rejected(RejectionReason.ALREADY_RESPONDED)
        case NotPending():
            return Rejected(RejectionReason.CANCELLED)
        case AssignedElsewhere():
            return Rejected(RejectionReason.REASSIGNED)
        case NotAnOption(first_line=line, meant=meant):
            told = {"quoted": line[:_QUOTED_CHARS], **({"meant": meant} if meant else {})}
            return Rejected(RejectionReason.NOT_AN_OPTION, told)
        case WrongFields(problems=problems):
            wrong = [{"name": name, "problem": problem[:_QUOTED_CHARS]} for name, problem in problems.items()]
            return Rejected(RejectionReason.WRONG_FIELDS, {"fields": wrong})
        case CommentMissing(outcome=outcome):
            return Rejected(RejectionReason.COMMENT_MISSING, {"meant": outcome})
        case DelegationOff():
            return Rejected(RejectionReason.DELEGATION_OFF, {"quoted": quoted})
        case ValidationFailed() if passed_on_to:
            why = refused.errors[0].message
            return Rejected(RejectionReason.DELEGATION_REFUSED, {"quoted": quoted, "why": why})
    raise refused


def _sender(receipt: Receipt, mail: InboundMail, deployment: Deployment) -> ProvenAddress | Rejected:
    verdict = judge_sender(receipt, mail, deployment.settings.require_dmarc_pass)
    if isinstance(verdict, Proven):
        return ProvenAddress.of(deployment, verdict.address)
    told = {"why": verdict.reason, "claimed_sender": single_mailbox(mail.from_headers)}
    return Rejected(RejectionReason.SENDER_UNPROVEN, told)


def _judge_former(sender: ProvenAddress | Rejected, former: Addressee, reaction: str | None) -> Rejected | Discarded:
    """Judge a reply to an address whose owner no longer has the request."""
    if isinstance(sender, Rejected):
        return Discarded(DiscardReason.NO_LONGER_ASKED, sender.data["why"])
    if not sender.is_known_as(former.email):
        return Discarded(DiscardReason.NO_LONGER_ASKED, "sent by someone else")
    if reaction is not None:
        return Discarded(DiscardReason.EMOJI_REACTION, reaction)
    return Rejected(RejectionReason.REASSIGNED)


def _permitted(sender: ProvenAddress, action: Action, addressee: Addressee, head: Head) -> ProvenAddress | Rejected:
    try:
        authorize(sender, action, head)
    except SelfApproval:
        return Rejected(RejectionReason.SELF_APPROVAL)
    except Forbidden:
        is_theirs = False
    else:
        # A group member cannot use another's address.
        is_theirs = sender.is_known_as(addressee.email)
    return sender if is_theirs else Rejected(RejectionReason.SENDER_MISMATCH, {"claimed_sender": sender.email})
