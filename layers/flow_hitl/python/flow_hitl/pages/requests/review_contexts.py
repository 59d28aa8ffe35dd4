"""What the pages behind a review link show."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from flow_hitl.mails.contexts import Decision, RequestView

MessageKind = Literal["thanks", "yours", "already_decided", "expired", "invalid", "too_large", "cancelled", "passed_on"]


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
