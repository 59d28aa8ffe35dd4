"""Inbound email by SMTP, as Amazon SES receives it: the raw email goes to the bucket, its receipt to the topic."""

import asyncio
import json
import re
import secrets
import smtplib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from email.utils import format_datetime, getaddresses
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local.aws_client import patient_client
from infra.local.patience import HANG_SECONDS

LARGEST_MAIL = 40 * 1024 * 1024
VERDICTS_HEADER = "X-Local-Verdicts"
VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
STATUSES = ("PASS", "FAIL", "GRAY", "PROCESSING_FAILED", "DISABLED")

# One header with its continuation lines, which end with CR LF or LF.
_VERDICTS_LINES = re.compile(rb"(?im)^" + VERDICTS_HEADER.encode() + rb"[ \t]*:((?:.*)(?:\r?\n[ \t].*)*)(?:\r?\n|\Z)")


class BadVerdicts(ValueError):
    """The header X-Local-Verdicts is not valid."""


@dataclass(frozen=True)
class ReceivedMail:
    """An email as SMTP delivered it, with the verdicts to report."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    verdicts: dict[str, str]
    dmarc_policy: str | None = None


def take_verdicts(raw: bytes) -> tuple[bytes, dict[str, str], str | None]:
    """Return the email without X-Local-Verdicts, the status of each verdict (default: PASS), and the DMARC policy.

    Raises BadVerdicts.
    """
    head, separator, body = _split(raw)
    found = _VERDICTS_LINES.findall(head)
    statuses = dict.fromkeys(VERDICTS, "PASS")
    dmarc_policy: str | None = None
    for value in found:
        for name, verdict in _parse_verdicts(value).items():
            if name == "dmarcPolicy" and isinstance(verdict, str):
                dmarc_policy = verdict
                continue
            status = verdict.get("status") if isinstance(verdict, dict) else None
            if name not in VERDICTS or status not in STATUSES:
                raise BadVerdicts(f"{VERDICTS_HEADER}: {name} must be one of {VERDICTS} with a status of {STATUSES}")
            statuses[name] = status
    return _VERDICTS_LINES.sub(b"", head) + separator + body, statuses, dmarc_policy


def receipt_notification(mail: ReceivedMail, message_id: str, bucket: str, key: str, topic_arn: str) -> dict[str, Any]:
    """Return what SES publishes for an email that its S3 action stored (SES manual: "Contents of notifications")."""
    now = _timestamp()
    message = BytesHeaderParser(policy=policy.compat32).parsebytes(mail.raw)
    destination = [address for name in ("to", "cc") for address in _addresses(message, name)]
    receipt: dict[str, Any] = {
        "timestamp": now,
        "processingTimeMillis": 42,
        "recipients": list(mail.recipients),
        **{name: {"status": status} for name, status in mail.verdicts.items()},
        "action": {
            "type": "S3",
            "topicArn": topic_arn,
            "bucketName": bucket,
            "objectKeyPrefix": key.rpartition("/")[0],
            "objectKey": key,
        },
    }
    if mail.dmarc_policy is not None:
        receipt["dmarcPolicy"] = mail.dmarc_policy
    common: dict[str, Any] = {"returnPath": mail.sender, "from": _values(message, "from"), "to": _values(message, "to")}
    for field, name in (("date", "date"), ("messageId", "message-id"), ("subject", "subject")):
        if values := _values(message, name):
            common[field] = values[0]
    if reply_to := _values(message, "reply-to"):
        common["replyTo"] = reply_to
    return {
        "notificationType": "Received",
        "receipt": receipt,
        "mail": {
            "timestamp": now,
            "messageId": message_id,
            "source": mail.sender,
            "destination": destination,
            "headersTruncated": False,
            "headers": [{"name": name, "value": _text(value)} for name, value in message.items()],
            "commonHeaders": {name: value for name, value in common.items() if value != []},
        },
    }


class Receiver:
    """Stores an email and publishes its receipt, as the SES receipt rule does on AWS."""

    def __init__(self, endpoint_url: str, bucket: str, topic_arn: str) -> None:
        """Use a bucket and a topic of the emulator at `endpoint_url`."""
        self._s3 = patient_client("s3", endpoint_url)
        self._sns = patient_client("sns", endpoint_url)
        self._bucket = bucket
        self._topic_arn = topic_arn

    def accept(self, mail: ReceivedMail) -> str:
        """Store the email, publish its receipt, and return its message id."""
        message_id = secrets.token_hex(20)
        key = f"inbound/{message_id}"
        now = format_datetime(datetime.now(UTC))
        trace = (
            f"Return-Path: <{mail.sender}>\r\n"
            f"Received: from local (localhost [127.0.0.1])\r\n"
            f" by inbound-smtp.local with SMTP id {message_id};\r\n {now}\r\n"
        )
        stored = replace(mail, raw=trace.encode("utf-8", "surrogateescape") + mail.raw)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=stored.raw)
        notification = receipt_notification(stored, message_id, self._bucket, key, self._topic_arn)
        self._sns.publish(
            TopicArn=self._topic_arn,
            Subject="Amazon SES Email Receipt Notification",
            Message=json.dumps(notification),
        )
        return message_id


class SmtpServer:
    """Receives email for one domain on 127.0.0.1."""

    def __init__(self, port: int, domain: str, accept: Callable[[ReceivedMail], str]) -> None:
        """Listen on `port` for recipients at `domain`; `accept` takes an email and returns its id."""
        self._controller = Controller(
            _Handler(domain, accept),
            hostname="127.0.0.1",
            port=port,
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            server_hostname="localhost",
            ident="flow-hitl local stack",
            ready_timeout=HANG_SECONDS,
        )

    def deliver(self, mail: EmailMessage) -> None:
        """Send an email to this server; raises smtplib's errors and OSError."""
        with smtplib.SMTP("127.0.0.1", self._controller.port, timeout=HANG_SECONDS) as smtp:
            smtp.send_message(mail)

    def start(self) -> None:
        """Start listening; raises OSError if the port is taken."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._controller.loop.is_running():
            self._controller.stop()


class _Handler:
    def __init__(self, domain: str, accept: Callable[[ReceivedMail], str]) -> None:
        self._domain = domain.lower()
        self._accept = accept

    # aiosmtpd finds its hooks by these names.
    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        if address.rpartition("@")[2].lower() != self._domain:
            return f"550 5.1.1 Only recipients at {self._domain} are accepted"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        try:
            raw, verdicts, dmarc_policy = take_verdicts(content)
        except BadVerdicts as error:
            return f"554 5.6.0 {error}"
        mail = ReceivedMail(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, verdicts, dmarc_policy)
        return f"250 OK {await asyncio.to_thread(self._accept, mail)}"


def _parse_verdicts(value: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise BadVerdicts(f"{VERDICTS_HEADER} is not JSON") from error
    if not isinstance(parsed, dict):
        raise BadVerdicts(f"{VERDICTS_HEADER} is not a JSON object")
    return parsed


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Split an email into its header lines (each with its line end), the empty line, and the body."""
    end = re.search(rb"(?m)^\r?\n", raw)
    return (raw, b"", b"") if end is None else (raw[: end.start()], end.group(), raw[end.end() :])


def _values(message: Message, name: str) -> list[str]:
    return [_text(value) for value in message.get_all(name, [])]


def _text(value: object) -> str:
    """Return a header's text as SES reports it: unfolded, with encoded words decoded where possible."""
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", str(value))
    try:
        return str(make_header(decode_header(unfolded)))
    except (ValueError, LookupError):
        return unfolded.encode("utf-8", "replace").decode()


def _addresses(message: Message, name: str) -> list[str]:
    return [address for _, address in getaddresses(_values(message, name)) if address]


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
