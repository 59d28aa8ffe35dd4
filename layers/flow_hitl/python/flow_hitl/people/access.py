"""Who may do what: the one policy that email, page, API and clock all ask. What it does not allow is denied."""

from collections.abc import Collection, Set
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self, assert_never

from flow_hitl.deployments.deployment import OPERATOR, ApiKey, Deployment, Permission
from flow_hitl.deployments.quotas import NO_USAGE, Usage
from flow_hitl.platform.address import may_be_same_person, same_address
from flow_hitl.platform.errors import AssignedElsewhere, Forbidden, NotFound, SelfApproval, UnprovenResponder
from flow_hitl.platform.records import dataclass


class _Due(Protocol):
    @property
    def due_at(self) -> datetime: ...


class Asked(Protocol):
    """What the policy looks at of a request."""

    @property
    def request_id(self) -> str: ...
    @property
    def deployment_id(self) -> int: ...
    @property
    def responders(self) -> Collection[str]: ...
    @property
    def auto_response(self) -> _Due | None: ...
    @property
    def not_to_be_answered_by(self) -> Collection[str]: ...


class Action(StrEnum):
    CONFIGURE = "configure"
    CREATE = "create"
    VIEW = "view"
    CANCEL = "cancel"
    REASSIGN = "reassign"
    REPORT_RESUME = "report_resume"
    RETRY_RESUME = "retry_resume"
    RESPOND = "respond"
    DELEGATE = "delegate"
    ANSWER_QUESTION = "answer_question"


@dataclass(frozen=True)
class KeyHolder:
    """A program that proved an API key of a deployment; `usage` is what that has used of its quotas."""

    deployment: Deployment
    key: ApiKey
    usage: Usage = NO_USAGE


@dataclass(frozen=True)
class ProvenAddress:
    """A person whose email address is proven, by an authenticated email or a link that only they were sent.

    `known_as` are the members' addresses that this one is an explicit alias of. `may_be` are all addresses that may be
    the same person's: they count against the person, and never for them.
    """

    email: str
    known_as: tuple[str, ...] = ()
    may_be: tuple[str, ...] = ()

    @classmethod
    def of(cls, deployment: Deployment, email: str) -> Self:
        """Return the person behind a proven address, as a deployment knows them."""
        return cls(email, deployment.known_as(email), deployment.may_be_addresses_of(email))

    def is_known_as(self, address: str) -> bool:
        """Tell whether an address is this person's."""
        return any(same_address(one, address) for one in (self.email, *self.known_as))


@dataclass(frozen=True)
class SignedInMember:
    """A person who has signed in, in one deployment that lets them: the address they proved, and what they may there.

    `known_as` are the members' addresses that this one is an explicit alias of.
    """

    deployment: Deployment
    email: str
    known_as: tuple[str, ...]
    permissions: frozenset[Permission]

    @classmethod
    def of(cls, deployment: Deployment, email: str) -> Self:
        """Return the person behind an address that is proven; raises NotFound where they have no permission."""
        permissions = deployment.permissions_of(email)
        if not permissions:
            raise NotFound("There is no such deployment.")
        return cls(deployment, email, deployment.known_as(email), permissions)

    @property
    def manages(self) -> bool:
        return Permission.MANAGE in self.permissions

    @property
    def proven(self) -> ProvenAddress:
        return ProvenAddress(self.email, self.known_as)

    def responder_of(self, request: Asked) -> str | None:
        """Return which of a request's responders this person is, as the request names them, or None."""
        return next(filter(self.proven.is_known_as, request.responders), None)


@dataclass(frozen=True)
class Operator:
    """Whoever runs the stack, by its commands and their own AWS rights; they look after requests and decide none."""

    deployment: Deployment


@dataclass(frozen=True)
class CallbackHolder:
    """Another application that proved the callback URL of one request; who answers there, it can only claim."""

    request_id: str


@dataclass(frozen=True)
class AutoResponder:
    """The request's own auto-response, once it is due."""

    now: datetime


Reader = KeyHolder | SignedInMember | Operator
"""Who may look at a deployment's requests; a member without more rights at those that ask them."""

Actor = Reader | ProvenAddress | CallbackHolder | AutoResponder

KEY_NEEDS: dict[Action, frozenset[Permission]] = {
    Action.CONFIGURE: frozenset({Permission.MANAGE}),
    Action.CREATE: frozenset({Permission.CREATE_REQUESTS}),
    Action.VIEW: frozenset({Permission.CREATE_REQUESTS, Permission.MANAGE}),
    Action.CANCEL: frozenset({Permission.CREATE_REQUESTS, Permission.MANAGE}),
    Action.REASSIGN: frozenset({Permission.MANAGE}),
    Action.REPORT_RESUME: frozenset({Permission.CREATE_REQUESTS}),
    Action.ANSWER_QUESTION: frozenset({Permission.CREATE_REQUESTS}),
}
"""What an API key must allow for an action: any one of these. What is not here is for no API key."""
_MANAGERS_MAY = frozenset({Action.CONFIGURE, Action.VIEW, Action.CANCEL, Action.REASSIGN, Action.RETRY_RESUME})
_OPERATORS_MAY = frozenset({Action.VIEW, Action.CANCEL})
_RESPONDERS_MAY = frozenset({Action.VIEW, Action.RESPOND, Action.DELEGATE})


def actor_name(actor: Reader) -> str:
    """Return how the audit log names who does something by the API, on the dashboard, or by a command."""
    match actor:
        case KeyHolder(key=key):
            return f"api_key/{key.key_id}"
        case SignedInMember(email=email):
            return f"member/{email}"
        case Operator():
            return OPERATOR


def authorize(actor: Actor, action: Action, request: Asked | None = None, *, deployment_id: int | None = None) -> None:
    """Return if the actor may do this (to this request, or to this deployment), else raise.

    Without a request, to view is to see a list, which for a member who does not manage is of what they may answer.
    Raises NotFound for anything of another deployment, so that nobody learns that it exists; else Forbidden.
    """
    match actor:
        case KeyHolder(deployment=deployment, key=key):
            _require_same_deployment(deployment, request, deployment_id)
            if not key_may(key.permissions, action):
                names = " or ".join(sorted(KEY_NEEDS.get(action, ()))) or "no API key"
                raise Forbidden(f'The API key "{key.name}" may not do this; it needs {names}.')
        case SignedInMember(deployment=deployment):
            _require_same_deployment(deployment, request, deployment_id)
            if manager_may(actor.permissions, action):
                return
            if request is not None and not actor.manages and actor.responder_of(request) is None:
                raise NotFound("No such request is assigned to you.")
            if action not in _RESPONDERS_MAY or not actor.permissions & {Permission.MANAGE, Permission.RESPOND}:
                raise Forbidden("Only people with the permission manage_human_feedback may do this.")
            if request is not None or action is not Action.VIEW:
                authorize(replace(actor.proven, may_be=deployment.may_be_addresses_of(actor.email)), action, request)
        case Operator(deployment=deployment):
            _require_same_deployment(deployment, request, deployment_id)
            if action not in _OPERATORS_MAY:
                raise Forbidden("An operator may look at requests and cancel them, not more.")
        case ProvenAddress():
            own = request is not None and any(actor.is_known_as(responder) for responder in request.responders)
            if action not in _RESPONDERS_MAY or not own:
                raise AssignedElsewhere
            # Who asked does not choose who decides either; a manager may, by what they manage.
            if action in (Action.RESPOND, Action.DELEGATE):
                _forbid_self_approval(request, actor.email, *actor.known_as, *actor.may_be)
        case CallbackHolder(request_id=request_id):
            if action is not Action.RESPOND or request is None or request.request_id != request_id:
                raise Forbidden("This callback URL belongs to another request.")
            if request.not_to_be_answered_by:
                raise UnprovenResponder
        case AutoResponder(now=now):
            due = request.auto_response.due_at if request and request.auto_response else None
            if action is not Action.RESPOND or due is None or now < due:
                raise Forbidden("The auto-response is not due.")
        case _:
            assert_never(actor)


def key_may(permissions: Set[Permission], action: Action) -> bool:
    """Tell whether an API key with these permissions is enough for an action."""
    return not permissions.isdisjoint(KEY_NEEDS.get(action, ()))


def manager_may(permissions: Set[Permission], action: Action) -> bool:
    """Tell whether a member with these permissions may do this as a manager, also where nobody asks them."""
    return Permission.MANAGE in permissions and action in _MANAGERS_MAY


def _require_same_deployment(deployment: Deployment, request: Asked | None, deployment_id: int | None) -> None:
    if deployment_id not in (None, deployment.deployment_id):
        raise NotFound("There is no such deployment.")
    if request is not None and request.deployment_id != deployment.deployment_id:
        raise NotFound("There is no such request in this deployment.")


def _forbid_self_approval(request: Asked | None, *addresses: str) -> None:
    asked = request.not_to_be_answered_by if request else ()
    if any(may_be_same_person(address, one) for address in addresses for one in asked):
        raise SelfApproval
