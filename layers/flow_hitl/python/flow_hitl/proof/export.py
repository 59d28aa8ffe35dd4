"""An export of a deployment's audit log: the wish, and the progress."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339

EXPORTS_KEPT = timedelta(days=7)
"""How long the files and the record of an export are kept."""

EXPORT_PREFIX = "exports/"
"""The prefix of all exports' files in the bucket."""

EXPORT_ATTEMPTS = 4
"""How often the queue delivers a message about an export before giving up."""


class ExportState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


FileKind = Literal["events", "heads", "seals", "script", "manifest"]


@dataclass(frozen=True)
class ExportFile:
    """A finished file."""

    name: str
    kind: FileKind
    size: int
    sha256: str
    events: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as the manifest and the API show it."""
        shown = {"name": self.name, "kind": self.kind, "bytes": self.size, "sha256": self.sha256}
        return {**shown, "events": self.events} if self.kind == "events" else shown


@dataclass(frozen=True)
class EventName:
    """An event's position and hash, enough to continue after it."""

    at: datetime
    subject: str
    seq: int
    hash: str


@dataclass(frozen=True)
class DigestName:
    """A digest, by the end of its period, and its hash."""

    until: str
    sha256: str


@dataclass(frozen=True)
class AuditExport:
    """An export; `version` counts the steps, each of which finishes files.

    The work continues after `sealed_until`, the end of a digest, and `last`, until `seals_done` and `events_done`.
    `unsealed` counts the events that no digest covers.
    """

    export_id: str
    deployment_id: int
    format: Literal["csv", "jsonl"]
    since: datetime
    to: datetime
    requested_by: str
    requested_at: datetime
    state: ExportState = ExportState.PENDING
    version: int = 1
    files: tuple[ExportFile, ...] = ()
    # The format of the files written so far; those of another are written anew.
    layout: str = ""
    events: int = 0
    unsealed: int = 0
    digests: int = 0
    first_digest: DigestName | None = None
    last_digest: DigestName | None = None
    sealed_until: str | None = None
    first: EventName | None = None
    last: EventName | None = None
    seals_done: bool = False
    events_done: bool = False
    reason: str | None = None
    finished_at: datetime | None = None

    @property
    def prefix(self) -> str:
        """The prefix of its files in the bucket."""
        return f"{EXPORT_PREFIX}{self.deployment_id}/{self.export_id}/"

    def of_kind(self, kind: FileKind) -> Sequence[ExportFile]:
        return [file for file in self.files if file.kind == kind]

    def begun_anew(self, layout: str) -> "AuditExport":
        """Return the same wish before any of its files was written."""
        wish = (self.export_id, self.deployment_id, self.format, self.since, self.to)
        return AuditExport(*wish, self.requested_by, self.requested_at, version=self.version, layout=layout)

    def manifest(self, public_key: str, key: str) -> dict[str, Any]:
        """Return the manifest, still to be signed; `public_key` is PEM, `key` its fingerprint."""
        return {
            "export_id": self.export_id,
            "deployment_id": self.deployment_id,
            "from": rfc3339(self.since),
            "to": rfc3339(self.to),
            "event_format": self.format,
            "requested_by": self.requested_by,
            "requested_at": rfc3339(self.requested_at),
            "events": self.events,
            "unsealed_events": self.unsealed,
            "first": as_json(self.first),
            "last": as_json(self.last),
            "digests": self.digests,
            "first_digest": as_json(self.first_digest),
            "last_digest": as_json(self.last_digest),
            "sealed_until": self.sealed_until,
            "public_key": public_key,
            "key": key,
            "files": [file.to_dict() for file in self.files],
        }
