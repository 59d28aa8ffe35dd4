"""What a manager may do about a request, from the request and its audit events."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import RETRIABLE, Request, Status


@dataclass(frozen=True, kw_only=True)
class WebhookTold:
    """The last delivery of an event of the request to a webhook."""

    webhook_id: str
    webhook: str
    event: str
    delivery_id: str
    delivered: bool
    result: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RequestActions:
    """What a manager may do; after a refused form, with the address that was typed and its `problem`."""

    may_reassign: bool
    may_retry: bool
    told: Sequence[WebhookTold]
    reassign_to: str = ""
    problem: str | None = None


def actions_of(request: Request, events: Iterable[AuditEvent]) -> RequestActions:
    """Return what a manager may do about a request."""
    head = request.head
    pushed = request.content.resume_url is not None
    return RequestActions(
        may_reassign=head.status is Status.PENDING,
        may_retry=pushed and head.resume is not None and head.resume.status in RETRIABLE,
        told=_told(events),
    )


def _told(events: Iterable[AuditEvent]) -> Sequence[WebhookTold]:
    last: dict[tuple[str, str], WebhookTold] = {}
    for event in events:
        if event.kind in (EventKind.WEBHOOK_DELIVERED, EventKind.WEBHOOK_FAILED):
            data = event.data
            last[data["webhook_id"], data["event"]] = WebhookTold(
                webhook_id=data["webhook_id"],
                webhook=data["webhook"],
                event=data["event"],
                delivery_id=data["delivery_id"],
                delivered=event.kind is EventKind.WEBHOOK_DELIVERED,
                result=data["result"],
                at=event.at,
            )
    return tuple(last.values())
