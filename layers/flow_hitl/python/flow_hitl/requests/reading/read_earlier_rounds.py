"""Read the earlier rounds of a request: what its flow asked before with the same method, and had to ask anew."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from flow_hitl.audit.ports import AuditLog
from flow_hitl.people.access import Action, ProvenAddress, SignedInMember, authorize
from flow_hitl.platform.errors import NEVER_WRITTEN, Conflict, Forbidden, NotAsLogged, NotFound
from flow_hitl.platform.ports import ReadTogether
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.bound import told_problems
from flow_hitl.requests.ports import RequestStore, RoundPlace
from flow_hitl.requests.request import Head, Request

if TYPE_CHECKING:
    from flow_hitl.requests.reading.earlier_reviews import EarlierReview

_MOST = 3


@dataclass(frozen=True)
class ReadEarlierRounds:
    """Find earlier rounds with one query, and read each in a call with its events."""

    requests: RequestStore
    audit: AuditLog
    read: ReadTogether

    def __call__(self, actor: SignedInMember | ProvenAddress, request: Request) -> "Sequence[EarlierReview]":
        """Return the last earlier rounds of a request that the actor may see, newest first, each as its log says.

        Whoever opened the request chose its flow's id, so it shows nothing that the actor may not open by itself.
        """
        head = request.head
        places = self.requests.earlier_rounds(head, _MOST)
        if not places:
            return ()
        from flow_hitl.requests.reading.earlier_reviews import earlier_reviews

        found = [self._as_logged(place) for place in places]
        rounds = [one for one in found if one and _is_earlier(one.head, head) and _may_see(actor, one.head)]
        return earlier_reviews(request, rounds, actor.proven if isinstance(actor, SignedInMember) else actor)

    def _as_logged(self, place: RoundPlace) -> Request | None:
        """Return a request if it is as its log says."""
        request_id = place.request_id
        try:
            request, events = self.read(
                self.requests.reading(request_id, aside=True), self.audit.reading_first(request_id, place.seq)
            )
            if told_problems(request, events, lambda seq: self.audit.later(request_id, seq)):
                return None
        except (NotFound, NotAsLogged, Conflict, *NEVER_WRITTEN):
            return None
        return request


def _is_earlier(head: Head, later: Head) -> bool:
    """Tell whether a request is an earlier round of another one, with something to show."""
    same = (head.deployment_id, head.flow_id, head.method_name, head.test)
    return (
        same == (later.deployment_id, later.flow_id, later.method_name, False)
        and head.decided_at is not None
        and head.decided_at < later.created_at
        and head.content_erased_at is None
    )


def _may_see(actor: SignedInMember | ProvenAddress, head: Head) -> bool:
    with suppress(Forbidden, NotFound):
        authorize(actor, Action.VIEW, head)
        return True
    return False
