"""The audit chain: what happened to a request or a deployment, each event bound to the one before by its hash."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from flow_hitl.contract.shapes import Sha256, as_json
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.times import parse_rfc3339

CHAIN_START = "0" * 64


class EventKind(StrEnum):
    """Every kind of event that a chain can hold: first what happens to requests, then what is done to deployments."""

    REQUEST_CREATED = "request_created"
    NOTIFICATION_SENT = "notification_sent"
    NOTIFICATION_UNDELIVERED = "notification_undelivered"
    REMINDER_DUE = "reminder_due"
    REMINDER_SENT = "reminder_sent"
    HANDLED_MAIL_SENT = "handled_mail_sent"
    REQUEST_REASSIGNED = "request_reassigned"
    RESPONSE_SUBMITTED = "response_submitted"
    RECEIPT_ISSUED = "receipt_issued"
    REPLY_REJECTED = "reply_rejected"
    CONFIRMATION_SENT = "confirmation_sent"
    ERROR_MAIL_SENT = "error_mail_sent"
    MAIL_REFUSED = "mail_refused"
    MAIL_UNCERTAIN = "mail_uncertain"
    REQUEST_CANCELLED = "request_cancelled"
    RESUME_ATTEMPTED = "resume_attempted"
    RESUME_REPORTED = "resume_reported"
    RESUME_RETRIED = "resume_retried"
    QUESTION_ASKED = "question_asked"
    QUESTION_ATTEMPTED = "question_attempted"
    QUESTION_ANSWERED = "question_answered"
    ANSWER_MAIL_SENT = "answer_mail_sent"
    CONTENT_ERASED = "content_erased"
    WEBHOOK_DELIVERED = "webhook_delivered"
    WEBHOOK_FAILED = "webhook_failed"
    DEPLOYMENT_CREATED = "deployment_created"
    SETTINGS_CHANGED = "settings_changed"
    ROUTING_RULES_CHANGED = "routing_rules_changed"
    MEMBER_SET = "member_set"
    MEMBER_REMOVED = "member_removed"
    MEMBER_SIGNED_IN = "member_signed_in"
    AUDIT_EXPORTED = "audit_exported"
    API_KEY_ISSUED = "api_key_issued"
    API_KEY_REVOKED = "api_key_revoked"
    WEBHOOK_CREATED = "webhook_created"
    WEBHOOK_CHANGED = "webhook_changed"
    RESUME_SECRET_ROTATED = "resume_secret_rotated"  # noqa: S105 - no secret, but what was done to one
    WEBHOOK_SECRET_ROTATED = "webhook_secret_rotated"  # noqa: S105 - no secret, but what was done to one
    WEBHOOK_DELETED = "webhook_deleted"
    QUOTAS_CHANGED = "quotas_changed"
    EMAILS_ERASED = "emails_erased"
    PERSON_ERASED = "person_erased"


@dataclass(frozen=True)
class AuditEvent:
    """One fact of an audit chain: `hash` covers every other member, and `prev_hash` binds it to the one before."""

    subject: str
    """What the chain is about: `request#…`, or `deployment#…` for changes of a deployment itself."""
    seq: int
    """Its place in the chain, from 1."""
    event_id: str
    """Its own id."""
    kind: EventKind
    """What happened."""
    at: datetime
    """When it happened."""
    actor: str
    """Who did it: an email address, `member/…`, `api_key/…`, `flow`, or a part of this service."""
    data: Mapping[str, Any]
    """The facts, which depend on the kind."""
    prev_hash: Sha256
    """The hash of the event before; zeros at the start of the chain."""
    hash: Sha256
    """SHA-256 over the canonical JSON of all other members."""

    @property
    def request_id(self) -> str:
        return self.subject.removeprefix("request#")

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> Self:
        """Return the event that `as_json` has made; raises KeyError, TypeError or ValueError for what is none."""
        kind, at = EventKind(members["kind"]), parse_rfc3339(members["at"])
        return cls(**{**members, "kind": kind, "at": at})


def request_subject(request_id: str) -> str:
    """Return the name of a request's chain."""
    return f"request#{request_id}"


def deployment_subject(deployment_id: int) -> str:
    """Return the name of a deployment's chain, which holds every change of its configuration."""
    return f"deployment#{deployment_id}"


def data_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of an event as stored, possibly forged: none if they are no JSON object."""
    data = record.get("data")
    return data if isinstance(data, Mapping) else {}


def deployment_of(record: Mapping[str, Any]) -> int | None:
    """Return the deployment that an event as stored names itself, or None if it was changed and names none."""
    kind, _, name = str(record["subject"]).partition("#")
    if kind == "deployment" and name.isdecimal():
        return int(name)
    own = data_of(record).get("deployment_id")
    return own if isinstance(own, int) else None


def next_event(
    *,
    subject: str,
    seq: int,
    prev_hash: str,
    event_id: str,
    kind: EventKind,
    at: datetime,
    actor: str,
    data: Mapping[str, Any],
) -> AuditEvent:
    """Return the event that follows `prev_hash` at position `seq` of the subject's chain."""
    unsealed = AuditEvent(subject, seq, event_id, kind, at, actor, data, prev_hash, "")
    return replace(unsealed, hash=event_hash(unsealed))


def event_hash(event: AuditEvent) -> str:
    """Return the hex SHA-256 over the canonical JSON of every member but `hash` itself."""
    members = as_json(event)
    del members["hash"]
    return hashlib.sha256(canonical_json(members).encode()).hexdigest()
