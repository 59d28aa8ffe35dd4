"""What the webhook and delivery routes return."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from flow_hitl.contract.shapes import RequestId, Schema, Url
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.platform.records import dataclass
from flow_hitl.webhooks.webhook import TEST_EVENT, Delivery, DeliveryStatus, Webhook

_STALLED = "not sent for an hour; it is tried again for days, or redeliver it now"


@dataclass(frozen=True)
class WebhookShown:
    """Another application's endpoint, without its signing secret."""

    id: str
    """The webhook's id."""
    name: str
    """What the webhook is for."""
    url: Url
    """Where events are POSTed."""
    events: Sequence[WebhookEvent]
    """The events it subscribes to."""
    active: bool
    """Whether it receives events."""
    created_at: datetime
    """When it was created."""
    secret_signs_from: datetime
    """When its newest secret starts signing."""


@dataclass(frozen=True)
class WebhookAnswer:
    """One webhook."""

    webhook: WebhookShown
    """The webhook."""


@dataclass(frozen=True)
class CreatedWebhook(WebhookAnswer):
    """A new webhook and its secret."""

    secret: str
    """The signing secret, `whsec_…`, shown only once."""


@dataclass(frozen=True)
class Webhooks:
    """The deployment's webhooks."""

    webhooks: list[WebhookShown]
    """The webhooks."""


@dataclass(frozen=True)
class DeliveryShown:
    """One POST of one event to one webhook."""

    id: str
    """The delivery's id."""
    webhook_id: str
    """The webhook it is for."""
    event: Annotated[str, Schema(enum=[*WebhookEvent, TEST_EVENT])]
    """The event."""
    request_id: RequestId | None
    """The request the event is about; null for a test ping."""
    status: DeliveryStatus
    """`delivered` after a 2xx, else `failed`; `stalled` if not sent within an hour. None of these is retried."""
    http_status: int | None
    """The HTTP status of the response, if there was one."""
    reason: str | None
    """The result in a few words; null while pending."""
    duration_ms: int | None
    """Milliseconds the call took."""
    response: str | None
    """The first KB of the response body."""
    attempts: int
    """How often it was sent: more than once only if a worker died during the first attempt."""
    at: datetime
    """When the delivery was created."""
    finished_at: datetime | None
    """When the result was known."""
    redelivery_of: str | None
    """The delivery this one repeats, with the same `X-Webhook-Id`."""


@dataclass(frozen=True)
class DeliveryAnswer:
    """One delivery."""

    delivery: DeliveryShown
    """The delivery."""


@dataclass(frozen=True)
class DeliveryPageShown:
    """A page of deliveries."""

    deliveries: list[DeliveryShown]
    """The deliveries, newest first; they are kept for 90 days."""
    next_cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last."""


def webhook_shown(webhook: Webhook) -> WebhookShown:
    """Return a webhook without a secret."""
    return WebhookShown(
        id=webhook.webhook_id,
        name=webhook.name,
        url=webhook.url,
        events=webhook.events,
        active=webhook.active,
        created_at=webhook.created_at,
        secret_signs_from=webhook.secrets[-1].signs_from,
    )


def delivery_shown(delivery: Delivery, now: datetime) -> DeliveryShown:
    """Return a delivery with its status at a moment."""
    result, status = delivery.result, delivery.status_at(now)
    no_result = _STALLED if status is DeliveryStatus.STALLED else None
    return DeliveryShown(
        id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        event=delivery.event,
        request_id=delivery.request_id,
        status=status,
        http_status=result.http_status if result else None,
        reason=result.reason if result else no_result,
        duration_ms=result.duration_ms if result else None,
        response=result.response if result else None,
        attempts=delivery.times_sent,
        at=delivery.at,
        finished_at=result.finished_at if result else None,
        redelivery_of=delivery.redelivery_of,
    )
