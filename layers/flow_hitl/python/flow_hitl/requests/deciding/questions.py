"""Asking back: a responder's question to the flow, and the flow's answer; the request stays pending."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flow_hitl.audit.bound import bound_digest
from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.shapes import Channel, as_json
from flow_hitl.deployments.deployment import DeploymentSettings
from flow_hitl.platform.address import same_address
from flow_hitl.platform.errors import FieldError, NoQuestion, QuestionsOff, ValidationFailed
from flow_hitl.platform.text import split_answer
from flow_hitl.platform.times import ceil_second
from flow_hitl.requests.deciding.matching import match_outcome
from flow_hitl.requests.request import Change, Content, Head, Remark, RemarkKind, Stamp, note, require_pending

LONGEST_REMARK = 2000
MOST_REMARKS = 20
_QUESTION = re.compile(r"question\s{0,9}[:\uff1a]", re.IGNORECASE)


def asked_in(answer: str, head: Head) -> str | None:
    """Return the question of an emailed reply whose first line begins with `question:`; None for an ordinary answer.

    An emit option that reads like this is chosen, not asked.
    """
    first_line, rest = split_answer(answer)
    begins = _QUESTION.match(first_line)
    if begins is None or match_outcome(first_line, head.option_names) is not None:
        return None
    return f"{first_line[begins.end() :].strip()}\n{rest}".strip()


def ask(
    head: Head,
    content: Content,
    text: str,
    *,
    by: str | None,
    via: Channel,
    verification: Mapping[str, Any],
    stamp: Stamp,
) -> Change | None:
    """Return the step that asks the flow, None if this very question is the last one and still open.

    `by` is the proven address of whoever asks. Raises AlreadyResponded, NotPending, QuestionsOff, and ValidationFailed.
    """
    require_pending(head)
    if not head.questions:
        raise QuestionsOff("This request takes no questions.")
    said, last = _checked(text), _last(head)
    if last is not None and (last.kind, last.text, last.by) == (RemarkKind.QUESTION, said, by):
        return None
    # There must be room for its answer.
    if len(head.thread) >= MOST_REMARKS - 1:
        raise QuestionsOff(f"There is no room for more questions: {MOST_REMARKS} questions and answers are the most.")
    question = _remark(head, RemarkKind.QUESTION, said, by, stamp)
    data = {
        "question": as_json(question),
        "via": via.value,
        "verification": dict(verification),
        "assigned_to_email": head.assigned_to_email,
        "push": content.resume_url is not None and not head.test,
        "test": head.test,
        "kept_sha256": bound_digest(content),
    }
    return note(head, EventKind.QUESTION_ASKED, data, stamp=stamp, thread=(*head.thread, question))


def answer(head: Head, text: str, settings: DeploymentSettings, *, stamp: Stamp) -> Change | None:
    """Return the step that answers the open question, None if it was just answered with this text.

    Raises AlreadyResponded, NotPending, NoQuestion, and ValidationFailed.
    """
    require_pending(head)
    said, last = _checked(text), _last(head)
    if last is None:
        raise NoQuestion("Nothing was asked about this request.")
    if last.kind is RemarkKind.ANSWER:
        if last.text == said:
            return None
        raise NoQuestion("The question has been answered; the first answer counts.")
    told = _remark(head, RemarkKind.ANSWER, said, None, stamp)
    data = {"answer": as_json(told), "people": list(_askers(head)), "notify": head.mailed, "test": head.test}
    renewed = ceil_second(stamp.at + timedelta(days=settings.reply_token_days))
    return note(
        head,
        EventKind.QUESTION_ANSWERED,
        data,
        stamp=stamp,
        thread=(*head.thread, told),
        # The email with the answer must carry valid addresses.
        token_expires_at=renewed if head.token_expires_at <= stamp.at else head.token_expires_at,
    )


def open_questions(thread: Sequence[Remark]) -> Sequence[Remark]:
    """Return the questions after the last answer."""
    answers = [number for number, remark in enumerate(thread) if remark.kind is RemarkKind.ANSWER]
    return thread[answers[-1] + 1 :] if answers else thread


def question_with(thread: Sequence[Remark], event_id: str) -> Remark | None:
    """Return the question that an event asked."""
    return next((one for one in thread if one.id == event_id and one.kind is RemarkKind.QUESTION), None)


def _askers(head: Head) -> Sequence[str]:
    """Return those who asked and still may answer; of questions by other applications, everyone who may."""
    asked_by = [remark.by for remark in open_questions(head.thread)]
    named = [person for person in head.responders if any(by and same_address(by, person) for by in asked_by)]
    return named if named and None not in asked_by else head.responders


def _last(head: Head) -> Remark | None:
    return head.thread[-1] if head.thread else None


def _checked(text: str) -> str:
    said = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not said:
        raise ValidationFailed([FieldError("/text", "must not be blank")])
    if len(said) > LONGEST_REMARK:
        raise ValidationFailed([FieldError("/text", f"must not be longer than {LONGEST_REMARK:,} characters")])
    return said


def _remark(head: Head, kind: RemarkKind, text: str, by: str | None, stamp: Stamp) -> Remark:
    at: datetime = max(stamp.at, head.last_event_at or stamp.at)
    return Remark(stamp.event_id, kind, text, at, by)
