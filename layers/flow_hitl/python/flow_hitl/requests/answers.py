"""What the routes to requests answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.contract.shapes import Url
from flow_hitl.requests.request import RequestShown


@dataclass(frozen=True)
class RequestAnswer:
    """One request."""

    request: RequestShown
    """The request as it is now."""


@dataclass(frozen=True)
class OpenedRequest:
    """A request, and where another application may answer it."""

    request: RequestShown
    """The request as it is now."""
    callback_url: Url
    """Whoever has this URL may answer the request: POST the answer to it. It needs no API key."""
    dashboard_url: Url
    """The request's page, for people who sign in. It holds no secret."""


@dataclass(frozen=True)
class AcceptedAnswer:
    """The answer was recorded, or the same one was before."""

    status: Literal["accepted"]
    """Always `accepted`; whatever was not accepted is an error."""
    request: RequestShown
    """The request with its response."""


@dataclass(frozen=True)
class RequestPage:
    """Some requests, and how to go on."""

    requests: Sequence[RequestShown]
    """The requests, newest first."""
    next_cursor: str | None
    """Send it as `cursor` for those that follow; null at the end."""


@dataclass(frozen=True)
class DecisionPage:
    """Some decided requests, and how to go on."""

    decisions: Sequence[RequestShown]
    """The decided requests, oldest decision first."""
    cursor: str
    """Send it as `cursor` the next time, also when the list was empty."""


@dataclass(frozen=True)
class Timeline:
    """Everything that happened to a request."""

    events: Sequence[AuditEvent]
    """The events, oldest first."""
