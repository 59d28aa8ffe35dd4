"""The first question: why was the email not sent? Settings, rules, addresses, suppression, and SES."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import MAILS, Effect
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
    late_reminders,
    names,
    ok,
    overdue,
    problem,
    webhooks_told,
)
from flow_hitl.mails.mail_feedback import reaches_nobody
from flow_hitl.mails.sending import SendingState
from flow_hitl.platform.address import same_address
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.opening.routing import AssignedBy
from flow_hitl.requests.request import Head, Status

_ASKING = (EventKind.REQUEST_CREATED, EventKind.REQUEST_REASSIGNED)


def mail_question(facts: Facts) -> AnsweredQuestion:
    """Say whether the responders were notified, and if not, why."""
    head, timeline = facts.head, facts.timeline
    mailed = tuple(person for person in head.responders if was_mailed(person, timeline))
    waiting_for = tuple(
        person
        for person in head.responders
        if person not in mailed and not _happened_to(person, timeline, EventKind.MAIL_UNCERTAIN)
    )
    findings = [_setting(facts), _assignment(facts)]
    findings += map(_undelivered, facts.of_kind(EventKind.NOTIFICATION_UNDELIVERED))
    if reaches_nobody(head, timeline):
        findings.append(_nobody_reached(facts))
    if mailed:
        findings.append(ok(f"The mail service accepted the email to {names(mailed)}."))
    findings += [_suppressed(person, reason) for person, reason in facts.suppressed.items()]
    otherwise, late = AnswerStatus.OK, late_mails(head, timeline, facts.now)
    if is_mailed(timeline) and waiting_for and head.status is not Status.PENDING:
        findings.append(info(f"No email to {names(waiting_for)} was needed once the request was closed."))
        otherwise = AnswerStatus.OK if mailed else AnswerStatus.NOT_APPLICABLE
    elif is_mailed(timeline) and waiting_for:
        findings += _unsent([person for person in late if person not in facts.suppressed], timeline)
        findings += _sending(facts.sending, late)
        findings += dead_letters(facts, "email", "relay_retry", "stream")
        if not late:
            findings.append(info(f"The email to {names(waiting_for)} is on its way."))
            otherwise = AnswerStatus.WAITING
    undone = [effect for effect in facts.undone if effect.kind in MAILS]
    findings += map(_undone, undone)
    if undone and not late:
        findings += dead_letters(facts, "email", "relay_retry", "stream")
    findings += _no_reminder(facts)
    findings += map(_refused, facts.of_kind(EventKind.MAIL_REFUSED))
    findings += [_uncertain(event) for event in facts.of_kind(EventKind.MAIL_UNCERTAIN) if not event.data.get("moot")]
    findings += webhooks_told(facts, WebhookEvent.NEW_REQUEST)
    return answered(Question.MAIL_NOT_SENT, findings, otherwise)


def late_mails(head: Head, timeline: Sequence[AuditEvent], now: datetime) -> tuple[str, ...]:
    """Return the responders of an open request whose email is overdue and was not refused."""
    if head.status is not Status.PENDING or not is_mailed(timeline):
        return ()
    return tuple(
        person
        for person in head.responders
        if not was_mailed(person, timeline)
        and not _happened_to(person, timeline, EventKind.NOTIFICATION_UNDELIVERED)
        and not _happened_to(person, timeline, EventKind.MAIL_UNCERTAIN)
        and now - _asked(person, timeline).at > SOON
    )


def was_mailed(person: str, timeline: Sequence[AuditEvent]) -> bool:
    """Tell whether a responder has been notified since they were last asked."""
    return _happened_to(person, timeline, EventKind.NOTIFICATION_SENT)


def is_mailed(timeline: Sequence[AuditEvent]) -> bool:
    """Tell whether email notifications were on when the responders were last asked."""
    return bool(_asking(timeline)[-1].data["notify"])


def sending_problems(sending: SendingState, to: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield what keeps SES from sending, to these addresses if given."""
    if not sending.identity_verified:
        yield problem(
            f"SES has not verified {sending.identity}, which email is sent from.",
            "Set the DNS records named in the outputs of the mail edge stack, and wait until SES has seen them.",
        )
    if not sending.sending_enabled:
        yield problem(
            "SES has paused sending for this account.", "The SES console says why, and how to have it resumed."
        )
    if not sending.production:
        yield problem(
            "The SES account is in the sandbox: email goes to verified addresses only.",
            f"Ask AWS for production access in the SES console, or verify {names(to) or 'each responder'} there.",
        )
    if 0 <= sending.quota <= sending.sent:
        yield problem(
            f"The SES account has used up its quota: {quota_text(sending)}.",
            "Wait until the oldest emails are a day old, or ask AWS for a larger quota.",
        )


def quota_text(sending: SendingState) -> str:
    """Return how much of its quota the account has used."""
    quota = f"{sending.quota:.0f}" if sending.quota >= 0 else "any number of"
    return f"{sending.sent:.0f} of {quota} emails in 24 hours"


def _setting(facts: Facts) -> Finding:
    if is_mailed(facts.timeline):
        return ok("Email notifications were on when the responder was asked.")
    at = rfc3339(_asking(facts.timeline)[-1].at)
    on_by_now = facts.deployment.settings.email_notifications
    first = "They are on now." if on_by_now else "Turn on email_notifications in the deployment's settings."
    return problem(
        f"Email notifications were off when the responder was asked at {at}, so no email was sent.",
        f"{first} Then reassigning this request emails its new assignee; it can also be answered without email.",
    )


def _assignment(facts: Facts) -> Finding:
    head = facts.head
    reassigned = facts.of_kind(EventKind.REQUEST_REASSIGNED)
    if reassigned:
        last = reassigned[-1].data
        return info(f"{head.assigned_to_email} was asked in place of {last['assigned_before']}: {last['reason']}.")
    reasons = "; ".join(facts.timeline[0].data["routing"])
    next_step = None
    if head.assigned_by is AssignedBy.DEPLOYMENT_CREATOR:
        next_step = (
            "If someone else should have been asked, correct the routing rules. A dry run says why none matches, on "
            f"their page under Settings or by POST /v1/deployments/{head.deployment_id}/routing-rules/dry-run."
        )
    return info(f"{head.assigned_to_email} was asked: {reasons}.", next_step)


def _undelivered(event: AuditEvent) -> Finding:
    to, reason = event.data["to"], event.data["reason"]
    return problem(
        f"The email to {to} did not arrive, as reported at {rfc3339(event.at)}: {reason}.",
        "Correct the address where it comes from: the routing rule, the flow's state or the request. If it is right "
        f"and works again: {command('mail', 'allow', to)}.",
    )


def _nobody_reached(facts: Facts) -> Finding:
    return problem(
        f"The request waits for {names(facts.head.responders)}, whom no email reaches, and there is no other manager "
        "of this deployment to reassign it to.",
        "Reassign the request. Add a second member with manage_human_feedback: such requests then go to them.",
    )


def _suppressed(person: str, reason: str) -> Finding:
    return problem(
        f"{person} no longer gets email: earlier email to this address {reason}.",
        f"Reassign the request. Once the address works again: {command('mail', 'allow', person)}.",
    )


def _unsent(people: Sequence[str], timeline: Sequence[AuditEvent]) -> Iterator[Finding]:
    if people:
        since = rfc3339(min(_asked(person, timeline).at for person in people))
        yield problem(
            f"No email has gone to {names(people)} since {since}.",
            f"If nothing here says why, {command('doctor')} may; then the logs of the functions relay and send_email.",
        )


def _sending(sending: SendingState | Unknown | None, to: Sequence[str]) -> Iterator[Finding]:
    if isinstance(sending, Unknown):
        yield info(f"SES could not be asked about the account ({sending.why}).", f"See {command('doctor')}.")
    elif sending is not None:
        found = tuple(sending_problems(sending, to))
        yield from found or (ok(f"SES sends email from {sending.identity}: {quota_text(sending)}."),)


def _refused(event: AuditEvent) -> Finding:
    data = event.data
    return Finding(
        f"An email ({data['mail']}) to {data['to']} was refused at {rfc3339(event.at)}: {data['reason']}.",
        FindingStatus.PROBLEM,
        f"The request goes on without it. To list suppressed addresses, run {command('mail', 'suppressed')}.",
    )


def _undone(effect: Effect) -> Finding:
    name = effect.kind.replace("_", " ")
    return problem(
        f'The email "{name}" that follows from event {effect.event_seq} of the request has not gone out.',
        "It is tried again for days. The log of the function send_email says what keeps it from going.",
    )


def _no_reminder(facts: Facts) -> Iterator[Finding]:
    late = late_reminders(facts.head, facts.timeline, facts.now)
    for moment in late[:SHOWN]:
        yield problem(
            f"The reminder that was due at {rfc3339(moment)} has not come.",
            "It is tried again for days. The log of the function deadline says what keeps it from coming.",
        )
    if late and not overdue(facts.head, facts.now):
        yield from dead_letters(facts, "deadline", "schedules")


def _uncertain(event: AuditEvent) -> Finding:
    data = event.data
    return problem(
        f"An email ({data['mail']}) to {data['to']} was handed to SES twice, and each time the worker ended before it "
        f"knew whether it was sent; since {rfc3339(event.at)} it is not tried again.",
        "If it did not arrive: reassigning the request emails its assignee again. The log of send_email says how its "
        "workers ended.",
    )


def _asking(timeline: Sequence[AuditEvent]) -> list[AuditEvent]:
    return [event for event in timeline if event.kind in _ASKING]


def _asked(person: str, timeline: Sequence[AuditEvent]) -> AuditEvent:
    """Return the event that last asked a person."""
    events = _asking(timeline)
    return next((event for event in reversed(events) if _asks(event, person)), events[0])


def _asks(event: AuditEvent, person: str) -> bool:
    return any(same_address(person, one) for one in event.data.get("people") or [event.data["assigned_to_email"]])


def _happened_to(person: str, timeline: Sequence[AuditEvent], kind: EventKind) -> bool:
    since = _asked(person, timeline).seq
    return any(e.kind is kind and e.seq > since and same_address(e.data["to"], person) for e in timeline)
