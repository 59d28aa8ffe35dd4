"""The sign-in email: it goes only to people whom a deployment lets in."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.mails.mail_feedback import COMPLAINED, KIND_TAG
from flow_hitl.mails.ports import MailRefused, MailRenderer, MailSender, OutgoingMail, SuppressionList
from flow_hitl.people.ports import SignInTries
from flow_hitl.people.sign_in_rules import SignInTry, shown_code
from flow_hitl.people.sign_in_tokens import code_of, sign_link
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds


@dataclass(frozen=True, kw_only=True)
class SignInContext:
    """A sign-in code (digits in groups) and link, valid until `until`."""

    kind: ClassVar[str] = "sign_in"
    test: ClassVar[bool] = False
    reply_to: ClassVar[None] = None
    code: str
    link: str
    until: datetime


@dataclass(frozen=True)
class SendSignInMail:
    """Send the code and link of a sign-in attempt, within limits; a repeat sends the same email again."""

    tries: SignInTries
    deployments: DeploymentStore
    suppressed: SuppressionList
    renderer: MailRenderer
    sender: MailSender
    keys: KeyRing
    clock: Clock
    base_url: str
    pause: Callable[[int], None]

    def __call__(self, try_id: str) -> str:
        """Send it and return the result in a word or two, without the address."""
        found = self.tries.load(try_id)
        if found is None or found.used or self.clock.now() >= found.expires_at:
            return "too late"
        if not self.deployments.of_person(found.email, limit=1):
            return "unknown address"
        # Complaints recorded before they were kept per deployment apply to everyone here.
        if self.suppressed.reason(found.email) not in (None, COMPLAINED):
            return "suppressed address"
        if not in_rounds(lambda: self._count(found), self.pause):
            return "too many mails"
        context = SignInContext(
            code=shown_code(code_of(self.keys, found.key_id, found.try_id)),
            link=f"{self.base_url}/sign-in/link/{sign_link(self.keys, found.try_id)}",
            until=found.expires_at,
        )
        try:
            self.sender.send(OutgoingMail(found.email, self.renderer.render_email(context), {KIND_TAG: context.kind}))
        except MailRefused:
            return "refused"
        return "sent"

    def _count(self, found: SignInTry) -> bool:
        """Count this email unless it was counted before; return False if the address has had too many."""
        sent, now = self.tries.sent_to(found.email), self.clock.now()
        if sent.find(found.try_id, now):
            return True
        more = sent.add(found, now)
        if more is None:
            return False
        self.tries.note_sent(more)
        return True
