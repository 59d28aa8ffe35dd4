"""A request's audit events in plain words."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.people.names import _BY, claimed, person_of
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import as_words

if TYPE_CHECKING:
    from flow_hitl.pages.requests.changes import ChangedLine

Tone = Literal["neutral", "good", "warn", "bad", "accent"]


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened: a short sentence, details, and whether it is good or bad news."""

    at: datetime
    title: str
    detail: str = ""
    tone: Tone = "neutral"
    changes: "Sequence[ChangedLine]" = ()


def timeline_of(
    events: Iterable[AuditEvent],
    changes: "Sequence[ChangedLine]" = (),
    label_of: Callable[[str], str] = as_words,
) -> Sequence[TimelineEntry]:
    """Return one entry for each event, oldest first.

    `changes` are those of the output by the answer, `label_of` is how an outcome reads.
    """
    return tuple(
        TimelineEntry(event.at, *_told(event, label_of), changes if event.kind is EventKind.RESPONSE_SUBMITTED else ())
        for event in events
    )


def _told(event: AuditEvent, label_of: Callable[[str], str]) -> tuple[str, str, Tone]:
    data, to = event.data, str(event.data.get("to") or "")
    match event.kind:
        case EventKind.REQUEST_CREATED:
            routing = "; ".join(map(str, data.get("routing") or ()))
            return f"Asked {data.get('assigned_to_email')}", routing, "accent"
        case EventKind.NOTIFICATION_SENT:
            return f"Email sent to {to}", "", "neutral"
        case EventKind.REMINDER_DUE:
            return "A reminder was due", "", "neutral"
        case EventKind.REMINDER_SENT:
            return f"Reminder sent to {to}", "", "neutral"
        case EventKind.NOTIFICATION_UNDELIVERED:
            return f"The email to {to} did not arrive", str(data.get("reason") or ""), "bad"
        case EventKind.MAIL_REFUSED:
            return f"An email to {to} could not be sent", str(data.get("reason") or ""), "bad"
        case EventKind.MAIL_UNCERTAIN if data.get("moot"):
            return f"An email to {to} may have been sent before it was no longer needed", "", "neutral"
        case EventKind.MAIL_UNCERTAIN:
            return f"An email to {to} may have been sent twice, or not at all", "", "bad"
        case EventKind.HANDLED_MAIL_SENT:
            return f"{to} was told that no answer is needed", "", "neutral"
        case EventKind.CONFIRMATION_SENT:
            return f"Confirmation sent to {to}", "", "neutral"
        case EventKind.ERROR_MAIL_SENT:
            return f"{to} was told why their reply did not count", "", "neutral"
        case EventKind.REPLY_REJECTED:
            if data.get("own"):
                return "The same answer came again", "", "neutral"
            whose = f"A reply of {data['responder']}" if data.get("responder") else "A reply"
            return f"{whose} did not count", str(data.get("reason") or "").replace("_", " "), "warn"
        case EventKind.REQUEST_REASSIGNED:
            return _reassigned(event)
        case EventKind.RESPONSE_SUBMITTED:
            return _answered(data, label_of)
        case EventKind.RECEIPT_ISSUED:
            return "Receipt of the decision signed", "", "neutral"
        case EventKind.REQUEST_CANCELLED:
            by = person_of(event.actor)
            return f"Cancelled by {by}" if by else "Cancelled", "", "warn"
        case EventKind.RESUME_ATTEMPTED:
            return _resumed(data)
        case EventKind.QUESTION_ASKED:
            question = data.get("question") or {}
            by = question.get("by") or "Another application"
            return f"{by} asked the flow", str(question.get("text") or ""), "accent"
        case EventKind.QUESTION_ATTEMPTED if data.get("delivered"):
            return "The flow has the question", "", "neutral"
        case EventKind.QUESTION_ATTEMPTED:
            return (
                f"The question did not reach the flow (try {data.get('attempt')})",
                str(data.get("result") or ""),
                "bad",
            )
        case EventKind.QUESTION_ANSWERED:
            return "The flow answered the question", str((data.get("answer") or {}).get("text") or ""), "accent"
        case EventKind.ANSWER_MAIL_SENT:
            return f"The answer was sent to {to}", "", "neutral"
        case EventKind.RESUME_RETRIED:
            return f"{person_of(event.actor)} resent the answer to the flow", "", "accent"
        case EventKind.RESUME_REPORTED if data.get("once"):
            return "The flow's side claimed the resumption", str(data.get("detail") or ""), "neutral"
        case EventKind.RESUME_REPORTED:
            return (
                f"The flow reported: {str(data.get('status') or '').replace('_', ' ')}",
                str(data.get("detail") or ""),
                ("bad" if data.get("status") == "resume_failed" else "neutral"),
            )
        case EventKind.CONTENT_ERASED:
            days = data.get("days")
            return "The content was erased", f"This deployment keeps it for {days} days." if days else "", "neutral"
        case EventKind.WEBHOOK_DELIVERED:
            return f'Webhook "{data.get("webhook")}" delivered', str(data.get("event") or ""), "neutral"
        case EventKind.WEBHOOK_FAILED:
            return f'Webhook "{data.get("webhook")}" failed', str(data.get("result") or ""), "bad"
        case _:
            return event.kind.value.replace("_", " ").capitalize(), "", "neutral"


def _reassigned(event: AuditEvent) -> tuple[str, str, Tone]:
    data = event.data
    if data.get("delegated_by"):
        sent_by = (data.get("verification") or {}).get("sent_by")
        on_behalf = f"Sent on their behalf by {sent_by}, according to the email" if sent_by else ""
        return f"{data['delegated_by']} passed it on to {data.get('delegated_to')}", on_behalf, "accent"
    by = person_of(event.actor)
    reason = str(data.get("reason") or "")
    return f"Reassigned to {data.get('assigned_to_email')}", f"{reason}, by {by}" if by else reason, "accent"


def _answered(data: Any, label_of: Callable[[str], str]) -> tuple[str, str, Tone]:
    answer = f'"{label_of(data["outcome"])}"' if data.get("outcome") is not None else "with feedback"
    how = _BY.get(data.get("responded_via"), "")
    responder = data.get("responder")
    if responder and not data.get("responder_verified"):
        how, responder = f"{how}, {claimed(responder)}", None
    if data.get("source"):
        # A program's own label may be anything, even a person's address.
        how = f'{how}, from "{data["source"]}"'
    sent_by = (data.get("verification") or {}).get("sent_by")
    if sent_by:
        how = f"{how}, sent on their behalf by {sent_by}, according to the email"
    who = str(responder or "")
    written = data.get("comment") if data.get("outcome") is not None else data.get("feedback")
    cut = "The reply was too long and was cut off." if data.get("is_cut") else ""
    edited = "The output was changed." if data.get("output_sha256") else ""
    detail = " ".join(str(text) for text in (written, edited, data.get("test_result")) if text)
    detail = f"{cut} {detail}".strip()
    return f"{who} answered {answer} {how}" if who else f"Answered {answer} {how}", detail, "good"


def _resumed(data: Any) -> tuple[str, str, Tone]:
    if data.get("delivered"):
        return "The flow has the answer", "", "good"
    return f"The flow could not be reached (try {data.get('attempt')})", str(data.get("result") or ""), "bad"
