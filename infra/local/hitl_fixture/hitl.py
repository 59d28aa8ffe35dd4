"""The fixture: one deployment on moto, and what the flow, people, and time do to it."""

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import parseaddr
from functools import cache
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urlsplit

from infra.local.hitl_fixture.actors import AskedRequest, Browser
from infra.local.hitl_fixture.between import BetweenFunctions
from infra.local.hitl_fixture.clock import START, CountedIds, TurnedClock
from infra.local.hitl_fixture.seen import Answer, Mail, parsed_mail
from infra.local.hitl_fixture.snapshots import Moment, Snapshot, ids_given
from infra.local.hitl_fixture.stack import ACCOUNT, REGION, clients_of_handlers, make_stack, queue_url

Made = TypeVar("Made")


class Hitl(BetweenFunctions):
    """One deployment on moto: ask as the flow, read and answer email as the reviewer, turn the clock."""

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
        """Open a request, with any further `fields` of `POST /v1/requests`; fails the test if it is refused."""
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

    # --- as the reviewer

    @property
    def inbox(self) -> list[Mail]:
        """Every email that was sent, oldest first."""
        from moto.ses.models import ses_backends

        for mail in ses_backends[ACCOUNT][REGION].sent_messages[len(self._mails) :]:
            self._mails.append(parsed_mail(mail.raw_data))
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
        """Reply to an email (default: the last with a Reply-To) as its recipient, as a plain mail client does.

        `verdicts` are SES's, such as `{"dmarc": "FAIL"}` (default: PASS); `raw` replaces the whole email.
        """
        asked = next((mail for mail in reversed(self.inbox) if mail.reply_to), self.inbox[-1]) if to is None else to
        recipient = asked if isinstance(asked, str) else asked.reply_to
        assert recipient, "this email has no Reply-To"
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
        """Receive an email as SES does; the same `message_id` is a redelivery."""
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
        self._take_in("inbound_mail", json.dumps(notification))

    def bounce(self, request: AskedRequest, address: str, kind: str = "Permanent") -> None:
        """Report, as SES does, a bounce of a notification, or a `Complaint`."""
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
        self._take_in("mail_feedback", json.dumps(event))

    def page(self, method: str, url: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Open a review page, or send its form."""
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self._http(method, path, urlencode(form) if form else None, sent)

    def browser(self, *, source_ip: str = "203.0.113.7") -> "Browser":
        """Return a new browser in which nobody is signed in."""
        return Browser(self, source_ip)

    def signed_in(self, email: str = "creator@example.com") -> "Browser":
        """Return a browser in which someone has signed in with the code from their email."""
        browser = self.browser()
        browser.post("/sign-in", {"email": email})
        browser.post("/sign-in/code", {"code": self.sign_in_code()})
        assert browser.session, f"{email} could not sign in"
        return browser

    def sign_in_code(self, mail: Mail | None = None) -> str:
        """Return the code in a sign-in email (default: the last email)."""
        found = re.search(r"^  (\d{4} \d{4})\s*$", (mail or self.inbox[-1]).text, re.MULTILINE)
        assert found, "this email has no code"
        return found[1]

    def review_url(self, mail: Mail | None = None) -> str:
        """Return the review link in an email (default: the last one)."""
        found = re.search(r"https://hitl\.test/review/[\w.-]+", (mail or self.inbox[-1]).text)
        assert found, "this email has no review link"
        return found[0]

    # --- as the operator

    def configure(
        self, *, settings: Mapping[str, Any] | None = None, rules: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Change the given settings and replace the routing rules, both in the API's JSON."""
        from flow_hitl.bootstrap import current
        from flow_hitl.contract.shapes import as_json
        from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings

        manage = current().manage_deployments
        if settings is not None:
            now = as_json(manage.show(self.deployment_id).settings)
            manage.set_settings(self.deployment_id, parse_settings(json.dumps({**now, **settings})))
        if rules is not None:
            manage.set_rules(self.deployment_id, parse_rules(json.dumps({"rules": list(rules)})))

    def seal(self) -> None:
        """Seal the audit log up to now, as is done each hour with complete hours."""
        from flow_hitl.platform.times import rfc3339

        # More may happen in the current second.
        self.clock.sleep(1)
        message = json.dumps({"until": rfc3339(self.clock.now())})
        self._clients["sqs"].send_message(QueueUrl=queue_url("seal"), MessageBody=message)
        self._settle()

    # --- as time

    def advance(self, *, minutes: float = 0, seconds: float = 0, days: float = 0) -> None:
        """Let time pass; whatever comes due happens at its time."""
        goal = self.clock.now() + timedelta(days=days, minutes=minutes, seconds=seconds)
        while due := min((moment for moment in self._coming() if moment <= goal), default=None):
            is_sweep = due == self._next_sweep()
            self.clock.turn_to(due)
            self._fire_schedules()
            self._settle()
            if is_sweep:
                self.sweep()
        self.clock.turn_to(goal)
        self._settle()

    def checkpoint(self) -> Callable[[], None]:
        """Return what restores data, email, queues, and clock to now, any number of times."""
        moment = Moment.of(self)
        return lambda: moment.restore(self)

    @classmethod
    def start(cls) -> Self:
        """Make the stack and one deployment on a moto that is mocking."""
        from flow_hitl import bootstrap
        from flow_hitl.bootstrap import Application

        made, clock = _made_stack(), TurnedClock(START)
        made.snapshot.restore()
        bootstrap.use(Application(made.settings, clock, CountedIds(made.ids_given), jitter=lambda: 0.0))
        return cls(clients_of_handlers(), clock, made.deployment_id, made.api_key)


def made_once(make: Callable[[Hitl], Made]) -> Callable[[Hitl], Made]:
    """Let many tests begin with what `make` does to a fresh deployment: it runs once, and is restored after that."""
    done: list[tuple[Hitl, Made, Moment]] = []

    def made(hitl: Hitl) -> Made:
        fresh = hitl.clock.now() == START and ids_given() == _made_stack().ids_given
        assert fresh, "something has already happened, and would be undone"
        if not done:
            done.append((hitl, make(hitl), Moment.kept(hitl)))
        first, result, moment = done[0]
        moment.restore(hitl)
        # Point the result at this test's deployment.
        return copy.deepcopy(result, {id(first): hitl})

    return made


@dataclass(frozen=True)
class _MadeStack:
    """The stack with one deployment, as every test finds it."""

    settings: Any
    ids_given: int
    deployment_id: int
    api_key: str
    snapshot: Snapshot


@cache
def _made_stack() -> _MadeStack:
    """Make the stack once per process: it takes longer than most tests."""
    from flow_hitl import bootstrap
    from flow_hitl.bootstrap import Application
    from flow_hitl.deployments.deployment import Permission

    settings, ids = make_stack(clients_of_handlers()), CountedIds()
    bootstrap.use(Application(settings, TurnedClock(START), ids, jitter=lambda: 0.0))
    manage = bootstrap.current().manage_deployments
    deployment = manage.create(name="Content Review", creator_email="creator@example.com", organization_id=789)
    key = manage.issue_key(deployment.deployment_id, name="tests", permissions=frozenset(Permission))
    return _MadeStack(settings, ids.given, deployment.deployment_id, key.text, Snapshot.take())
