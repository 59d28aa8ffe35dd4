"""What the services need of the outside world; `adapters/` fulfils it and `bootstrap` joins the two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from flow_hitl.domain.audit import AuditEvent
from flow_hitl.domain.deployment import Deployment
from flow_hitl.domain.effects import Effect
from flow_hitl.domain.inbound import InboundMail
from flow_hitl.domain.presentation import ConfirmationContext, NotificationContext, RenderedEmail, ReplyRejectedContext
from flow_hitl.domain.request import Change, Content, Head, Request


class Clock(Protocol):
    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def request_id(self, at: datetime) -> str: ...
    def event_id(self) -> str: ...


@dataclass(frozen=True)
class IdempotencyKey:
    """A caller's key within its deployment, and until when (Unix seconds) it stands for its request."""

    deployment_id: int
    key: str
    expires_at: int


@dataclass(frozen=True)
class RequestFilter:
    """The contract's list filters; a member that is None does not restrict."""

    status: str | None = None
    assigned_to: str | None = None
    flow_name: str | None = None
    method_name: str | None = None
    outcome: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Some requests, and the cursor at which to go on, if there is more."""

    requests: Sequence[Request]
    next_cursor: str | None


class RequestStore(Protocol):
    def create(self, change: Change, content: Content, idempotency: IdempotencyKey | None) -> Request | None:
        """Write a new request with its first event; return the request that already holds the id or key, if any."""

    def head(self, request_id: str) -> Head:
        """Read a head consistently; raises NotFound."""

    def load(self, request_id: str) -> Request:
        """Read a whole request consistently; raises NotFound."""

    def commit(self, change: Change, completes: Effect | None = None, once: str | None = None) -> None:
        """Write a step and its event, mark an effect done and take the name `once`, all together or not at all.

        Raises Conflict if the head has moved on, and TakenAlready if the name was taken before.
        """

    def list_requests(self, deployment_id: int, wanted: RequestFilter, limit: int, cursor: str | None) -> Page: ...

    def decisions(self, deployment_id: int, limit: int, cursor: str | None, now: datetime) -> Page:
        """Return decided requests, oldest first, at least once each; the cursor is never None."""


class TakenAlready(Exception):
    """What may happen only once has happened before."""


class AuditLog(Protocol):
    def timeline(self, request_id: str) -> Sequence[AuditEvent]: ...

    def event(self, request_id: str, seq: int) -> AuditEvent: ...


class DeploymentStore(Protocol):
    def load(self, deployment_id: int) -> Deployment:
        """Read a deployment's configuration consistently; raises NotFound."""

    def save(self, deployment: Deployment, expected_version: int | None) -> None:
        """Write it if it is still at the version (None: if it does not exist); raises PreconditionFailed."""

    def next_id(self) -> int: ...

    def list_ids(self) -> Sequence[int]: ...


class EffectLog(Protocol):
    def claim(self, effect: Effect, now: datetime, lease: timedelta) -> bool:
        """Take an effect for as long as the lease; return False if it is done. Raises EffectBusy if it is taken."""

    def release(self, effect: Effect) -> None:
        """Give an effect back so that it can be tried again at once."""

    def complete(self, effect: Effect) -> None:
        """Mark an effect done that left no event."""


class EffectBusy(Exception):
    """Another worker holds the effect: leave the message to be delivered again."""


class EffectQueue(Protocol):
    def send(self, effect: Effect) -> None: ...


class Deadlines(Protocol):
    def schedule(self, request_id: str, due_at: datetime, now: datetime) -> None:
        """See to it that the `deadline` function hears of the request at the time, once or more."""

    def postpone(self, request_id: str, due_at: datetime, now: datetime) -> None:
        """Send an early message once more, at the time or before."""


@dataclass(frozen=True)
class OutgoingMail:
    """One mail, ready to send; `headers` are added as they are, `tags` come back with SES's events about it."""

    to: str
    from_name: str
    subject: str
    text: str
    html: str
    reply_to: str | None
    headers: Mapping[str, str]
    tags: Mapping[str, str]


class SuppressionList(Protocol):
    def add(self, address: str, reason: str, at: datetime) -> None:
        """Take down that mail to an address does not arrive or is not wanted."""

    def reason(self, address: str) -> str | None:
        """Return why an address gets no mail, or None if it does."""

    def remove(self, address: str) -> bool:
        """Let an address get mail again; return whether it was on the list."""

    def entries(self) -> Sequence[Mapping[str, str]]:
        """Return `address`, `reason` and `at` of each."""


class MailSender(Protocol):
    def send(self, mail: OutgoingMail) -> str:
        """Send a mail and return the provider's message id; raises MailRefused if it can never be sent."""


class MailRefused(Exception):
    """The mail service refuses this mail for good; the reason is for the timeline."""


@dataclass(frozen=True)
class PostResult:
    """What came of a POST: the HTTP status, or None with the reason why there is none."""

    status: int | None
    reason: str

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class HttpPoster(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """POST once, to public HTTPS addresses only, following no redirect; never raises for what the peer does."""


class MailBucket(Protocol):
    def read(self, key: str, limit: int) -> bytes:
        """Return a raw mail; raises TooLarge above `limit` bytes without reading it."""


@dataclass(frozen=True)
class Discard:
    """A mail that decided nothing and that nobody is told of: why, and what is known of it."""

    message_id: str
    reason: str
    at: datetime
    request_id: str | None
    details: Mapping[str, Any]


class DiscardLog(Protocol):
    def record(self, discard: Discard) -> None: ...


class MailParser(Protocol):
    def parse_mail(self, raw: bytes) -> InboundMail:
        """Return what a raw mail holds; raises UnreadableMail."""

    def answer_text(self, mail: InboundMail) -> str:
        """Return the reply's own text, or "" if there is none."""


class MailRenderer(Protocol):
    def render_email(
        self, context: NotificationContext | ConfirmationContext | ReplyRejectedContext
    ) -> RenderedEmail: ...
