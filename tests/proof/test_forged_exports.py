"""What is old enough to be sealed must be: who forges an export, or hides digests, is found out by what is missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.proof.verify_audit import (
    Export,
    Verifier,
    canonical_json,
    event_hash,
    pem,
    verify_export,
)
from infra.local.hitl_fixture import Hitl
from tests.audit.test_audit_log import some_days
from tests.proof.test_audit_export import download, exported, make_fit, run
from tests.proof.test_audit_seal import digests, lose, named
from tests.support.asserts import EMIT, callback


@pytest.fixture
def old_export(hitl: Hitl, tmp_path: Path) -> Path:
    """An export of days that were sealed long before it was asked for."""
    some_days(hitl)
    hitl.advance(days=7)
    hitl.seal()
    (tmp_path / "export").mkdir()
    folder = download(hitl, exported(hitl, to="2026-01-24T12:00:00Z"), tmp_path / "export")
    (tmp_path / "key.pem").write_text(pem(current().seal_audit.key.public_key()))
    return folder


def verified(folder: Path) -> Verifier:
    """Verify with the trusted key."""
    return verify_export(Export(str(folder)), current().seal_audit.key.trusted())


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def write_anew(folder: Path) -> None:
    """Turn every answer round, and chain all of it anew."""
    last: dict[str, Any] = {}
    events = [json.loads(line) for line in (folder / "events-00001.jsonl").read_text("utf-8").splitlines()]
    for event in events:
        if event["kind"] == "response_submitted":
            event["data"]["outcome"] = "rejected"
        if event["subject"] in last:
            event["prev_hash"] = last[event["subject"]]["hash"]
        event["hash"] = event_hash(event)
        last[event["subject"]] = event
    heads = [{"subject": one["subject"], "seq": one["seq"], "hash": one["hash"]} for one in last.values()]
    for name, lines in (("events-00001.jsonl", events), ("heads-00001.jsonl", heads)):
        (folder / name).write_text("".join(f"{canonical_json(line)}\n" for line in lines), "utf-8")


def test_decisions_that_were_turned_round_do_not_pass_by_leaving_the_digests_out(hitl: Hitl, old_export: Path) -> None:
    manifest = manifest_of(old_export)
    manifest["files"] = [file for file in manifest["files"] if file["kind"] != "seals"]
    (old_export / "seals-00001.jsonl").unlink()
    write_anew(old_export)
    make_fit(old_export, manifest | {"digests": 0})
    findings = verified(old_export).findings
    assert {finding.kind for finding in findings} == {"digest_missing"}
    assert {finding.digest for finding in findings} == {f"2026-01-{day}T00:00:00Z" for day in (15, 16, 17)}
    said = run(str(old_export / "verify_audit.py"), str(old_export))
    assert said.returncode == 1
    assert "DIGEST_MISSING: digest until 2026-01-15T00:00:00Z is missing and long overdue" in said.stdout


@pytest.mark.parametrize("kept", ["first", "last"])
def test_digests_left_out_at_either_end_are_named(old_export: Path, kept: str) -> None:
    seals = old_export / "seals-00001.jsonl"
    lines = seals.read_bytes().splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.startswith(b'{"digest"')]
    seals.write_bytes(b"".join(lines[: starts[1]] if kept == "first" else lines[starts[2] :]))
    left = 1 if kept == "first" else len(starts) - 2
    make_fit(old_export, manifest_of(old_export) | {"digests": left})
    findings = verified(old_export).findings
    gone = (16, 17) if kept == "first" else (15, 16)
    assert sorted((one.kind, one.digest or "") for one in findings) == [
        ("digest_missing", f"2026-01-{day}T00:00:00Z") for day in gone
    ]


def test_when_it_was_asked_for_is_said_because_by_that_the_digests_are_missed(old_export: Path) -> None:
    key = str(old_export.parent / "key.pem")
    said = run(str(old_export / "verify_audit.py"), str(old_export), "--public-key", key)
    assert (said.returncode, said.stderr) == (0, "")
    assert "requested at 2026-01-24T12:00:0" in said.stdout


def test_what_happened_since_the_last_night_is_not_sealed_yet_and_that_is_no_fault(hitl: Hitl, tmp_path: Path) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    result = verify_export(Export(str(download(hitl, exported(hitl), tmp_path))))
    assert (result.findings, result.unsealed) == ([], result.events)


@pytest.mark.parametrize("moment", ["soon", None, 5])
def test_a_manifest_that_does_not_say_when_proves_nothing(old_export: Path, moment: object) -> None:
    make_fit(old_export, {**manifest_of(old_export), "requested_at": moment})
    refused = run(str(old_export / "verify_audit.py"), str(old_export))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_a_sheet_holds_no_character_that_older_readers_stop_at(hitl: Hitl, tmp_path: Path) -> None:
    request = hitl.ask(emit=EMIT)
    assert callback(hitl, request, "approved\nfirst\x00second", source="a\x00b").status == 200
    folder = download(hitl, exported(hitl, format="csv"), tmp_path)
    assert b"\x00" not in (folder / "events-00001.csv").read_bytes()
    assert verify_export(Export(str(folder))).findings == []
    assert request.response["comment"] == "first\x00second"


@pytest.mark.parametrize("damage", [b"\r", b'"', b"\xff"])
def test_a_sheet_that_is_none_any_more_is_said_to_be_changed(hitl: Hitl, tmp_path: Path, damage: bytes) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    folder = download(hitl, exported(hitl, format="csv"), tmp_path)
    sheet = folder / "events-00001.csv"
    content = sheet.read_bytes()
    middle = content.index(b"request_created") + 3
    sheet.write_bytes(content[:middle] + damage + content[middle:])
    make_fit(folder, manifest_of(folder))
    said = run(str(folder / "verify_audit.py"), str(folder))
    assert (said.returncode, said.stderr) == (1, "")
    assert "Nothing was changed" not in said.stdout


def test_the_last_days_of_an_export_cannot_be_cut_off_together_with_their_digests(hitl: Hitl, old_export: Path) -> None:
    cut = "2026-01-16T00:00:00Z"
    events = [json.loads(line) for line in (old_export / "events-00001.jsonl").read_text("utf-8").splitlines()]
    kept = [event for event in events if event["at"] < cut]
    last = {event["subject"]: event for event in kept}
    heads = [{"subject": one["subject"], "seq": one["seq"], "hash": one["hash"]} for one in last.values()]
    for name, lines in (("events-00001.jsonl", kept), ("heads-00001.jsonl", heads)):
        (old_export / name).write_text("".join(f"{canonical_json(line)}\n" for line in lines), "utf-8")
    seals = (old_export / "seals-00001.jsonl").read_bytes().splitlines(keepends=True)
    starts = [number for number, line in enumerate(seals) if line.startswith(b'{"digest"')]
    (old_export / "seals-00001.jsonl").write_bytes(b"".join(seals[: starts[2]]))
    make_fit(old_export, {**manifest_of(old_export), "events": len(kept), "digests": 2, "sealed_until": cut})
    findings = verified(old_export).findings
    assert [(one.kind, one.digest) for one in findings] == [("digest_missing", "2026-01-17T00:00:00Z")]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_the_last_digests_are_missed_also_when_nothing_has_happened_since(hitl: Hitl, left: int) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=6)
    hitl.seal()
    assert named(hitl) == set()
    for until in list(digests(hitl))[left:]:
        lose(until)
    assert named(hitl) == {("digest_missing", f"digest until 2026-01-{15 + left}T00:00:00Z")}


def test_a_digest_is_not_missed_before_its_time(hitl: Hitl) -> None:
    hitl.advance(days=1)
    hitl.seal()
    hitl.advance(minutes=14 * 60)
    assert named(hitl) == set()
