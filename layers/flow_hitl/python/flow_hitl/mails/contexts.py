"""What each mail and page shows: plain data, made by the services and rendered from `templates/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from flow_hitl.contract.channel import Channel
from flow_hitl.deployments.deployment import FreeText
from flow_hitl.replies.rejections import RejectionReason

MessageKind = Literal["thanks", "yours", "already_decided", "expired", "invalid", "too_large", "cancelled", "passed_on"]


@dataclass(frozen=True)
class HistoryRound:
    """One earlier step of the flow: its method, when (as the flow wrote it) and what it put out (any JSON)."""

    method: str
    at: str
    output: object


@dataclass(frozen=True, kw_only=True)
class RequestView:
    """A request as its responder sees it.

    `output` is markdown, any other JSON or None. `assigned_why` completes "You were asked because …", without a full
    stop; `deadline_text` is a whole sentence. `answer_until` is when reply address and review link expire.
    `may_pass_on`: they may put somebody else in their place. `test`: no flow waits for the answer.
    """

    deployment_name: str
    flow_name: str
    method_name: str
    message: str
    output: object
    emit_options: Sequence[str]
    free_text: FreeText
    state: Mapping[str, object]
    history: Sequence[HistoryRound]
    assigned_to: str
    assigned_why: str
    deadline_text: str | None
    answer_until: datetime
    may_pass_on: bool = False
    test: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer that counts; without an outcome it is the free text `feedback`.

    `by` is the person of a group who gave it, if that is proven.
    """

    outcome: str | None
    via: Channel
    at: datetime
    feedback: str = ""
    comment: str = ""
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class NotificationContext:
    """The mail that asks: the request, the address that takes the reply, and the review page's link."""

    kind: ClassVar[str] = "notification"
    request: RequestView
    reply_to: str
    review_url: str

    @property
    def test(self) -> bool:
        return self.request.test


@dataclass(frozen=True, kw_only=True)
class ReminderContext:
    """The mail that asks again, in the thread and under the subject of the notification of `asked_at`."""

    kind: ClassVar[str] = "reminder"
    request: RequestView
    reply_to: str
    review_url: str
    asked_at: datetime
    sla_due_at: datetime | None = None

    @property
    def test(self) -> bool:
        return self.request.test


@dataclass(frozen=True, kw_only=True)
class ConfirmationContext:
    """The mail that says that a mailed answer was recorded, `is_cut` that it was too long, so that its end was not.

    `then` is what follows from the answer, a clause.
    """

    kind: ClassVar[str] = "confirmation"
    flow_name: str
    method_name: str
    message: str
    decision: Decision
    is_cut: bool = False
    test: bool = False
    then: str | None = None


@dataclass(frozen=True, kw_only=True)
class HandledContext:
    """The short mail to somebody who was asked and whose answer is no longer needed.

    With a `decision` the request was answered (by a person, an application or the clock), with `reassigned_to` it has
    gone to somebody else, else it was cancelled. `by` is who reassigned or cancelled it, if that may be said.
    """

    kind: ClassVar[str] = "handled"
    flow_name: str
    method_name: str
    message: str
    decision: Decision | None = None
    test: bool = False
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
        """Why no answer is needed, a clause."""
        if self.decision is not None:
            if self.decision.via is Channel.AUTO_RESPONSE:
                return "nobody had answered in time, so it was answered automatically"
            return f"{self.decision.by or 'somebody else'} was first to answer, and the first answer counts"
        if self.reassigned_to:
            return (
                f"{self.by} reassigned it to {self.reassigned_to}"
                if self.by
                else f"{self.reassigned_to} is asked instead"
            )
        return f"{self.by} cancelled it" if self.by else "it was cancelled"


@dataclass(frozen=True, kw_only=True)
class PassedOnContext:
    """The mail that says that a reply has passed the request on."""

    kind: ClassVar[str] = "passed_on"
    flow_name: str
    method_name: str
    message: str
    passed_on_to: str
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class ReplyRejectedContext:
    """The mail that says why a reply decided nothing, and what to do.

    `reply_to` and `review_url` stand where answering again can help. `quoted` is the reply's first line (not an
    option), `meant` the option that a later line names, `claimed_sender` whom the reply says it is from (sender
    mismatch), `decision` what counted instead (already responded); `own`: that is the same person's same answer.
    `emit_options` are offered again as buttons when `reply_to` is given.
    """

    kind: ClassVar[str] = "reply_rejected"
    flow_name: str
    method_name: str
    message: str
    reason: RejectionReason
    assigned_to: str
    emit_options: Sequence[str] = ()
    reply_to: str | None = None
    review_url: str | None = None
    quoted: str = ""
    meant: str | None = None
    own: bool = False
    claimed_sender: str | None = None
    decision: Decision | None = None
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class SignInContext:
    """The mail that signs somebody in: a code (digits in groups) and a link, both good until the moment."""

    kind: ClassVar[str] = "sign_in"
    test: ClassVar[bool] = False
    code: str
    link: str
    until: datetime


@dataclass(frozen=True, kw_only=True)
class ReviewContext:
    """The review page; after a refused POST with what was written and the `problem` to put right (a sentence).

    What was written is the `comment`, or the address that the request could not be passed on to. `shown` goes into the
    form as it is: it proves, with the answer, what the page showed. `chosen` is the option that the mail's button stood
    for, still to be confirmed. At `news_address` the page asks what has become of the request in the meantime.
    """

    template: ClassVar[str] = "pages/review.html"
    request: RequestView
    shown: str = ""
    comment: str = ""
    problem: str | None = None
    delegate_to: str = ""
    chosen: str | None = None
    news_address: str = ""


@dataclass(frozen=True, kw_only=True)
class MessageContext:
    """The page that says how things stand: names and decision where they are known and may be told.

    `written` is what somebody wrote whose answer came too late; `own`: the answer that counts is their own. `then` is
    what follows from an answer that was just given, a clause.
    """

    template: ClassVar[str] = "pages/message.html"
    kind: MessageKind
    flow_name: str | None = None
    method_name: str | None = None
    decision: Decision | None = None
    passed_on_to: str | None = None
    test: bool = False
    written: str = ""
    own: bool = False
    then: str | None = None


MailContext = (
    NotificationContext
    | ReminderContext
    | HandledContext
    | ConfirmationContext
    | PassedOnContext
    | ReplyRejectedContext
)
"""Every mail about a request; each says by `test` whether that is a test."""

AnyMailContext = MailContext | SignInContext
"""Every mail that we send."""
