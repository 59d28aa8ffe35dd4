"""The parts of a diagnosis: facts about one request go in; findings with next steps come out."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import MAILS, Effect, EffectKind, effects_of
from flow_hitl.contract.shapes import RequestId
from flow_hitl.deployments.deployment import Deployment, WebhookEvent
from flow_hitl.mails.sending import SendingState
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.replies.rejections import Discard
from flow_hitl.requests.reading.polling import LastPolls
from flow_hitl.requests.request import Head, Status
from flow_hitl.webhooks.webhook import event_of

SOON = timedelta(minutes=2)
"""By then the effects of an event have happened, unless something is wrong."""

_DELIVERIES = (EventKind.WEBHOOK_DELIVERED, EventKind.WEBHOOK_FAILED)
SHOWN = 5
"""How many findings of one kind are shown, newest first."""


class FindingStatus(StrEnum):
    OK = "ok"
    PROBLEM = "problem"
    INFO = "info"


class AnswerStatus(StrEnum):
    """The answer to a question; `waiting`: nothing is wrong, and someone has yet to act."""

    OK = "ok"
    PROBLEM = "problem"
    WAITING = "waiting"
    NOT_APPLICABLE = "not_applicable"


class Question(StrEnum):
    """The spec's "Troubleshooting"."""

    MAIL_NOT_SENT = "mail_not_sent"
    REPLY_NOT_PROCESSED = "reply_not_processed"
    FLOW_NOT_RESUMED = "flow_not_resumed"


@dataclass(frozen=True)
class Finding:
    """One fact, with the next step if one is needed."""

    fact: str
    """What was found, in a sentence."""
    status: FindingStatus
    """Whether it is fine, a problem, or just information."""
    next_step: str | None = None
    """What to do next, in a sentence, if anything."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question with its findings; one problem makes the answer `problem`."""

    question: Question
    """Why was the email not sent, the reply not processed, or the flow not resumed?"""
    status: AnswerStatus
    """The answer; `waiting` if nothing is wrong and someone has yet to act."""
    findings: tuple[Finding, ...]
    """The facts behind the answer."""


@dataclass(frozen=True)
class RequestDiagnosis:
    """The answers to the three questions."""

    request_id: RequestId
    """The request."""
    questions: tuple[AnsweredQuestion, ...]
    """The three questions, in the order in which a request meets them."""


@dataclass(frozen=True)
class Diagnosis:
    """A diagnosis."""

    diagnosis: RequestDiagnosis
    """What was found about the request."""


@dataclass(frozen=True)
class Facts:
    """Everything known about one request; None or missing means it was not looked up because it could not matter.

    `suppressed` maps responders who get no email to the reason; `dead_letters` maps queues to message counts. `undone`:
    effects of which no event tells, and that should have happened.
    """

    head: Head
    timeline: Sequence[AuditEvent]
    deployment: Deployment
    now: datetime
    suppressed: Mapping[str, str] = field(default_factory=dict)
    sending: SendingState | Unknown | None = None
    discards: Sequence[Discard] = ()
    polls: LastPolls | None = None
    dead_letters: Mapping[str, int | Unknown] = field(default_factory=dict)
    undone: Sequence[Effect] = ()

    def of_kind(self, *kinds: EventKind) -> list[AuditEvent]:
        return [event for event in self.timeline if event.kind in kinds]


def answered(question: Question, findings: Iterable[Finding], otherwise: AnswerStatus) -> AnsweredQuestion:
    """Return the answer the findings give: `problem` if any is one, else `otherwise`."""
    found = tuple(findings)
    wrong = any(finding.status is FindingStatus.PROBLEM for finding in found)
    return AnsweredQuestion(question, AnswerStatus.PROBLEM if wrong else otherwise, found)


def ok(fact: str) -> Finding:
    return Finding(fact, FindingStatus.OK)


def info(fact: str, next_step: str | None = None) -> Finding:
    return Finding(fact, FindingStatus.INFO, next_step)


def problem(fact: str, next_step: str) -> Finding:
    return Finding(fact, FindingStatus.PROBLEM, next_step)


def command(*words: str) -> str:
    """Return an operator command to copy; untrusted words are quoted."""
    return f"`flow-hitl {shlex.join(words)}`"


def names(people: Iterable[str]) -> str:
    """Return the first few addresses and how many more there are."""
    named = list(people)
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return ", ".join(named[:SHOWN]) + more


def overdue(head: Head, now: datetime) -> bool:
    """Tell whether the clock should have answered by now."""
    due = head.auto_response
    return head.status is Status.PENDING and due is not None and now - due.due_at > SOON


def late_reminders(head: Head, timeline: Sequence[AuditEvent], now: datetime) -> tuple[datetime, ...]:
    """Return when an open request's reminders were due that have not come."""
    if head.status is not Status.PENDING:
        return ()
    came = {event.data["due_at"] for event in timeline if event.kind is EventKind.REMINDER_DUE}
    due = [parse_rfc3339(moment) for moment in timeline[0].data.get("reminders", ()) if moment not in came]
    return tuple(moment for moment in due if now - moment > SOON)


def to_be_done(timeline: Sequence[AuditEvent], now: datetime) -> Sequence[Effect]:
    """Return what should have happened by now and whose record alone tells whether it has.

    Of notifications, resumptions, webhooks, and deadlines, the timeline tells more.
    """
    looked_up = (MAILS - {EffectKind.NOTIFY}) | {EffectKind.RECEIPT}
    settled = [event for event in timeline if now - event.at > SOON]
    return [effect for event in settled for effect in effects_of(event) if effect.kind in looked_up]


def dead_letters(facts: Facts, *queues: str) -> Iterator[Finding]:
    """Yield what is in dead-letter queues, named as in the stack's outputs."""
    for queue in queues:
        found = facts.dead_letters.get(queue, 0)
        if isinstance(found, Unknown):
            yield info(f"The dead-letter queue of {queue} could not be asked ({found.why}).", command("doctor"))
        elif found:
            yield dead_letters_found(queue, found)


def dead_letters_found(queue: str, number: int) -> Finding:
    """Return what messages in a dead-letter queue mean."""
    fact = f"{number} message{' rests' if number == 1 else 's rest'} in the dead-letter queue of {queue}"
    if queue == "stream":
        return problem(
            f"{fact}: pointers to audit events that the function relay missed.",
            "The sweep looks at these events again after an hour; its log says why it missed them. "
            f"To look at once: {command('redrive', 'stream')}.",
        )
    again = command("redrive", "relay" if queue == "relay_retry" else queue.replace("_", "-"))
    return problem(
        f"{fact}; they may belong to any request.",
        f"Fix what the log of its function says, then redrive them: {again}.",
    )


def untold_webhooks(deployment: Deployment, timeline: Sequence[AuditEvent], now: datetime) -> set[WebhookEvent]:
    """Return of which events webhooks want to know, and none has been told though it is time."""
    told = {event.data["event"] for event in timeline if event.kind in _DELIVERIES}
    happened = {event_of(event) for event in timeline if now - event.at > SOON and not event.data.get("test")}
    return {name for name in happened if name in deployment.webhook_events and name not in told}


def webhooks_told(facts: Facts, name: WebhookEvent) -> Iterator[Finding]:
    """Yield the last delivery of an event to each webhook."""
    if name in untold_webhooks(facts.deployment, facts.timeline, facts.now):
        yield from dead_letters(facts, "webhook")
    last: dict[str, AuditEvent] = {}
    for event in facts.of_kind(*_DELIVERIES):
        if event.data["event"] == name:
            last[event.data["webhook_id"]] = event
    for webhook_id, event in last.items():
        webhook, at = event.data["webhook"], rfc3339(event.at)
        if event.kind is EventKind.WEBHOOK_DELIVERED:
            yield info(f'The webhook "{webhook}" was notified at {at}.')
            continue
        delivery = f"webhooks/{webhook_id}/deliveries/{event.data['delivery_id']}"
        yield info(
            f'The webhook "{webhook}" could not be notified at {at}: {event.data["result"]}.',
            "Fix its receiver, then resend it, on the webhook's page under Settings or by "
            f"POST /v1/deployments/{facts.head.deployment_id}/{delivery}/redeliver.",
        )
