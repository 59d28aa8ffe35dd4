"""Why an email decided nothing, and how often the responder is told."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import ceil_second
from flow_hitl.requests.request import Change, Head, Stamp, note

DAILY_LIMIT = 10

DISCARDS_KEPT = timedelta(days=90)
"""How long the log of discarded emails keeps each."""


class RejectionReason(StrEnum):
    """The reasons the responder is told about."""

    NOT_AN_OPTION = "not_an_option"
    WRONG_FIELDS = "wrong_fields"
    COMMENT_MISSING = "comment_missing"
    NO_ANSWER_FOUND = "no_answer_found"
    EMOJI_REACTION = "emoji_reaction"
    UNREADABLE = "unreadable"
    SENDER_MISMATCH = "sender_mismatch"
    SELF_APPROVAL = "self_approval"
    DELEGATION_OFF = "delegation_off"
    DELEGATION_REFUSED = "delegation_refused"
    QUESTION_REFUSED = "question_refused"
    SENDER_UNPROVEN = "sender_unproven"
    EXPIRED = "expired"
    REASSIGNED = "reassigned"
    ALREADY_RESPONDED = "already_responded"
    CANCELLED = "cancelled"


class DiscardReason(StrEnum):
    """The reasons no one is told about; some are followed by ": " and details."""

    NO_REPLY_ADDRESS = "no reply address"
    SEVERAL_REPLY_ADDRESSES = "several reply addresses"
    NOT_ISSUED = "reply address not issued by us to the assignee"
    VIRUS = "virus check failed"
    SPAM = "spam check failed"
    AUTOMATIC = "automatic"
    EMOJI_REACTION = "emoji reaction"
    NO_LONGER_ASKED = "reply address of somebody who no longer has the request"
    TOO_MANY_ERROR_MAILS = "today's error mails are used up"


@dataclass(frozen=True)
class Discard:
    """An email that decided nothing and that no one is told about; `reason` starts with a `DiscardReason`."""

    message_id: str
    reason: str
    at: datetime
    request_id: str | None
    details: Mapping[str, Any]


REPLY_CAN_HELP = frozenset(
    {
        RejectionReason.NOT_AN_OPTION,
        RejectionReason.WRONG_FIELDS,
        RejectionReason.COMMENT_MISSING,
        RejectionReason.NO_ANSWER_FOUND,
        RejectionReason.EMOJI_REACTION,
        RejectionReason.UNREADABLE,
        RejectionReason.EXPIRED,
        RejectionReason.SENDER_MISMATCH,
        RejectionReason.DELEGATION_OFF,
        RejectionReason.DELEGATION_REFUSED,
        RejectionReason.QUESTION_REFUSED,
    }
)
"""After these, another reply can succeed, so the error email carries the reply address."""

PAGE_CAN_HELP = REPLY_CAN_HELP | {RejectionReason.SENDER_UNPROVEN}
"""After these, the review page can help; another email could be just as unproven."""


class TooManyRejections(Exception):
    """Today's error emails for this request are used up."""


def note_rejection(data: Mapping[str, Any], head: Head, stamp: Stamp) -> Change:
    """Return the step that records a rejected reply and sends its error email; raises TooManyRejections.

    `renewed_days` in `data` is how many days the addresses in that email are valid.
    """
    day, count = head.rejections
    today = stamp.at.strftime("%Y-%m-%d")
    count = count + 1 if day == today else 1
    if count > DAILY_LIMIT:
        raise TooManyRejections
    renewed = data.get("renewed_days")
    expires_at = ceil_second(stamp.at + timedelta(days=renewed)) if renewed else head.token_expires_at
    changes = {"rejections": (today, count), "token_expires_at": expires_at}
    return note(head, EventKind.REPLY_REJECTED, data, stamp=stamp, **changes)
