"""Read one request (waiting for its answer if asked), lists, the decisions feed, or the timeline."""

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import timedelta

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.ports import AuditLog
from flow_hitl.people.access import Action, KeyHolder, Reader, SignedInMember, authorize
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.throttle import Seldom
from flow_hitl.requests.ports import Page, Polls, RequestFilter, RequestStore
from flow_hitl.requests.reading.polling import POLL_NOTED_EVERY, SOON_SECONDS, look_again_after
from flow_hitl.requests.request import Request, Status


@dataclass(frozen=True)
class ReadRequests:
    """What a program or signed-in person may read of their own deployment.

    Each process records polls once a minute, for diagnoses.
    """

    requests: RequestStore
    audit: AuditLog
    polls: Polls
    clock: Clock
    noted: Seldom = field(default_factory=lambda: Seldom(POLL_NOTED_EVERY))

    def get(self, holder: Reader, request_id: str, wait_seconds: int) -> Request:
        """Return a request once it is no longer pending and has its receipt, at the latest after `wait_seconds`."""
        head = self.requests.head(request_id) if wait_seconds else None
        if head is not None:
            authorize(holder, Action.VIEW, head)
            now = self.clock.now()
            self.noted(f"request/{request_id}", now, lambda: self.polls.waited(request_id, now))
            until = now + timedelta(seconds=wait_seconds)
            while (head.status is Status.PENDING or head.awaits_receipt) and (now := self.clock.now()) < until:
                # A receipt follows its decision within seconds.
                pause = look_again_after(now - head.created_at) if head.status is Status.PENDING else SOON_SECONDS
                self.clock.sleep(min(pause, (until - now).total_seconds()))
                head = self.requests.head(request_id)
        request = self.requests.load(request_id)
        authorize(holder, Action.VIEW, request.head)
        return request

    def list_requests(
        self, holder: KeyHolder | SignedInMember, wanted: RequestFilter, limit: int, cursor: str | None
    ) -> Page:
        """Return the deployment's requests, newest first; raises ValidationFailed for a foreign cursor.

        An assignee's requests are those they may answer, under any of their addresses or as a group member.
        """
        authorize(holder, Action.VIEW)
        deployment = holder.deployment
        wanted = replace(wanted, assigned_to=deployment.names_of(*wanted.assigned_to))
        return self.requests.list_requests(deployment.deployment_id, wanted, limit, cursor)

    def decisions(
        self, holder: KeyHolder, limit: int, cursor: str | None, wait_seconds: int, *, questions: bool = False
    ) -> Page:
        """Return decided requests after the cursor, oldest first, waiting up to `wait_seconds` for the first.

        With `questions`, pending requests with an open question are among them.
        """
        authorize(holder, Action.VIEW)
        deployment_id, key_id, now = holder.deployment.deployment_id, holder.key.key_id, self.clock.now()
        poll = f"decisions/{deployment_id}/{key_id}"
        self.noted(poll, now, lambda: self.polls.decisions_fed(deployment_id, key_id, now))
        until = now + timedelta(seconds=wait_seconds)
        page = self.requests.decisions(deployment_id, limit, cursor, now, questions=questions)
        while not page.requests and self.clock.now() < until:
            self.clock.sleep(SOON_SECONDS)
            now = self.clock.now()
            page = self.requests.decisions(deployment_id, limit, page.next_cursor, now, questions=questions)
        return page

    def timeline(self, holder: KeyHolder | SignedInMember, request_id: str) -> Sequence[AuditEvent]:
        """Return everything that happened to a request, in order."""
        authorize(holder, Action.VIEW, self.requests.head(request_id))
        return self.audit.timeline(request_id)
