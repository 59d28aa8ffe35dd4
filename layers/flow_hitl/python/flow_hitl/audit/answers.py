"""What the route to the audit log answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AuditLogEvent:
    """An event as it stands in the log, which `TimelineEvent` describes; a member is null where it cannot be read.

    We write none that is so: it was tampered with, and verification names it.
    """

    subject: str
    """What the chain is about."""
    seq: int
    """Its place in the chain, from 1."""
    event_id: str | None
    """Its own id."""
    kind: str | None
    """What happened."""
    at: str | None
    """When it happened."""
    actor: str | None
    """Who did it."""
    data: Mapping[str, Any] | None
    """The facts, which depend on the kind."""
    prev_hash: str | None
    """The hash of the event before; zeros at the start of the chain."""
    hash: str | None
    """SHA-256 over the canonical JSON of all other members."""


@dataclass(frozen=True)
class AuditLogPage:
    """Some events, and how to go on."""

    events: Sequence[AuditLogEvent]
    """The events of the requests and of the deployment itself, oldest first."""
    next_cursor: str | None
    """Send it as `cursor` for those that follow; null at the end."""
