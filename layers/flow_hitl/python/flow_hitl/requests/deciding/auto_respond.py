"""The clock answers: a deadline fires, early, late, or twice, and decides at most once."""

from contextlib import suppress

from flow_hitl.contract.shapes import Channel
from flow_hitl.people.access import AutoResponder as ClockActor
from flow_hitl.platform.errors import AlreadyResponded, NotPending
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.deciding.record_response import RecordResponse, Submission
from flow_hitl.requests.ports import Deadlines, RequestStore
from flow_hitl.requests.reading.read_as_logged import ReadAsLogged
from flow_hitl.requests.request import Status


@dataclass(frozen=True)
class AutoRespond:
    """Answer a request whose auto-response is due; postpone one that fires early, and skip decided ones."""

    requests: RequestStore
    deadlines: Deadlines
    as_logged: ReadAsLogged
    record_response: RecordResponse
    clock: Clock

    def __call__(self, request_id: str) -> None:
        """Do so; raises NotAsLogged."""
        head = self.requests.head(request_id)
        due = head.auto_response
        if head.status is not Status.PENDING or due is None:
            return
        now = self.clock.now()
        if now < due.due_at:
            self.deadlines.postpone(request_id, due.due_at, now)
            return
        submission = Submission(
            request_id=request_id,
            actor=ClockActor(now),
            via=Channel.AUTO_RESPONSE,
            decision_id=f"auto/{request_id}",
            text=due.default_outcome,
            outcome=due.default_outcome if head.emit_options else None,
            verification={"method": "clock", "due_at": rfc3339(due.due_at)},
        )
        # If a person answered between our two reads, their answer stands.
        with suppress(AlreadyResponded, NotPending):
            self.record_response(submission, self.as_logged(head))
