"""What reached us by mail, and what is proven about who sent it.

Nothing here reads a header as evidence of the sender except From, and that only to learn who is claimed: the verdicts
come from the receipt that SES wrote, because anybody can write an `Authentication-Results` header.
"""

import email.utils
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from flow_hitl.platform.address import domain_of, is_mail_address
from flow_hitl.platform.times import parse_rfc3339

PASS, FAIL, GRAY, PROCESSING_FAILED = "PASS", "FAIL", "GRAY", "PROCESSING_FAILED"
MAX_BYTES = 10_000_000


class UnreadableMail(Exception):
    """The mail is beyond our limits or is no mail at all; `reason` says which, in words for a log or an event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Receipt:
    """What SES says about one mail that it took in.

    `recipients` are the envelope's, `mail_from` is the envelope sender (empty for bounces), the five verdicts are
    SES's words (PASS, FAIL, GRAY, PROCESSING_FAILED; PROCESSING_FAILED also where SES gave none), `bucket` and `key`
    say where the raw mail lies.
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
        """Read the notification that the receipt rule's S3 action publishes; raises ValueError naming what is wrong.

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
        """What is kept of the receipt as evidence of the sender."""
        return {"spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc, "from": self.mail_from}

    @property
    def null_sender(self) -> bool:
        """Tell whether the envelope sender is empty, as it is for bounces and most automatic replies."""
        return not self.mail_from


@dataclass(frozen=True)
class InboundMail:
    """One parsed mail.

    `from_headers` holds every From header's value, undecoded; `automatic` is why the mail is no person's answer, or
    None; `text` is the body as plain text ("" if there is none), `html` what the same body's HTML reads as, None if
    it has none; in both, quoted lines begin with `>`. `answers` are the message ids of the mails that it says it
    answers, `sha256` is the hash of the raw mail. `sender_name` is the name in From, decoded. `sent_by` is whom
    Sender names, who then wrote for the person in From, "" without that header; nothing proves it. `reaction` is what
    marks the mail as an emoji reaction, None if nothing outside of its text does.
    """

    from_headers: tuple[str, ...]
    subject: str
    message_id: str
    automatic: str | None
    text: str
    html: str | None
    answers: tuple[str, ...] = ()
    sha256: str = ""
    sender_name: str = ""
    sent_by: str = ""
    reaction: str | None = None


@dataclass(frozen=True)
class Proven:
    """The mail comes from `address`, by SES's verdicts."""

    address: str


@dataclass(frozen=True)
class Unproven:
    """Nothing contradicts the claimed sender and nothing proves it: ask at the authorised address."""

    reason: str


@dataclass(frozen=True)
class Disproven:
    """The mail must not be acted on."""

    reason: str


def judge_sender(receipt: Receipt, mail: InboundMail, strict_dmarc: bool) -> Proven | Unproven | Disproven:
    """Decide who sent a mail, from the receipt's verdicts and the one From mailbox.

    DMARC PASS proves. GRAY (the domain publishes no policy) proves only when SPF passed for the From domain itself,
    and with `strict_dmarc` never. FAIL disproves. Every other verdict leaves the sender unproven. Whether the proven
    address is the authorised one is the caller's question.
    """
    for name, verdict in (("virus", receipt.virus), ("spam", receipt.spam)):
        if verdict == FAIL:
            return Disproven(f"the {name} check failed")
    address = single_mailbox(mail.from_headers)
    if address is None:
        return Disproven("the mail does not have exactly one From header with exactly one address")
    if receipt.dmarc == FAIL:
        return Disproven(f"the mail does not come from {domain_of(address)} (DMARC failed)")
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
    """Return the address of the only From header if it names exactly one mailbox in the plainest syntax, else None.

    Comments, groups, routes, lists and addresses in unquoted display names are refused, not interpreted: `a@x <b@y>`
    and `a@x)b@x` are read differently by different parsers. What is left must survive a round trip through the
    standard library's parser.
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
