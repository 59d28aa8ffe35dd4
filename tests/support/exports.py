"""An export of the small audit log, made without the service, for tests that then change it in every way there is."""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from flow_hitl.proof.verify_audit import (
    COLUMNS,
    canonical_json,
    digest_hash,
    fingerprint,
    manifest_message,
    pem,
    row_of,
)
from tests.support.audit_logs import DEPLOYMENT, SIGNER, Event, Log, Signer, make_log

LOG = make_log()
EVENTS, HEADS, SEALS, SCRIPT = "events-00001", "heads-00001.jsonl", "seals-00001.jsonl", "verify_audit.py"
SINCE, TO = "2026-01-14T00:00:00Z", "2026-01-16T00:00:00Z"


@dataclass
class MadeExport:
    """The files of an export and its manifest; `write` puts them into a folder, and fits what was changed together."""

    form: str = "jsonl"
    since: str = SINCE
    to: str = TO
    log: Log = field(default_factory=LOG.copy)
    events: list[Event] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)
    # Each digest, and the lines of its section.
    seals: list[tuple[Mapping[str, Any], bytes]] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    # What takes the place of a whole file.
    files: dict[str, bytes] = field(default_factory=dict)
    # What the manifest then says, whatever the files hold.
    said: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        within = [event for event in self.log.events if self.since <= event["at"] < self.to]
        self.events = sorted(within, key=lambda event: (event["at"], event["subject"], event["seq"]))
        last = {event["subject"]: event for event in self.events}
        self.heads = [{"subject": name, "seq": one["seq"], "hash": one["hash"]} for name, one in sorted(last.items())]
        for signed in self.log.digests:
            if signed["digest"]["until"] > self.since and signed["digest"]["from"] < self.to:
                self.seals.append((signed, self.log.sections[signed["digest"]["until"]]))

    @property
    def events_file(self) -> str:
        return f"{EVENTS}.{self.form}"

    def _fitted(self) -> dict[str, bytes]:
        files = {
            SEALS: b"".join(line(signed) + section for signed, section in self.seals),
            self.events_file: rows(self.events) if self.form == "csv" else b"".join(map(line, self.events)),
            HEADS: b"".join(map(line, self.heads)),
            SCRIPT: b"# the script\n",
        }
        return {**files, **self.files}

    def _described(self, files: Mapping[str, bytes]) -> dict[str, Any]:
        digests = [signed["digest"] for signed, _ in self.seals if "until" in signed["digest"]]
        sealed_until = max((digest["until"] for digest in digests), default=None)
        named = [{"until": digest["until"], "sha256": digest_hash(digest)} for digest in digests]
        ends = [{name: event[name] for name in ("at", "subject", "seq", "hash")} for event in self.events]
        kinds = {SEALS: "seals", HEADS: "heads", SCRIPT: "script"}
        described = [
            {
                "name": name,
                "kind": kinds.get(name, "events"),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                **({"events": len(self.events)} if name == self.events_file else {}),
            }
            for name, content in files.items()
        ]
        return {
            "format": "flow-hitl/audit-export/2",
            "deployment_id": DEPLOYMENT,
            "from": self.since,
            "to": self.to,
            "event_format": self.form,
            "requested_at": "2026-01-16T02:00:00Z",
            "events": len(self.events),
            "unsealed_events": sum(event["at"] >= (sealed_until or "") for event in self.events),
            "first": ends[0] if ends else None,
            "last": ends[-1] if ends else None,
            "digests": len(digests),
            "first_digest": named[0] if named else None,
            "last_digest": named[-1] if named else None,
            "sealed_until": sealed_until,
            "public_key": pem(SIGNER.public),
            "key": fingerprint(SIGNER.public),
            "files": described,
        }

    def write(self, folder: Path, signer: Signer | None = SIGNER) -> None:
        """Write all files, and a manifest that fits them but for what was said otherwise, signed unless by nobody."""
        folder.mkdir(parents=True, exist_ok=True)
        files = self._fitted()
        self.manifest = {**self._described(files), **self.said}
        if signer is not None:
            self.manifest["signature"] = signature(signer, self.manifest)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / "manifest.json").write_text(json.dumps(self.manifest, indent=1))


Forgery = Callable[[MadeExport], object]


def signature(signer: Signer, manifest: Mapping[str, Any]) -> str:
    made = signer.private.sign(manifest_message(manifest), ec.ECDSA(hashes.SHA256()))
    return base64.b64encode(made).decode()


def line(record: Mapping[str, Any]) -> bytes:
    return f"{canonical_json(record)}\n".encode()


def rows(events: Sequence[Event]) -> bytes:
    buffer = io.StringIO(newline="")
    buffer.write("\ufeff")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows(map(row_of, events))
    return buffer.getvalue().encode()
