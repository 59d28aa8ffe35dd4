"""What the services need of the outside world; `adapters/` fulfils it and `bootstrap` joins the two."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from flow_hitl.domain.audit import AuditEvent
from flow_hitl.domain.audit_export import AuditExport
from flow_hitl.domain.audit_index import IndexedEvent, Period
from flow_hitl.domain.calls import Call, CallRecord
from flow_hitl.domain.deployment import Deployment, DeploymentName
from flow_hitl.domain.effects import Effect
from flow_hitl.domain.findings import LastPolls, SendingState, Unknown
from flow_hitl.domain.inbound import InboundMail
from flow_hitl.domain.metrics import Bucket, Dimension, Generations, Measurement, Span, Tallies, Tally
from flow_hitl.domain.presentation import AnyMailContext, RenderedEmail
from flow_hitl.domain.quotas import Usage
from flow_hitl.domain.rejections import Discard
from flow_hitl.domain.request import Change, Content, Head, Request
from flow_hitl.domain.rows import Count, Counts, Order, Row
from flow_hitl.domain.sign_in import SentMails, Sessions, SignInTry
from flow_hitl.domain.webhook import Delivery, DeliveryResult, Webhook, WebhookChange


class Clock(Protocol):
    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def request_id(self, at: datetime) -> str: ...
    def event_id(self) -> str: ...


class CallLog(Protocol):
    """What is kept of calls that may come again; most of it is written by the stores of what they make."""

    def find(self, call: Call) -> CallRecord | None:
        """Return, read consistently, what was kept of an earlier call under the same key."""

    def add(self, record: CallRecord) -> None:
        """Keep a call that had nothing to write; raises CalledBefore."""


class CalledBefore(Exception):
    """An earlier call has the key: nothing was written, and this is what was kept of that."""

    def __init__(self, record: CallRecord) -> None:
        super().__init__("the call was made before")
        self.record = record


@dataclass(frozen=True)
class RequestFilter:
    """The contract's list filters; a member that is None or empty does not restrict, of several one must fit.

    `assigned_to` are names of one assignee, or of several: their mail addresses and `group:<name>`.
    """

    statuses: tuple[str, ...] = ()
    assigned_to: tuple[str, ...] = ()
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


@dataclass(frozen=True)
class RowPage:
    """Some rows, and the cursor at which to go on, if there may be more."""

    rows: Sequence[Row]
    next_cursor: str | None


class RequestStore(Protocol):
    def create(self, change: Change, content: Content, call: Call | None) -> Request | None:
        """Write a new request with its first event; return the request that already holds the id or call, if any."""

    def find(self, request_id: str | None, call: Call | None) -> Request | None:
        """Return the request that holds the id or was made by the call, if any."""

    def head(self, request_id: str) -> Head:
        """Read a head consistently; raises NotFound."""

    def load(self, request_id: str) -> Request:
        """Read a whole request consistently; raises NotFound."""

    def commit(self, change: Change, completes: Effect | None = None, once: str | CallRecord | None = None) -> None:
        """Write a step and its event, mark an effect done and take a name or a call's key, all together or not at all.

        Raises Conflict if the head has moved on, TakenAlready if the name was taken before, CalledBefore if the key.
        """

    def list_requests(self, deployment_id: int, wanted: RequestFilter, limit: int, cursor: str | None) -> Page: ...

    def recent_heads(self, deployment_id: int, limit: int) -> Sequence[Head]:
        """Return the heads of a deployment's newest requests, newest first."""

    def heads(self, request_ids: Sequence[str]) -> Mapping[str, Head]:
        """Read heads consistently, by their requests' ids; those that there are none of are left out."""

    def opened_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        """Return ids of requests that were opened in a time, and the cursor at which to go on, if there is more."""

    def decisions(self, deployment_id: int, limit: int, cursor: str | None, now: datetime) -> Page:
        """Return decided requests, oldest first, at least once each; the cursor is never None."""


class RequestRows(Protocol):
    """Lists of requests from the indexes alone, which follow a change within a second."""

    def page(
        self, deployment_id: int, wanted: RequestFilter, *, order: Order, text: str, limit: int, cursor: str | None
    ) -> RowPage:
        """Return rows that fit the filters and `text`; few or none of them may fit though more do further on.

        Raises ValidationFailed for a cursor that is not ours, or is of another order.
        """

    def counts(self, deployment_id: int, assigned_to: tuple[str, ...], now: datetime) -> Counts:
        """Count the requests of a deployment, or of those whom they are assigned to, as far as is quick."""


class TakenAlready(Exception):
    """What may happen only once has happened before."""


class AuditLog(Protocol):
    def timeline(self, request_id: str) -> Sequence[AuditEvent]: ...

    def event(self, request_id: str, seq: int) -> AuditEvent: ...

    def changes(self, deployment_id: int, seq: int, limit: int) -> Sequence[AuditEvent]:
        """Return events of a deployment's own chain that come after a place of it, in order, read consistently."""


AuditRecord = Mapping[str, Any]
"""An event as it stands in the log, be it one that nobody of us wrote: the members of `AuditEvent.to_dict`."""


class AuditArchive(Protocol):
    """The whole log, for those who read much of it: all of it by day, and each chain."""

    def indexed(
        self, period: Period, deployment_id: int | None = None, after: IndexedEvent | None = None, ahead: int = 1000
    ) -> Iterator[IndexedEvent]:
        """Yield what the index holds of a period, or of what comes after one event of it, in order.

        The order is that of deployments, then moments, then chains and places in them. `ahead` is how much is read at
        a time.
        """

    def records(self, events: Sequence[IndexedEvent]) -> Sequence[AuditRecord]:
        """Return events in the same order, read consistently; those that are gone are left out."""

    def chain(self, subject: str) -> Sequence[AuditRecord]:
        """Return all events of a chain in order, read consistently."""

    def first_events(self, deployment_ids: Sequence[int]) -> Mapping[int, IndexedEvent]:
        """Return the first events of deployments' own chains, of those (a hundred at most) that there are."""


class SealStore(Protocol):
    """The digests, sections and public keys, where nothing can be changed once it is there."""

    def ends(self, after: str = "") -> Iterator[str]:
        """Yield the ends of the digests' periods (RFC 3339) that are later, in order."""

    def digest(self, until: str) -> Mapping[str, Any] | None:
        """Return the signed digest of a period."""

    def add_digest(self, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write a digest unless its period has one; return the one that stands."""

    def section(self, name: str, until: str) -> bytes | None: ...

    def add_section(self, name: str, until: str, content: bytes) -> bytes:
        """Write a section unless it is there; return the one that stands."""

    def add_public_key(self, public_key: bytes) -> None:
        """Publish a key (DER) beside what it verifies."""


class ExportStore(Protocol):
    """Exports of the audit log, for as long as their files are kept."""

    def load(self, deployment_id: int, export_id: str) -> AuditExport:
        """Read an export consistently; raises NotFound."""

    def commit(self, export: AuditExport) -> None:
        """Write an export's next version; raises Conflict if somebody else did."""

    def recent(self, deployment_id: int, limit: int) -> Sequence[AuditExport]:
        """Return the latest exports, newest first."""


class ExportFiles(Protocol):
    def write(self, key: str, content: Iterable[bytes]) -> tuple[int, str]:
        """Write a file without holding all of it; return its size in bytes and its SHA-256."""

    def link(self, key: str) -> str:
        """Return a URL at which a file can be had for an hour."""


class ExportQueue(Protocol):
    def send(self, deployment_id: int, export_id: str) -> None:
        """See to it that the work on an export goes on."""


class SealKey(Protocol):
    """The key pair of which nobody has the private key."""

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature, by ECDSA over P-256 with SHA-256."""

    def public_key(self) -> bytes:
        """Return the DER SubjectPublicKeyInfo."""


class DeploymentStore(Protocol):
    def load(self, deployment_id: int) -> Deployment:
        """Read a deployment's configuration consistently; raises NotFound."""

    def load_with_usage(self, deployment_id: int, now: datetime) -> tuple[Deployment, Usage]:
        """Read, consistently and in one call, what a deployment has used of its quotas too; raises NotFound."""

    def create(self, deployment: Deployment, event: AuditEvent) -> None:
        """Write a new deployment with its first event."""

    def commit(
        self,
        deployment: Deployment,
        event: AuditEvent,
        before: Deployment,
        also: WebhookChange | AuditExport | None = None,
        called: CallRecord | None = None,
    ) -> None:
        """Write a deployment, the event that says what changed and a record of its own, all together or not at all.

        Who may sign in is written along, and the call that asked for it. Raises Conflict if the deployment is no longer
        as it was `before`, ValidationFailed if it is larger than can be kept, and CalledBefore.
        """

    def next_id(self) -> int: ...

    def list_ids(self) -> Sequence[int]: ...

    def of_person(self, address: str, limit: int) -> Sequence[DeploymentName]:
        """Return deployments in which an address may sign in, by their ids; whether it still may stands in each."""

    def write_people(self, deployment: Deployment) -> None:
        """Write anew who may sign in; raises Conflict if the deployment has changed in the meantime."""


class SignInTries(Protocol):
    def begin(self, new: SignInTry) -> None:
        """Write a try; it is forgotten some time after it has expired."""

    def load(self, try_id: str) -> SignInTry | None:
        """Read a try consistently."""

    def commit(self, changed: SignInTry) -> None:
        """Write a try's next version; raises Conflict if somebody else did."""

    def sent_to(self, email: str) -> SentMails:
        """Read the mails to an address consistently; one that never got any has none."""

    def note_sent(self, changed: SentMails) -> None:
        """Write the mails' next version; raises Conflict if somebody else did."""

    def redeem(self, used: SignInTry, left: SentMails, sessions: Sessions) -> None:
        """Write the next version of each, all or none; raises Conflict if somebody else wrote one of them."""


class SessionStore(Protocol):
    def load(self, email: str) -> Sessions:
        """Read the sessions of the person behind an address consistently; who never had one has none."""

    def commit(self, changed: Sessions) -> None:
        """Write the sessions' next version; raises Conflict if somebody else did."""


class SignInQueue(Protocol):
    def send(self, try_id: str) -> None:
        """See to it that the mail of a try is sent, if anybody who may sign in has its address."""


class RateCounters(Protocol):
    def count(self, name: str, window: timedelta, now: datetime) -> int:
        """Count one more under a name and return how many there are by now in the running window."""


class KeyUses(Protocol):
    def record(self, deployment_id: int, key_id: str, at: datetime) -> None:
        """Take down that an API key was used."""

    def last(self, deployment_id: int) -> Mapping[str, datetime]:
        """Return when each of a deployment's API keys was used last, by key id; those never used are missing."""


class UsageLog(Protocol):
    def add(self, deployment_id: int, moment: datetime, used: Usage, marks: Collection[str] = ()) -> Collection[str]:
        """Add to what a deployment has used in the hour and the day (UTC) of a moment.

        `marks` name what is added. If some of them were added before, in the same quarter of an hour, nothing is added,
        and they are returned. They are forgotten when something is added that is half an hour younger.
        """


class Polls(Protocol):
    """When somebody last fetched answers, which tells a flow that waits from one whose worker is gone."""

    def decisions_fed(self, deployment_id: int, key_id: str, at: datetime) -> None:
        """Take down that the decisions feed was polled with an API key."""

    def waited(self, request_id: str, at: datetime) -> None:
        """Take down that somebody waits on a request."""

    def last(self, deployment_id: int, request_id: str) -> LastPolls: ...


class MailAccount(Protocol):
    def state(self) -> SendingState | Unknown:
        """Return what the mail service lets us send; never raises for what it answers or that it does not."""


class DeadLetters(Protocol):
    def number(self, queue: str) -> int | Unknown:
        """Return how many messages rest in a queue's dead-letter queue; never raises for what SQS answers."""


class WebhookStore(Protocol):
    """Reads webhooks, consistently; they are written together with their deployment, by `DeploymentStore.commit`."""

    def list(self, deployment_id: int) -> Sequence[Webhook]:
        """Return a deployment's webhooks, oldest first."""

    def load(self, deployment_id: int, webhook_id: str) -> Webhook:
        """Return one; raises NotFound."""


@dataclass(frozen=True)
class DeliveryPage:
    """Some deliveries, and the cursor at which to go on, if there is more."""

    deliveries: Sequence[Delivery]
    next_cursor: str | None


class DeliveryLog(Protocol):
    """The deliveries of each webhook, for 90 days; a delivery's record is also what one worker at a time takes."""

    def add(self, delivery: Delivery, called: CallRecord | None = None) -> None:
        """Write a delivery, and the call that asked for it; one that stands there stays as it is.

        Raises CalledBefore.
        """

    def load(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Read a delivery consistently; raises NotFound."""

    def page(self, webhook_id: str, limit: int, cursor: str | None) -> DeliveryPage:
        """Return deliveries, newest first; raises ValidationFailed for a cursor that is none of ours."""

    def begin(self, delivery: Delivery, now: datetime, lease: timedelta) -> int:
        """Take a delivery for as long as the lease and return how often that was done by now.

        Raises EffectBusy if another worker has it, or has finished it since it was read.
        """

    def finish(self, delivery: Delivery, result: DeliveryResult) -> None:
        """Write what came of a delivery."""


class DeliveryQueue(Protocol):
    def send(self, delivery: Delivery) -> None: ...


class SecretBox(Protocol):
    """Keeps secrets; each opens only for those who name what it belongs to."""

    def seal(self, secret: str, belongs_to: Mapping[str, str]) -> str: ...

    def open(self, ciphertext: str, belongs_to: Mapping[str, str]) -> str: ...


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
    def schedule(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """See to it that the `deadline` function hears of the auto-response or reminder at the time, once or more."""

    def postpone(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Send an early message once more, at the time or before."""


@dataclass(frozen=True)
class Reading:
    """The buckets of a range; `complete` is False where there are more than are read at a time."""

    tallies: Mapping[Bucket, Tally]
    complete: bool


class MetricStore(Protocol):
    """The figures' buckets, a set of them per deployment and generation."""

    def generations(self, deployment_id: int) -> Generations:
        """Read which sets there are, consistently."""

    def save(self, deployment_id: int, generations: Generations) -> None:
        """Write the next version of that; raises Conflict if it is not the next."""

    def record(
        self, deployment_id: int, generations: Generations, number: int, measured: Sequence[Measurement], now: datetime
    ) -> None:
        """Add each event to a set, once for ever; raises Conflict if the generations are others by now."""

    def add(self, deployment_id: int, generations: Generations, number: int, tallies: Tallies, name: str) -> None:
        """Add sums to a set; `name` tells those of one set apart. Raises Conflict if the generations are others."""

    def contents(self, deployment_id: int, number: int, span: Span) -> Tallies:
        """Return all buckets of all dimensions in a span, however many they are."""

    def read(self, deployment_id: int, number: int, dimension: Dimension, spans: Sequence[Span]) -> Reading:
        """Return a dimension's buckets in these spans, with the same few calls however many requests they count."""

    def all_time(self, deployment_id: int, number: int) -> Tally:
        """Return the total of all time."""

    def remove(self, deployment_id: int, number: int) -> None:
        """Delete a whole set."""


class Backlog(Protocol):
    """How many pending requests wait, counted to a limit by what an index holds, tests left out."""

    def waiting_since(self, deployment_id: int, moment: datetime) -> Count:
        """Count those that were opened before a moment."""

    def overdue(self, deployment_id: int, now: datetime) -> Count:
        """Count those that are past their SLA."""


@dataclass(frozen=True)
class OutgoingMail:
    """One mail, ready to send; `headers` are added as they are, `tags` come back with SES's events about it.

    `follows` is what `MailSender.send` returned for an earlier mail, whose thread this one continues.
    """

    to: str
    from_name: str
    subject: str
    text: str
    html: str
    reply_to: str | None
    headers: Mapping[str, str]
    tags: Mapping[str, str]
    follows: str | None = None


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


@dataclass(frozen=True)
class PostResult:
    """What came of a POST: the HTTP status, or None with the reason why there is none.

    `body` is the text of the answer's first KB, "" where there was none; `duration_ms` covers the whole attempt.
    """

    status: int | None
    reason: str
    body: str = ""
    duration_ms: int = 0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class HttpPoster(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """POST JSON once, only to where the operator allows, and without redirects; never raises for what a peer does.

        `url` is checked again, whenever it was checked before.
        """


class MailBucket(Protocol):
    def read(self, key: str, limit: int) -> bytes:
        """Return a raw mail; raises TooLarge above `limit` bytes without reading it."""


class DiscardLog(Protocol):
    def record(self, discard: Discard) -> None: ...

    def of_request(self, request_id: str) -> Sequence[Discard]:
        """Return the newest discarded mails whose reply address names a request, newest first."""


class MailParser(Protocol):
    def parse_mail(self, raw: bytes) -> InboundMail:
        """Return what a raw mail holds; raises UnreadableMail."""

    def answer_text(self, mail: InboundMail, options: Sequence[str] = (), ours: Sequence[str] = ()) -> str:
        """Return the reply's own text, or "" if there is none.

        `options` are those that were asked for, `ours` the names and addresses under which our mails go out.
        """

    def answer_is_cut(self, mail: InboundMail, answer: str) -> bool:
        """Tell whether the reply is longer than the text that was read of it."""


class MailRenderer(Protocol):
    def render_email(self, context: AnyMailContext) -> RenderedEmail: ...
