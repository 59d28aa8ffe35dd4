"""The second question: why was the reply not processed? Token, sender, verdicts, status, and discarded emails."""

from collections.abc import Iterator, Mapping
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.diagnosis.findings import (
    SHOWN,
    AnsweredQuestion,
    AnswerStatus,
    Facts,
    Finding,
    Question,
    answered,
    command,
    dead_letters,
    info,
    names,
    ok,
    overdue,
    problem,
)
from flow_hitl.diagnosis.mail_findings import was_mailed
from flow_hitl.people.names import claimed
from flow_hitl.platform.times import rfc3339
from flow_hitl.replies.rejections import Discard, DiscardReason, RejectionReason
from flow_hitl.requests.request import Head, Status

# What happened, and what to do about it.
_REJECTED: dict[RejectionReason, tuple[str, str]] = {
    RejectionReason.NOT_AN_OPTION: (
        "its first line does not match an emit option",
        "Reply again with one of them as the first line. To take any text, set free_text to accept.",
    ),
    RejectionReason.COMMENT_MISSING: (
        "it chooses an option that needs a comment, and has none",
        "Reply again with the option as the first line and the comment below it.",
    ),
    RejectionReason.WRONG_FIELDS: (
        "values that the response_schema asks for are missing or wrong",
        "Reply again with each as a line `name: value` below the first line, or answer on the review page.",
    ),
    RejectionReason.NO_ANSWER_FOUND: (
        "it has no text above the quoted email",
        "Reply again with the answer at the very top.",
    ),
    RejectionReason.EMOJI_REACTION: (
        "it is an emoji reaction, which is not an answer",
        "Reply in words, with the answer as the first line, or answer on the review page.",
    ),
    RejectionReason.UNREADABLE: (
        "it could not be read",
        "Reply again with a short plain email, without attachments.",
    ),
    RejectionReason.SENDER_MISMATCH: (
        "its sender is not the assignee",
        "Reply from the address that was asked, or reassign the request.",
    ),
    RejectionReason.SELF_APPROVAL: (
        "its sender asked for the request, and this deployment forbids self-approval",
        "Reassign the request to someone who did not ask for it.",
    ),
    RejectionReason.DELEGATION_OFF: (
        "it delegates the request, which this deployment does not allow",
        "Answer it, reassign it, or switch on allow_delegation in the deployment's settings.",
    ),
    RejectionReason.DELEGATION_REFUSED: (
        "it delegates the request to someone who cannot be asked",
        "Delegate it to another address, or answer it.",
    ),
    RejectionReason.QUESTION_REFUSED: (
        "it asks a question that is blank, too long, or one too many",
        "Ask again in up to 2,000 characters, or answer it.",
    ),
    RejectionReason.SENDER_UNPROVEN: (
        "its sender could not be verified",
        "Answer on the review page linked in the email. Replies are proven if the sender's domain publishes DMARC.",
    ),
    RejectionReason.EXPIRED: (
        "its reply address had expired",
        "Reply to the email that said so: its address is valid.",
    ),
    RejectionReason.REASSIGNED: (
        "its sender no longer has the request",
        "The new assignee can answer. If it should be the sender after all, reassign it.",
    ),
    RejectionReason.ALREADY_RESPONDED: (
        "the request was answered before",
        "Nothing to do: the first answer counts.",
    ),
    RejectionReason.CANCELLED: (
        "the request had been cancelled",
        "Nothing to do: the flow withdrew the request.",
    ),
}

_AFTER_DISCARD: dict[str, str] = {
    DiscardReason.NOT_ISSUED: (
        "The address was altered, or belongs to someone who no longer has the request: reply to the newest email "
        "about it."
    ),
    DiscardReason.VIRUS: "Send a plain reply without attachments, or answer on the review page.",
    DiscardReason.SPAM: "SES took it for spam: send a short plain reply, or answer on the review page.",
    DiscardReason.AUTOMATIC: (
        "Automatic email, such as an out-of-office reply, is not an answer. If its sender is away, reassign the "
        "request."
    ),
    DiscardReason.EMOJI_REACTION: (
        "An emoji reaction is not an answer, and its sender was told so once: reply in words, with the answer as the "
        "first line, or answer on the review page."
    ),
    DiscardReason.NO_LONGER_ASKED: (
        "The request was reassigned, and nothing proves that this email comes from its former assignee. The new "
        "assignee can answer."
    ),
    DiscardReason.TOO_MANY_ERROR_MAILS: (
        "Answer on the review page: no more error emails about this request are sent today."
    ),
}


def reply_question(facts: Facts) -> AnsweredQuestion:
    """Say what became of the answer and of every other reply."""
    head = facts.head
    failed = [_rejected(event, head) for event in facts.of_kind(EventKind.REPLY_REJECTED)[-SHOWN:]]
    failed += map(_discarded, facts.discards[:SHOWN])
    if head.status is not Status.PENDING:
        # The request is closed: these only explain, and nothing is left to do.
        explained = [info(finding.fact) for finding in failed]
        closed = AnswerStatus.NOT_APPLICABLE if head.status is Status.CANCELLED else AnswerStatus.OK
        return answered(Question.REPLY_NOT_PROCESSED, [_how_it_ended(facts), *explained], closed)
    findings = [*_who_may_answer(facts), _token(facts), *_clock(facts), *failed]
    findings += dead_letters(facts, "inbound_mail", "mail_feedback")
    if not failed:
        findings.append(_nothing_came(facts))
    return answered(Question.REPLY_NOT_PROCESSED, findings, AnswerStatus.WAITING)


def _how_it_ended(facts: Facts) -> Finding:
    head = facts.head
    at = rfc3339(head.decided_at or facts.now)
    if head.status is Status.CANCELLED:
        return info(f"The request was cancelled at {at}; a reply after that changes nothing.")
    answers = facts.of_kind(EventKind.RESPONSE_SUBMITTED)
    if not answers:
        return info(f"The request is answered since {at}, but its audit log has no answer: it was changed.")
    answer = answers[-1].data
    by = ""
    if answer["responder"]:
        by = f" by {answer['responder']}" if answer["responder_verified"] else f" {claimed(answer['responder'])}"
    said = f'"{answer["outcome"]}"' if answer["outcome"] is not None else "with free text"
    result = f" {answer['test_result']}" if answer.get("test_result") else ""
    return ok(f"The request was answered {said} at {at}{by}, by {answer['responded_via']}.{result}")


def _who_may_answer(facts: Facts) -> Iterator[Finding]:
    head = facts.head
    if facts.deployment.are_askers(head.responders, head.not_to_be_answered_by):
        yield problem(
            f"{names(head.responders)} asked for the request, and this deployment forbids self-approval.",
            "Reassign the request to someone who did not ask for it.",
        )
    proof = ", and DMARC must prove it" if facts.deployment.settings.require_dmarc_pass else ""
    yield info(
        f"Only {names(head.responders)} may answer: a reply must come from there, or from an alias set for that member"
        f"{proof}."
    )


def _token(facts: Facts) -> Finding:
    expires_at = facts.head.token_expires_at
    if facts.now < expires_at:
        return ok(f"The emailed reply addresses and review links are valid until {rfc3339(expires_at)}.")
    return problem(
        f"The emailed reply addresses and review links expired at {rfc3339(expires_at)}.",
        "Have the responder reply again: the email that says it was too late has a valid address. Or reassign the "
        "request. The setting reply_token_days sets how long they are valid.",
    )


def _clock(facts: Facts) -> Iterator[Finding]:
    """Yield that the clock should have answered, and where its call may rest."""
    due = facts.head.auto_response
    if due is None or not overdue(facts.head, facts.now):
        return
    yield problem(
        f'The auto-response "{due.default_outcome}" was due at {rfc3339(due.due_at)} and has not been recorded.',
        "It is tried again for days. The log of the function deadline says what keeps it from being recorded.",
    )
    yield from dead_letters(facts, "deadline", "schedules", "relay_retry", "stream")


def _rejected(event: AuditEvent, head: Head) -> Finding:
    data = event.data
    reason = RejectionReason(data["reason"])
    why, next_step = _REJECTED[reason]
    sender = data.get("claimed_sender")
    if reason is RejectionReason.SENDER_MISMATCH and sender:
        member = data.get("responder") or head.assigned_to_email
        alias = command("member", "set", str(head.deployment_id), member, "--alias", sender)
        next_step = f"{next_step} If both addresses are one person's, set the other as an alias, as in {alias}."
    details = f" ({data['why']})" if data.get("why") else ""
    told = f"A reply{f' from {sender}' if sender else ''} was rejected at {rfc3339(event.at)}: {why}{details}."
    return problem(f"{told}{_verdicts(data)}", next_step)


def _discarded(discard: Discard) -> Finding:
    reason = discard.reason.partition(": ")[0]
    told = f"An email to this request was discarded at {rfc3339(discard.at)}: {discard.reason}."
    next_step = _AFTER_DISCARD.get(reason, "Reply to the newest email about the request.")
    return problem(f"{told}{_verdicts(discard.details)}", next_step)


def _verdicts(data: Mapping[str, Any]) -> str:
    verdicts: Mapping[str, Any] | None = data.get("verdicts")
    if not verdicts:
        return ""
    found = ", ".join(f"{name.upper()} {verdicts[name]}" for name in ("spf", "dkim", "dmarc") if name in verdicts)
    return f" SES found {found}."


def _nothing_came(facts: Facts) -> Finding:
    if not any(was_mailed(person, facts.timeline) for person in facts.head.responders):
        return info(
            "No email has been sent that anyone could reply to.",
            "See the previous question: was the email sent?",
        )
    return info(
        "No reply to this request has arrived.",
        "If someone says they replied: it must go to the email's own reply address. To check whether email reaches "
        f"the service at all (MX record, receipt rule), run {command('doctor')}.",
    )
