"""The third question: why did the flow not resume? Attempts, dead letters, and recent polls."""

from collections.abc import Iterator
from datetime import timedelta

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.delivery.retries import RESUME
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.diagnosis.findings import (
    SHOWN,
    SOON,
    AnsweredQuestion,
    AnswerStatus,
    Facts,
    Finding,
    FindingStatus,
    Question,
    answered,
    command,
    dead_letters,
    info,
    ok,
    problem,
    webhooks_told,
)
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.reading.polling import LONGEST_PAUSE, LONGEST_WAIT, POLL_NOTED_EVERY, LastPolls
from flow_hitl.requests.request import Head, ResumeStatus, Status

# Whoever polls does so again after a wait and a pause at most; not each poll is recorded.
_UNTOLD = POLL_NOTED_EVERY + LONGEST_WAIT + LONGEST_PAUSE


def flow_question(facts: Facts) -> AnsweredQuestion:
    """Say how far the answer has come on its way to the flow."""
    head = facts.head
    if head.test or head.status is Status.CANCELLED:
        nobody = "This is a test: no flow waits for it." if head.test else "The request was cancelled before an answer."
        return answered(Question.FLOW_NOT_RESUMED, [info(nobody)], AnswerStatus.NOT_APPLICABLE)
    if head.resume is None:
        return answered(Question.FLOW_NOT_RESUMED, [_not_answered(head)], AnswerStatus.WAITING)
    answer = facts.of_kind(EventKind.RESPONSE_SUBMITTED)[-1]
    push, reported = bool(answer.data["push"]), facts.of_kind(EventKind.RESUME_REPORTED)
    findings, queues = [ok(f"The request was answered at {rfc3339(answer.at)}.")], ["relay_retry", "stream"]
    if head.awaits_receipt:
        findings.append(_unsigned(facts))
        queues.insert(0, "receipt")
    if push:
        findings += [*_attempts(facts), *(() if head.awaits_receipt else _pushed(facts, answer))]
        queues.insert(0, "resume")
    elif not reported:
        findings.append(_fetched(facts, answer))
    findings += map(_reported, reported[-1:])
    findings += dead_letters(facts, *queues)
    findings += webhooks_told(facts, WebhookEvent.RESPONSE_SUBMITTED)
    # The first finding is the answer itself.
    went_on = any(finding.status is FindingStatus.OK for finding in findings[1:])
    return answered(Question.FLOW_NOT_RESUMED, findings, AnswerStatus.OK if went_on else AnswerStatus.WAITING)


def flow_is_owed(head: Head) -> bool:
    """Tell whether there is an answer that the flow may not have received."""
    has_it = (ResumeStatus.DELIVERED, ResumeStatus.RESUMED, ResumeStatus.PAUSED_AGAIN)
    return head.resume is not None and head.resume.status not in has_it


def _not_answered(head: Head) -> Finding:
    due = head.auto_response
    fact = "The request has not been answered, so there is nothing to resume the flow with."
    if due:
        fact += f' If no one answers, the auto-response is due at {rfc3339(due.due_at)}: "{due.default_outcome}".'
    return info(fact)


def _unsigned(facts: Facts) -> Finding:
    """Return what is known of a receipt that was asked for, and is not there."""
    if not any(effect.kind is EffectKind.RECEIPT for effect in facts.undone):
        return info("The receipt of the decision is about to be signed; the flow is told after that.")
    return problem(
        "The receipt of the decision has not been signed, and the flow is told after that.",
        "It is tried again for days. The log of the function sign_receipt says what it fails on. If the answer is not "
        f"as it was decided, verify the log: {command('audit', 'verify', str(facts.head.deployment_id))}.",
    )


def _attempts(facts: Facts) -> Iterator[Finding]:
    for event in facts.of_kind(EventKind.RESUME_ATTEMPTED)[-SHOWN:]:
        data = event.data
        fact = f"Attempt {data['attempt']} to deliver the answer, at {rfc3339(event.at)}: {data['result']}."
        yield Finding(fact, FindingStatus.OK if data["delivered"] else FindingStatus.INFO)


def _pushed(facts: Facts, answer: AuditEvent) -> Iterator[Finding]:
    resume, attempts = facts.head.resume, facts.of_kind(EventKind.RESUME_ATTEMPTED)
    if resume is None or not flow_is_owed(facts.head) or resume.status is ResumeStatus.RESUME_FAILED:
        return
    mend = "Make the resume_url reachable from here and answer with a 2xx status"
    if resume.status is ResumeStatus.FAILED:
        yield problem(
            f"The resume_url accepted the answer in none of {resume.attempts} attempts. After 24 hours it is tried "
            "again, more and more seldom, for two weeks, from the dead-letter queue of resume, one attempt each time.",
            f"{mend}, then send the answer again: on the request's page, or {command('redrive', 'resume')}.",
        )
    elif attempts:
        pause = RESUME.pause_after(min(len(attempts), RESUME.attempts - 1)) or 0
        again = rfc3339(attempts[-1].at + timedelta(seconds=pause))
        yield problem(
            f"The resume_url has not accepted the answer; the next attempt is at about {again}, up to 24 hours in all.",
            f"{mend}.",
        )
    elif facts.now - answer.at > SOON:
        yield problem(
            "The answer has not been sent to the resume_url.",
            f"If nothing here says why, {command('doctor')} may; then the logs of the functions relay and resume_flow.",
        )
    else:
        yield info("The answer is on its way to the resume_url.")


def _fetched(facts: Facts, answer: AuditEvent) -> Finding:
    """Return whether someone may have fetched the answer, when no one has reported a result."""
    polls, keys = facts.polls or LastPolls(), facts.deployment.api_keys
    seen = [f"the request was waited on at {rfc3339(polls.request)}"] if polls.request else []
    for key_id, at in sorted(polls.decisions_feed.items(), key=lambda poll: poll[1])[-SHOWN:]:
        name = keys[key_id].name if key_id in keys else key_id
        seen.append(f'the decisions feed was polled with the API key "{name}" at {rfc3339(at)}')
    last = "; ".join(seen) or "no one has waited on the request or polled the decisions feed"
    fact = f"The request has no resume_url: the flow's side fetches its answer. To the minute, {last}."
    moments = [*polls.decisions_feed.values(), *([polls.request] if polls.request else [])]
    if any(at >= answer.at - _UNTOLD for at in moments):
        return ok(f"{fact} The outcome has not been reported.")
    if facts.now - answer.at <= SOON:
        return info(fact)
    return problem(
        fact,
        "Start the worker that resumes the flows (GET /v1/decisions?wait=20), or let the flow wait on its own request "
        "(GET /v1/requests/{id}?wait=20).",
    )


def _reported(event: AuditEvent) -> Finding:
    status, detail = event.data["status"], event.data.get("detail")
    more = f": {detail}" if detail else ""
    if status == ResumeStatus.RESUME_FAILED:
        return problem(
            f"The flow's side reported at {rfc3339(event.at)} that it could not resume the flow{more}.",
            "The answer is kept. Fix what the flow's own log says, and resume the flow with it.",
        )
    if event.data.get("once"):
        when = rfc3339(event.at)
        return ok(f"The flow's side claimed the resumption at {when}, and has reported nothing since{more}.")
    went_on = "resumed" if status == ResumeStatus.RESUMED else "resumed and paused again"
    return ok(f"The flow's side reported at {rfc3339(event.at)} that the flow {went_on}{more}.")
