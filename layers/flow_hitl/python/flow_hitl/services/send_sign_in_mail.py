"""The mail with which somebody signs in: it goes to people whom a deployment lets in, and to nobody else."""

from dataclasses import dataclass

from flow_hitl.domain.mail_feedback import KIND_TAG
from flow_hitl.domain.presentation import SignInContext
from flow_hitl.domain.product import PRODUCT_NAME
from flow_hitl.domain.sign_in import shown_code
from flow_hitl.ports import (
    Clock,
    DeploymentStore,
    MailRefused,
    MailRenderer,
    MailSender,
    OutgoingMail,
    SignInTries,
    SuppressionList,
)
from flow_hitl.signing.keys import KeyRing
from flow_hitl.signing.sign_in import code_of, sign_link


@dataclass(frozen=True)
class SendSignInMail:
    """Send the code and the link of a try; done twice it sends the same mail twice, which does no harm."""

    tries: SignInTries
    deployments: DeploymentStore
    suppressed: SuppressionList
    renderer: MailRenderer
    sender: MailSender
    keys: KeyRing
    clock: Clock
    base_url: str

    def __call__(self, try_id: str) -> str:
        """Send it, and return what became of it in a word or two, without the address."""
        found = self.tries.load(try_id)
        if found is None or found.used or self.clock.now() >= found.expires_at:
            return "too late"
        if not self.deployments.of_person(found.email, limit=1):
            return "unknown address"
        if self.suppressed.reason(found.email) is not None:
            return "suppressed address"
        context = SignInContext(
            code=shown_code(code_of(self.keys, found.key_id, found.try_id)),
            link=f"{self.base_url}/sign-in/link/{sign_link(self.keys, found.try_id)}",
            until=found.expires_at,
        )
        rendered = self.renderer.render_email(context)
        mail = OutgoingMail(
            to=found.email,
            from_name=PRODUCT_NAME,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            reply_to=None,
            # RFC 3834, and Microsoft's own word for it: nobody's out-of-office may answer us.
            headers={"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
            tags={KIND_TAG: SignInContext.kind},
        )
        try:
            self.sender.send(mail)
        except MailRefused:
            return "refused"
        return "sent"
