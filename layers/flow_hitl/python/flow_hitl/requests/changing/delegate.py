"""A responder delegates a request by email or on the page, if the deployment allows it."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import MOST_PEOPLE, Deployment
from flow_hitl.people.access import Action, ProvenAddress, SignedInMember, authorize
from flow_hitl.platform.address import address_key, is_mail_address, same_address
from flow_hitl.platform.errors import DelegationOff, FieldError, ValidationFailed
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.request import Change, Head, Request, Stamp, delegate, require_pending


@dataclass(frozen=True)
class Delegation:
    """Who delegates (as one of the responders), to which address, by which channel, and how they were verified."""

    person: ProvenAddress | SignedInMember
    responder: str
    to: str
    via: Channel
    verification: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delegate:
    """Replace one responder with another; the first one's addresses stop working."""

    change_request: ChangeRequest

    def __call__(
        self, deployment: Deployment, request_id: str, delegation: Delegation, once: str | None = None
    ) -> Request:
        """Return the request with its new responder.

        Raises DelegationOff, ValidationFailed for an address that may not be asked, Forbidden, AlreadyResponded,
        NotPending, and TakenAlready if the name `once` is taken.
        """

        def step(head: Head, stamp: Stamp) -> Change:
            authorize(delegation.person, Action.DELEGATE, head)
            require_pending(head)
            if not deployment.settings.allow_delegation:
                raise DelegationOff("This deployment does not allow delegation.")
            refusal = _refusal(deployment, head, delegation)
            if refusal:
                raise ValidationFailed([FieldError("/delegate_to", refusal)])
            return delegate(
                head,
                delegation.responder,
                delegation.to,
                delegation.via,
                deployment.settings,
                stamp=stamp,
                verification=delegation.verification,
                zones=deployment.zones,
            )

        return self.change_request(request_id, step, once, actor=delegation.responder)


def _refusal(deployment: Deployment, head: Head, delegation: Delegation) -> str | None:
    to = delegation.to
    if not is_mail_address(to):
        return "must be one plain email address, for example bob@example.com"
    if any(same_address(to, responder) for responder in head.responders):
        return "is asked already"
    people = {address_key(one) for one in (*head.responders, *(deployment.settings.people_of(to) or (to,)))}
    if len(people - {address_key(delegation.responder)}) > MOST_PEOPLE:
        return f"would make more than the {MOST_PEOPLE} people who can be asked at once"
    return deployment.refusal_of(to, head.not_to_be_answered_by)
