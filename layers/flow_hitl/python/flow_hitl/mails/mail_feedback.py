"""What SES reports about an email we sent: a bounce or a complaint."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.platform.address import address_key
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Head, Status

REQUEST_TAG = "request_id"
KIND_TAG = "kind"

COMPLAINED = "reported as spam by its recipient"
_LOST_FOR_NOW = frozenset({"MailboxFull", "MessageTooLarge", "ContentRejected", "AttachmentRejected"})


@dataclass(frozen=True)
class MailFeedback:
    """One report about one email.

    `bounces`: the addresses do not exist and get no more email. `complains`: the recipients want no more from this
    sender. `lost`: the email will not be read, unlike after an out-of-office reply, which is also a bounce (Transient,
    General).
    """

    feedback_id: str
    reason: str
    addresses: tuple[str, ...]
    bounces: bool
    complains: bool
    lost: bool
    request_id: str | None
    mail_kind: str | None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self | None:
        """Read an SES event, None for any other kind; raises KeyError, TypeError, or AttributeError if malformed.

        Shape: Amazon SES developer guide, "Examples of event data that Amazon SES publishes to Amazon SNS".
        """
        kind = event["eventType"]
        tags = event["mail"].get("tags", {})
        request_id, mail_kind = (next(iter(tags.get(name, ())), None) for name in (REQUEST_TAG, KIND_TAG))
        if kind == "Bounce":
            bounce = event["bounce"]
            permanent = bounce["bounceType"] == "Permanent"
            lost = permanent or bounce.get("bounceSubType") in _LOST_FOR_NOW
            reason = f"bounced: {bounce['bounceType']}, {bounce.get('bounceSubType', 'General')}"
            found, feedback_id = bounce["bouncedRecipients"], bounce["feedbackId"]
        elif kind == "Complaint":
            complaint = event["complaint"]
            permanent, lost, reason = False, True, COMPLAINED
            found, feedback_id = complaint["complainedRecipients"], complaint["feedbackId"]
        elif kind == "Reject":
            permanent, lost, reason = False, True, f"refused by SES: {event['reject'].get('reason', 'no reason given')}"
            found = [{"emailAddress": address} for address in event["mail"].get("destination", ())]
            feedback_id = event["mail"]["messageId"]
        else:
            return None
        addresses = tuple(str(recipient["emailAddress"]) for recipient in found)
        return cls(str(feedback_id), reason, addresses, permanent, kind == "Complaint", lost, request_id, mail_kind)


def reaches_nobody(head: Head, events: Sequence[AuditEvent]) -> bool:
    """Tell whether an open request's notifications reached none of the people it waits for."""
    asked_by = (EventKind.REQUEST_CREATED, EventKind.REQUEST_REASSIGNED)
    asked = max((event.seq for event in events if event.kind in asked_by), default=0)
    lost = [one for one in events if one.kind is EventKind.NOTIFICATION_UNDELIVERED and one.seq > asked]
    failed = {address_key(one.data["to"]) for one in lost}
    return head.status is Status.PENDING and failed.issuperset(map(address_key, head.responders))
