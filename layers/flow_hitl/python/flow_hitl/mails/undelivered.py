"""A notification did not reach its responder: record it, and reassign the request to someone reachable.

That is the deployment creator, or else everyone else who manages the deployment.
"""

from collections.abc import Sequence
from contextlib import suppress

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.audit.ports import AuditLog
from flow_hitl.deployments.deployment import MOST_PEOPLE, Deployment, Permission
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.mails.mail_feedback import MailFeedback
from flow_hitl.mails.ports import SuppressionList
from flow_hitl.platform.address import address_key, same_address
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import RequestStore, TakenAlready
from flow_hitl.requests.request import Change, Head, Stamp, Status, note, reassign

_ASKS = frozenset({EffectKind.NOTIFY, EffectKind.REMIND})


@dataclass(frozen=True)
class Undelivered:
    """Reassign a request whose notification failed, so that it does not hang."""

    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    change_request: ChangeRequest

    def __call__(self, request_id: str, address: str, reason: str, *, once: str) -> None:
        """Record the failure once under the name `once`, then reassign; repeating it is harmless."""
        deployment = self.deployments.load(self.requests.head(request_id).deployment_id)
        is_creator = same_address(address, deployment.creator_email)

        def undelivered(head: Head, stamp: Stamp) -> Change:
            # If it is the creator, the last resort for requests, the relay raises an alarm.
            data = {"to": address, "reason": reason, **({"creator": True} if is_creator else {})}
            # The rest of a group is still asked; its last member stays, to show who was not reached.
            left = tuple(person for person in head.group_members if not same_address(person, address))
            return note(
                head,
                EventKind.NOTIFICATION_UNDELIVERED,
                data,
                stamp=stamp,
                group_members=left if head.status is Status.PENDING and left else head.group_members,
            )

        # After a crash between the two steps, the first is done and the second still owed.
        with suppress(TakenAlready):
            self.change_request(request_id, undelivered, once)

        def pass_on(head: Head, stamp: Stamp) -> Change | None:
            nobody_else = all(same_address(responder, address) for responder in head.responders)
            heirs = self._heirs(head, deployment) if head.status is Status.PENDING and nobody_else else ()
            if not heirs:
                return None
            return reassign(
                head,
                heirs[0],
                f"the notification to {address} was not delivered",
                deployment.settings,
                people=heirs if len(heirs) > 1 else (),
                stamp=stamp,
                zones=deployment.zones,
            )

        self.change_request(request_id, pass_on)

    def _heirs(self, head: Head, deployment: Deployment) -> Sequence[str]:
        """Return the creator, or else all other managers who may be asked, leaving out unreachable addresses."""
        events = self.audit.timeline(head.request_id)
        failed = {address_key(one.data["to"]) for one in events if one.kind is EventKind.NOTIFICATION_UNDELIVERED}
        if address_key(deployment.creator_email) not in failed:
            return (deployment.creator_email,)
        return [
            one.email
            for one in deployment.members
            if Permission.MANAGE in one.permissions
            and address_key(one.email) not in failed
            and deployment.refusal_of(one.email, head.not_to_be_answered_by) is None
        ][:MOST_PEOPLE]


@dataclass(frozen=True)
class TakeMailFeedback:
    """Act on what SES reports about our email."""

    suppressed: SuppressionList
    undelivered: Undelivered
    requests: RequestStore
    clock: Clock

    def __call__(self, feedback: MailFeedback) -> None:
        if feedback.bounces:
            for address in feedback.addresses:
                self.suppressed.add(address, feedback.reason, self.clock.now())
        elif feedback.complains and feedback.request_id is not None:
            # Complaining about one deployment does not stop the others' email, or signing in.
            deployment_id = self.requests.head(feedback.request_id).deployment_id
            for address in feedback.addresses:
                self.suppressed.add(address, feedback.reason, self.clock.now(), deployment_id)
        for address in feedback.addresses:
            if feedback.lost and feedback.request_id is not None and feedback.mail_kind in _ASKS:
                once = f"feedback/{feedback.feedback_id}/{address.lower()}"
                self.undelivered(feedback.request_id, address, feedback.reason, once=once)
