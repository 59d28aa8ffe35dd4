"""A stand-in for Amazon SES: takes `SendEmail` of API version 2 and puts the email into the mailbox.

The emulator's own SES loses raw email and Reply-To.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Iterable
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
    """SES would refuse the call."""


def ses_app(mailbox: Mailbox) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the WSGI application that stands in for SES and fills `mailbox`."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != SEND_EMAIL:
                raise _Rejected("This stand-in for SES only knows SendEmail.")
            status, answer = HTTPStatus.OK, {"MessageId": _send(mailbox, environ["wsgi.input"].read())}
        except _Rejected as error:
            status, answer = HTTPStatus.BAD_REQUEST, {"message": str(error)}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status is not HTTPStatus.OK:
            headers.append(("x-amzn-ErrorType", "BadRequestException"))
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
