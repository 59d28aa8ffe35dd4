"""The emails that the stack has sent, each also as a file for other tools."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses
from pathlib import Path


@dataclass(frozen=True)
class DeliveredMail:
    """An email: its envelope recipients, and the bytes as sent."""

    id: str
    to: tuple[str, ...]
    sender: str
    reply_to: str
    subject: str
    date: datetime
    raw: bytes

    def summary(self) -> dict[str, object]:
        """Return the email's entry in `GET /_local/mail`."""
        return {
            "id": self.id,
            "to": list(self.to),
            "from": self.sender,
            "reply_to": self.reply_to,
            "subject": self.subject,
            "date": self.date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def body(self, kind: str) -> str | None:
        """Return the body of `kind` ("html" or "plain"), or None if there is none."""
        part = parse(self.raw).get_body((kind,))
        return str(part.get_content()) if part is not None else None


class Mailbox:
    """What was sent since the stack started; thread-safe."""

    def __init__(self, directory: Path) -> None:
        """Store each email as `<id>.eml` in `directory`, which must exist."""
        self._directory = directory
        self._lock = threading.Lock()
        self._mails: dict[str, DeliveredMail] = {}

    def add(self, mail_id: str, recipients: Sequence[str], raw: bytes) -> DeliveredMail:
        """Add an email that was just sent to these envelope recipients."""
        message = parse(raw)
        mail = DeliveredMail(
            id=mail_id,
            to=tuple(recipients),
            sender=_first_address(message, "from"),
            reply_to=_first_address(message, "reply-to"),
            # If the line was folded right after the colon, the parser keeps the space.
            subject=str(message.get("subject", "")).strip(),
            date=datetime.now(UTC),
            raw=raw,
        )
        (self._directory / f"{mail_id}.eml").write_bytes(raw)
        with self._lock:
            self._mails[mail_id] = mail
        return mail

    def mails(self) -> list[DeliveredMail]:
        """Return all emails, oldest first."""
        with self._lock:
            return list(self._mails.values())

    def get(self, mail_id: str) -> DeliveredMail | None:
        """Return the email with that id, or None."""
        with self._lock:
            return self._mails.get(mail_id)


def parse(raw: bytes) -> EmailMessage:
    """Parse an email that we made; not for email from outside."""
    return BytesParser(policy=policy.default).parsebytes(raw)


def _first_address(message: EmailMessage, header: str) -> str:
    addresses = getaddresses([str(value) for value in message.get_all(header, [])])
    return addresses[0][1] if addresses else ""
