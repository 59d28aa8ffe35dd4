"""The email that brings the flow's answer to a question, in the notification's thread."""

from typing import ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.mails.contexts import AskingContext
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.request_view import request_view
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Status


@dataclass(frozen=True, kw_only=True)
class AnswerContext(AskingContext):
    """`answer` is what the flow answers to `questions`."""

    kind: ClassVar[str] = EffectKind.TELL_ANSWER
    questions: tuple[str, ...]
    answer: str


def _context(occasion: Occasion, recipient: str) -> AnswerContext | None:
    head = occasion.request.head
    number = next((at for at, one in enumerate(head.thread) if one.id == occasion.event.event_id), None)
    if head.status is not Status.PENDING or number is None:
        return None
    from flow_hitl.requests.deciding.questions import open_questions

    return AnswerContext(
        request=request_view(occasion.request, recipient, zone=occasion.zone_of(recipient)),
        reply_to=occasion.reply_to(recipient),
        review_url=occasion.review_url(recipient),
        questions=tuple(one.text for one in open_questions(head.thread[:number])),
        answer=head.thread[number].text,
    )


MAIL = Mail(
    recipient=lambda occasion: occasion.still_asked,
    context=_context,
    leaves=EventKind.ANSWER_MAIL_SENT,
    follows_notification=True,
    repeats_subject=True,
)
