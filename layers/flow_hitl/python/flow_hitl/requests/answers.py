"""What the request routes return."""

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.contract.shapes import LEFT_OUT, Url
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import RequestShown


@dataclass(frozen=True)
class RequestAnswer:
    """One request."""

    request: RequestShown
    """The request in its current state."""


@dataclass(frozen=True)
class OpenedRequest:
    """A request, and where another application can answer it."""

    request: RequestShown
    """The request in its current state."""
    callback_url: Url
    """Anyone with this URL can answer the request by POST, without an API key."""
    dashboard_url: Url
    """The request's page for people who sign in. The URL contains no secret."""


@dataclass(frozen=True)
class AcceptedAnswer:
    """The answer was recorded, now or by the same call earlier."""

    status: Literal["accepted"]
    """Always `accepted`; anything else is an error."""
    request: RequestShown
    """The request with its response."""


@dataclass(frozen=True)
class RequestPage:
    """A page of requests."""

    requests: Sequence[RequestShown]
    """The requests, newest first."""
    next_cursor: str | None
    """Pass it as `cursor` to get the next page; null on the last."""


@dataclass(frozen=True)
class DecisionPage:
    """A page of decided requests, and on wish of those about which a question is open."""

    decisions: Sequence[RequestShown]
    """The decided requests, oldest decision first."""
    cursor: str
    """Pass it as `cursor` next time, even if the list was empty."""
    questions: Sequence[RequestShown] | None = field(default=None, metadata=LEFT_OUT)
    """With `include=questions`: the pending requests about which a question is open, oldest question first."""


@dataclass(frozen=True)
class Timeline:
    """Everything that happened to a request."""

    events: Sequence[AuditEvent]
    """The events, oldest first."""
