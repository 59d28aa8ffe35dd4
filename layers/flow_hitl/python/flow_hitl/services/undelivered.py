"""A notification that does not reach its responder: said on the timeline, and the request goes to the creator."""

from dataclasses import dataclass

from flow_hitl.domain.address import same_address
from flow_hitl.domain.audit import EventKind
from flow_hitl.domain.effects import EffectKind
from flow_hitl.domain.mail_feedback import MailFeedback
from flow_hitl.domain.request import SERVICE, Change, Head, Status, note, reassign
from flow_hitl.ports import Clock, DeploymentStore, Ids, RequestStore, SuppressionList, TakenAlready
from flow_hitl.services.change_request import ChangeRequest

_ASKS = frozenset({EffectKind.NOTIFY, EffectKind.REMIND})


@dataclass(frozen=True)
class Undelivered:
    """Put a request whose notification failed into the hands of the deployment creator, so that it does not hang."""

    deployments: DeploymentStore
    change_request: ChangeRequest
    clock: Clock
    ids: Ids

    def __call__(self, request_id: str, address: str, reason: str, *, once: str) -> None:
        """Note the failure, once under the name that it is given, then pass the request on; again does no harm."""

        def undelivered(head: Head) -> Change:
            event_id, at = self.ids.event_id(), self.clock.now()
            data = {"to": address, "reason": reason}
            # The rest of a group is still asked; the last one of it stays, as the one whose request is lost.
            left = tuple(person for person in head.group_members if not same_address(person, address))
            return note(
                head,
                EventKind.NOTIFICATION_UNDELIVERED,
                data,
                event_id=event_id,
                at=at,
                actor=SERVICE,
                group_members=left if head.status is Status.PENDING and left else head.group_members,
            )

        try:
            request = self.change_request(request_id, undelivered, once=once)
        except TakenAlready:
            # A redelivery after a crash between the two steps: the second may still be owed.
            request = self.change_request(request_id, lambda _head: None)
        deployment = self.deployments.load(request.head.deployment_id)

        def to_creator(head: Head) -> Change | None:
            nobody_else = all(same_address(responder, address) for responder in head.responders)
            lost = head.status is Status.PENDING and nobody_else
            if not lost or same_address(address, deployment.creator_email):
                return None
            event_id, at = self.ids.event_id(), self.clock.now()
            return reassign(
                head,
                deployment.creator_email,
                f"the notification to {address} was not delivered",
                deployment.settings,
                event_id=event_id,
                at=at,
                actor=SERVICE,
            )

        self.change_request(request_id, to_creator)


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
