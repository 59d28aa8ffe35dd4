"""What a test does from outside: calls the API as a flow, reads the mailbox, answers by SMTP as a person."""

import smtplib
import time
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import requests

from infra.local.state import Credentials

WAIT_SECONDS = 20.0
# Longer than the longest poll.
CALL_SECONDS = 40.0


@dataclass(frozen=True)
class LocalClient:
    """A running local stack: its files are in `home`."""

    home: Path
    credentials: Credentials

    def call(self, method: str, path: str, json: object = None, **options: Any) -> requests.Response:
        """Call the API with the API key; `options` are those of requests."""
        headers = {"Authorization": f"Bearer {self.credentials.api_key}"} | options.pop("headers", {})
        return requests.request(
            method, self.credentials.base_url + path, json=json, headers=headers, timeout=CALL_SECONDS, **options
        )

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

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """Return the mails sent so far, oldest first, or those to one address."""
        mails: list[dict[str, Any]] = requests.get(f"{self.credentials.base_url}/_local/mail", timeout=10).json()[
            "mails"
        ]
        return [mail for mail in mails if to is None or to in mail["to"]]

    def wait_for_mail(self, to: str, after: int = 0) -> dict[str, Any]:
        """Return the mail to an address that follows the first `after` ones, when it has come."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            mails = self.mails(to)
            if len(mails) > after:
                return mails[after]
            time.sleep(0.1)
        raise AssertionError(f"no mail number {after + 1} to {to}; see {self.home}/emulator.log")

    def send(self, sender: str, recipient: str, text: str, **headers: str) -> dict[str, tuple[int, bytes]]:
        """Send a mail by SMTP; `X_Name="…"` adds the header X-Name. Raises smtplib's errors."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, recipient, "Re: your answer is needed"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        with smtplib.SMTP("127.0.0.1", self.credentials.smtp_port, timeout=20) as smtp:
            return smtp.send_message(mail)
