"""The audit page: a deployment's log in plain words, the findings of a verification, and exports."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.pages.contexts import Shell
from flow_hitl.pages.requests.timeline import Tone, timeline_of
from flow_hitl.pages.settings.change_lines import lines_of
from flow_hitl.people.names import person_of
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339, readable_time
from flow_hitl.proof.export import AuditExport, ExportState
from flow_hitl.proof.verify_audit import LogFinding, is_intact, untouched

_KINDS = {
    "edited": "Edited",
    "replaced": "Replaced",
    "missing": "Missing",
    "inserted": "Inserted",
    "out_of_order": "Out of order",
    "digest_missing": "Digest missing",
    "digest_invalid": "Digest not valid",
    "record_changed": "Record changed",
    "file_changed": "Key changed",
}
_STATES: Mapping[ExportState, tuple[str, Tone]] = {
    ExportState.PENDING: ("waiting", "neutral"),
    ExportState.RUNNING: ("being written", "accent"),
    ExportState.DONE: ("finished", "good"),
    ExportState.FAILED: ("failed", "bad"),
}
_TITLES = {
    EventKind.DEPLOYMENT_CREATED: "Deployment created",
    EventKind.MEMBER_SIGNED_IN: "Signed in",
    EventKind.AUDIT_EXPORTED: "Audit log exported",
    EventKind.API_KEY_ISSUED: "API key issued",
    EventKind.API_KEY_REVOKED: "API key revoked",
}


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One event; `request` is the id of its request, if it has one."""

    at: datetime | None
    title: str
    detail: str
    tone: Tone
    by: str
    request: str | None


@dataclass(frozen=True)
class Link:
    text: str
    href: str


@dataclass(frozen=True, kw_only=True)
class ExportRow:
    requested_at: datetime
    since: datetime
    to: datetime
    format: Literal["csv", "jsonl"]
    state: str
    tone: Tone
    events: int
    by: str
    reason: str
    files: Sequence[Link]
    note: str


@dataclass(frozen=True, kw_only=True)
class VerificationView:
    """What a verification has found so far: kind and text of each finding; `onward` leads to the rest."""

    findings: Sequence[tuple[str, str]]
    events: int
    digests: int
    sealed_until: datetime | None
    unsealed: int
    onward: str | None

    @property
    def not_sealed(self) -> str:
        """How many events no digest covers yet, a sentence; nothing if it covers all."""
        if not self.unsealed:
            return ""
        since = " since then" if self.sealed_until else ""
        are = f"1 event{since} is" if self.unsealed == 1 else f"{self.unsealed} events{since} are"
        return f"{are} not sealed yet."

    @property
    def untouched(self) -> str:
        """The conclusion when there are no findings, a sentence."""
        if not self.digests:
            return untouched(sealed=False)
        return "No changes found so far." if self.onward else "No changes found in these days."


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """What a manager sees of some days; `problem` says what was wrong with the requested ones, a sentence."""

    template: ClassVar[str] = "pages/audit.html"
    shell: Shell
    first: date
    last: date
    rows: Sequence[AuditRow]
    onward: str | None
    is_first: bool
    exports: Sequence[ExportRow]
    verification: VerificationView | None = None
    problem: str | None = None


def audit_rows(records: Sequence[Mapping[str, Any]]) -> Sequence[AuditRow]:
    """Return events as rows; one that does not match its hash is shown as changed, without its content."""
    return tuple(map(_row, records))


def export_row(export: AuditExport, links: Mapping[str, str]) -> ExportRow:
    """Return an export as a row, with links by file name."""
    state, tone = _STATES[export.state]
    return ExportRow(
        requested_at=export.requested_at,
        since=export.since,
        to=export.to,
        format=export.format,
        state=state,
        tone=tone,
        events=export.events,
        by=person_of(export.requested_by),
        reason=export.reason or "",
        files=tuple(Link(file.name, links[file.name]) for file in export.files if file.name in links),
        note=_unsealed_note(export) if export.state is ExportState.DONE else "",
    )


def _unsealed_note(export: AuditExport) -> str:
    """Return what of a finished export is not sealed yet, a sentence; nothing if all of it is."""
    if export.sealed_until is None:
        return "None of this is sealed yet, so nothing of it is proven."
    sealed_until = parse_rfc3339(export.sealed_until)
    if sealed_until >= export.to:
        return ""
    return f"What came after {readable_time(sealed_until)} is not sealed yet, so only the time before is proven."


def findings_view(findings: Sequence[LogFinding]) -> Sequence[tuple[str, str]]:
    """Return kind and text of each finding."""
    return tuple((_KINDS.get(one.kind, one.kind), f"{one.record} {one.detail}.") for one in findings)


def address_query(first: date, last: date, **more: str | int) -> str:
    """Return the query of a page of these days."""
    return urlencode({"from": first.isoformat(), "to": last.isoformat(), **more})


def _row(record: Mapping[str, Any]) -> AuditRow:
    subject = str(record["subject"])
    request = subject.removeprefix("request#") if subject.startswith("request#") else None
    event = _event(record)
    if event is None:
        title = f"Event {record['seq']} of {subject} was changed after it was written"
        detail = "Verify the log to see what else was changed."
        return AuditRow(at=None, title=title, detail=detail, tone="bad", by="", request=request)
    (told,) = timeline_of([event])
    title = told.title if request else _TITLES.get(event.kind, told.title)
    detail = told.detail if request else "; ".join(_changes(event))
    return AuditRow(
        at=event.at,
        title=title,
        detail=detail,
        tone=told.tone,
        by=person_of(event.actor) or person_of(str(event.data.get("created_by") or "")),
        request=request,
    )


def _changes(event: AuditEvent) -> Iterator[str]:
    if event.kind is EventKind.AUDIT_EXPORTED:
        wish = event.data["after"]
        yield f"{wish['from']} to {wish['to']}, {wish['format']}"
    else:
        yield from lines_of(event)


def _event(record: Mapping[str, Any]) -> AuditEvent | None:
    """Return an event, None if it does not match its hash or cannot be read."""
    try:
        return AuditEvent.from_dict(record) if is_intact(record) else None
    except ValueError:
        return None
