"""Webhooks: which applications hear of a request, what they are sent, and with what result."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlsplit

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect, EffectKind
from flow_hitl.contract.shapes import ABSENT, RequestId, Schema, Time, Url, as_json
from flow_hitl.deployments.deployment import Deployment, WebhookEvent
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.request import AnswerShown, AttachmentShown, Remark, Request, request_shown
from flow_hitl.requests.wording import OptionShown, option_shown

TEST_EVENT = "test"
"""The event of a test ping; no one subscribes to it."""

NO_REQUEST = "00000000-0000-0000-0000-000000000000"
"""The request id in a test ping."""

LARGEST_PAYLOAD = 256 * 1024
# A delivery whose worker died twice is not sent again.
MOST_ATTEMPTS = 2

_EVENTS = {
    EventKind.REQUEST_CREATED: WebhookEvent.NEW_REQUEST,
    EventKind.RESPONSE_SUBMITTED: WebhookEvent.RESPONSE_SUBMITTED,
    EventKind.REQUEST_CANCELLED: WebhookEvent.REQUEST_CANCELLED,
    EventKind.QUESTION_ASKED: WebhookEvent.QUESTION_ASKED,
}
_MESSAGE_SHOWN = 1000
_OF_WEBHOOK = "/"
# By then its message has failed several times, or was never queued.
_STALLED_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class SealedSecret:
    """An encrypted signing secret, in use from `signs_from`."""

    ciphertext: str
    signs_from: datetime


@dataclass(frozen=True)
class Webhook:
    """An application's endpoint; the newest secret that is due signs what is sent there."""

    webhook_id: str
    deployment_id: int
    name: str
    url: str
    events: tuple[WebhookEvent, ...]
    active: bool
    created_at: datetime
    secrets: tuple[SealedSecret, ...]

    def wants(self, event: str) -> bool:
        return self.active and event in self.events

    def secret_at(self, now: datetime) -> SealedSecret:
        """Return the secret that signs now."""
        due = [secret for secret in self.secrets if secret.signs_from <= now]
        return due[-1] if due else self.secrets[0]

    def rotated(self, new: SealedSecret, now: datetime) -> "Webhook":
        """Return the webhook with a new secret and the one that signs until then; others are dropped."""
        current = self.secret_at(now)
        return replace(self, secrets=(new,) if new.signs_from <= now else (current, new))

    def audited(self) -> dict[str, Any]:
        """Return what audit events show: only the URL's host and digest, because the URL may contain a key."""
        return {
            "id": self.webhook_id,
            "name": self.name,
            "url_host": urlsplit(self.url).netloc,
            "url_sha256": sha256(self.url.encode()).hexdigest(),
            "events": [event.value for event in self.events],
            "active": self.active,
            "secret_signs_from": rfc3339(self.secrets[-1].signs_from),
        }


class DeliveryStatus(StrEnum):
    """The state of a delivery; `stalled`: no result, and no one is working on it."""

    PENDING = "pending"
    STALLED = "stalled"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class DeliveryResult:
    """The final result of a delivery; `response` is the first KB of the response as text."""

    http_status: int | None
    reason: str
    duration_ms: int
    response: str
    finished_at: datetime

    @property
    def status(self) -> DeliveryStatus:
        delivered = self.http_status is not None and 200 <= self.http_status < 300
        return DeliveryStatus.DELIVERED if delivered else DeliveryStatus.FAILED


@dataclass(frozen=True)
class Delivery:
    """One POST of one event to one webhook; `attempts` exceeds 1 only if a worker died.

    `noted`: the result was written together with its event on the request's timeline.
    `message_id` is the X-Webhook-Id; redeliveries share it, so that the receiver can detect repeats.
    `event_seq` is where the event is in the request's chain; earlier ones do not say.
    """

    delivery_id: str
    webhook_id: str
    deployment_id: int
    event: str
    request_id: str | None
    message_id: str
    at: datetime
    redelivery_of: str | None = None
    attempts: int = 0
    result: DeliveryResult | None = None
    noted: bool = False
    event_seq: int | None = None

    @property
    def times_sent(self) -> int:
        return min(self.attempts, MOST_ATTEMPTS)

    @property
    def asked_for(self) -> bool:
        """Tell whether it is a test ping or a redelivery."""
        return self.event == TEST_EVENT or self.redelivery_of is not None

    def status_at(self, now: datetime) -> DeliveryStatus:
        """Return its status at a moment."""
        if self.result is not None:
            return self.result.status
        return DeliveryStatus.STALLED if now - self.at > _STALLED_AFTER else DeliveryStatus.PENDING

    def audited(self, webhook: Webhook, result: DeliveryResult) -> dict[str, Any]:
        """Return what the request's timeline shows."""
        return {
            "webhook_id": self.webhook_id,
            "webhook": webhook.name,
            "event": self.event,
            "delivery_id": self.delivery_id,
            "redelivery_of": self.redelivery_of,
            "attempts": self.times_sent,
            "http_status": result.http_status,
            "result": result.reason,
            "duration_ms": result.duration_ms,
        }


@dataclass(frozen=True)
class RequestContent:
    """The content left out of a webhook's payload."""

    message: str
    """What the reviewer is asked."""
    output: Any
    """What is to be reviewed."""
    state: Mapping[str, Any]
    """The flow's state."""
    metadata: Mapping[str, Any]
    """The flow's own data."""
    response_output: Any = ABSENT
    """If the reviewer changed the output: as it is now."""


@dataclass(frozen=True)
class ToldRequest:
    """The request, as sent to webhooks."""

    id: RequestId
    """The request's id; zeros in a test ping."""
    flow_id: str
    """The flow run, as the flow names it."""
    method_name: str
    """The flow method that asks."""
    message: str
    """What the reviewer is asked."""
    emit_options: Sequence[str]
    """The outcomes to choose from."""
    state: Mapping[str, Any]
    """The flow's state."""
    metadata: Mapping[str, Any]
    """The flow's own data."""
    created_at: Time
    """When the request was opened."""
    output: Any
    """What is to be reviewed."""
    title: str
    """What it is about, in one line."""
    options: Mapping[str, OptionShown]
    """How each outcome reads to people, by value."""
    editable: bool = ABSENT
    """If the answer may change the output: true."""
    response_schema: Mapping[str, Any] = ABSENT
    """If a typed answer is asked for: its flat JSON Schema."""
    attachments: Sequence[AttachmentShown] = ABSENT
    """If there are any: images and PDFs beside the output. Their URLs are in the request object."""
    response: AnswerShown = ABSENT
    """With `response_submitted`: the answer."""
    question: Remark = ABSENT
    """With `question_asked`: what was asked."""
    content_url: Url = ABSENT
    """Above 256 KB: where to GET message, output, state, metadata, and a changed output as JSON, without an API key."""
    content_url_expires_at: Time = ABSENT
    """When `content_url` expires."""


@dataclass(frozen=True)
class ToldDeployment:
    """The deployment, as sent to webhooks."""

    id: int
    """The deployment's id."""
    name: str
    """The deployment's name."""
    organization_id: int
    """The organization's id."""


@dataclass(frozen=True)
class WebhookPayload:
    """What is POSTed to a webhook."""

    event: Annotated[str, Schema(enum=[*WebhookEvent, TEST_EVENT])]
    """What happened; `test` for a ping, which asks for nothing."""
    request: ToldRequest
    """The request."""
    deployment: ToldDeployment
    """The request's deployment."""
    callback_url: Url
    """Anyone with this URL can answer the request by POST. It dies with the webhook."""
    assigned_to_email: str
    """Who is asked."""


@dataclass(frozen=True)
class DeliveryName:
    """A delivery by its ids; those of its deployment and request, if they are known, save a read.

    `event_seq` is where the event that it tells of is in the request's chain, if that is known.
    """

    webhook_id: str
    delivery_id: str
    deployment_id: int | None = None
    request_id: str | None = None
    event_seq: int | None = None


def event_of(event: AuditEvent) -> WebhookEvent | None:
    """Return the webhook event for an audit event, or None if there is none."""
    return _EVENTS.get(event.kind)


def events_wanted(webhooks: Iterable[Webhook]) -> tuple[WebhookEvent, ...]:
    """Return the events that any active webhook subscribes to."""
    active = [webhook for webhook in webhooks if webhook.active]
    return tuple(event for event in WebhookEvent if any(event in webhook.events for webhook in active))


def first_delivery(webhook: Webhook, event: AuditEvent, name: WebhookEvent) -> Delivery:
    """Return the delivery of an audit event to a webhook, always the same one."""
    made = delivery_id(event.at, f"{event.event_id}/{webhook.webhook_id}")
    return Delivery(
        made,
        webhook.webhook_id,
        webhook.deployment_id,
        name.value,
        event.request_id,
        made,
        event.at,
        event_seq=event.seq,
    )


def delivery_effect(delivery: Delivery, event: AuditEvent) -> Effect:
    """Return a delivery as an effect of its event."""
    return Effect(
        EffectKind.WEBHOOK, event.request_id, event.seq, f"{delivery.webhook_id}{_OF_WEBHOOK}{delivery.delivery_id}"
    )


def delivery_of(target: str) -> tuple[str, str] | None:
    """Return the webhook id and delivery id that an effect of webhooks is for; None if it is for all webhooks."""
    webhook_id, is_one, made = target.partition(_OF_WEBHOOK)
    return (webhook_id, made) if is_one else None


def secret_belongs_to(webhook_id: str) -> dict[str, str]:
    """Return the encryption context of a webhook's secret."""
    return {"webhook_id": webhook_id}


def ping_delivery(webhook: Webhook, *, seed: str, at: datetime) -> Delivery:
    """Return the delivery of a test ping."""
    made = delivery_id(at, seed)
    return Delivery(made, webhook.webhook_id, webhook.deployment_id, TEST_EVENT, None, made, at)


def redelivery(earlier: Delivery, *, seed: str, at: datetime) -> Delivery:
    """Return a delivery that repeats an earlier one."""
    made = delivery_id(at, seed)
    return replace(
        earlier, delivery_id=made, at=at, redelivery_of=earlier.delivery_id, attempts=0, result=None, noted=False
    )


def delivery_id(at: datetime, seed: str) -> str:
    """Return an id that sorts by time (in seconds) and depends only on its arguments."""
    return f"dlv_{int(at.timestamp()):010x}{sha256(seed.encode()).hexdigest()[:24]}"


def asked_by_delivery(thread: Iterable[Remark], delivery: Delivery) -> Remark | None:
    """Return the question that a delivery tells of, None for other events."""
    if delivery.event != WebhookEvent.QUESTION_ASKED:
        return None
    made = ((one, delivery_id(one.at, f"{one.id}/{delivery.webhook_id}")) for one in thread)
    return next((one for one, name in made if name == delivery.message_id), None)


def payload(
    event: str, request: Request, deployment: Deployment, callback_url: str, question: Remark | None = None
) -> WebhookPayload:
    """Return the spec's webhook payload, with the response if the event is `response_submitted`, or the question."""
    told = ToldRequest(**request_shown(request), title=request.title, options=request.options)
    if event == WebhookEvent.RESPONSE_SUBMITTED:
        told = replace(told, response=as_json(request.response, AnswerShown))
    if question is not None:
        told = replace(told, question=as_json(question))
    return _payload(event, told, deployment, callback_url, request.head.assigned_to_email)


def ping_payload(deployment: Deployment, callback_url: str, at: datetime) -> WebhookPayload:
    """Return a payload of the same shape for a test ping."""
    told = ToldRequest(
        id=NO_REQUEST,
        flow_id="test",
        method_name="test",
        message="A test of this webhook. There is nothing to decide.",
        emit_options=["approved", "rejected"],
        state={},
        metadata={},
        created_at=rfc3339(at),
        output=None,
        title="Test",
        options={value: option_shown(value, {}) for value in ("approved", "rejected")},
    )
    return _payload(TEST_EVENT, told, deployment, callback_url, deployment.creator_email)


def without_content(whole: WebhookPayload, content_url: str, until: datetime) -> WebhookPayload:
    """Return the payload with a link in place of its content."""
    message = whole.request.message
    told = replace(
        whole.request,
        message=message if len(message) <= _MESSAGE_SHOWN else message[:_MESSAGE_SHOWN] + "…",
        output=None,
        state={},
        metadata={},
        response=_without_output(whole.request.response),
        content_url=content_url,
        content_url_expires_at=rfc3339(until),
    )
    return replace(whole, request=told)


def _without_output(response: Any) -> Any:
    return response if response is ABSENT else {**response, "output": None}


def content_of(request: Request) -> RequestContent:
    """Return the content that `without_content` leaves out."""
    content = request.content
    changed = ABSENT if request.response is None or request.response.output is None else request.response.output
    return RequestContent(content.message, content.output, content.state, content.metadata, changed)


def body_of(document: WebhookPayload | Mapping[str, Any]) -> bytes:
    """Return the JSON that is sent and signed, as UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=as_json).encode()


def _payload(
    event: str, told: ToldRequest, deployment: Deployment, callback_url: str, assigned_to_email: str
) -> WebhookPayload:
    named = ToldDeployment(deployment.deployment_id, deployment.name, deployment.organization_id)
    return WebhookPayload(event, told, named, callback_url, assigned_to_email)
