"""The `hitl` pytest fixture: the whole of Flow HITL in the test's own process, on moto, with a clock that you turn.

The real handlers run, over the real adapters, against moto's DynamoDB, SQS, S3, SES, Scheduler, Secrets Manager and
KMS. What AWS does between them is done here: the audit stream, the queues, the schedules. No thread, no port, no
waiting.

    def test_the_flow_archives_what_is_rejected(hitl):
        request = hitl.ask("Publish?", emit=["approved", "rejected"])
        hitl.reply("rejected\\nwrong price")
        assert request.outcome == "rejected"
        assert request.response["comment"] == "wrong price"
"""

import base64
import copy
import email
import email.policy
import importlib
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, Self, TypeVar
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

import functions as handlers

START = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
_ACCOUNT, _REGION = "123456789012", "us-east-1"
_INBOUND_DOMAIN = "reply.hitl.test"
_WORKERS = {
    "email": "send_email",
    "webhook": "send_webhook",
    "resume": "resume_flow",
    "deadline": "deadline",
    "relay-retry": "relay",
    "measure-retry": "measure",
    "seal": "seal",
    "export": "export_audit",
}
_QUEUES = tuple(_WORKERS)
_DEAD_LETTERS = ("email", "resume", "inbound-mail", "relay-retry", "stream")
# Which function serves what, by a pattern of the path's beginning; the rest is intake's.
_SERVED_BY = {
    "/v1/callbacks/": "respond",
    "/v1/contents/": "respond",
    "/v1/deployments/": "management",
    "/v1/requests/[^/]+/diagnosis": "management",
    "/v1/openapi.json": "docs",
    "/docs": "docs",
}
_VISIBILITY_SECONDS = 180
# How often a message is delivered before it rests in its dead-letter queue; as infra/constructs/queues.py has it.
_MOST_RECEIVES = {"resume": 32}
_MOST_ROUNDS = 1000


class TurnedClock:
    """A clock that goes on only when it is told to; to sleep is to turn it."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def turn_to(self, moment: datetime) -> None:
        self._now = max(self._now, moment)

    def turn_back_to(self, moment: datetime) -> None:
        self._now = moment


class CountedIds:
    """Ids that are the same in every run; `given` of them have been given out before."""

    def __init__(self, given: int = 0) -> None:
        self.given = given

    def request_id(self, at: datetime) -> str:
        milliseconds = int(at.timestamp() * 1000)
        return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7000-8000-{self._next():012x}"

    def event_id(self) -> str:
        return f"{self._next():032x}"

    def _next(self) -> int:
        self.given += 1
        return self.given


@dataclass(frozen=True)
class Answer:
    """What an HTTP call to a handler gave."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Sequence[str] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Mail:
    """A mail that was sent, as a mail client shows it; `raw` is its source."""

    message: EmailMessage
    raw: str

    @property
    def to(self) -> str:
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def reply_to(self) -> str | None:
        header = self.message["Reply-To"]
        return str(header) if header is not None else None

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


# After each return to a checkpoint the same mails are sent again.
@lru_cache(maxsize=256)
def _mail(raw: str) -> Mail:
    return Mail(email.message_from_string(raw, policy=email.policy.default), raw)


@dataclass(frozen=True)
class AskedRequest:
    """A request that the test's flow opened; every look at it is fresh."""

    id: str
    callback_url: str
    _hitl: "Hitl"

    def now(self) -> dict[str, Any]:
        """Return the contract's request object as it is at this moment."""
        request: dict[str, Any] = self._hitl.api("GET", f"/v1/requests/{self.id}").json["request"]
        return request

    @property
    def status(self) -> str:
        return str(self.now()["status"])

    @property
    def outcome(self) -> str | None:
        response = self.now()["response"]
        return response["outcome"] if response else None

    @property
    def response(self) -> dict[str, Any]:
        response: dict[str, Any] = self.now()["response"]
        return response

    @property
    def timeline(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self._hitl.api("GET", f"/v1/requests/{self.id}/timeline").json["events"]
        return events

    @property
    def kinds(self) -> list[str]:
        """The kinds of the timeline's events, in order."""
        return [event["kind"] for event in self.timeline]


class Browser:
    """A browser that looks at our pages: it keeps its cookies, and fills in what a page's form hides.

    It follows no redirect by itself: `location` is where the last answer led.
    """

    def __init__(self, hitl: "Hitl", source_ip: str) -> None:
        self._hitl, self._source_ip = hitl, source_ip
        self.cookies: dict[str, str] = {}
        self.location = ""
        self._form_token = ""

    @property
    def session(self) -> str | None:
        """The cookie of the session, None where nobody is signed in."""
        return self.cookies.get("__Host-hitl-session")

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Open a page; `path` may be a whole address of ours."""
        return self._visit(method, path, None, headers)

    def post(self, path: str, form: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """Send a form, whose values may be lists, as the page that was opened last would."""
        fields = {"csrf": self._form_token} if self._form_token else {}
        own = {"origin": "https://hitl.test", "sec-fetch-site": "same-origin"}
        return self._visit("POST", path, urlencode({**fields, **(form or {})}, doseq=True), {**own, **headers})

    def _visit(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        sent = {"content-type": "application/x-www-form-urlencoded"} if body is not None else {}
        parts = urlsplit(path)
        answer = self._hitl._http(
            "dashboard",
            method,
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            body,
            {**sent, **headers},
            cookies=[f"{name}={value}" for name, value in self.cookies.items()],
            source_ip=self._source_ip,
        )
        for one in answer.cookies:
            name, _, value = one.partition(";")[0].partition("=")
            if "; Max-Age=0" in one:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        self._form_token = found[1] if found else self._form_token
        self.location = answer.headers.get("Location", "")
        return answer


class Hitl:
    """One deployment on moto: ask as the flow, read and answer mail as the reviewer, turn the clock."""

    def __init__(self, clients: Mapping[str, Any], clock: TurnedClock, deployment_id: int, api_key: str) -> None:
        self._clients, self._relayed = clients, set[tuple[str, int]]()
        self._mail_ids: Iterator[int] = itertools.count(1)
        self._mails: list[Mail] = []
        self._unmeasured: list[dict[str, Any]] = []
        self.clock, self.deployment_id, self.api_key = clock, deployment_id, api_key

    # --- as the flow

    def ask(
        self,
        message: str = "Please review",
        *,
        emit: Sequence[str] = (),
        method_name: str = "review",
        flow_id: str = "flow_test",
        **fields: Any,
    ) -> AskedRequest:
        """Open a request; `fields` are any others of `POST /v1/requests`. Fails the test if it is refused."""
        body = {
            "flow_id": flow_id,
            "method_name": method_name,
            "message": message,
            "emit_options": list(emit),
            **fields,
        }
        answer = self.api("POST", "/v1/requests", body)
        assert answer.status in (200, 201), answer.text
        return AskedRequest(answer.json["request"]["id"], answer.json["callback_url"], self)

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "own",
        headers: Mapping[str, str] | None = None,
        raw: str | bytes | None = None,
    ) -> Answer:
        """Call the API; `path` may carry a query. `key` is the API key, None for none; `raw` is a body as it is."""
        sent = {"content-type": "application/json", **{k.lower(): v for k, v in (headers or {}).items()}}
        if key is not None:
            sent["authorization"] = f"Bearer {self.api_key if key == 'own' else key}"
        text = json.dumps(body) if raw is None and body is not None else raw
        function = next((name for pattern, name in _SERVED_BY.items() if re.match(pattern, path)), "intake")
        return self._http(function, method, path, text, sent)

    # --- as the reviewer

    @property
    def inbox(self) -> list[Mail]:
        """Every mail that was sent, oldest first."""
        from moto.ses.models import ses_backends

        for mail in ses_backends[_ACCOUNT][_REGION].sent_messages[len(self._mails) :]:
            self._mails.append(_mail(mail.raw_data))
        return list(self._mails)

    def reply(
        self,
        text: str,
        *,
        to: Mail | str | None = None,
        sender: str | None = None,
        verdicts: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> None:
        """Answer a mail (the last one that takes an answer) as its recipient, from a plain mail client.

        `verdicts` are SES's, such as `{"dmarc": "FAIL"}`, all PASS otherwise; `raw` is a whole mail in place of ours.
        """
        asked = next((mail for mail in reversed(self.inbox) if mail.reply_to), self.inbox[-1]) if to is None else to
        recipient = asked if isinstance(asked, str) else asked.reply_to
        assert recipient, "this mail cannot be replied to"
        sender = sender or (asked.to if isinstance(asked, Mail) else None)
        assert sender, "say who sends the reply"
        if raw is None:
            reply = EmailMessage()
            reply["From"], reply["To"] = sender, recipient
            reply["Subject"] = f"Re: {asked.subject}" if isinstance(asked, Mail) else "Re:"
            for name, value in (headers or {}).items():
                reply[name] = value
            quoted = "\n".join(f"> {line}" for line in asked.text.splitlines()) if isinstance(asked, Mail) else ""
            reply.set_content(f"{text}\n\nOn Wed, Jan 14, 2026 at 12:00 PM Flow HITL wrote:\n{quoted}\n")
            raw = reply.as_bytes()
        self.receive(raw, recipients=[parseaddr(recipient)[1]], mail_from=parseaddr(sender)[1], verdicts=verdicts)

    def receive(
        self,
        raw: bytes,
        *,
        recipients: Sequence[str],
        mail_from: str,
        verdicts: Mapping[str, str] | None = None,
        message_id: str | None = None,
    ) -> None:
        """Take in a mail as SES does: into the bucket, its receipt to `inbound_mail`; the same id is a redelivery."""
        from flow_hitl.bootstrap import current

        message_id = message_id or f"mail{next(self._mail_ids):06d}"
        bucket, key = current().settings.mail_bucket, f"inbound/{message_id}"
        self._clients["s3"].put_object(Bucket=bucket, Key=key, Body=raw)
        given = dict.fromkeys(("spam", "virus", "spf", "dkim", "dmarc"), "PASS") | dict(verdicts or {})
        timestamp = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        notification = {
            "notificationType": "Received",
            "mail": {
                "timestamp": timestamp,
                "source": mail_from,
                "messageId": message_id,
                "destination": list(recipients),
            },
            "receipt": {
                "timestamp": timestamp,
                "processingTimeMillis": 42,
                "recipients": list(recipients),
                **{f"{name}Verdict": {"status": status} for name, status in given.items()},
                "action": {"type": "S3", "bucketName": bucket, "objectKey": key},
            },
        }
        self._deliver("inbound_mail", [_sqs_record(message_id, json.dumps(notification))])
        self._settle()

    def bounce(self, request: AskedRequest, address: str, kind: str = "Permanent") -> None:
        """Report, as SES does, that a notification did not reach an address; `kind` may be `Complaint`."""
        mail = {"messageId": "sent", "tags": {"request_id": [request.id], "kind": ["notify"]}}
        feedback_id = f"feedback{next(self._mail_ids):06d}"
        event: dict[str, Any] = {"eventType": "Bounce", "mail": mail}
        if kind == "Complaint":
            complained = {"complainedRecipients": [{"emailAddress": address}], "feedbackId": feedback_id}
            event |= {"eventType": "Complaint", "complaint": complained}
        else:
            event["bounce"] = {
                "bounceType": kind,
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": address, "status": "5.1.1"}],
                "feedbackId": feedback_id,
            }
        self._deliver("mail_feedback", [_sqs_record(feedback_id, json.dumps(event))])
        self._settle()

    def page(self, method: str, url: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Open a review page, or send its form."""
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self._http("dashboard", method, path, urlencode(form) if form else None, sent)

    def browser(self, *, source_ip: str = "203.0.113.7") -> "Browser":
        """Return a browser of its own, in which nobody is signed in."""
        return Browser(self, source_ip)

    def signed_in(self, email: str = "creator@example.com") -> "Browser":
        """Return a browser in which somebody has signed in, by the code out of their mail."""
        browser = self.browser()
        browser.post("/sign-in", {"email": email})
        browser.post("/sign-in/code", {"code": self.sign_in_code()})
        assert browser.session, f"{email} could not sign in"
        return browser

    def sign_in_code(self, mail: Mail | None = None) -> str:
        """Return the code in a sign-in mail, by default the last one."""
        found = re.search(r"^  (\d{4} \d{4})\s*$", (mail or self.inbox[-1]).text, re.MULTILINE)
        assert found, "this mail has no code"
        return found[1]

    def review_url(self, mail: Mail | None = None) -> str:
        """Return the review link in a mail, by default the last one."""
        found = re.search(r"https://hitl\.test/review/[\w.-]+", (mail or self.inbox[-1]).text)
        assert found, "this mail has no review link"
        return found[0]

    # --- as the operator

    def configure(
        self, *, settings: Mapping[str, Any] | None = None, rules: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Change settings (those named) and replace the routing rules, both in the contract's JSON."""
        from flow_hitl.bootstrap import current
        from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings, settings_to_dict

        manage = current().manage_deployments
        if settings is not None:
            now = settings_to_dict(manage.show(self.deployment_id).settings)
            manage.set_settings(self.deployment_id, parse_settings(json.dumps({**now, **settings})))
        if rules is not None:
            manage.set_rules(self.deployment_id, parse_rules(json.dumps({"rules": list(rules)})))

    def seal(self) -> None:
        """Seal the audit log as far as it has come, as is done each night with the days that are over."""
        from flow_hitl.platform.times import rfc3339

        # Of the second that has begun, more may still happen.
        self.clock.sleep(1)
        message = json.dumps({"until": rfc3339(self.clock.now())})
        self._clients["sqs"].send_message(QueueUrl=_queue_url("seal"), MessageBody=message)
        self._settle()

    def measure(self) -> None:
        """Count what has happened so far; by itself that is done only when somebody looks at figures."""
        fresh, self._unmeasured = self._unmeasured, []
        if fresh:
            self._deliver("measure", fresh)
            self._settle()

    # --- as time

    def advance(self, *, minutes: float = 0, seconds: float = 0, days: float = 0) -> None:
        """Let time pass; everything that comes due on the way happens at its time."""
        goal = self.clock.now() + timedelta(days=days, minutes=minutes, seconds=seconds)
        for _ in range(_MOST_ROUNDS):
            due = min((moment for moment in self._coming() if moment <= goal), default=None)
            if due is None:
                break
            self.clock.turn_to(due)
            self._fire_schedules()
            self._settle()
        self.clock.turn_to(goal)
        self._settle()

    def checkpoint(self) -> Callable[[], None]:
        """Return what puts everything back to how it is now, as often as it is called: data, mail, queues and clock."""
        moment = _Moment.of(self)
        return lambda: moment.restore(self)

    # --- what AWS does in between

    def _http(
        self,
        function: str,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: Mapping[str, str],
        *,
        cookies: Sequence[str] = (),
        source_ip: str = "203.0.113.7",
    ) -> Answer:
        parts = urlsplit(path)
        if parts.path.endswith("/analytics"):
            self.measure()
        encoded = isinstance(body, bytes)
        text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "headers": dict(headers),
            "cookies": list(cookies),
            "queryStringParameters": dict(parse_qsl(parts.query)),
            "requestContext": {
                "http": {"method": method, "path": parts.path, "sourceIp": source_ip},
                "stage": "$default",
                "requestId": "test",
            },
            "body": text,
            "isBase64Encoded": encoded,
        }
        answer = self._function(function)(event, _context(function))
        self._settle()
        text = answer.get("body") or ""
        return Answer(answer["statusCode"], answer.get("headers", {}), text, answer.get("cookies", ()))

    def _settle(self) -> None:
        """Let the stream and the queues run until nothing is left to do at this moment."""
        for _ in range(_MOST_ROUNDS):
            if not self._relay_new_events() and not self._work_queues():
                return
        raise AssertionError("the queues never came to rest")

    def _relay_new_events(self) -> bool:
        from moto.dynamodb.models import dynamodb_backends

        from flow_hitl.bootstrap import current

        audit_table = current().settings.audit_table
        # Not by a scan of the table, which takes moto longer than all the rest that a handler does.
        chains = dynamodb_backends[_ACCOUNT][_REGION].tables[audit_table].items.values()
        events = [event for chain in chains for event in chain.values()]
        # Events are only ever added: to count them is enough to see that there are no new ones.
        if len(events) == len(self._relayed):
            return False
        items = [event.to_json()["Attributes"] for event in events]
        fresh = [item for item in items if _event_key(item) not in self._relayed]
        if fresh:
            fresh.sort(key=lambda item: (item["at"]["S"], *_event_key(item)))
            records = [
                {
                    "eventSource": "aws:dynamodb",
                    "eventName": "INSERT",
                    "eventID": str(number),
                    "dynamodb": {"NewImage": item},
                }
                for number, item in enumerate(fresh)
            ]
            self._deliver("relay", records)
            # Only now: a relay that died is given the same records again.
            self._relayed.update(map(_event_key, fresh))
            self._unmeasured += records
        return bool(fresh)

    def _work_queues(self) -> bool:
        worked = False
        for name in _QUEUES:
            if not self._has_message(name):
                continue
            url = _queue_url(name)
            found = self._clients["sqs"].receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_VISIBILITY_SECONDS, AttributeNames=["All"]
            )
            self._forget_when_sent(name)
            for message in found.get("Messages", []):
                worked = True
                record = _sqs_record(
                    message["MessageId"],
                    message["Body"],
                    receipt_handle=message["ReceiptHandle"],
                    receive_count=message["Attributes"]["ApproximateReceiveCount"],
                )
                failures = self._deliver(_WORKERS[name], [record])
                if not failures:
                    self._clients["sqs"].delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return worked

    def _has_message(self, queue: str) -> bool:
        from moto.sqs.models import sqs_backends

        messages = sqs_backends[_ACCOUNT][_REGION].queues[queue]._messages
        return any(message.visible and not message.delayed for message in messages)

    def _forget_when_sent(self, queue: str) -> None:
        """Let a message be hidden for hours again: SQS counts its limit from each receipt, moto from the sending."""
        from moto.sqs.models import sqs_backends

        for message in sqs_backends[_ACCOUNT][_REGION].queues[queue]._messages:
            message.sent_timestamp = int(self.clock.now().timestamp() * 1000)  # type: ignore[assignment]

    def _deliver(self, function: str, records: list[dict[str, Any]]) -> list[Any]:
        result = self._function(function)({"Records": records}, _context(function))
        failures: list[Any] = (result or {}).get("batchItemFailures", [])
        return failures

    def _function(self, name: str) -> Callable[[Any, Any], Any]:
        handler: Callable[[Any, Any], Any] = importlib.import_module(f"{handlers.__name__}.{name}").handler
        return handler

    def _coming(self) -> Iterator[datetime]:
        """Yield when each schedule and each hidden message comes due."""
        from moto.sqs.models import sqs_backends

        for schedule in self._schedules():
            yield _schedule_time(schedule)
        for queue in sqs_backends[_ACCOUNT][_REGION].queues.values():
            for message in queue._messages:
                due = max(message.visible_at, message.delayed_until)
                moment = datetime.fromtimestamp(due / 1000, UTC) + timedelta(milliseconds=1)
                if not queue.name.endswith("-dlq") and moment > self.clock.now():
                    yield moment

    def _schedules(self) -> list[dict[str, Any]]:
        scheduler = self._clients["scheduler"]
        listed = scheduler.list_schedules(GroupName="hitl")["Schedules"]
        return [scheduler.get_schedule(GroupName="hitl", Name=schedule["Name"]) for schedule in listed]

    def _fire_schedules(self) -> None:
        for schedule in self._schedules():
            if _schedule_time(schedule) <= self.clock.now():
                name = schedule["Target"]["Arn"].rpartition(":")[2]
                self._clients["sqs"].send_message(
                    QueueUrl=_queue_url(name), MessageBody=schedule["Target"]["Input"], DelaySeconds=0
                )
                self._clients["scheduler"].delete_schedule(GroupName="hitl", Name=schedule["Name"])

    @classmethod
    def start(cls) -> Self:
        """Make the stack on a moto that is already mocking, and one deployment in it."""
        from flow_hitl import bootstrap
        from flow_hitl.bootstrap import Application

        made, clock = _made_stack(), TurnedClock(START)
        made.snapshot.restore()
        bootstrap.use(Application(made.settings, clock, CountedIds(made.ids_given), jitter=lambda: 0.0))
        return cls(_clients(), clock, made.deployment_id, made.api_key)


@pytest.fixture
def hitl() -> Iterator[Hitl]:
    """Flow HITL on moto, with one deployment whose creator is creator@example.com."""
    with hitl_on_moto() as started:
        yield started


@contextmanager
def hitl_on_moto() -> Iterator[Hitl]:
    """Run what the fixture gives, for tests that need a fresh one several times."""
    from moto import mock_aws

    from flow_hitl import bootstrap

    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "ERROR",
    }
    with patch.dict(os.environ, environment), _quick_moto(), mock_aws():
        started = Hitl.start()
        clock = started.clock
        # moto's queues hide, delay and forget messages by a clock of their own; here it is the test's.
        with (
            patch("moto.sqs.models.unix_time", lambda: clock.now().timestamp()),
            patch("moto.sqs.models.unix_time_millis", lambda: clock.now().timestamp() * 1000),
        ):
            try:
                yield started
            finally:
                bootstrap.use(None)


@contextmanager
def _quick_moto() -> Iterator[None]:
    """Spare moto and botocore what they do anew at each call; it takes half of a test's time and changes no answer."""
    with ExitStack() as stack:
        for target, attribute, quick in _shortcuts():
            stack.enter_context(patch.object(target, attribute, quick, create=attribute == "__deepcopy__"))
        yield


@cache
def _shortcuts() -> Sequence[tuple[Any, str, Any]]:
    """Return what is replaced: where, its name, and by what."""
    import moto.backend_index
    import moto.core.models
    import moto.core.responses
    import moto.sqs.models
    from botocore.auth import SigV4Auth, SigV4QueryAuth
    from botocore.useragent import UserAgentString
    from moto.core.base_backend import BaseBackend
    from moto.core.custom_responses_mock import CallbackResponse
    from moto.core.serialize import BaseJSONSerializer
    from moto.core.utils import camelcase_to_underscores, method_names_from_class
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import DynamoType, Item
    from moto.dynamodb.models.table import Table

    by_the_model = BaseJSONSerializer._serialize_type_structure
    copied_item: Any = Item.__deepcopy__
    by_path: Any = Item.project
    update_in_place = DynamoDBBackend.update_item
    canonical_request = SigV4Auth.canonical_request
    urls: Any = BaseBackend.urls
    cast: Any = DynamoType.cast_value
    patterns, ours = moto.backend_index.backend_url_patterns, ("dynamodb", "sqs", "kms", "scheduler")
    urls_found: dict[type, Any] = {}

    def serialize(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue":
            # It is in its wire form already, of one type; the model names ten, each under several names.
            serializer._default_serialize(serialized, value, shape, key)
        else:
            by_the_model(serializer, serialized, value, shape, key)

    # moto copies whole tables before a transaction, and all items that it answers with. Only an update changes an
    # item in its place: if that has a copy to change, all others can share the item.
    def update_item(backend: Any, table_name: str, key: Any, *arguments: Any, **options: Any) -> Any:
        item, items = backend.get_item(table_name, key), backend.tables[table_name].items
        if item is not None and item.range_key is None:
            items[item.hash_key] = copied_item(item, {})
        elif item is not None:
            items[item.hash_key][item.range_key] = copied_item(item, {})
        return update_in_place(backend, table_name, key, *arguments, **options)

    def project(item: Any, expressions: Any) -> Any:
        if any(len(path) > 1 or "[" in path[0] for path in expressions):
            return by_path(item, expressions)
        # Whole attributes, as of an index; moto converts the whole item for each of them.
        projected = Item(item.hash_key, item.range_key, {})
        dict.update(projected.attrs, {name: item.attrs[name] for (name,) in expressions if name in item.attrs})
        return projected

    def copied_table(table: Any, _memo: Any) -> Any:
        copied = copy.copy(table)
        copied.items = copy.copy(table.items)
        copied.items.update({key: copy.copy(items) for key, items in table.items.items()})
        return copied

    def what_is_signed(auth: Any, request: Any) -> Any:
        # Nobody here checks signatures; but a link that is signed is shown.
        return canonical_request(auth, request) if isinstance(auth, SigV4QueryAuth) else ""

    def request_id(headers: Any) -> str:
        headers["x-amzn-requestid"] = "not-drawn-anew"
        return "not-drawn-anew"

    def urls_of(backend: Any) -> Any:
        if type(backend) not in urls_found:
            urls_found[type(backend)] = urls.fget(backend)
        return urls_found[type(backend)]

    return (
        (BaseJSONSerializer, "_serialize_type_structure", serialize),
        (moto.core.responses, "method_names_from_class", cache(method_names_from_class)),
        (moto.core.responses, "camelcase_to_underscores", cache(camelcase_to_underscores)),
        (moto.sqs.models, "camelcase_to_underscores", cache(camelcase_to_underscores)),
        # 644 of them are registered for each test, for whoever calls AWS past botocore.
        (moto.core.models, "CallbackResponse", cache(CallbackResponse)),
        # Each call is compared with the addresses of 100 services, one by one.
        (moto.backend_index, "backend_url_patterns", sorted(patterns, key=lambda one: one[0] not in ours)),
        (SigV4Auth, "canonical_request", what_is_signed),
        (moto.core.responses, "gen_amzn_requestid_long", request_id),
        (BaseBackend, "urls", property(urls_of)),
        (UserAgentString, "to_string", lambda _self: f"Botocore region/{_REGION}"),
        (DynamoType, "cast_value", property(lambda typed: typed.value if typed.type == "S" else cast.fget(typed))),
        (Item, "__deepcopy__", lambda item, _memo: item),
        (Item, "project", project),
        (Table, "__deepcopy__", copied_table),
        (DynamoDBBackend, "update_item", update_item),
    )


@dataclass(frozen=True)
class _Snapshot:
    """All that moto holds at one moment; it can be put back to it any number of times."""

    places: Sequence[tuple[Any, str, str]]
    backends: Sequence[Any]

    @classmethod
    def take(cls) -> Self:
        from moto.core.base_backend import BackendDict

        in_use: Any = BackendDict
        found = [(service, *place) for service in in_use._instances for place in service.iter_backends()]
        places = [(service, account, region) for service, account, region, _ in found]
        return cls(places, _copied([backend for *_, backend in found]))

    def restore(self) -> None:
        from moto.core.base_backend import BackendDict

        in_use: Any = BackendDict
        for service in in_use._instances:
            for of_account in service.values():
                of_account.clear()
        for (service, account, region), backend in zip(self.places, _copied(self.backends), strict=True):
            service[account][region] = backend


def _copied(backends: Sequence[Any]) -> Sequence[Any]:
    from moto.sqs.models import SQSBackend

    queues = [queue for one in backends if isinstance(one, SQSBackend) for queue in one.queues.values()]
    # Locks cannot be copied. With one thread, the copies can share them.
    return copy.deepcopy(backends, {id(queue._messages_lock): queue._messages_lock for queue in queues})


@dataclass(frozen=True)
class _Moment:
    """All of a deployment at one moment, on which any `Hitl` can go on."""

    snapshot: _Snapshot
    now: datetime
    ids_given: int
    relayed: Set[tuple[str, int]]
    mail_ids: Iterator[int]
    mails: Sequence[Mail]
    unmeasured: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, hitl: Hitl) -> Self:
        return cls(
            _Snapshot.take(),
            hitl.clock.now(),
            _ids_given(),
            set(hitl._relayed),
            copy.copy(hitl._mail_ids),
            list(hitl._mails),
            list(hitl._unmeasured),
        )

    @classmethod
    def kept(cls, hitl: Hitl) -> Self:
        """Return what can be restored after the end of a test as well."""
        from moto.s3.models import FakeKey

        # At its end, moto closes every object in S3 that it knows of, and complains about others; not about these.
        keys: Any = FakeKey
        known = list(keys.instances_tracked)
        moment = cls.of(hitl)
        for key in keys.instances_tracked[len(known) :]:
            key.disposed = True
        keys.instances_tracked = known
        return moment

    def restore(self, hitl: Hitl) -> None:
        from flow_hitl.bootstrap import Application, current, use

        self.snapshot.restore()
        hitl.clock.turn_back_to(self.now)
        hitl._relayed, hitl._unmeasured = set(self.relayed), list(self.unmeasured)
        hitl._mail_ids, hitl._mails = copy.copy(self.mail_ids), list(self.mails)
        before = current()
        use(Application(before.settings, hitl.clock, CountedIds(self.ids_given), before.jitter))


def _ids_given() -> int:
    from flow_hitl.bootstrap import current

    ids = current().ids
    assert isinstance(ids, CountedIds)
    return ids.given


Made = TypeVar("Made")


def made_once(make: Callable[[Hitl], Made]) -> Callable[[Hitl], Made]:
    """Let many tests begin with what `make` does to a fresh deployment: it is done once, and put there after that."""
    done: list[tuple[Hitl, Made, _Moment]] = []

    def made(hitl: Hitl) -> Made:
        fresh = hitl.clock.now() == START and _ids_given() == _made_stack().ids_given
        assert fresh, "something has happened already, and would be undone"
        if not done:
            done.append((hitl, make(hitl), _Moment.kept(hitl)))
        first, result, moment = done[0]
        moment.restore(hitl)
        # What was returned then looks at the deployment of its own test.
        return copy.deepcopy(result, {id(first): hitl})

    return made


@dataclass(frozen=True)
class _MadeStack:
    """The stack with one deployment, as every test finds it."""

    settings: Any
    ids_given: int
    deployment_id: int
    api_key: str
    snapshot: _Snapshot


@cache
def _made_stack() -> _MadeStack:
    """Make the stack on a moto that is already mocking: once in a process, as it takes longer than most tests."""
    from flow_hitl import bootstrap
    from flow_hitl.bootstrap import Application
    from flow_hitl.deployments.deployment import Permission

    settings, ids = _make_stack(_clients()), CountedIds()
    bootstrap.use(Application(settings, TurnedClock(START), ids, jitter=lambda: 0.0))
    manage = bootstrap.current().manage_deployments
    deployment = manage.create(name="Content Review", creator_email="creator@example.com", organization_id=789)
    key = manage.issue_key(deployment.deployment_id, name="tests", permissions=frozenset(Permission))
    return _MadeStack(settings, ids.given, deployment.deployment_id, key.text, _Snapshot.take())


def _clients() -> Mapping[str, Any]:
    """Return the clients that the handlers use too."""
    from flow_hitl.platform import aws

    names = ("dynamodb", "sqs", "s3", "sesv2", "scheduler", "secretsmanager", "kms")
    return {name: aws.client(name) for name in names}


def _make_stack(clients: Mapping[str, Any]) -> Any:
    from flow_hitl.platform.environment import Settings
    from infra.tables import AUDIT, DEPLOYMENTS, REQUESTS, create_table_arguments

    for table in (REQUESTS, AUDIT, DEPLOYMENTS):
        # The stream is played by the fixture; moto's own would only cost time.
        arguments = create_table_arguments(table, table.name)
        clients["dynamodb"].create_table(**{k: v for k, v in arguments.items() if k != "StreamSpecification"})
    for bucket in ("content", "mail", "exports"):
        clients["s3"].create_bucket(Bucket=bucket)
    for name in _DEAD_LETTERS:
        clients["sqs"].create_queue(QueueName=f"{name}-dlq")
    clients["s3"].create_bucket(Bucket="seals", ObjectLockEnabledForBucket=True)
    locked = {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}, "ObjectLockEnabled": "Enabled"}
    clients["s3"].put_object_lock_configuration(Bucket="seals", ObjectLockConfiguration=locked)
    for name in _QUEUES:
        attributes = {}
        if name in _MOST_RECEIVES:
            redrive = {"deadLetterTargetArn": f"{_queue_arn(name)}-dlq", "maxReceiveCount": _MOST_RECEIVES[name]}
            attributes["RedrivePolicy"] = json.dumps(redrive)
        clients["sqs"].create_queue(QueueName=name, Attributes=attributes)
    clients["sesv2"].create_email_identity(EmailIdentity="hitl.test")
    clients["scheduler"].create_schedule_group(Name="hitl")
    secret = json.dumps({"active": "1", "1": "a-signing-key-for-tests"})
    clients["secretsmanager"].create_secret(Name="signing", SecretString=secret)
    webhook_key = clients["kms"].create_key(Description="webhook secrets")["KeyMetadata"]["Arn"]
    seal_key = clients["kms"].create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return Settings(
        requests_table=REQUESTS.name,
        audit_table=AUDIT.name,
        deployments_table=DEPLOYMENTS.name,
        content_bucket="content",
        mail_bucket="mail",
        email_queue_url=_queue_url("email"),
        resume_queue_url=_queue_url("resume"),
        deadline_queue_url=_queue_url("deadline"),
        deadline_queue_arn=_queue_arn("deadline"),
        relay_retry_queue_url=_queue_url("relay-retry"),
        measure_retry_queue_url=_queue_url("measure-retry"),
        webhook_queue_url=_queue_url("webhook"),
        email_dead_letter_queue_url=_queue_url("email-dlq"),
        resume_dead_letter_queue_url=_queue_url("resume-dlq"),
        inbound_mail_dead_letter_queue_url=_queue_url("inbound-mail-dlq"),
        relay_retry_dead_letter_queue_url=_queue_url("relay-retry-dlq"),
        stream_dead_letter_queue_url=_queue_url("stream-dlq"),
        webhook_key_id=webhook_key,
        seal_queue_url=_queue_url("seal"),
        seal_bucket="seals",
        seal_key_id=seal_key["KeyMetadata"]["Arn"],
        export_queue_url=_queue_url("export"),
        export_bucket="exports",
        scheduler_role_arn=f"arn:aws:iam::{_ACCOUNT}:role/scheduler",
        scheduler_group="hitl",
        signing_secret_id="signing",  # noqa: S106 - the name of the secret
        base_url="https://hitl.test",
        inbound_domain=_INBOUND_DOMAIN,
        mail_from="reviews@hitl.test",
        allow_insecure_urls="true",
    )


def _queue_url(name: str) -> str:
    return f"https://sqs.{_REGION}.amazonaws.com/{_ACCOUNT}/{name}"


def _queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:{name}"


def _sqs_record(message_id: str, body: str, *, receipt_handle: str = "", receive_count: str = "1") -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": receipt_handle,
        "body": body,
        "attributes": {"ApproximateReceiveCount": receive_count},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:test",
        "awsRegion": _REGION,
    }


def _event_key(item: Mapping[str, Any]) -> tuple[str, int]:
    return item["subject"]["S"], int(item["seq"]["N"])


def _schedule_time(schedule: Mapping[str, Any]) -> datetime:
    return datetime.strptime(schedule["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)


def _context(function: str) -> SimpleNamespace:
    return SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:function:{function}",
        aws_request_id="test",
        get_remaining_time_in_millis=lambda: 29_000,
    )
