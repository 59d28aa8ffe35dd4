"""Exports a deployment's audit log: events, the digests that cover them, and a manifest."""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.index import IndexedEvent, periods
from flow_hitl.audit.ports import AuditArchive, AuditRecord
from flow_hitl.audit.read_audit import ReadAudit
from flow_hitl.contract.validation import Document, moment_text
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import Conflict
from flow_hitl.platform.once import Once, Remember
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.answers import AuditExportShown, export_shown
from flow_hitl.proof.export import AuditExport, DigestName, EventName, ExportFile, ExportState, FileKind
from flow_hitl.proof.ports import ExportFiles, ExportQueue, ExportStore, SealKey, SealStore
from flow_hitl.proof.verify_audit import (
    COLUMNS,
    EXPORT_FORMAT,
    digest_hash,
    fingerprint,
    manifest_message,
    pem,
    row_of,
)

# A file and its hash must be finished within one run.
_EVENTS_PER_FILE = 50_000
_DIGESTS_PER_FILE = 100
_BATCH = 100
_WORK_FOR = timedelta(minutes=8)
_SCRIPT = "verify_audit.py"
# Tells spreadsheets that a CSV file is in UTF-8.
_BYTE_ORDER_MARK = "\ufeff"

Moment = Annotated[str, AfterValidator(moment_text)]


class ExportWish(Document):
    """The body of `POST audit/export`."""

    since: Annotated[Moment | None, Field(alias="from")] = None
    """The start of the time to export, by default the first day of the log."""
    to: Moment | None = None
    """Its end, not included, by default now. What is not sealed yet is not proven: see `sealed_until` in the answer."""
    format: Literal["csv", "jsonl"] = "jsonl"
    """The format of the events."""


@dataclass(frozen=True)
class ManageExports:
    """Starts exports, and shows their progress.

    `beginning` returns the first day of a deployment's log.
    """

    exports: ExportStore
    files: ExportFiles
    queue: ExportQueue
    read_audit: ReadAudit
    beginning: Callable[[int], datetime]
    change_configuration: ChangeConfiguration
    once: Once
    clock: Clock
    ids: Ids

    def start(self, deployment_id: int, wish: ExportWish, *, actor: str, call: Call | None = None) -> AuditExport:
        """Record who exports what in the deployment's own chain, and start; raises ValidationFailed."""
        export = self.once(
            call,
            lambda remember: self._add(deployment_id, wish, actor, remember),
            lambda record: self.exports.load(deployment_id, record.made),
        )
        if export.state is ExportState.PENDING:
            # Also for a repeated call: the first may have died right here. Two messages do no harm.
            self.queue.send(deployment_id, export.export_id)
        return export

    def _add(self, deployment_id: int, wish: ExportWish, actor: str, remember: Remember) -> AuditExport:
        since, to = (parse_rfc3339(text) if text else None for text in (wish.since, wish.to))
        wanted = self.read_audit.range_of(deployment_id, since or self.beginning(deployment_id), to)
        now = self.clock.now()
        export_id = f"exp_{int(now.timestamp()):010x}{self.ids.event_id()}"
        export = AuditExport(export_id, deployment_id, wish.format, wanted.since, wanted.to, actor, now)
        facts = {"export": export_id, "from": rfc3339(wanted.since), "to": rfc3339(wanted.to), "format": wish.format}

        def step(found: Deployment) -> Configured:
            return Configured(found, None, facts, self.exports.adding(export))

        self.change_configuration(deployment_id, EventKind.AUDIT_EXPORTED, actor, step, remember(export_id))
        return export

    def show(self, deployment_id: int, export_id: str) -> AuditExportShown:
        """Return an export as the API shows it, with links that work for an hour; raises NotFound."""
        return self.document(self.exports.load(deployment_id, export_id))

    def document(self, export: AuditExport) -> AuditExportShown:
        """Return an export as the API shows it."""
        return export_shown(export, self.links(export))

    def links(self, export: AuditExport) -> Mapping[str, str]:
        """Return links to the files of a finished export by name, for an hour."""
        if export.state is not ExportState.DONE:
            return {}
        return {file.name: self.files.link(export.prefix + file.name) for file in export.files}

    def recent(self, deployment_id: int, limit: int) -> Sequence[AuditExport]:
        """Return a deployment's latest exports, newest first."""
        return self.exports.recent(deployment_id, limit)


@dataclass
class _Written:
    """The contents of a file of events."""

    sealed_until: str
    events: int = 0
    unsealed: int = 0
    first: EventName | None = None
    last: EventName | None = None
    heads: dict[str, AuditRecord] = field(default_factory=dict)

    def add(self, record: AuditRecord, name: EventName) -> None:
        self.events += 1
        self.unsealed += isinstance(record["at"], str) and record["at"] >= self.sealed_until
        self.first, self.last = self.first or name, name
        self.heads[record["subject"]] = record


@dataclass(frozen=True)
class RunExport:
    """Writes an export, file by file; the next run continues after what is finished."""

    exports: ExportStore
    files: ExportFiles
    audit: AuditArchive
    seals: SealStore
    key: SealKey
    script: bytes
    clock: Clock

    def __call__(self, deployment_id: int, export_id: str) -> bool:
        """Return True when there is nothing more to do, False if it must be called again because time ran out."""
        export, stop_at = self.exports.load(deployment_id, export_id), self.clock.now() + _WORK_FOR
        while export.state in (ExportState.PENDING, ExportState.RUNNING):
            if self.clock.now() >= stop_at:
                return False
            try:
                export = self._commit(self._step(export))
            except Conflict:
                # Another worker is on it.
                return True
        return True

    def give_up(self, deployment_id: int, export_id: str) -> None:
        """Mark an export as failed, after the last attempt."""
        export = self.exports.load(deployment_id, export_id)
        if export.state in (ExportState.PENDING, ExportState.RUNNING):
            reason = "The export failed after several attempts. Please start it again."
            self._commit(replace(export, state=ExportState.FAILED, reason=reason, finished_at=self.clock.now()))

    def _commit(self, export: AuditExport) -> AuditExport:
        export = replace(export, version=export.version + 1)
        self.exports.commit(export)
        return export

    def _step(self, export: AuditExport) -> AuditExport:
        begun = export if export.layout == EXPORT_FORMAT else export.begun_anew(EXPORT_FORMAT)
        export = replace(begun, state=ExportState.RUNNING)
        if not export.seals_done:
            return self._seals(export)
        return self._finish(export) if export.events_done else self._events(export)

    def _seals(self, export: AuditExport) -> AuditExport:
        """Write the next file of digests, each followed by the deployment's section."""
        wanted = list(islice(self._covering(export), _DIGESTS_PER_FILE + 1))
        taken = wanted[:_DIGESTS_PER_FILE]
        if not taken:
            return replace(export, seals_done=True)
        named: list[DigestName] = []
        file = self._write(export, "seals", "jsonl", self._seal_lines(taken, export.deployment_id, named))
        return replace(
            export,
            files=(*export.files, file),
            digests=export.digests + len(taken),
            first_digest=export.first_digest or named[0],
            last_digest=named[-1],
            sealed_until=taken[-1],
            seals_done=len(wanted) == len(taken),
        )

    def _covering(self, export: AuditExport) -> Iterator[str]:
        for until in self.seals.ends(after=export.sealed_until or rfc3339(export.since)):
            yield until
            if until >= rfc3339(export.to):
                return

    def _seal_lines(self, ends: Iterable[str], deployment_id: int, named: list[DigestName]) -> Iterator[bytes]:
        for until in ends:
            line, sha256 = self._digest(until)
            named.append(DigestName(until, sha256))
            yield line
            yield self.seals.section(deployment_id, until) or b""

    def _digest(self, until: str) -> tuple[bytes, str]:
        """Return a digest's line and hash; for one that is gone or cannot be read, one that nobody takes for valid."""
        try:
            signed = self.seals.digest(until) or {}
            return _line(signed), digest_hash(signed["digest"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return _line({"digest": {"until": until}, "signature": None}), ""

    def _events(self, export: AuditExport) -> AuditExport:
        """Write the next file of events, and one with the last event of each chain in it."""
        written = _Written(export.sealed_until or "")
        records = self._records(export, written)
        lines = _csv_lines(records) if export.format == "csv" else map(_line, records)
        events = self._write(export, "events", export.format, lines)
        heads = self._write(export, "heads", "jsonl", _head_lines(written))
        return replace(
            export,
            files=(*export.files, replace(events, events=written.events), heads),
            events=export.events + written.events,
            unsealed=export.unsealed + written.unsealed,
            first=export.first or written.first,
            last=written.last or export.last,
            events_done=written.events < _EVENTS_PER_FILE,
        )

    def _records(self, export: AuditExport, written: _Written) -> Iterator[AuditRecord]:
        indexed = self._indexed(export)
        while written.events < _EVENTS_PER_FILE:
            batch = list(islice(indexed, min(_BATCH, _EVENTS_PER_FILE - written.events)))
            if not batch:
                return
            names = {(one.subject, one.seq): EventName(one.at, one.subject, one.seq, one.hash) for one in batch}
            for record in self.audit.records(batch):
                written.add(record, names[record["subject"], record["seq"]])
                yield record

    def _indexed(self, export: AuditExport) -> Iterator[IndexedEvent]:
        since, after, last = export.since, None, export.last
        if last is not None:
            since, after = last.at, IndexedEvent(export.deployment_id, last.subject, last.seq, last.at, last.hash)
        for period in periods(since, export.to):
            yield from self.audit.indexed(period, export.deployment_id, after)
            after = None

    def _finish(self, export: AuditExport) -> AuditExport:
        script = self._write_named(export, _SCRIPT, "script", [self.script])
        export = replace(export, files=(*export.files, script))
        public_key = self.key.public_key()
        document = {"format": EXPORT_FORMAT, **export.manifest(pem(public_key), fingerprint(public_key))}
        earlier = [pem(key) for key in self.key.trusted().keys.values() if key != public_key]
        document |= {"earlier_keys": earlier} if earlier else {}
        document["signature"] = base64.b64encode(self.key.sign(manifest_message(document))).decode()
        content = json.dumps(document, indent=1, ensure_ascii=False).encode()
        manifest = self._write_named(export, "manifest.json", "manifest", [content])
        files = (*export.files, manifest)
        return replace(export, files=files, state=ExportState.DONE, finished_at=self.clock.now())

    def _write(self, export: AuditExport, kind: FileKind, ending: str, content: Iterable[bytes]) -> ExportFile:
        return self._write_named(export, f"{kind}-{len(export.of_kind(kind)) + 1:05d}.{ending}", kind, content)

    def _write_named(self, export: AuditExport, name: str, kind: FileKind, content: Iterable[bytes]) -> ExportFile:
        size, sha256 = self.files.write(export.prefix + name, content)
        return ExportFile(name, kind, size, sha256)


def _line(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line, also one that we never wrote: whoever verifies it must see it as it stands."""
    try:
        text = canonical_json(record)
    except (ValueError, TypeError):
        text = json.dumps(record, default=repr)
    except RecursionError:
        text = canonical_json({**record, "data": "nested too deeply"})
    # Half of a character is escaped, as JSON may.
    return f"{text}\n".encode(errors="backslashreplace")


def _csv_lines(records: Iterable[AuditRecord]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow(COLUMNS)
    for record in records:
        yield _taken(buffer)
        writer.writerow(_row(record))
    yield _taken(buffer)


def _row(record: AuditRecord) -> Sequence[str]:
    """Return an event as a row; one that we never wrote as its members only, which no reader takes for an event."""
    try:
        return row_of(record)
    except (ValueError, TypeError, AttributeError, RecursionError):
        members = json.loads(_line(record))
        return [*row_of({**members, "data": {}})[:-1], f"not an event: {members['data']!r}"]


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode(errors="backslashreplace")


def _head_lines(written: _Written) -> Iterator[bytes]:
    for subject, record in sorted(written.heads.items()):
        yield _line({"subject": subject, "seq": record["seq"], "hash": record["hash"]})
