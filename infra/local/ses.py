"""A stand-in for Amazon SES: takes `SendEmail` of API version 2 and puts the email into the mailbox.

The emulator's own SES loses raw email and Reply-To.
"""

import base64
import binascii
import json
import random
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from email.utils import format_datetime, getaddresses
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from infra.local.inbound import LARGEST_MAIL
from infra.local.mailbox import Mailbox

SEND_EMAIL = ("POST", "/v2/email/outbound-emails")


class _Rejected(Exception):
    """SES would refuse the call, with this status and this type of error."""

    def __init__(
        self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, error: str = "BadRequestException"
    ) -> None:
        super().__init__(message)
        self.status, self.error = status, error


@dataclass
class SesTrouble:
    """What is wrong with SES, to try an outage: it is away, or throttles this share (0 to 1) of calls.

    `refused` counts the calls that were refused for it.
    """

    away: bool = False
    throttled: float = 0.0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def shown(self) -> dict[str, object]:
        """Return the answer of `/_local/ses`."""
        return {"away": self.away, "throttled": self.throttled, "refused": self.refused}

    def change(self, wanted: object) -> None:
        """Take `{"away": bool, "throttled": share}`; what is left out is well. Raises ValueError."""
        if not isinstance(wanted, dict) or not set(wanted) <= {"away", "throttled"}:
            raise ValueError("Send a JSON object with `away` (true or false) and `throttled` (0 to 1).")
        away, throttled = wanted.get("away", False), wanted.get("throttled", 0)
        if not isinstance(away, bool) or isinstance(throttled, bool) or not isinstance(throttled, int | float):
            raise ValueError("`away` must be true or false, and `throttled` a number.")
        if not 0 <= throttled <= 1:
            raise ValueError("`throttled` must be from 0 to 1.")
        self.away, self.throttled = away, float(throttled)

    def meet(self, chance: float) -> None:
        """Raise _Rejected if a call with this chance (0 to 1) meets the trouble."""
        if not self.away and chance >= self.throttled:
            return
        with self._lock:
            self.refused += 1
        if self.away:
            raise _Rejected("SES is away.", HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailableException")
        raise _Rejected("Maximum sending rate exceeded.", HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequestsException")


def ses_app(
    mailbox: Mailbox, trouble: SesTrouble, chance: Callable[[], float] = random.random
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the WSGI application that stands in for SES and fills `mailbox`; `chance` is from 0 to 1."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != SEND_EMAIL:
                raise _Rejected("This stand-in for SES only knows SendEmail.")
            trouble.meet(chance())
            error_type, status, answer = "", HTTPStatus.OK, {"MessageId": _send(mailbox, environ["wsgi.input"].read())}
        except _Rejected as error:
            error_type, status, answer = error.error, error.status, {"message": str(error)}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if error_type:
            headers.append(("x-amzn-ErrorType", error_type))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return app


def _send(mailbox: Mailbox, body: bytes) -> str:
    try:
        call: dict[str, Any] = json.loads(body)
        raw = base64.b64decode(call["Content"]["Raw"]["Data"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise _Rejected("This stand-in for SES only takes raw email (Content.Raw.Data).") from error
    if len(raw) > LARGEST_MAIL:
        raise _Rejected("Message length is more than 41943040 bytes long.")
    destination = call.get("Destination") or {}
    recipients = [address for kind in ("To", "Cc", "Bcc") for address in destination.get(f"{kind}Addresses") or []]
    message_id = f"{secrets.token_hex(8)}-{secrets.token_hex(18)}"
    sent, addressed = _as_sent(raw, message_id)
    to = [address for _, address in getaddresses(recipients or addressed) if address]
    if not to:
        raise _Rejected("Missing required header 'To'.")
    mailbox.add(message_id, to, sent)
    return message_id


def _as_sent(raw: bytes, message_id: str) -> tuple[bytes, list[str]]:
    """Return the email with Message-ID and Date as SES sets them, and its To, Cc, and Bcc headers."""
    # compat32 keeps all other headers byte by byte.
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    addressed = [str(value) for name in ("to", "cc", "bcc") for value in message.get_all(name, [])]
    for name in ("message-id", "date", "bcc"):
        del message[name]
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{message_id}@email.amazonses.com>"
    return message.as_bytes(policy=policy.compat32.clone(linesep="\r\n", max_line_length=None)), addressed
