"""What somebody had before them when they answered: its hash stands in their decision, to be held against a copy."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.platform.address import same_address
from flow_hitl.platform.digests import digest


class ShownKind(StrEnum):
    MAIL = "mail"
    PAGE = "page"
    CONTENT = "content"


@dataclass(frozen=True)
class Shown:
    """A mail by `mail_digest`, with the event that says that it was sent; else a JSON value by `digest`."""

    kind: ShownKind
    sha256: str
    event_id: str | None = None


def mail_digest(subject: str, text: str, html: str) -> str:
    """Return the hash of a mail that its sender and whoever has a copy of it find alike.

    It is taken of what stays the same on a mail's way: the subject with each run of white space as one space, and the
    decoded text/plain and text/html parts with line ends as LF and none at the end.
    """
    return digest({"subject": " ".join(subject.split()), "text": _lines(text), "html": _lines(html)})


# The mails that can be answered.
_ASKING = frozenset({EventKind.NOTIFICATION_SENT, EventKind.REMINDER_SENT, EventKind.ERROR_MAIL_SENT})


def mail_shown(timeline: Iterable[AuditEvent], recipient: str, answers: Iterable[str]) -> Shown | None:
    """Return the mail that a reply answers: the one that it names by its message id, else the last one before it.

    `answers` are the message ids in the reply's headers. None where no mail that can be answered was noted, or where
    it was sent before mails were hashed.
    """
    sent = [event for event in timeline if event.kind in _ASKING and same_address(event.data["to"], recipient)]
    named = set(answers)
    answered = [event for event in sent if _is_named(str(event.data["message_id"]), named)]
    event = next(reversed(answered or sent), None)
    if event is None or not event.data.get("sha256"):
        return None
    return Shown(ShownKind.MAIL, event.data["sha256"], event.event_id)


def verification(method: str, **facts: Any) -> Mapping[str, Any]:
    """Return how a responder was verified, as a decision's event has it: the method's name, then what it rests on."""
    return {"method": method, **facts}


def _is_named(message_id: str, named: set[str]) -> bool:
    # SES gives an id, and sends it out as <id@region.amazonses.com>.
    return any(name.strip("<>").partition("@")[0] == message_id for name in named)


def _lines(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text).rstrip("\n")
