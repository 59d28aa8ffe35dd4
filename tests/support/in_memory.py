"""The real `inbound_mail` handler over stores that are nothing but dictionaries: for thousands of mails.

What DynamoDB does is tested elsewhere, by the `hitl` fixture; here it is only in the way.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from flow_hitl import bootstrap
from flow_hitl.audit.chain import CHAIN_START, AuditEvent, EventKind
from flow_hitl.audit.ports import AuditLog
from flow_hitl.deployments.deployment import DeploymentSettings
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.errors import Conflict, NotFound, TooLarge
from flow_hitl.platform.ports import ReadTogether
from flow_hitl.platform.repeated_calls import CallRecord
from flow_hitl.replies import mailbox
from flow_hitl.replies.accept_reply import AcceptReply
from flow_hitl.replies.rejections import Discard
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.changing.delegate import Delegate
from flow_hitl.requests.deciding import reply_address
from flow_hitl.requests.deciding.ask_back import AskBack
from flow_hitl.requests.deciding.record_response import RecordResponse
from flow_hitl.requests.ports import RequestStore, Taken, TakenAlready
from flow_hitl.requests.request import Change, Request, Stamp, Status, note
from functions import inbound_mail
from tests.support.examples import CONTENT, deployment, opening
from tests.support.key_rings import FixedKeys

ASSIGNEE = "jane@example.org"
DOMAIN = "reply.hitl.test"
OWN_ADDRESS = "reviews@hitl.test"
START = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
TOKEN_LIFE = timedelta(days=7)
PASSED: Mapping[str, str] = dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), "PASS")


class Requests:
    """The part of the request store that replies need."""

    def __init__(self) -> None:
        self.kept: dict[str, Request] = {}
        self.changes: list[Change] = []
        self._once: set[str | CallRecord] = set()

    def head(self, request_id: str) -> Any:
        return self.load(request_id).head

    def load(self, request_id: str) -> Request:
        if request_id not in self.kept:
            raise NotFound("There is no such request.")
        return self.kept[request_id]

    def commit(self, change: Change, takes: Taken | None = None) -> None:
        now, once = self.load(change.after.request_id), None if isinstance(takes, Mapping) else takes
        if once in self._once:
            raise TakenAlready
        if change.before != now.head:
            raise Conflict("the head has moved on")
        self._once.update([once] if once else [])
        self.kept[change.after.request_id] = Request(change.after, now.content, change.response or now.response)
        self.changes.append(change)


class StoppedClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class MailDesk:
    """One deployment, the requests that are put to its people, and what became of each mail that came in."""

    settings: DeploymentSettings = field(default_factory=DeploymentSettings)
    requests: Requests = field(default_factory=Requests)
    discards: list[Discard] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    clock: StoppedClock = field(default_factory=StoppedClock)
    keys: FixedKeys = field(default_factory=FixedKeys)
    raw: bytes = b""

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._opened: dict[str, AuditEvent] = {}
        requests = cast("RequestStore", self.requests)
        deployments = SimpleNamespace(reading=lambda _id: lambda: deployment(settings=self.settings))
        audit = SimpleNamespace(
            timeline=self._timeline, reading_first=lambda request_id, _number: lambda: self._timeline(request_id)
        )
        ids = SimpleNamespace(event_id=lambda: f"{next(self._ids):032x}", request_id=lambda _at: "")
        change_request = ChangeRequest(requests, self.clock, ids, lambda _round: None)
        self._accept_reply = AcceptReply(
            read=cast("ReadTogether", lambda *readings: tuple(reading() for reading in readings)),
            requests=requests,
            audit=cast("AuditLog", audit),
            deployments=cast("DeploymentStore", deployments),
            mails=SimpleNamespace(read=self._read),
            parser=mailbox,
            discards=SimpleNamespace(record=self.discards.append),
            record_response=RecordResponse(requests, self.clock, ids, lambda _round: None),
            delegate=Delegate(change_request),
            ask_back=lambda: AskBack(requests, change_request),
            change_request=change_request,
            keys=self.keys,
            clock=self.clock,
            inbound_domain=DOMAIN,
            own_address=OWN_ADDRESS,
        )

    def _timeline(self, request_id: str) -> Sequence[AuditEvent]:
        changes = [change.event for change in self.requests.changes if change.after.request_id == request_id]
        return [self._opened[request_id], *changes]

    def _read(self, _key: str, limit: int) -> bytes:
        if len(self.raw) > limit:
            raise TooLarge(f"The mail is larger than {limit} bytes.")
        return self.raw

    def ask(self, *, status: Status = Status.PENDING, **fields: Any) -> Request:
        """Put a request to the assignee, by default with the options approved and rejected; it may be closed at once.

        What is kept of it is what its event says, as of every request.
        """
        example = opening(
            request_id=f"0192f0c1-7e11-7abc-8def-{next(self._ids):012x}", deployment=deployment(), at=START, **fields
        )
        own: dict[str, Any] = {"status": status, "assigned_to_email": ASSIGNEE, "token_expires_at": START + TOKEN_LIFE}
        change = note(
            replace(example.after, **own, seq=0, last_hash=CHAIN_START),
            EventKind.REQUEST_CREATED,
            {**example.event.data, "assigned_to_email": ASSIGNEE},
            stamp=Stamp(example.event.event_id, START, example.event.actor),
        )
        request = Request(change.after, CONTENT)
        self.requests.kept[change.after.request_id] = request
        self._opened[change.after.request_id] = change.event
        return request

    def reply_to(self, request: Request, *, address: str = ASSIGNEE, expires_at: datetime | None = None) -> str:
        """Return the address that takes answers to a request."""
        head = request.head
        token = reply_address.sign(self.keys, head.request_id, address, expires_at or head.token_expires_at)
        return f"{token}@{DOMAIN}"

    def receive(
        self,
        raw: bytes,
        recipients: Sequence[str],
        *,
        mail_from: str = ASSIGNEE,
        verdicts: Mapping[str, str] = PASSED,
        message_id: str | None = None,
    ) -> str:
        """Give a mail to the handler as the queue does; return what the handler counted it as.

        Raises AssertionError if the handler failed, which would have the queue deliver the mail again and again.
        """
        self.raw = raw
        message_id = message_id or f"m{next(self._ids)}"
        stamp = self.clock.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        notification = {
            "notificationType": "Received",
            "mail": {"timestamp": stamp, "source": mail_from, "messageId": message_id, "destination": []},
            "receipt": {
                "timestamp": stamp,
                "recipients": list(recipients),
                **{f"{name}Verdict": {"status": status} for name, status in verdicts.items()},
                "action": {"type": "S3", "bucketName": "mail", "objectKey": f"inbound/{message_id}"},
            },
        }
        record = {
            "messageId": message_id,
            "receiptHandle": "",
            "body": json.dumps(notification),
            "attributes": {},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }
        before = len(self.counted)
        with _application(SimpleNamespace(accept_reply=self._accept_reply), self.counted):
            result = inbound_mail.handler({"Records": [record]}, SimpleNamespace(function_name="inbound_mail"))
        assert not result["batchItemFailures"], "the handler failed"
        assert len(self.counted) == before + 1, "every mail is counted once"
        return self.counted[-1]

    def rejections(self) -> list[str]:
        """Return why mails were rejected, in order."""
        return [
            change.event.data["reason"]
            for change in self.requests.changes
            if change.event.kind is EventKind.REPLY_REJECTED
        ]

    def decisions(self) -> list[Change]:
        """Return the steps that decided a request."""
        return [change for change in self.requests.changes if change.response is not None]


@contextmanager
def _application(application: object, counted: list[str]) -> Iterator[None]:
    bootstrap.use(cast("Any", application))
    try:
        with patch.object(inbound_mail, "count", counted.append):
            yield
    finally:
        bootstrap.use(None)
