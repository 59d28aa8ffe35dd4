"""What renders and sends mails, and who gets none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flow_hitl.mails.sending import SendingState
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.rendering.rendered import MailContext, RenderedEmail


class MailAccount(Protocol):
    def state(self) -> SendingState | Unknown:
        """Return what the mail service lets us send; never raises for what it answers or that it does not."""


@dataclass(frozen=True)
class OutgoingMail:
    """One automatic email, ready to send; `tags` come back with SES's events about it.

    `follows` is what `MailSender.send` returned for an earlier one whose thread this continues. `answers_mail`: it
    replies to an email that came in.
    """

    to: str
    rendered: RenderedEmail
    tags: Mapping[str, str]
    reply_to: str | None = None
    follows: str | None = None
    answers_mail: bool = False


class SuppressionList(Protocol):
    def add(self, address: str, reason: str, at: datetime, deployment_id: int | None = None) -> None:
        """Take down that mail to an address does not arrive, or, of one deployment, is not wanted."""

    def reason(self, address: str, deployment_id: int | None = None) -> str | None:
        """Return why an address gets no mail of a deployment, or none at all; None if it does."""

    def reasons(self, addresses: Sequence[str], deployment_id: int) -> Mapping[str, str]:
        """Return why, for each of up to a hundred addresses that gets no mail of a deployment."""

    def remove(self, address: str) -> bool:
        """Let an address get mail again; return whether it was on the list."""

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return `address`, `reason`, `at` and `deployment_id` of each; that is None where it holds for all."""


class MailSender(Protocol):
    def send(self, mail: OutgoingMail) -> str:
        """Send a mail and return the provider's message id; raises MailRefused if it can never be sent."""


class MailRefused(Exception):
    """The mail service refuses this mail for good; the reason is for the timeline."""


class MailRenderer(Protocol):
    def render_email(self, context: MailContext) -> RenderedEmail: ...
