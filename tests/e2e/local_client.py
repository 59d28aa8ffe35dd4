"""What a test does from outside: calls the API as a flow, reads the mailbox, answers by SMTP as a person."""

import os
import re
import secrets
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
import requests
from botocore.config import Config

from infra.local.emulator import use_emulator_credentials
from infra.local.patience import HANG_SECONDS
from infra.local.seed import seed
from infra.local.state import HOME_VARIABLE, ROOT, Credentials, Operator, read_operator
from tests.e2e import web

T = TypeVar("T")


def fresh_address(name: str) -> str:
    """Return an address at which no other test, and no earlier run, has got mail."""
    return f"{name}.{secrets.token_hex(5)}@example.com"


def eventually(probe: Callable[[], T | None], what: str, seconds: float = HANG_SECONDS) -> T:
    """Return the first answer of `probe` that is true, asking more and more seldom; fails with `what` was missing."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.5)
    return found


@dataclass(frozen=True)
class LocalClient:
    """A running local stack: its files are in `home`."""

    home: Path
    credentials: Credentials

    def on_a_deployment_of_its_own(self, **settings: object) -> "LocalClient":
        """Return a client of a new deployment with these settings, which no other test changes."""
        with patch.dict(os.environ):
            use_emulator_credentials()
            own = seed(self.operator)
        credentials = replace(
            self.credentials,
            deployment_id=own.deployment_id,
            api_key=own.api_key,
            resume_signing_secret=own.resume_signing_secret,
        )
        client = LocalClient(self.home, credentials)
        path = f"/v1/deployments/{own.deployment_id}/settings"
        answer = client.call("PUT", path, settings, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text
        return client

    def call(self, method: str, path: str, json: object = None, **options: Any) -> requests.Response:
        """Call the API with the API key; `options` are those of requests."""
        headers = {"Authorization": f"Bearer {self.credentials.api_key}"} | options.pop("headers", {})
        return web.call(method, self.credentials.base_url + path, json=json, headers=headers, **options)

    def ask(self, **fields: object) -> dict[str, Any]:
        """Open a request and return the answer's JSON; `fields` replace or add to a small valid body."""
        body: dict[str, object] = {
            "flow_id": "flow_1",
            "flow_name": "ContentApprovalFlow",
            "method_name": "review_content",
            "message": "Please review this:",
            "output": "# Hello",
            "emit_options": ["approved", "rejected"],
        }
        answer = self.call("POST", "/v1/requests", body | fields)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def request(self, request_id: str, wait: int = 0) -> dict[str, Any]:
        """Return the request object as it is, or once it is answered within `wait` seconds."""
        answer = self.call("GET", f"/v1/requests/{request_id}?wait={wait}")
        assert answer.status_code == 200, answer.text
        request: dict[str, Any] = answer.json()["request"]
        return request

    def response(self, request_id: str) -> dict[str, Any]:
        """Return the response of a request, when it is there."""
        answered: dict[str, Any] = eventually(lambda: self.request(request_id, wait=20)["response"], "an answer")
        return answered

    def timeline(self, request_id: str) -> list[dict[str, Any]]:
        """Return the events of a request, in order."""
        answer = self.call("GET", f"/v1/requests/{request_id}/timeline")
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    def kinds(self, request_id: str) -> list[str]:
        """Return the kinds of a request's events, in order."""
        return [event["kind"] for event in self.timeline(request_id)]

    def wait_for_event(self, request_id: str, kind: str, count: int = 1) -> None:
        """Return when so many events of a kind are on a request's timeline."""
        eventually(lambda: self.kinds(request_id).count(kind) >= count, f"{count} {kind} of request {request_id}")

    def command(self, *words: str, seconds: float = HANG_SECONDS) -> "subprocess.CompletedProcess[str]":
        """Run the operator's command on the running stack."""
        return subprocess.run(
            [sys.executable, "-c", "from infra.cli.main import main; main()", *words, "--local"],
            env=os.environ | {HOME_VARIABLE: str(self.home)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """Return the mails sent so far, oldest first, or those to one address."""
        only = f"?{urlencode({'to': to})}" if to is not None else ""
        mails: list[dict[str, Any]] = web.get(f"{self.credentials.base_url}/_local/mail{only}").json()["mails"]
        return mails

    def wait_for_mail(self, to: str, after: int = 0) -> dict[str, Any]:
        """Return the mail to an address that follows the first `after` ones, when it has come."""
        missing = f"mail number {after + 1} to {to}; see {self.home}/emulator.log"
        return eventually(lambda: self.mails(to)[after:], missing)[0]

    def mail(self, mail: dict[str, Any]) -> EmailMessage:
        """Return a mail of the list as it was sent."""
        answer = web.get(f"{self.credentials.base_url}/_local/mail/{mail['id']}")
        assert answer.status_code == 200, answer.text
        message = message_from_bytes(answer.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def text_of(self, mail: dict[str, Any], kind: str = "plain") -> str:
        """Return the plain or the html part of a mail of the list."""
        part = self.mail(mail).get_body((kind,))
        assert part is not None, f"the mail has no {kind} part"
        return str(part.get_content())

    def review_link(self, mail: dict[str, Any]) -> str:
        """Return the link to the review page that a mail of the list carries."""
        (link,) = set(re.findall(rf"{self.credentials.base_url}/review/[\w.-]+", self.text_of(mail)))
        return str(link)

    def send(
        self,
        sender: str,
        recipient: str,
        text: str,
        *,
        subject: str = "Re: your answer is needed",
        envelope_from: str | None = None,
        **headers: str,
    ) -> dict[str, tuple[int, bytes]]:
        """Send a mail by SMTP; `X_Name="…"` adds the header X-Name. Raises smtplib's errors."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        return self.send_mail(mail, envelope_from)

    def send_mail(self, mail: EmailMessage, envelope_from: str | None = None) -> dict[str, tuple[int, bytes]]:
        """Send a mail as it is by SMTP, to the addresses in its headers. Raises smtplib's errors."""
        with smtplib.SMTP("127.0.0.1", self.credentials.smtp_port, timeout=HANG_SECONDS) as smtp:
            return smtp.send_message(mail, from_addr=envelope_from)

    @cached_property
    def operator(self) -> Operator:
        """How the operator reaches the emulated account, with the stack's outputs."""
        return read_operator(self.home)

    def aws(self, service: str) -> Any:
        """Return a boto3 client of the emulated account."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.operator.endpoint_url,
            region_name=self.operator.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # Sent once: what is answered late is done.
            config=Config(read_timeout=HANG_SECONDS, retries={"total_max_attempts": 1}),
        )
