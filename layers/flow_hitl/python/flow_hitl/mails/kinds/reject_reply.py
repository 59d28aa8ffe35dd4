"""The email that says why a reply was not accepted, and what to do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.mails.contexts import Decision, OptionView, TellingContext, field_lines
from flow_hitl.mails.mail import Mail, Occasion
from flow_hitl.mails.request_view import asked_fields, decision_of, option_views
from flow_hitl.platform.records import dataclass
from flow_hitl.replies.rejections import PAGE_CAN_HELP, REPLY_CAN_HELP, RejectionReason
from flow_hitl.requests.request import Status

if TYPE_CHECKING:
    from flow_hitl.requests.deciding.typed_answers import AnswerField


@dataclass(frozen=True, kw_only=True)
class ReplyRejectedContext(TellingContext):
    """`reply_to`, `review_url`, and the buttons of the `options` are set if answering again can help.

    `quoted` is the reply's first line (not an option), `meant` the label of the option named by a later line, or of
    the one that needs a comment, `claimed_sender` the
    reply's From (sender mismatch), `decision` what counted instead (already responded); `own`: that was this person's
    same answer. `wrong` says of each typed value that was missing or wrong how; `fields` are those to be given.
    """

    kind: ClassVar[str] = EffectKind.REJECT_REPLY
    reason: RejectionReason
    assigned_to: str
    options: Sequence[OptionView] = ()
    review_url: str | None = None
    quoted: str = ""
    meant: str | None = None
    own: bool = False
    claimed_sender: str | None = None
    decision: Decision | None = None
    wrong: Sequence[tuple[str, str]] = ()
    fields: "Sequence[AnswerField]" = ()

    @property
    def field_lines(self) -> str:
        """The typed answer's lines as the next reply is to have them, with the defaults."""
        return field_lines(self.fields)


def _reason(occasion: Occasion) -> RejectionReason:
    return RejectionReason(occasion.event.data["reason"])


def _recipient(occasion: Occasion) -> str | None:
    """Return who was asked; someone who no longer has the request is told only that."""
    return occasion.addressee if _reason(occasion) is RejectionReason.REASSIGNED else occasion.still_asked


def _context(occasion: Occasion, recipient: str) -> ReplyRejectedContext:
    request, data, reason = occasion.request, occasion.event.data, _reason(occasion)
    is_open, meant = request.head.status is Status.PENDING, data.get("meant")
    return ReplyRejectedContext(
        **occasion.names,
        reason=reason,
        assigned_to=recipient,
        # The likely intended option comes first.
        options=sorted(option_views(request), key=lambda option: option.value != meant),
        reply_to=occasion.reply_to(recipient) if is_open and reason in REPLY_CAN_HELP else None,
        review_url=occasion.review_url(recipient) if is_open and reason in PAGE_CAN_HELP else None,
        quoted=data.get("quoted") or "",
        meant=request.label_of(meant) if meant else None,
        own=bool(data.get("own")),
        claimed_sender=data.get("claimed_sender"),
        # Someone who no longer has the request learns nothing new about it.
        decision=decision_of(occasion.request) if reason is not RejectionReason.REASSIGNED else None,
        wrong=[(one["name"], one["problem"]) for one in data.get("fields") or ()],
        fields=asked_fields(occasion.request.content) if is_open and reason in REPLY_CAN_HELP else (),
    )


MAIL = Mail(
    recipient=_recipient,
    context=_context,
    leaves=EventKind.ERROR_MAIL_SENT,
    answers_mail=True,
)
