"""What a diagnosis is made of: facts about one request go in, and findings, each with its next step, come out."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from flow_hitl.domain.audit import AuditEvent, EventKind
from flow_hitl.domain.deployment import Deployment, WebhookEvent
from flow_hitl.domain.rejections import Discard
from flow_hitl.domain.request import Head
from flow_hitl.domain.times import rfc3339

POLL_NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when somebody polled: each process notes it at most this often."""

SOON = timedelta(minutes=2)
"""What follows from an event has happened by then, unless something is wrong."""

SHOWN = 5
"""How many of the same kind a diagnosis names, the newest."""


class FindingStatus(StrEnum):
    OK = "ok"
    PROBLEM = "problem"
    INFO = "info"


class AnswerStatus(StrEnum):
    """The answer to a question; `waiting`: nothing is wrong, and somebody's move is awaited."""

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
    """One fact in a sentence, and what to do next, in another, where something is to be done."""

    fact: str
    status: FindingStatus
    next_step: str | None = None


@dataclass(frozen=True)
class Answered:
    """A question with its findings; one problem among them is the answer."""

    question: Question
    status: AnswerStatus
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Unknown:
    """What could not be asked, and why."""

    why: str


@dataclass(frozen=True)
class SendingState:
    """What the mail service says of our account, and of the identity (a domain) that mail is sent from.

    Without `production` the account is in the sandbox. `quota` and `sent` are mails in 24 hours; a negative quota is
    none.
    """

    sending_enabled: bool
    production: bool
    quota: float
    sent: float
    identity: str
    identity_verified: bool


@dataclass(frozen=True)
class LastPolls:
    """When API keys (by id) last polled the decisions feed of a deployment, and when anybody last waited on a request.

    Each is known to the minute; see `POLL_NOTED_EVERY`.
    """

    decisions_feed: Mapping[str, datetime] = field(default_factory=dict)
    request: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """All that is known about one request; what is None or missing was not asked, because it could not matter.

    `suppressed` has the reason for each responder who gets no mail, `dead_letters` the number of messages by queue.
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

    def of_kind(self, *kinds: EventKind) -> list[AuditEvent]:
        return [event for event in self.timeline if event.kind in kinds]


def answered(question: Question, findings: Iterable[Finding], otherwise: AnswerStatus) -> Answered:
    """Return the answer that findings give: a problem if one of them is, else what the caller says."""
    found = tuple(findings)
    wrong = any(finding.status is FindingStatus.PROBLEM for finding in found)
    return Answered(question, AnswerStatus.PROBLEM if wrong else otherwise, found)


def ok(fact: str) -> Finding:
    return Finding(fact, FindingStatus.OK)


def info(fact: str, next_step: str | None = None) -> Finding:
    return Finding(fact, FindingStatus.INFO, next_step)


def problem(fact: str, next_step: str) -> Finding:
    return Finding(fact, FindingStatus.PROBLEM, next_step)


def command(*words: str) -> str:
    """Return an operator's command to copy; words that a stranger chose cannot become commands of their own."""
    return f"`flow-hitl {shlex.join(words)}`"


def names(people: Iterable[str]) -> str:
    """Return a few addresses in a row, and how many more there are."""
    named = list(people)
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return ", ".join(named[:SHOWN]) + more


def dead_letters(facts: Facts, *queues: str) -> Iterator[Finding]:
    """Yield what rests in dead-letter queues, by their queues' names in the stack's outputs."""
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
            f"{fact}: audit events of which nothing has followed.",
            "Read what the log of the function relay says of that time; the events are in the audit log.",
        )
    again = command("redrive", "relay" if queue == "relay_retry" else queue.replace("_", "-"))
    return problem(
        f"{fact}; they may be of any request.",
        f"Mend what the log of the function behind it says, then send them again: {again}.",
    )


def webhooks_told(facts: Facts, name: WebhookEvent) -> Iterator[Finding]:
    """Yield what came of telling webhooks of an event, by the last delivery to each."""
    last: dict[str, AuditEvent] = {}
    for event in facts.of_kind(EventKind.WEBHOOK_DELIVERED, EventKind.WEBHOOK_FAILED):
        if event.data["event"] == name:
            last[event.data["webhook_id"]] = event
    for webhook_id, event in last.items():
        webhook, at = event.data["webhook"], rfc3339(event.at)
        if event.kind is EventKind.WEBHOOK_DELIVERED:
            yield info(f'The webhook "{webhook}" was told at {at}.')
            continue
        delivery = f"webhooks/{webhook_id}/deliveries/{event.data['delivery_id']}"
        yield info(
            f'The webhook "{webhook}" could not be told at {at}: {event.data["result"]}.',
            "Mend its receiver, then send it again, on the webhook's page under Settings or by "
            f"POST /v1/deployments/{facts.head.deployment_id}/{delivery}/redeliver.",
        )
