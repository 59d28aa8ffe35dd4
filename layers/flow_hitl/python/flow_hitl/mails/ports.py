"""What renders and sends email, and who gets none."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from flow_hitl.mails.sending import SendingState
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.records import dataclass
from flow_hitl.rendering.rendered import MailContext, RenderedEmail


class MailAccount(Protocol):
    def state(self) -> SendingState | Unknown:
        """Return what the mail service lets us send; never raises for its errors or silence."""


@dataclass(frozen=True)
class InlineImage:
    """An image that an email's HTML shows by its content id."""

    content_id: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class OutgoingMail:
    """One automatic email, ready to send; `tags` come back in SES events about it.

    `follows` is what `MailSender.send` returned for the email whose thread this continues. `answers_mail`: it replies
    to an incoming email.
    """

    to: str
    rendered: RenderedEmail
    tags: Mapping[str, str]
    reply_to: str | None = None
    follows: str | None = None
    answers_mail: bool = False
    images: Sequence[InlineImage] = ()


class SuppressionList(Protocol):
    def add(self, address: str, reason: str, at: datetime, deployment_id: int | None = None) -> None:
        """Suppress an address, for one deployment if given, else for all."""

    def reason(self, address: str, deployment_id: int | None = None) -> str | None:
        """Return why an address gets no email from a deployment, or from any; None if it does."""

    def reading(self, address: str) -> Reading[Callable[[int], str | None]]:
        """Return the reading of why an address gets no email, by deployment."""

    def reasons(self, addresses: Sequence[str], deployment_id: int) -> Mapping[str, str]:
        """Return the reason for each of up to 100 addresses that gets no email from a deployment."""

    def remove(self, address: str) -> bool:
        """Unsuppress an address; return whether it was on the list."""

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return the `address`, `reason`, `at`, and `deployment_id` (None for all) of each entry."""


class MailSender(Protocol):
    def send(self, mail: OutgoingMail) -> str:
        """Send an email and return the provider's message id; raises MailRefused if it can never be sent."""


class MailRefused(Exception):
    """The mail service refuses this email for good; the reason goes on the timeline."""


class MailRenderer(Protocol):
    def render_email(self, context: MailContext, zone: tzinfo = UTC) -> RenderedEmail: ...
