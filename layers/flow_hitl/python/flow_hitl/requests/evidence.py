"""What someone saw when they answered: the decision holds its hash, to be checked against a copy."""

import re
from collections.abc import Iterable
from enum import StrEnum

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.platform.address import same_address
from flow_hitl.platform.digests import digest
from flow_hitl.platform.records import dataclass


class ShownKind(StrEnum):
    MAIL = "mail"
    PAGE = "page"
    CONTENT = "content"


@dataclass(frozen=True)
class Shown:
    """An email by `mail_digest`, with the event that records it; or a JSON value by `digest`."""

    kind: ShownKind
    sha256: str
    event_id: str | None = None


def mail_digest(subject: str, text: str, html: str) -> str:
    """Return a hash that the sender and any recipient of an email agree on.

    It covers what stays the same in transit: the subject with single spaces, and the decoded text and HTML parts with
    LF line ends and none at the end.
    """
    return digest({"subject": " ".join(subject.split()), "text": _lines(text), "html": _lines(html)})


# Emails that can be answered.
_ASKING = frozenset(
    {
        EventKind.NOTIFICATION_SENT,
        EventKind.REMINDER_SENT,
        EventKind.ERROR_MAIL_SENT,
        EventKind.ANSWER_MAIL_SENT,
    }
)


def mail_shown(timeline: Iterable[AuditEvent], recipient: str, answers: Iterable[str]) -> Shown | None:
    """Return the email a reply answers: the one whose message id it names, else the last one before it.

    `answers` are the message ids in the reply's headers. None if no such email was recorded, or only before emails were
    hashed.
    """
    sent = [event for event in timeline if event.kind in _ASKING and same_address(event.data["to"], recipient)]
    # SES returns an id and sends it as <id@region.amazonses.com>.
    named = {name.strip("<>").partition("@")[0] for name in answers}
    answered = [event for event in sent if event.data["message_id"] in named]
    event = next(reversed(answered or sent), None)
    if event is None or not event.data.get("sha256"):
        return None
    return Shown(ShownKind.MAIL, event.data["sha256"], event.event_id)


def _lines(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text).rstrip("\n")
