"""A notification that does not reach its responder: said on the timeline, and the request goes to who can be reached.

That is the deployment creator, and where they cannot be reached either, everybody else who manages the deployment.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import EffectKind
from flow_hitl.audit.ports import AuditLog
from flow_hitl.deployments.deployment import MOST_PEOPLE, Deployment, Permission
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.mails.mail_feedback import MailFeedback
from flow_hitl.mails.ports import SuppressionList
from flow_hitl.platform.address import address_key, same_address
from flow_hitl.platform.ports import Clock
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.ports import RequestStore, TakenAlready
from flow_hitl.requests.request import Change, Head, Stamp, Status, note, reassign

_ASKS = frozenset({EffectKind.NOTIFY, EffectKind.REMIND})


@dataclass(frozen=True)
class Undelivered:
    """Put a request whose notification failed into hands that can be reached, so that it does not hang."""

    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    change_request: ChangeRequest

    def __call__(self, request_id: str, address: str, reason: str, *, once: str) -> None:
        """Note the failure, once under the name that it is given, then pass the request on; again does no harm."""
        deployment = self.deployments.load(self.requests.head(request_id).deployment_id)
        is_creator = same_address(address, deployment.creator_email)

        def undelivered(head: Head, stamp: Stamp) -> Change:
            # The relay raises an alarm where it is the creator, to whom requests go that nobody else gets.
            data = {"to": address, "reason": reason, **({"creator": True} if is_creator else {})}
            # The rest of a group is still asked; the last one of it stays, as the one whose request is lost.
            left = tuple(person for person in head.group_members if not same_address(person, address))
            return note(
                head,
                EventKind.NOTIFICATION_UNDELIVERED,
                data,
                stamp=stamp,
                group_members=left if head.status is Status.PENDING and left else head.group_members,
            )

        # A redelivery after a crash between the two steps finds the first done; the second may still be owed.
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
            )

        self.change_request(request_id, pass_on)

    def _heirs(self, head: Head, deployment: Deployment) -> Sequence[str]:
        """Return the creator, else all others who manage and may be asked, of those whom no mail failed to reach."""
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
    """Act on what SES reports about our mails."""

    suppressed: SuppressionList
    undelivered: Undelivered
    requests: RequestStore
    clock: Clock

    def __call__(self, feedback: MailFeedback) -> None:
        if feedback.bounces:
            for address in feedback.addresses:
                self.suppressed.add(address, feedback.reason, self.clock.now())
        elif feedback.complains and feedback.request_id is not None:
            # Who has enough of one deployment's mail still gets the others', and can sign in.
            deployment_id = self.requests.head(feedback.request_id).deployment_id
            for address in feedback.addresses:
                self.suppressed.add(address, feedback.reason, self.clock.now(), deployment_id)
        for address in feedback.addresses:
            if feedback.lost and feedback.request_id is not None and feedback.mail_kind in _ASKS:
                once = f"feedback/{feedback.feedback_id}/{address.lower()}"
                self.undelivered(feedback.request_id, address, feedback.reason, once=once)
