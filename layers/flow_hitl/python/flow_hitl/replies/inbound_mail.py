"""An incoming email, and what is proven about its sender.

The verdicts come from the SES receipt, because anyone can write an `Authentication-Results` header. The From header
only tells who is claimed.
"""

import email.utils
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, Self

from flow_hitl.platform.address import domain_of, is_mail_address
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339

PASS, FAIL, GRAY, PROCESSING_FAILED = "PASS", "FAIL", "GRAY", "PROCESSING_FAILED"
MAX_BYTES = 10_000_000


class UnreadableMail(Exception):
    """The email exceeds our limits or is malformed; `reason` says how, for a log or an event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Receipt:
    """What SES says about one received email.

    `recipients` and `mail_from` (empty for bounces) are the envelope's; the five verdicts are PASS, FAIL, GRAY, or
    PROCESSING_FAILED (also if missing); `bucket` and `key` locate the raw email.
    """

    message_id: str
    recipients: tuple[str, ...]
    mail_from: str
    spam: str
    virus: str
    spf: str
    dkim: str
    dmarc: str
    bucket: str
    key: str
    at: datetime

    @classmethod
    def from_notification(cls, notification: Mapping[str, Any]) -> Self:
        """Read the notification of the receipt rule's S3 action; raises ValueError saying what is wrong.

        Shape: Amazon SES developer guide, "Contents of notifications for Amazon SES email receiving".
        """
        mail, receipt = _object(notification, "mail"), _object(notification, "receipt")
        action = _object(receipt, "action")
        if _text(action, "type") != "S3":
            raise ValueError("the notification is not of an S3 action")
        recipients = receipt.get("recipients")
        if (
            not isinstance(recipients, list)
            or not recipients
            or not all(isinstance(recipient, str) for recipient in recipients)
        ):
            raise ValueError("the notification has no list of recipients")
        source = mail.get("source")
        if not isinstance(source, str):
            raise ValueError("the notification has no text at 'source'")
        return cls(
            message_id=_text(mail, "messageId"),
            recipients=tuple(recipients),
            mail_from=source.strip().removeprefix("<").removesuffix(">"),
            spam=_verdict(receipt, "spamVerdict"),
            virus=_verdict(receipt, "virusVerdict"),
            spf=_verdict(receipt, "spfVerdict"),
            dkim=_verdict(receipt, "dkimVerdict"),
            dmarc=_verdict(receipt, "dmarcVerdict"),
            bucket=_text(action, "bucketName"),
            key=_text(action, "objectKey"),
            at=parse_rfc3339(_text(receipt, "timestamp")),
        )

    @property
    def verdicts(self) -> Mapping[str, str]:
        """The part of the receipt kept as evidence of the sender."""
        return {"spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc, "from": self.mail_from}

    @property
    def null_sender(self) -> bool:
        """Tell whether the envelope sender is empty, as in bounces and most automatic replies."""
        return not self.mail_from


class Reading(Protocol):
    """What another part of an email says; reading all of it may take long."""

    @property
    def beginning(self) -> str:
        """The lines up to well into the first quote."""

    @property
    def whole(self) -> str:
        """All lines."""


@dataclass(frozen=True)
class InboundMail:
    """One parsed email.

    `from_headers` are all From values, undecoded; `automatic` is why it is not a person's answer, or None. `text` is
    the body as plain text ("" if none), `html` the text of the HTML body (None if there is no other); both quote with
    `>`. `answers` are the message ids it replies to, `sha256` is the raw email's hash. `sender_name` is the decoded
    name in From. `sent_by` is Sender's address, who wrote on behalf of From ("" without that header, and never proven).
    `reaction` is what marks it as an emoji reaction, apart from its text, or None.
    """

    from_headers: tuple[str, ...]
    subject: str
    message_id: str
    automatic: str | None
    text: str
    html: Reading | None
    answers: tuple[str, ...] = ()
    sha256: str = ""
    sender_name: str = ""
    sent_by: str = ""
    reaction: str | None = None


@dataclass(frozen=True)
class Proven:
    """SES's verdicts prove that `address` sent the email."""

    address: str


@dataclass(frozen=True)
class Unproven:
    """Nothing contradicts the claimed sender, and nothing proves it: ask the authorized address."""

    reason: str


@dataclass(frozen=True)
class Disproven:
    """The email must not be acted on."""

    reason: str


def judge_sender(receipt: Receipt, mail: InboundMail, strict_dmarc: bool) -> Proven | Unproven | Disproven:
    """Return who sent an email, from the receipt's verdicts and its one From address.

    DMARC PASS proves. GRAY (no policy) proves only if SPF passed for the From domain itself, and never with
    `strict_dmarc`. FAIL disproves; any other verdict proves nothing. The caller checks whether the address is
    authorized.
    """
    for name, verdict in (("virus", receipt.virus), ("spam", receipt.spam)):
        if verdict == FAIL:
            return Disproven(f"the {name} check failed")
    address = single_mailbox(mail.from_headers)
    if address is None:
        return Disproven("the email does not have exactly one From header with exactly one address")
    if receipt.dmarc == FAIL:
        return Disproven(f"the email does not come from {domain_of(address)} (DMARC failed)")
    for name, verdict in (("virus", receipt.virus), ("spam", receipt.spam)):
        if verdict not in (PASS, GRAY):
            return Unproven(f"the {name} check could not be made")
    if receipt.dmarc == PASS:
        return Proven(address)
    if receipt.dmarc != GRAY:
        return Unproven("the DMARC check could not be made")
    if strict_dmarc:
        return Unproven(f"{domain_of(address)} publishes no DMARC policy")
    if (
        receipt.spf == PASS
        and is_mail_address(receipt.mail_from)
        and domain_of(receipt.mail_from) == domain_of(address)
    ):
        return Proven(address)
    return Unproven(f"{domain_of(address)} publishes no DMARC policy and SPF does not prove the sender")


_QUOTED = r'"(?:[^"\\]|\\.)*"'
_FROM = re.compile(rf'(?:(?:{_QUOTED}|[^"<>()@,;:\\\[\]])*<(?P<angle>[^<>\s]+)>|(?P<bare>[^<>\s]+))')


def single_mailbox(from_headers: Sequence[str]) -> str | None:
    """Return the address of the only From header if it is one mailbox in the plainest syntax, else None.

    Comments, groups, routes, lists, and addresses in unquoted display names are refused, because parsers disagree about
    `a@x <b@y>` and `a@x)b@x`. The result must also survive the standard library's parser.
    """
    if len(from_headers) != 1:
        return None
    value = re.sub(r"\r?\n(?=[ \t])", "", from_headers[0]).strip(" \t\r\n")
    if len(value) > 1000 or not value.replace("\t", " ").isprintable():
        return None
    match = _FROM.fullmatch(value)
    if match is None:
        return None
    address: str = match["angle"] or match["bare"]
    if not is_mail_address(address):
        return None
    return address if [found for _, found in email.utils.getaddresses([value])] == [address] else None


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"the notification has no object at '{name}'")
    return value


def _text(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"the notification has no text at '{name}'")
    return value


def _verdict(receipt: Mapping[str, Any], name: str) -> str:
    verdict = receipt.get(name)
    status = verdict.get("status") if isinstance(verdict, Mapping) else None
    return status.upper() if isinstance(status, str) else PROCESSING_FAILED
