"""Reading: one request (waiting for its answer if asked), lists, the decisions feed, the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flow_hitl.domain.access import Action, KeyHolder, authorize
from flow_hitl.domain.audit import AuditEvent
from flow_hitl.domain.request import Request, Status
from flow_hitl.ports import AuditLog, Clock, Page, RequestFilter, RequestStore

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class ReadRequests:
    """The reads that an API key may make of its own deployment."""

    requests: RequestStore
    audit: AuditLog
    clock: Clock

    def get(self, holder: KeyHolder, request_id: str, wait_seconds: int) -> Request:
        """Return a request as soon as it is no longer pending, or as it is after `wait_seconds`."""
        head = self.requests.head(request_id) if wait_seconds else None
        if head is not None:
            authorize(holder, Action.VIEW, head)
            until = self.clock.now() + timedelta(seconds=wait_seconds)
            while head.status is Status.PENDING and self.clock.now() < until:
                self.clock.sleep(_POLL_SECONDS)
                head = self.requests.head(request_id)
        request = self.requests.load(request_id)
        authorize(holder, Action.VIEW, request.head)
        return request

    def list_requests(self, holder: KeyHolder, wanted: RequestFilter, limit: int, cursor: str | None) -> Page:
        """Return the deployment's requests, newest first; raises ValidationFailed for a cursor that is not ours."""
        authorize(holder, Action.VIEW)
        return self.requests.list_requests(holder.deployment.deployment_id, wanted, limit, cursor)

    def decisions(self, holder: KeyHolder, limit: int, cursor: str | None, wait_seconds: int) -> Page:
        """Return decided requests after the cursor, oldest first, waiting up to `wait_seconds` for the first."""
        authorize(holder, Action.VIEW)
        deployment_id, until = holder.deployment.deployment_id, self.clock.now() + timedelta(seconds=wait_seconds)
        page = self.requests.decisions(deployment_id, limit, cursor, self.clock.now())
        while not page.requests and self.clock.now() < until:
            self.clock.sleep(_POLL_SECONDS)
            page = self.requests.decisions(deployment_id, limit, page.next_cursor, self.clock.now())
        return page

    def timeline(self, holder: KeyHolder, request_id: str) -> Sequence[AuditEvent]:
        """Return everything that happened to a request, in order."""
        authorize(holder, Action.VIEW, self.requests.head(request_id))
        return self.audit.timeline(request_id)
