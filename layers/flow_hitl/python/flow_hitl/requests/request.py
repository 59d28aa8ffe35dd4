"""A review request: what is asked, of whom, and the rules that change its state.

A request is pending until it is responded to or cancelled; both are final. Functions here are pure and return a
`Change`: the new head and its audit event.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from flow_hitl.audit.bound import HALF, bound_digest, state_before
from flow_hitl.audit.chain import CHAIN_START, AuditEvent, EventKind, next_event, request_subject
from flow_hitl.contract.shapes import LEFT_OUT, Channel, RequestId, Sha256, Url, as_json
from flow_hitl.deployments.deployment import (
    Deployment,
    DeploymentSettings,
    FreeText,
    WebhookEvent,
    configuration_digest,
)
from flow_hitl.platform.address import address_key, same_address
from flow_hitl.platform.digests import digest
from flow_hitl.platform.errors import AlreadyResponded, AlreadyResumed, NothingToResume, NotPending
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.text import as_words
from flow_hitl.platform.times import ceil_second, rfc3339
from flow_hitl.requests.changing.reminders import reminder_times
from flow_hitl.requests.deciding.matching import reads_alike
from flow_hitl.requests.evidence import Shown
from flow_hitl.requests.opening.routing import AssignedBy, Assignment
from flow_hitl.requests.wording import OptionLook, OptionShown, is_go_ahead, option_label, option_shown, title_of


class Status(StrEnum):
    PENDING = "pending"
    RESPONDED = "responded"
    CANCELLED = "cancelled"


class MediaType(StrEnum):
    """What may stand beside an output: nothing that a browser runs."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"
    PDF = "application/pdf"


class ResumeStatus(StrEnum):
    """How far the flow's resumption has come; the flow's side reports the last three."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    RESUMED = "resumed"
    RESUME_FAILED = "resume_failed"
    PAUSED_AGAIN = "paused_again"


SERVICE = "flow-hitl"
"""The actor of automatic steps."""
UNCHANGED: Any = object()
"""The output that an answer brings if it leaves it as it is."""
_NO_ZONES: Mapping[str, str] = MappingProxyType({})
# Each request's entry in a list must stay below a kilobyte, in any script.
_SUMMARY_CHARS = 120
_LISTED_TITLE_CHARS = 100
_TITLED_CHARS = 160
# The event lists only this many of up to a thousand rules; the deployment's chain has them all.
_MOST_CONSIDERED = 10

# What the answer to a test request proves, for the timeline.
_PROVEN_BY = {
    Channel.EMAIL: "The test worked: the email arrived, and the reply came back.",
    Channel.DASHBOARD: "The test worked: the email arrived, and the answer on the review page came back.",
    Channel.API: "The test was answered by API, which does not show whether its email arrived.",
    Channel.AUTO_RESPONSE: "No one answered the test in time.",
}
RETRIABLE = (ResumeStatus.WAITING, ResumeStatus.FAILED, ResumeStatus.RESUME_FAILED)
"""The flow has no answer yet or could not use it, so resending makes sense."""
_HAS_RESUMED = (ResumeStatus.RESUMED, ResumeStatus.PAUSED_AGAIN)


@dataclass(frozen=True)
class DueAutoResponse:
    """The answer the clock gives if no one answers in time."""

    timeout_minutes: int
    """Minutes from the request's creation."""
    default_outcome: str
    """The outcome the flow then gets."""
    due_at: datetime
    """When the clock answers. Until it has, a person's answer still counts."""


@dataclass(frozen=True)
class HistoryRound:
    """One earlier round of the flow, as provided by it."""

    method: str
    """The method that ran."""
    at: str | None
    """When it ran, in the flow's own format."""
    output: Any
    """What it produced."""


class RemarkKind(StrEnum):
    QUESTION = "question"
    ANSWER = "answer"


@dataclass(frozen=True)
class Remark:
    """A question of a responder's, or the flow's answer."""

    id: str
    """The id of its event in the audit log. A question that is sent again has the same one."""
    kind: RemarkKind
    """`question` or `answer`."""
    text: str
    """What was written."""
    at: datetime
    """When it was recorded."""
    by: str | None = None
    """The email address of whoever asked, if it is proven; null for other applications and for the flow."""


@dataclass(frozen=True)
class Resumption:
    """How far the flow's resumption has come."""

    status: ResumeStatus
    """`waiting`, `delivered`, or `failed` for the `resume_url`, or what the flow's side reported."""
    attempts: int = 0
    """How many times the `resume_url` was called: for 24 hours, then more and more seldom for two weeks."""
    last_status: int | None = None
    """The HTTP status of the last attempt, if there was one."""


@dataclass(frozen=True)
class Resume(Resumption):
    """The state of the flow's resumption, including internal fields.

    `retried_by` is the seq of the event that last resent the answer (0 if none did); older attempts are void.
    `claimed_by` is the hash of the claimant's key.
    """

    retried_by: int = 0
    claimed_by: str = ""


@dataclass(frozen=True)
class Attachment:
    """An image or a PDF beside the output."""

    name: str
    """Its file name, without a path."""
    media_type: MediaType
    """Its type, as its first bytes say."""
    size: int
    """Its size in bytes."""
    sha256: Sha256
    """The hex SHA-256 of its bytes."""


@dataclass(frozen=True)
class AttachmentShown(Attachment):
    """An image or a PDF beside the output, with where to get it."""

    url: Url | None = field(default=None, metadata=LEFT_OUT)
    """Where to GET its bytes, without an API key, for an hour; webhooks leave it out. Keep it secret."""


@dataclass(frozen=True)
class Content:
    """What the reviewer is shown and the flow gets back; written once.

    `shortfall` says why the matching rule could not assign it as intended, as a clause, or None. `editable`: the answer
    may change the output. `response_schema` is the flat JSON Schema of the typed answer that is asked for. `title` and
    `options` are as given: what they leave open is derived when shown. The bytes of `attachments` are stored apart.
    """

    message: str
    output: Any
    state: Mapping[str, Any]
    metadata: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    resume_url: str | None
    warnings: tuple[str, ...]
    deployment_name: str
    shortfall: str | None = None
    editable: bool = False
    response_schema: Mapping[str, Any] | None = None
    title: str | None = None
    options: Mapping[str, OptionLook] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class DecidedResponse:
    """The one answer that counts."""

    outcome: str | None
    """The chosen emit option; null if free text matched none."""
    feedback: str
    """The first line of the answer."""
    comment: str
    """The lines after it, or empty."""
    responded_via: Channel
    """The channel of the answer."""
    responder: str | None
    """The email address of whoever answered; by callback, whatever the other application claims."""
    responder_verified: bool
    """Whether the address is proven: by an authenticated email, or by a link sent only to it."""
    source: str | None
    """By callback: the other application's own label."""
    responded_at: datetime
    """When the answer was recorded."""
    response_seconds: int
    """Seconds from the request's creation to the answer."""
    valid_until: datetime | None = None
    """When the answer ceases to be valid: the flow must not act on it later. Null for no limit."""


@dataclass(frozen=True)
class AnswerShown(DecidedResponse):
    """The one answer that counts, with what it changed and its typed values."""

    output: Any = None
    """The output as the reviewer changed it; null if it was not changed."""
    data: Mapping[str, Any] | None = None
    """The typed answer, by the `response_schema`; null without one, or if the clock answered and a required field has
    no default."""


@dataclass(frozen=True)
class ResponseShown(AnswerShown):
    """The one answer that counts, with its receipt."""

    receipt: str | None = None
    """A signed receipt of the decision, as a compact JWS; null until it is signed, or if none was asked for."""


@dataclass(frozen=True)
class Response(DecidedResponse):
    """The one answer to a request; `decision_id` identifies the write.

    `output` and `data` are apart from what its event repeats: an event has only the hash of a changed output.
    """

    decision_id: str = field(kw_only=True)
    output: Any = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Head:
    """The small, mutable part of a request; every decision is conditional on it.

    `group_members` are the people behind the group `assigned_to_email` when it was assigned. `passed_on_by` is the last
    responder to delegate it; `reassigned_by` is the actor of the last reassignment, and `assigned_before` who had it
    before. `mailed`: its responders get email, by the settings when it was assigned. `not_to_be_answered_by` are the
    requester's addresses, if self-approval is forbidden. `summary` is, for lists, the title, if it says more than the
    method's name, and a line end, then the start of the message. `labels` are those that answers may use beside the
    options' values, by value. `last_event_at` keeps its events in order even if a clock is slow.
    `approval_ttl_minutes`: how long an answer is valid. `receipt` is that of the decision, once it is signed.
    `questions`: responders may ask back, and `thread` is what was asked and answered. `content_erased_at`: since then,
    what is stored of the content is `without_content`. `zones` are the time zones that responders had chosen when it
    was assigned, by `address_key`.
    """

    request_id: str
    deployment_id: int
    status: Status
    seq: int
    last_hash: str
    created_at: datetime
    flow_id: str
    flow_name: str | None
    method_name: str
    emit_options: tuple[str, ...]
    free_text: FreeText
    assigned_to_email: str
    assigned_by: AssignedBy
    routing_rule: str | None
    auto_response: DueAutoResponse | None
    sla_due_at: datetime | None
    token_expires_at: datetime
    test: bool
    body_sha256: str
    resume: Resume | None = None
    outcome: str | None = None
    responded_via: Channel | None = None
    decided_at: datetime | None = None
    decision_id: str | None = None
    rejections: tuple[str, int] = ("", 0)
    group_members: tuple[str, ...] = ()
    passed_on_by: str | None = None
    reassigned_by: str | None = None
    assigned_before: str | None = None
    mailed: bool = True
    not_to_be_answered_by: tuple[str, ...] = ()
    summary: str = ""
    last_event_at: datetime | None = None
    reminders: tuple[datetime, ...] = ()
    approval_ttl_minutes: int | None = None
    with_receipt: bool = False
    receipt: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    questions: bool = False
    thread: tuple[Remark, ...] = ()
    content_erased_at: datetime | None = None
    zones: Mapping[str, str] = field(default_factory=dict)

    @property
    def awaits_receipt(self) -> bool:
        """Tell whether it is decided, and the receipt that was asked for is not signed yet."""
        return self.status is Status.RESPONDED and self.with_receipt and self.receipt is None

    @property
    def responders(self) -> tuple[str, ...]:
        """Everyone who may answer: the assignee, or the members of the group."""
        return self.group_members or (self.assigned_to_email,)

    @property
    def option_names(self) -> Mapping[str, str]:
        """What an answer may call each option, by value or label, with the option's value."""
        return {
            **{value: value for value in self.emit_options},
            **{label: value for value, label in self.labels.items()},
        }


@dataclass(frozen=True)
class RequestShown:
    """A review request in its current state."""

    id: RequestId
    """The request's UUID, chosen by the caller or by us."""
    status: Status
    """`pending` until it is answered or cancelled; both are final."""
    flow_id: str
    """The flow run, as the flow names it."""
    flow_name: str | None
    """The flow's display name."""
    method_name: str
    """The flow method that asks. Routing rules match on it."""
    title: str
    """What it is about, in one line. Left out, the method's name as words, and the first short values of the state."""
    message: str
    """What the reviewer is asked."""
    output: Any
    """What is to be reviewed: Markdown, any JSON, or null."""
    emit_options: Sequence[str]
    """The outcomes the reviewer may choose from; empty for free text."""
    options: Mapping[str, OptionShown]
    """How each outcome reads to people, by value."""
    state: Mapping[str, Any]
    """The flow's state, which routing rules read and the reviewer can see."""
    metadata: Mapping[str, Any]
    """The flow's own data. `requested_by`, an email address, names the requester."""
    history: Sequence[HistoryRound]
    """The flow's earlier rounds, shown to the reviewer."""
    created_at: datetime
    """When the request was opened."""
    assigned_to_email: str
    """Who is asked: an email address, or `group:<name>`."""
    assigned_by: AssignedBy
    """The step that chose them."""
    routing_rule: str | None
    """The name of the routing rule that matched."""
    auto_response: DueAutoResponse | None
    """What the clock will answer, and when; null for never."""
    sla_due_at: datetime | None
    """When the SLA ends; null without an SLA."""
    approval_ttl_minutes: int | None
    """Minutes for which an answer is valid, from the answer on; null for no limit."""
    receipt: bool
    """Whether the decision gets a signed receipt, which is in the response."""
    editable: bool
    """Whether the answer may change the output."""
    response_schema: Mapping[str, Any] | None
    """The typed answer that is asked for: a flat JSON Schema; null for none."""
    questions: bool
    """Whether those who may answer may also ask back. The request stays pending."""
    thread: Sequence[Remark]
    """The questions and the flow's answers, oldest first."""
    attachments: Sequence[AttachmentShown]
    """Images and PDFs beside the output."""
    warnings: Sequence[str]
    """What may be unexpected, in plain words."""
    test: bool
    """Whether this is a test request, which analytics exclude."""
    response: ResponseShown | None
    """The answer; null while there is none."""
    resume: Resumption | None
    """The flow's resumption; null before an answer."""
    content_erased_at: datetime | None
    """When what was reviewed was erased, by the retention of the deployment: message, output, state, and all that came
    with them are empty since. The decision stays. Null while it is there."""


@dataclass(frozen=True)
class Request:
    """A whole request: its head, its content, and, once decided, its response."""

    head: Head
    content: Content
    response: Response | None = None

    @property
    def title(self) -> str:
        return title_of(self.content.title, self.head.method_name, self.content.state)

    @property
    def options(self) -> Mapping[str, OptionShown]:
        """How each option reads, by value, in the order of the options."""
        return {value: option_shown(value, self.content.options) for value in self.head.emit_options}

    def label_of(self, outcome: str) -> str:
        """Return what people read for an outcome."""
        return option_label(outcome, self.content.options)

    @property
    def shown(self) -> RequestShown:
        """The contract's request object."""
        head, content = self.head, self.content
        return RequestShown(
            id=head.request_id,
            status=head.status,
            flow_id=head.flow_id,
            flow_name=head.flow_name,
            method_name=head.method_name,
            title=self.title,
            message=content.message,
            output=content.output,
            emit_options=head.emit_options,
            options={value: as_json(option) for value, option in self.options.items()},
            state=content.state,
            metadata=content.metadata,
            history=[HistoryRound(**one) for one in content.history],
            created_at=head.created_at,
            assigned_to_email=head.assigned_to_email,
            assigned_by=head.assigned_by,
            routing_rule=head.routing_rule,
            auto_response=head.auto_response,
            sla_due_at=head.sla_due_at,
            approval_ttl_minutes=head.approval_ttl_minutes,
            receipt=head.with_receipt,
            editable=content.editable,
            response_schema=content.response_schema,
            questions=head.questions,
            thread=as_json(head.thread),
            attachments=[AttachmentShown(**vars(one)) for one in content.attachments],
            warnings=content.warnings,
            test=head.test,
            response=self._response_shown,
            resume=as_json(head.resume, Resumption),
            content_erased_at=head.content_erased_at,
        )

    @property
    def _response_shown(self) -> Any:
        return self.response and {**as_json(self.response, AnswerShown), "receipt": self.head.receipt}


@dataclass(frozen=True)
class Stamp:
    """The event id, time, and actor of a step."""

    event_id: str
    at: datetime
    actor: str


@dataclass(frozen=True)
class Change:
    """One step of a request: its head before and after, its event, and the response, if there is one after it.

    `content` is what is left of the content, if the step erases it. `another_round`: the flow may ask anew after it.
    """

    before: Head | None
    after: Head
    event: AuditEvent
    response: Response | None = None
    content: Content | None = None
    another_round: bool = False


@dataclass(frozen=True)
class Answer:
    """A proposed decision, with sender and outcome proven.

    `output` is the output as they changed it, None if they did not; `data` is their typed answer. `verification` says
    how the responder was proven, `shown` what they saw, `is_cut` that their text was truncated, `webhooks` whether a
    webhook wants to know (None if that was not looked up); the event records these four.
    """

    decision_id: str
    outcome: str | None
    feedback: str
    comment: str
    via: Channel
    responder: str | None
    responder_verified: bool
    source: str | None = None
    output: Any = None
    data: Mapping[str, Any] | None = None
    verification: Mapping[str, Any] = field(default_factory=dict)
    shown: Shown | None = None
    is_cut: bool = False
    webhooks: bool | None = None

    @property
    def proven_responder(self) -> str | None:
        """Who answered, None if that is no one or only claimed."""
        return self.responder if self.responder_verified else None

    @property
    def actor(self) -> str:
        """The actor in the audit log: the proven responder, else the channel."""
        return self.proven_responder or self.via.value


def opened(
    *,
    request_id: str,
    stamp: Stamp,
    deployment: Deployment,
    content: Content,
    assignment: Assignment,
    flow_id: str,
    flow_name: str | None,
    method_name: str,
    emit_options: tuple[str, ...],
    free_text: FreeText,
    auto_response: tuple[int, str] | None,
    sla_target_minutes: int | None,
    body_sha256: str,
    approval_ttl_minutes: int | None = None,
    with_receipt: bool = False,
    questions: bool = False,
    not_to_be_answered_by: tuple[str, ...] = (),
    created_by: str | None = None,
    test: bool = False,
) -> Change:
    """Return the first step of a request; `auto_response` is (timeout in minutes, default outcome).

    Webhooks are not told of a `test`. `created_by` is who opened it.
    """
    settings, at = deployment.settings, stamp.at
    head = Head(
        request_id=request_id,
        deployment_id=deployment.deployment_id,
        status=Status.PENDING,
        seq=0,
        last_hash=CHAIN_START,
        created_at=at,
        flow_id=flow_id,
        flow_name=flow_name,
        method_name=method_name,
        emit_options=emit_options,
        free_text=free_text,
        assigned_to_email=assignment.email,
        assigned_by=assignment.by,
        routing_rule=assignment.rule,
        auto_response=DueAutoResponse(
            auto_response[0], auto_response[1], ceil_second(at + timedelta(minutes=auto_response[0]))
        )
        if auto_response
        else None,
        sla_due_at=ceil_second(at + timedelta(minutes=sla_target_minutes)) if sla_target_minutes else None,
        token_expires_at=ceil_second(at + timedelta(days=settings.reply_token_days)),
        test=test,
        body_sha256=body_sha256,
        not_to_be_answered_by=not_to_be_answered_by,
        group_members=settings.people_of(assignment.email),
        mailed=settings.email_notifications,
        approval_ttl_minutes=approval_ttl_minutes,
        with_receipt=with_receipt,
        summary=_summary(content, method_name),
        labels={
            value: look.label
            for value, look in content.options.items()
            if look.label is not None and not reads_alike(look.label, value)
        },
        questions=questions,
        zones=_zones_of(settings.people_of(assignment.email) or (assignment.email,), deployment.zones),
    )
    due_at = head.auto_response.due_at if head.auto_response else None
    reminders = reminder_times(settings.reminders, created_at=at, timeout_at=due_at, sla_minutes=sla_target_minutes)
    if settings.email_notifications:
        # Without a notification there is nothing to remind of.
        head = replace(head, reminders=reminders)
    data = {
        **_about(head),
        "flow_id": flow_id,
        "emit_options": list(emit_options),
        "content_sha256": body_sha256,
        "kept_sha256": bound_digest(content),
        "assigned_by": assignment.by.value,
        "people": list(head.group_members),
        "routing_rule": assignment.rule,
        "routing": list(assignment.reasons),
        "considered": as_json(tuple(look.in_words for look in assignment.looks[:_MOST_CONSIDERED])),
        # Points to the rules and settings that applied, in the deployment's chain, and says what they were: whoever
        # changes them behind the log's back, and puts them back, is found.
        "configuration": {
            "seq": deployment.audit_seq,
            "hash": deployment.audit_hash,
            "state": configuration_digest(deployment)[:HALF],
        },
        "created_by": created_by,
        "notify": settings.email_notifications,
        "may_pass_on": settings.allow_delegation,
        "auto_response": as_json(head.auto_response),
        "reminders": [rfc3339(moment) for moment in head.reminders],
        "webhooks": WebhookEvent.NEW_REQUEST in deployment.webhook_events and not head.test,
        "not_to_be_answered_by": list(not_to_be_answered_by),
        "warnings": list(content.warnings),
    }
    return replace(note(head, EventKind.REQUEST_CREATED, data, stamp=stamp), before=None)


def decide(head: Head, answer: Answer, content: Content, *, stamp: Stamp) -> Change:
    """Return the step that answers a pending request, the only way to decide one.

    Its event binds all that the flow is told: the answer, and what it answers.

    Raises NotPending for a canceled request and AlreadyResponded for an answered one.
    """
    require_pending(head)
    response = Response(
        decision_id=answer.decision_id,
        outcome=answer.outcome,
        feedback=answer.feedback,
        comment=answer.comment,
        responded_via=answer.via,
        responder=answer.responder,
        responder_verified=answer.responder_verified,
        source=answer.source,
        responded_at=stamp.at,
        response_seconds=max(0, int((stamp.at - head.created_at).total_seconds())),
        valid_until=_valid_until(head, stamp.at),
        output=answer.output,
        data=answer.data,
    )
    decided: dict[str, Any] = {
        "status": Status.RESPONDED,
        "outcome": answer.outcome,
        "responded_via": answer.via,
        "decided_at": stamp.at,
        "decision_id": answer.decision_id,
        # No flow waits for a test.
        "resume": None if head.test else Resume(ResumeStatus.WAITING),
    }
    data = {
        **_about(head),
        **as_json(response, DecidedResponse),
        **answered_more(response),
        **({"output_before_sha256": digest(content.output)} if response.output is not None else {}),
        "verification": dict(answer.verification),
        "shown": as_json(answer.shown),
        "decision_id": answer.decision_id,
        "push": content.resume_url is not None,
        "kept_sha256": bound_digest(content),
        "others": _others(head, _answered_by(head, answer)),
        **({"test_result": _PROVEN_BY[answer.via]} if head.test else {}),
        **({"is_cut": True} if answer.is_cut else {}),
        **({"webhooks": answer.webhooks} if answer.webhooks is not None else {}),
        **({"with_receipt": True} if head.with_receipt else {}),
        **_scheduled(head, stamp.at),
    }
    change = note(head, EventKind.RESPONSE_SUBMITTED, data, stamp=stamp, **decided)
    another_round = not (head.test or is_go_ahead(answer.outcome, content.options))
    return replace(change, response=response, another_round=another_round)


def answered_more(response: Response) -> dict[str, Any]:
    """Return what the event of a decision says, by hash, of a changed output and of a typed answer; else nothing."""
    more: dict[str, Any] = {} if response.data is None else {"data_sha256": digest(response.data)}
    return more if response.output is None else {**more, "output_sha256": digest(response.output)}


def issue_receipt(head: Head, receipt: str, key: str, *, push: bool, did: str, stamp: Stamp) -> Change | None:
    """Return the step that adds the receipt of the decision, signed with this key, None if there is one.

    With `push`, its flow is told of the answer now. `did` names the effect.
    """
    if head.receipt is not None:
        return None
    data = {"receipt": receipt, "key": key, "push": push, "test": head.test, "did": did}
    return note(head, EventKind.RECEIPT_ISSUED, data, stamp=stamp, receipt=receipt)


def _valid_until(head: Head, responded_at: datetime) -> datetime | None:
    ttl = head.approval_ttl_minutes
    return ceil_second(responded_at + timedelta(minutes=ttl)) if ttl else None


def cancel(head: Head, *, stamp: Stamp) -> Change:
    """Return the step that cancels a pending request; raises AlreadyResponded for an answered one."""
    require_pending(head)
    data = {
        **_about(head),
        "others": _others(head, stamp.actor.removeprefix("member/")),
        **_scheduled(head, stamp.at),
    }
    cancelled: dict[str, Any] = {"status": Status.CANCELLED, "decided_at": stamp.at}
    return note(head, EventKind.REQUEST_CANCELLED, data, stamp=stamp, **cancelled)


def reassign(
    head: Head,
    email: str,
    reason: str,
    settings: DeploymentSettings,
    *,
    stamp: Stamp,
    people: Sequence[str] = (),
    zones: Mapping[str, str] = _NO_ZONES,
) -> Change:
    """Return the step that reassigns a pending request; addresses sent out before stop working.

    `people`, including `email`, are asked together although they are not a group. `zones` are those of the deployment.
    Raises AlreadyResponded or NotPending.
    """
    members = tuple(people) or settings.people_of(email)
    # If the address is unreachable, so is the email that says no answer is needed.
    others = _others(head, stamp.actor.removeprefix("member/"), staying=members or (email,))
    data = {"people": list(members), "others": [] if stamp.actor == SERVICE else others, "reason": reason}
    return _give(head, email, members, data, settings, zones, stamp=stamp, reassigned_by=stamp.actor)


def delegate(
    head: Head,
    by: str,
    to: str,
    via: Channel,
    settings: DeploymentSettings,
    *,
    stamp: Stamp,
    verification: Mapping[str, Any],
    zones: Mapping[str, str] = _NO_ZONES,
) -> Change:
    """Return the step that replaces one responder with another; the rest of a group stays.

    `verification` says how they are proven, `zones` are those of the deployment. Raises AlreadyResponded or NotPending.
    """
    newcomers = settings.people_of(to)
    if head.group_members:
        staying = [person for person in head.group_members if not same_address(person, by)]
        newcomers = tuple(one for one in newcomers or (to,) if not any(same_address(one, person) for person in staying))
        assignee, members = head.assigned_to_email, (*staying, *newcomers)
    else:
        assignee, members = to, newcomers
    data = {
        "people": list(newcomers),
        "reason": f"{by} passed it on to {to}",
        "delegated_by": by,
        "delegated_to": to,
        "via": via.value,
        "verification": dict(verification),
    }
    return _give(head, assignee, members, data, settings, zones, stamp=stamp, passed_on_by=by)


def _give(
    head: Head,
    assignee: str,
    members: tuple[str, ...],
    data: Mapping[str, Any],
    settings: DeploymentSettings,
    zones: Mapping[str, str],
    *,
    stamp: Stamp,
    passed_on_by: str | None = None,
    reassigned_by: str | None = None,
) -> Change:
    require_pending(head)
    moved = {
        **_about(head),
        "assigned_to_email": assignee,
        "assigned_before": head.assigned_to_email,
        # Tells analytics on which day it was opened.
        "created_at": rfc3339(head.created_at),
        "notify": settings.email_notifications,
        "may_pass_on": settings.allow_delegation,
        **data,
    }
    return note(
        head,
        EventKind.REQUEST_REASSIGNED,
        moved,
        stamp=stamp,
        assigned_to_email=assignee,
        group_members=members,
        zones=_zones_of(members or (assignee,), zones),
        passed_on_by=passed_on_by,
        reassigned_by=reassigned_by,
        assigned_before=head.assigned_to_email,
        mailed=settings.email_notifications,
        assigned_by=AssignedBy.REASSIGNMENT,
        token_expires_at=ceil_second(stamp.at + timedelta(days=settings.reply_token_days)),
    )


def _zones_of(people: Sequence[str], zones: Mapping[str, str]) -> Mapping[str, str]:
    return {key: zones[key] for key in map(address_key, people) if key in zones} if zones else {}


def retry_resume(head: Head, stamp: Stamp) -> Change | None:
    """Return the step that resends an answer to its flow, None if that is under way.

    Raises NotPending for an unanswered request, and NothingToResume if the flow has the answer.
    """
    resume = head.resume
    if resume is None:
        raise NotPending("This request has no answer that a flow could resume with.", request_status=head.status)
    if resume.status not in RETRIABLE:
        raise NothingToResume("The flow has the answer.")
    if head.content_erased_at is not None:
        raise NothingToResume("The content was erased, and with it where the answer goes.")
    if resume.retried_by == head.seq:
        return None
    again = replace(resume, status=ResumeStatus.WAITING, retried_by=head.seq + 1)
    data = {"before": resume.status.value, "attempts": resume.attempts}
    return note(head, EventKind.RESUME_RETRIED, data, stamp=stamp, resume=again)


def report_resume(
    head: Head,
    status: ResumeStatus,
    detail: str | None,
    *,
    once: bool,
    key: str | None,
    stamp: Stamp,
) -> Change | None:
    """Return the step that records what the flow's side reports, None if already known.

    With `once` it claims the resumption for the first caller, until it is reported as failed; the `key` recognizes a
    repeated claim. Raises AlreadyResumed, and NotPending for an unanswered request.
    """
    before = head.resume
    if before is None:
        raise NotPending("This request has no answer that a flow could resume with.", request_status=head.status)
    name = hashlib.sha256(key.encode()).hexdigest() if key else ""
    if once and before.status in _HAS_RESUMED:
        if name and name == before.claimed_by:
            return None
        raise AlreadyResumed(
            "Someone else has claimed the resumption of this flow: leave it to them. "
            "If they can no longer do it, report resume_failed; then claim it again."
        )
    claimed_by = name if once else "" if status is ResumeStatus.RESUME_FAILED else before.claimed_by
    resume = replace(before, status=status, claimed_by=claimed_by)
    data = {"status": status.value, "detail": detail, **({"once": True} if once else {})}
    return note(head, EventKind.RESUME_REPORTED, data, stamp=stamp, resume=resume)


def note(head: Head, kind: EventKind, data: Mapping[str, Any], *, stamp: Stamp, **changes: Any) -> Change:
    """Return the step that adds an event to the chain; `changes` are fields of the head."""
    at = max(stamp.at, head.last_event_at or stamp.at)
    after = replace(head, **changes, seq=head.seq + 1, last_event_at=at)
    event = next_event(
        subject=request_subject(head.request_id),
        seq=after.seq,
        prev_hash=head.last_hash,
        event_id=stamp.event_id,
        kind=kind,
        at=at,
        actor=stamp.actor,
        data={
            "deployment_id": head.deployment_id,
            **data,
            **(state_before(head_digest(head)) if head.seq else {}),
            "head_sha256": head_digest(after),
        },
    )
    return Change(head, replace(after, last_hash=event.hash), event)


def asked_before(events: Iterable[AuditEvent]) -> Sequence[str]:
    """Return everyone a request was ever assigned to, including group members."""
    asked: dict[str, None] = {}
    for event in events:
        if event.kind in (EventKind.REQUEST_CREATED, EventKind.REQUEST_REASSIGNED):
            named = ("assigned_before", "assigned_to_email", "delegated_to", "delegated_by")
            asked |= dict.fromkeys(event.data[name] for name in named if event.data.get(name))
            asked |= dict.fromkeys(event.data.get("people") or ())
    return tuple(asked)


def _summary(content: Content, method_name: str) -> str:
    title, said = title_of(content.title, method_name, content.state), " ".join(content.message.split())
    if title == as_words(method_name):
        return said[:_SUMMARY_CHARS]
    listed = title if len(title) <= _LISTED_TITLE_CHARS else title[: _LISTED_TITLE_CHARS - 1] + "…"
    return f"{listed}\n{said[: _TITLED_CHARS - len(listed)]}"


def _others(head: Head, doer: str, staying: Sequence[str] = ()) -> list[str]:
    """Return those whose answer is no longer needed: everyone notified, except `doer` and those still asked."""
    if not head.mailed:
        return []
    return [person for person in head.responders if not any(same_address(person, one) for one in (doer, *staying))]


def _scheduled(head: Head, now: datetime) -> dict[str, Any]:
    """Return which schedules are still to come and have nothing to do any more; nothing where there are none."""
    reminders = [rfc3339(moment) for moment in head.reminders if moment > now]
    deadline = head.auto_response is not None and head.auto_response.due_at > now
    return {"scheduled": {"auto_response": deadline, "reminders": reminders}} if deadline or reminders else {}


def _answered_by(head: Head, answer: Answer) -> str:
    """Return who need not be told that it is answered.

    An application that names no one, or the assignee, answers for the one person asked, who did so there. In a group,
    it is unknown who that was.
    """
    if answer.via is Channel.API and not head.group_members:
        return (answer.responder or head.assigned_to_email).strip()
    return answer.proven_responder or ""


def require_pending(head: Head) -> None:
    """Raise AlreadyResponded or NotPending unless the request is open."""
    if head.status is Status.RESPONDED:
        raise AlreadyResponded(
            "This request was answered before; the first answer counts.",
            responded_via=head.responded_via.value if head.responded_via else "",
            responded_at=rfc3339(head.decided_at) if head.decided_at else "",
            outcome=head.outcome,
        )
    if head.status is not Status.PENDING:
        raise NotPending(f"This request is {head.status.value}; it takes no answer.", request_status=head.status.value)


def _about(head: Head) -> dict[str, Any]:
    """Return the fields analytics group by; every counted event carries them."""
    return {
        "flow_name": head.flow_name,
        "method_name": head.method_name,
        "assigned_to_email": head.assigned_to_email,
        "sla_due_at": rfc3339(head.sla_due_at) if head.sla_due_at else None,
        "test": head.test,
    }


def head_digest(head: Head) -> str:
    """Return what each event says of the head after it: all of it but `last_hash`, the event's own hash."""
    return bound_digest(head, "last_hash")


def request_shown(request: Request) -> dict[str, Any]:
    """Return the request as sent to webhooks; it never changes."""
    head, content = request.head, request.content
    # Only where they are set: hashes of before must stay as they are.
    if_set = {
        "editable": content.editable,
        "response_schema": content.response_schema,
        "attachments": [as_json(AttachmentShown(**vars(one))) for one in content.attachments],
    }
    return {
        "id": head.request_id,
        "flow_id": head.flow_id,
        "method_name": head.method_name,
        "message": content.message,
        "emit_options": list(head.emit_options),
        "state": content.state,
        "metadata": content.metadata,
        "created_at": rfc3339(head.created_at),
        "output": content.output,
        **{name: value for name, value in if_set.items() if value},
    }
