"""A reminder fires, early, late, or twice: whoever then has the open request is reminded once."""

from contextlib import suppress
from datetime import datetime, timedelta

from flow_hitl.audit.chain import EventKind
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import ceil_second, rfc3339
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import Deadlines, RequestStore, TakenAlready
from flow_hitl.requests.request import Change, Head, Stamp, Status, note


@dataclass(frozen=True)
class Remind:
    """Record that a reminder is due, which sends its email; postpone one that fires early."""

    requests: RequestStore
    deployments: DeploymentStore
    deadlines: Deadlines
    change_request: ChangeRequest
    clock: Clock

    def __call__(self, request_id: str, due_at: datetime) -> None:
        head, now = self.requests.head(request_id), self.clock.now()
        if head.status is not Status.PENDING:
            return
        if now < due_at:
            self.deadlines.postpone(request_id, due_at, now, reminder=True)
            return
        deployment = self.deployments.load(head.deployment_id)
        renewed = ceil_second(now + timedelta(days=deployment.settings.reply_token_days))

        def step(current: Head, stamp: Stamp) -> Change | None:
            if current.status is not Status.PENDING:
                return None
            return note(
                current,
                EventKind.REMINDER_DUE,
                {
                    "assigned_to_email": current.assigned_to_email,
                    "people": list(current.group_members),
                    "due_at": rfc3339(due_at),
                },
                stamp=stamp,
                # The reminder must carry valid addresses.
                token_expires_at=renewed if current.token_expires_at <= now else current.token_expires_at,
            )

        with suppress(TakenAlready):
            self.change_request(request_id, step, f"reminder/{request_id}/{rfc3339(due_at)}")
