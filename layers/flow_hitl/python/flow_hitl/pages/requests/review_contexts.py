"""What the pages behind a review link show."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from flow_hitl.mails.contexts import Decision, FileView, RequestView
from flow_hitl.pages.requests.answer_form import NO_MORE, AnswerForm
from flow_hitl.platform.errors import CommentMissing, NotAsLogged, QuestionsOff, SelfApproval, ValidationFailed
from flow_hitl.platform.records import dataclass

MessageKind = Literal["thanks", "yours", "already_decided", "expired", "invalid", "too_large", "cancelled", "passed_on"]


@dataclass(frozen=True, kw_only=True)
class ReviewContext:
    """The review page; after a refused POST, with what was written and the `problem`, a sentence.

    `shown` goes into the form: it proves what the page showed. `chosen` is the option of the email's button, still to
    be confirmed. At `news_address` the page asks what became of the request in the meantime.
    """

    template: ClassVar[str] = "pages/review.html"
    request: RequestView
    shown: str = ""
    comment: str = ""
    form: AnswerForm = NO_MORE
    problem: str | None = None
    delegate_to: str = ""
    question: str = ""
    chosen: str | None = None
    news_address: str = ""
    files: Sequence[FileView] = ()


@dataclass(frozen=True, kw_only=True)
class MessageContext:
    """The page that says how things stand.

    `written` is the text of an answer that came too late; `own`: the answer that counts is their own. `then` is what
    follows from the answer just given, a clause.
    """

    template: ClassVar[str] = "pages/message.html"
    kind: MessageKind
    flow_name: str | None = None
    title: str | None = None
    decision: Decision | None = None
    passed_on_to: str | None = None
    test: bool = False
    written: str = ""
    own: bool = False
    then: str | None = None


@dataclass(frozen=True)
class News:
    """What became of a request while someone was looking at it, a text, and how many `remarks` its thread has now."""

    text: str | None
    remarks: int = 0


WRONG_VALUES = "Some values below are missing or wrong. Nothing was recorded yet."


def refusal(what: str, error: SelfApproval | QuestionsOff | NotAsLogged | ValidationFailed) -> str:
    """Return why an answer, an address, or a question, which `what` names, was refused: a sentence."""
    if isinstance(error, CommentMissing):
        return f'"{error.label}" needs a comment. Write one, then choose again.'
    return f"{what} {error.errors[0].message}." if isinstance(error, ValidationFailed) else error.detail
