"""What defines an email about a request; each kind has a module in `kinds/`."""

from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import TypedDict

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect, addressee
from flow_hitl.platform.address import address_key, same_address
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import zone_named
from flow_hitl.rendering.rendered import MailContext
from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
from flow_hitl.requests.request import Request


class RequestNames(TypedDict):
    """The fields of every `TellingContext` that identify its request."""

    flow_name: str
    method_name: str
    title: str
    message: str
    test: bool


@dataclass(frozen=True)
class Occasion:
    """What an email is made from: its effect, the event behind it, and the request as it is now."""

    effect: Effect
    event: AuditEvent
    request: Request
    addresses: AnswerAddresses

    @property
    def addressee(self) -> str:
        """The address the event is about."""
        return addressee(self.event.data, self.effect.target)

    @property
    def still_asked(self) -> str | None:
        """The addressee, unless the request has since gone to someone else."""
        asked = self.request.head.responders
        return self.addressee if any(same_address(self.addressee, person) for person in asked) else None

    @property
    def names(self) -> RequestNames:
        head, content = self.request.head, self.request.content
        return {
            "flow_name": head.flow_name or content.deployment_name,
            "method_name": head.method_name,
            "title": self.request.title,
            "message": content.message,
            "test": head.test,
        }

    def zone_of(self, recipient: str) -> tzinfo:
        """Return the time zone in which a person reads times: the one they had chosen when they were asked, or UTC."""
        zones = self.request.head.zones
        name = zones.get(address_key(recipient)) if zones else None
        return (zone_named(name) if name else None) or UTC

    def reply_to(self, recipient: str) -> str:
        return self.addresses.reply_to(self.request.head, recipient)

    def review_url(self, recipient: str) -> str:
        return self.addresses.review_url(self.request.head, recipient)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One kind of email: recipient, content, and the event it records; None means no email is due.

    `answers_mail`: it replies to an email. `follows_notification`: it continues the thread of the recipient's
    notification, and is skipped without one. `repeats_subject`: it keeps that subject. `must_arrive`: if it is refused,
    the request goes to someone else.
    """

    recipient: Callable[[Occasion], str | None]
    context: Callable[[Occasion, str], MailContext | None]
    leaves: EventKind
    answers_mail: bool = False
    follows_notification: bool = False
    repeats_subject: bool = False
    must_arrive: bool = False
