"""Why a reply decided nothing, and how often a request's responder is told so."""

from datetime import datetime
from enum import StrEnum

from flow_hitl.domain.request import Head

DAILY_LIMIT = 10


class RejectionReason(StrEnum):
    """Every reason of which the responder is told by mail."""

    NOT_AN_OPTION = "not_an_option"
    NO_ANSWER_FOUND = "no_answer_found"
    UNREADABLE = "unreadable"
    SENDER_MISMATCH = "sender_mismatch"
    SELF_APPROVAL = "self_approval"
    DELEGATION_OFF = "delegation_off"
    DELEGATION_REFUSED = "delegation_refused"
    SENDER_UNPROVEN = "sender_unproven"
    EXPIRED = "expired"
    ALREADY_RESPONDED = "already_responded"
    CANCELLED = "cancelled"


REPLY_CAN_HELP = frozenset(
    {
        RejectionReason.NOT_AN_OPTION,
        RejectionReason.NO_ANSWER_FOUND,
        RejectionReason.UNREADABLE,
        RejectionReason.EXPIRED,
        RejectionReason.SENDER_MISMATCH,
        RejectionReason.DELEGATION_OFF,
        RejectionReason.DELEGATION_REFUSED,
    }
)
"""The reasons after which another reply can succeed, so that the mail carries the reply address again."""

PAGE_CAN_HELP = REPLY_CAN_HELP | {RejectionReason.SENDER_UNPROVEN}
"""The reasons after which the review page can: another mail from the same place would be just as unproven."""


def counted_rejection(head: Head, at: datetime) -> tuple[str, int] | None:
    """Return the head's new count of today's rejections, or None when today's are used up."""
    day, count = head.rejections
    today = at.strftime("%Y-%m-%d")
    if day != today:
        return today, 1
    return (today, count + 1) if count < DAILY_LIMIT else None
