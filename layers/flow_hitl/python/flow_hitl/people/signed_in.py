"""Who is looking at the pages: sessions that are known, deployments that let their people in, and signing out."""

from collections.abc import Callable, Sequence

from flow_hitl.audit.chain import EventKind
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import Deployment, DeploymentName
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.people.access import SignedInMember, actor_name
from flow_hitl.people.ports import SessionStore
from flow_hitl.people.sign_in_rules import Session, Sessions
from flow_hitl.people.sign_in_tokens import SessionCookie, form_token, is_form_token, read_session
from flow_hitl.platform.errors import Unauthorized
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, ReadTogether
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds
from flow_hitl.platform.times import rfc3339

MOST_DEPLOYMENTS = 100


class SignedOut(Unauthorized):
    """Nobody is signed in, or not any more."""

    def __init__(self) -> None:
        super().__init__("Sign in to see this page.")


@dataclass(frozen=True)
class Visitor:
    """Somebody who is signed in; `form_token` is what each form of theirs must carry."""

    email: str
    session: Session
    form_token: str


@dataclass(frozen=True)
class Visits:
    """Everything is read anew for each page, so that who was removed or signed out is so at once."""

    read: ReadTogether
    sessions: SessionStore
    deployments: DeploymentStore
    change_configuration: ChangeConfiguration
    keys: KeyRing
    clock: Clock
    pause: Callable[[int], None]

    def recognize(self, cookie: str | None) -> Visitor:
        """Return whose session a cookie names; raises SignedOut."""
        named = self._named(cookie)
        return self._visitor(named, self.sessions.load(named.email))

    def _named(self, cookie: str | None) -> SessionCookie:
        named = read_session(self.keys, cookie)
        if named is None:
            raise SignedOut
        return named

    def _visitor(self, named: SessionCookie, found: Sessions) -> Visitor:
        session = found.find(named.session_id, self.clock.now())
        if session is None:
            raise SignedOut
        return Visitor(named.email, session, form_token(self.keys, session.session_id))

    def is_own_form(self, visitor: Visitor, token: str) -> bool:
        """Tell whether a form with this token was made in the visitor's session."""
        return is_form_token(self.keys, visitor.session.session_id, token)

    def enter(self, cookie: str | None, deployment_id: int) -> tuple[Visitor, SignedInMember]:
        """Return whose session a cookie names, also as a member of a deployment, and read both in one call.

        The deployment's audit log notes the first time in a session. Raises SignedOut, and NotFound for a deployment
        that does not exist or does not let them in.
        """
        named = self._named(cookie)
        found, deployment = self.read(self.sessions.reading(named.email), self.deployments.reading(deployment_id).later)
        visitor = self._visitor(named, found)
        member = SignedInMember.of(deployment(), visitor.email)
        if deployment_id not in visitor.session.entered:
            self._note(visitor, member)
        return visitor, member

    def deployments_of(self, visitor: Visitor) -> Sequence[DeploymentName]:
        """Return the deployments that a visitor can choose from, the first hundred by their ids."""
        return self.deployments.of_person(visitor.email, MOST_DEPLOYMENTS)

    def end(self, visitor: Visitor, *, everywhere: bool = False) -> None:
        """End the visitor's session, or all that they have in any browser."""
        ended = None if everywhere else visitor.session.session_id
        self._change(visitor, lambda found: found.end(ended, self.clock.now()))

    def _note(self, visitor: Visitor, member: SignedInMember) -> None:
        session, deployment_id = visitor.session, member.deployment.deployment_id
        facts = {"way": session.way.value, "signed_in_at": rfc3339(session.began_at)}

        def step(found: Deployment) -> Configured:
            return Configured(found, None, facts)

        self.change_configuration(deployment_id, EventKind.MEMBER_SIGNED_IN, actor_name(member), step)
        # Only now: a page that fails in between notes it once more, and nothing goes unnoted.
        self._change(visitor, lambda found: found.enter(session.session_id, deployment_id))

    def _change(self, visitor: Visitor, step: Callable[[Sessions], Sessions]) -> None:
        def attempt() -> None:
            found = self.sessions.load(visitor.email)
            if found.sessions:
                self.sessions.commit(step(found))

        in_rounds(attempt, self.pause)
