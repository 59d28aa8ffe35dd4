"""The answers about verifications and exports."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from flow_hitl.audit.read_audit import Range
from flow_hitl.contract.shapes import ABSENT, Sha256, Time, Url
from flow_hitl.platform.records import dataclass
from flow_hitl.proof.export import EXPORTS_KEPT, AuditExport, ExportState, FileKind
from flow_hitl.proof.verify_audit import CHANGED, untouched
from flow_hitl.proof.verify_log import Verified


@dataclass(frozen=True)
class AuditFinding:
    """A record that was changed."""

    kind: Literal[
        "edited",
        "replaced",
        "missing",
        "inserted",
        "out_of_order",
        "record_changed",
        "digest_missing",
        "digest_invalid",
        "file_changed",
    ]
    """What is wrong with the record."""
    detail: str
    """What is wrong, in words; `record` and `detail` form a sentence."""
    subject: str | None
    """The event's chain; null for other records."""
    seq: int | None
    """The event's position in its chain."""
    doubtful_from: int | None
    """If an event was replaced: the first event that may be forged too."""
    digest: str | None
    """The digest, by the end of its period; null for other records."""
    file: str | None
    """The published key, by its name in the bucket of digests; null for other records."""
    record: str
    """The record, in words."""


@dataclass(frozen=True)
class Verification:
    """What was verified, and the result."""

    since: datetime
    """The start of the requested time."""
    to: datetime
    """Its end, not included."""
    verified: bool
    """Whether signed digests cover it and there are no findings; never true while nothing is sealed."""
    findings: Sequence[AuditFinding]
    """What is wrong."""
    events: int
    """How many events this call checked."""
    chains: int
    """How many chains this call checked, each from its first event."""
    digests: int
    """How many signed digests this call checked."""
    unsealed_events: int
    """How many of the events are not sealed yet: only their chain could be checked."""
    erased_contents: int
    """How many of the requests that this call checked had their content erased. The log still binds its digest."""
    sealed_until: Time | None
    """When the last digest that this call checked ends; null without one."""
    next_cursor: str | None
    """Send it as `cursor` to verify the next part; null when done."""
    conclusion: str
    """What this proves, a sentence for people."""


@dataclass(frozen=True, kw_only=True)
class AuditExportFile:
    """A file of an export."""

    name: str
    """The file's name."""
    kind: FileKind
    """What it contains."""
    bytes: int
    """Its size."""
    sha256: Sha256
    """The SHA-256 of its content."""
    events: int = ABSENT
    """How many events it contains, if it contains events."""
    url: Url
    """Where to download it without an API key, for an hour."""


@dataclass(frozen=True)
class AuditExportShown:
    """An export of the audit log."""

    id: str
    """The export's id."""
    state: ExportState
    """Its progress; `done` and `failed` are final."""
    format: Literal["csv", "jsonl"]
    """The format of the events."""
    since: datetime
    """The start of the exported time."""
    to: datetime
    """Its end, not included."""
    requested_by: str
    """Who requested it."""
    requested_at: datetime
    """When it was requested."""
    events: int
    """How many events were written so far."""
    digests: int
    """How many signed digests were written so far."""
    sealed_until: Time | None
    """When the last of them ends; what comes then is not sealed yet, and cannot be proven. Null without one."""
    unsealed_events: int
    """How many of the events are not sealed yet."""
    reason: str | None
    """Why it failed."""
    finished_at: datetime | None
    """When it finished or failed."""
    kept_until: datetime
    """When the files are deleted."""
    manifest_sha256: Sha256 | None
    """The SHA-256 of the manifest, which has those of all other files."""
    files: Sequence[AuditExportFile]
    """The files, once it is done."""


@dataclass(frozen=True)
class AuditExportAnswer:
    """One export."""

    export: AuditExportShown
    """The export."""


def verification(wanted: Range, verified: Verified) -> Verification:
    """Return what one call has verified."""
    findings = verified.findings
    return Verification(
        since=wanted.since,
        to=wanted.to,
        verified=verified.sealed and not findings,
        findings=[AuditFinding(**finding.to_dict()) for finding in findings],
        events=verified.events,
        chains=verified.chains,
        digests=verified.digests,
        unsealed_events=verified.unsealed,
        erased_contents=verified.erased,
        sealed_until=verified.sealed_until,
        next_cursor=verified.next_cursor,
        conclusion=CHANGED if findings else untouched(sealed=verified.sealed, unsealed=verified.unsealed),
    )


def export_shown(export: AuditExport, links: Mapping[str, str]) -> AuditExportShown:
    """Return an export with links by file name, empty until it is finished."""
    manifest = next(iter(export.of_kind("manifest")), None)
    return AuditExportShown(
        id=export.export_id,
        state=export.state,
        format=export.format,
        since=export.since,
        to=export.to,
        requested_by=export.requested_by,
        requested_at=export.requested_at,
        events=export.events,
        digests=export.digests,
        sealed_until=export.sealed_until,
        unsealed_events=export.unsealed,
        reason=export.reason,
        finished_at=export.finished_at,
        kept_until=export.requested_at + EXPORTS_KEPT,
        manifest_sha256=manifest.sha256 if manifest else None,
        files=[AuditExportFile(**file.to_dict(), url=links[file.name]) for file in export.files if file.name in links],
    )
