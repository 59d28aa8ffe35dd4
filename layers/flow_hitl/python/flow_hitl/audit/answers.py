"""What the route to the audit log answers."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class AuditLogEvent:
    """An event as it stands in the log, where a member that cannot be read is null.

    We write no such event: it was tampered with, and verification names it.
    """

    explained_by: ClassVar = AuditEvent

    subject: str
    seq: int
    event_id: str | None
    kind: str | None
    at: str | None
    actor: str | None
    data: Mapping[str, Any] | None
    prev_hash: str | None
    hash: str | None


@dataclass(frozen=True)
class AuditLogPage:
    """Some events, and how to go on."""

    events: Sequence[AuditLogEvent]
    """The events of the requests and of the deployment itself, oldest first."""
    next_cursor: str | None
    """Send it as `cursor` for those that follow; null at the end."""
