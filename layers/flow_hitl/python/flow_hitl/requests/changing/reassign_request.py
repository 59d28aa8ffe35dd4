"""A manager reassigns an open request; its former responder can no longer answer it."""

from typing import ClassVar

from flow_hitl.contract.validation import Assignee, Document, refuse
from flow_hitl.deployments.quotas import Usage, over_quota
from flow_hitl.people.access import Action, KeyHolder, SignedInMember
from flow_hitl.platform.address import same_address
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.requests.changing.change_request import ChangeOnce
from flow_hitl.requests.request import Change, Head, Request, RequestShown, Stamp, reassign, require_pending


class Reassignment(Document):
    """The body of `POST /v1/requests/{id}/reassign`."""

    explained_by: ClassVar = RequestShown

    assigned_to_email: Assignee


@dataclass(frozen=True)
class ReassignRequest:
    """Reassign a pending request for a program or person who may manage."""

    change_once: ChangeOnce

    def __call__(
        self, holder: KeyHolder | SignedInMember, request_id: str, wish: Reassignment, call: Call | None = None
    ) -> Request:
        """Return the request with its new responder; nothing is written if that is the current one.

        Raises AlreadyResponded, NotPending, NotFound, Forbidden, ValidationFailed, and RateLimited if the email exceeds
        a quota.
        """
        assignee, deployment = wish.assigned_to_email, holder.deployment

        def step(head: Head, stamp: Stamp) -> Change | None:
            require_pending(head)
            if same_address(assignee, head.assigned_to_email):
                return None
            refusal = deployment.refusal_of(assignee, head.not_to_be_answered_by)
            if refusal:
                refuse([FieldError("/assigned_to_email", refusal)])
            reason = "reassigned on the dashboard"
            # Quotas are there to stop runaway programs.
            if isinstance(holder, KeyHolder):
                wanted, reason = Usage(mails=int(deployment.settings.email_notifications)), "reassigned by API"
                if full := over_quota(deployment.quotas, holder.usage, wanted, stamp.at):
                    raise full
            return reassign(head, assignee, reason, deployment.settings, stamp=stamp, zones=deployment.zones)

        return self.change_once(holder, Action.REASSIGN, request_id, step, call)
