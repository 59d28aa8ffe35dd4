"""The audit log is exported with proofs: whoever gets the files can verify them without us."""

import base64
import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.proof.verify_audit import (
    COLUMNS,
    Export,
    Unusable,
    canonical_json,
    event_of_row,
    manifest_message,
    pem,
    row_of,
    sha256,
    verify_export,
)
from infra.local.hitl_fixture import Answer, Hitl, made_once
from infra.local.patience import HANG_SECONDS
from tests.audit.test_audit_log import all_events, audit_path, some_days
from tests.support.asserts import (
    EMIT,
    assert_invalid,
    assert_problem,
    callback,
    key_of_another_deployment,
    sqs_records,
)
from tests.support.aws_calls import When, crashing, unsettled
from tests.support.slices import WHOLE

FORMATS = pytest.mark.parametrize("form", ["jsonl", "csv"])


def start(hitl: Hitl, body: Any = None, **options: Any) -> Answer:
    return hitl.api("POST", audit_path(hitl, "/export"), {} if body is None else body, **options)


def show(hitl: Hitl, export_id: str) -> dict[str, Any]:
    answer = hitl.api("GET", audit_path(hitl, f"/export/{export_id}"))
    assert answer.status == 200, answer.text
    export: dict[str, Any] = answer.json["export"]
    return export


def exported(hitl: Hitl, **wish: Any) -> dict[str, Any]:
    """Return an export that is finished."""
    answer = start(hitl, wish)
    assert answer.status == 202, answer.text
    return show(hitl, answer.json["export"]["id"])


def download(hitl: Hitl, export: dict[str, Any], folder: Path) -> Path:
    """Put the files of an export into a folder, each from where its link leads."""
    for file in export["files"]:
        key = unquote(urlsplit(file["url"]).path).removeprefix("/")
        content = hitl._clients["s3"].get_object(Bucket="exports", Key=key)["Body"].read()
        assert (len(content), sha256(content)) == (file["bytes"], file["sha256"])
        (folder / file["name"]).write_bytes(content)
    return folder


def events_in(folder: Path) -> list[dict[str, Any]]:
    """Return the events of an export's files, of either format."""
    events: list[dict[str, Any]] = []
    for path in sorted(folder.glob("events-*.jsonl")):
        events += map(json.loads, path.read_text("utf-8").splitlines())
    for path in sorted(folder.glob("events-*.csv")):
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
        assert rows[0] == list(COLUMNS)
        events += map(event_of_row, rows[1:])
    return events


@FORMATS
def test_an_export_holds_every_event_of_its_time_and_verifies(hitl: Hitl, tmp_path: Path, form: str) -> None:
    some_days(hitl)
    hitl.seal()
    before = all_events(hitl, "limit=200")
    export = exported(hitl, format=form, to="2026-01-17T12:00:01Z")
    folder = download(hitl, export, tmp_path)
    assert events_in(folder) == before
    result = verify_export(Export(str(folder)), current().seal_audit.key.trusted())
    assert result.findings == []
    assert (result.events, result.digests) == (export["events"], export["digests"])
    assert result.events == len(before)


@FORMATS
def test_a_part_of_the_time_verifies_as_well(hitl: Hitl, tmp_path: Path, form: str) -> None:
    some_days(hitl)
    hitl.seal()
    wish = {"from": "2026-01-15T06:00:00Z", "to": "2026-01-16T06:00:00Z", "format": form}
    folder = download(hitl, exported(hitl, **wish), tmp_path)
    events = events_in(folder)
    assert {event["at"] for event in events} == {"2026-01-15T12:00:00Z"}
    assert len(events) == 4
    assert verify_export(Export(str(folder))).findings == []


def test_an_export_of_nothing_is_one(hitl: Hitl, tmp_path: Path) -> None:
    wish = {"from": "2026-01-10T00:00:00Z", "to": "2026-01-11T00:00:00Z"}
    export = exported(hitl, **wish)
    assert (export["state"], export["events"]) == ("done", 0)
    assert verify_export(Export(str(download(hitl, export, tmp_path)))).findings == []


def test_the_manifest_says_what_there_is(hitl: Hitl, tmp_path: Path) -> None:
    some_days(hitl)
    hitl.seal()
    export = exported(hitl, format="csv")
    folder = download(hitl, export, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    events = events_in(folder)
    for name, event in (("first", events[0]), ("last", events[-1])):
        assert manifest[name] == {member: event[member] for member in ("at", "subject", "seq", "hash")}
    assert (manifest["events"], manifest["digests"]) == (len(events), export["digests"])
    assert manifest["sealed_until"] == "2026-01-17T12:00:01Z"
    assert [file["kind"] for file in manifest["files"]] == ["seals", "events", "heads", "script"]
    assert export["manifest_sha256"] == sha256((folder / "manifest.json").read_bytes())
    heads = [json.loads(line) for line in (folder / "heads-00001.jsonl").read_text().splitlines()]
    last = {event["subject"]: event for event in events}
    assert heads == [{"subject": s, "seq": last[s]["seq"], "hash": last[s]["hash"]} for s in sorted(last)]


def test_who_exports_what_stands_in_the_deployments_chain(hitl: Hitl) -> None:
    export = exported(hitl, format="csv")
    (event,) = [one for one in all_events(hitl, "limit=200") if one["kind"] == "audit_exported"]
    assert event["subject"] == f"deployment#{hitl.deployment_id}"
    assert event["actor"] == export["requested_by"] == f"api_key/{hitl.api_key.split('_')[2]}"
    asked = {name: export[name] for name in ("from", "to", "format")}
    assert event["data"]["after"] == {"export": export["id"], **asked}


# --- progress


def test_an_export_goes_from_pending_to_done_with_links_at_the_end(hitl: Hitl) -> None:
    some_days(hitl)
    with unsettled(hitl):
        export_id = start(hitl).json["export"]["id"]
        pending = show(hitl, export_id)
    assert (pending["state"], pending["events"], pending["files"]) == ("pending", 0, [])
    done = show(hitl, export_id)
    # To look was enough for the queue to be worked off.
    done = show(hitl, export_id)
    assert (done["state"], done["events"] > 0) == ("done", True)
    assert all("X-Amz-Expires=3600" in file["url"] for file in done["files"])
    assert done["kept_until"] == "2026-01-24T12:00:00Z"


def test_what_one_run_cannot_do_is_done_by_the_next_and_counted_meanwhile(hitl: Hitl, tmp_path: Path) -> None:
    some_days(hitl)
    hitl.seal()
    write = current().run_export.files.write

    def slowly(key: str, content: Any) -> Any:
        hitl.clock.sleep(300)
        return write(key, content)

    with (
        patch("flow_hitl.proof.export_audit._EVENTS_PER_FILE", 4),
        patch("flow_hitl.proof.export_store.S3ExportFiles.write", side_effect=slowly),
    ):
        with unsettled(hitl):
            export_id = start(hitl).json["export"]["id"]
        with patch.object(current().export_queue, "send") as sent:
            hitl._deliver("export_audit", sqs_records(json.dumps({"deployment_id": 1, "export_id": export_id})))
        running = current().manage_exports.exports.load(1, export_id)
        assert running.state == "running"
        assert 0 < running.events < len(all_events(hitl, "limit=200"))
        sent.assert_called_once_with(1, export_id)
        hitl._settle()
    export = show(hitl, export_id)
    assert export["state"] == "done"
    assert len([file for file in export["files"] if file["kind"] == "events"]) > 2
    assert verify_export(Export(str(download(hitl, export, tmp_path)))).findings == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_export_whose_worker_dies_anywhere_is_finished_by_the_next(hitl: Hitl, tmp_path: Path, when: When) -> None:
    some_days(hitl)
    hitl.seal()
    number = 0
    with patch("flow_hitl.proof.export_audit._EVENTS_PER_FILE", 7):
        while True:
            with unsettled(hitl):
                export_id = start(hitl).json["export"]["id"]
            message = sqs_records(json.dumps({"deployment_id": hitl.deployment_id, "export_id": export_id}))
            with crashing(hitl, number, when) as calls:
                hitl._deliver("export_audit", message)
            if calls.died_at is None:
                break
            hitl._deliver("export_audit", message)
            folder = tmp_path / f"{number}"
            folder.mkdir()
            export = show(hitl, export_id)
            assert export["state"] == "done", calls.died_at
            result = verify_export(Export(str(download(hitl, export, folder))))
            assert (result.findings, result.events) == ([], export["events"]), calls.died_at
            number += 4 if WHOLE else 17
    assert number > 20


def test_an_export_that_cannot_be_finished_says_so(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    with patch("flow_hitl.proof.export_store.S3ExportFiles.write", side_effect=OSError("disk")):
        with unsettled(hitl):
            export_id = start(hitl).json["export"]["id"]
        body = json.dumps({"deployment_id": hitl.deployment_id, "export_id": export_id})
        for attempt in range(1, 5):
            (record,) = sqs_records(body)
            record["attributes"]["ApproximateReceiveCount"] = str(attempt)
            assert hitl._deliver("export_audit", [record]), "it goes to the dead-letter queue, whose alarm says so"
            export = current().manage_exports.exports.load(hitl.deployment_id, export_id)
            assert export.state == ("failed" if attempt == 4 else "running")
    shown = show(hitl, export_id)
    assert shown["files"] == []
    assert "start it again" in shown["reason"]


def test_a_message_that_comes_twice_makes_nothing_twice(hitl: Hitl) -> None:
    export = exported(hitl)
    before = hitl._clients["s3"].list_objects_v2(Bucket="exports")["Contents"]
    body = json.dumps({"deployment_id": hitl.deployment_id, "export_id": export["id"]})
    assert hitl._deliver("export_audit", sqs_records(body)) == []
    assert hitl._clients["s3"].list_objects_v2(Bucket="exports")["Contents"] == before


# --- who, and what not


def test_another_deployments_export_is_not_found(hitl: Hitl) -> None:
    export, key = exported(hitl), key_of_another_deployment()
    other = current().manage_deployments.list()[-1].deployment_id
    path = f"/v1/deployments/{other}/audit/export/{export['id']}"
    assert_problem(hitl.api("GET", path, key=key), 404, "not-found")
    assert_problem(start(hitl, key=key), 404, "not-found")
    assert_problem(hitl.api("GET", audit_path(hitl, "/export/exp_unknown")), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"format": "xlsx"}, "/format"),
        ({"from": "yesterday"}, "/from"),
        ({"to": 5}, "/to"),
        ({"since": "2026-01-14T12:00:00Z"}, "/since"),
        ({"from": "2026-01-15T00:00:00Z", "to": "2026-01-14T00:00:00Z"}, "/to"),
    ],
)
def test_what_cannot_be_meant_is_said(hitl: Hitl, body: Any, field: str) -> None:
    assert_invalid(start(hitl, body), field)


# --- spreadsheets

EVENT = {
    **dict.fromkeys(("event_id", "kind", "actor", "prev_hash", "hash"), "x"),
    "subject": "request#r",
    "seq": 1,
    "at": "2026-01-14T12:00:00Z",
}

PLAIN_FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "'", "=cmd|' /C calc'!A0", "\n=1"]
WIDE_FORMULAS = ["＝1+1", "＋1", "－1", "＠SUM(A1)", "﹦1", "﹢1", "﹣1", "﹫A", "⁼1", "₊1", "\u22121", "⁻1"]
HIDDEN_FORMULAS = [" =1", "\u00a0+1", "\u3000＝1", "\ufeff=1", "\u200b@A", "\u2060 -1", "\u202e=1", "\x1f=1", " \t＝1"]
FORMULAS = [*PLAIN_FORMULAS, *WIDE_FORMULAS, *HIDDEN_FORMULAS]


def looks_like_a_formula(cell: str) -> bool:
    shown = unicodedata.normalize("NFKC", cell).lstrip("\x1f \t\r\n\u200b\u2060\u202e\ufeff")
    return cell.startswith(("\t", "\r", "\n")) or shown.startswith(("=", "+", "-", "@", "\u2212"))


@pytest.mark.parametrize("text", ["1 = 1", "a=1", "#1", "(1)", "“=1”", "…", "", "你好", "🙂"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert row_of({**EVENT, "data": {"feedback": text}})[COLUMNS.index("feedback")] == text


def test_an_export_from_before_in_which_a_wide_formula_stands_bare_is_still_read() -> None:
    event = {**EVENT, "data": {"feedback": "＝1"}}
    row = [cell.removeprefix("'") if cell == "'＝1" else cell for cell in row_of(event)]
    assert "＝1" in row
    assert event_of_row(row) == event


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_and_every_cell_reads_back(hitl: Hitl, tmp_path: Path, text: str) -> None:
    request = hitl.ask()
    assert callback(hitl, request, f"x\n{text}", responder=text or None, source=text).status == 200
    folder = download(hitl, exported(hitl, format="csv"), tmp_path)
    rows = list(csv.reader(io.StringIO((folder / "events-00001.csv").read_bytes().decode("utf-8-sig"), newline="")))
    assert not [cell for row in rows for cell in row if looks_like_a_formula(cell)]
    events = events_in(folder)
    (answer,) = [event for event in events if event["kind"] == "response_submitted"]
    assert (answer["data"]["source"], answer["data"]["responder"]) == (text, text)
    assert verify_export(Export(str(folder))).findings == []


def test_a_column_that_says_something_else_than_the_event_is_no_row() -> None:
    event = {**EVENT, "data": {"outcome": "approved", "comment": None, "response_seconds": 5}}
    row = row_of(event)
    assert event_of_row(row) == event
    for place in range(len(COLUMNS)):
        altered = list(row)
        altered[place] += "!"
        try:
            read = event_of_row(altered)
        except ValueError:
            continue
        assert read != event


# --- changed exports


def lines_of(folder: Path, form: str) -> list[bytes]:
    return (folder / f"events-00001.{form}").read_bytes().splitlines(keepends=True)


def write_lines(folder: Path, form: str, lines: Sequence[bytes]) -> None:
    """Write a file of events, and make the manifest fit it, as a careful forger would."""
    name = f"events-00001.{form}"
    (folder / name).write_bytes(b"".join(lines))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["events"] = len(lines) - (form == "csv")
    make_fit(folder, manifest)


def make_fit(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest that fits the files, and sign it, as only the service could: the digests must do without it."""
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        file.update(bytes=len(content), sha256=sha256(content))
        if file["kind"] == "events":
            file["events"] = manifest["events"]
    key = current().seal_audit.key
    manifest["signature"] = base64.b64encode(key.sign(manifest_message(manifest))).decode()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def sealed_export(hitl: Hitl, tmp_path: Path) -> dict[str, Path]:
    """An export in each format of some days, all of them sealed."""
    folders = {}
    for export in both_exports(hitl):
        folders[export["format"]] = tmp_path / export["format"]
        folders[export["format"]].mkdir()
        download(hitl, export, folders[export["format"]])
    return folders


@made_once
def both_exports(hitl: Hitl) -> list[dict[str, Any]]:
    some_days(hitl)
    hitl.seal()
    return [exported(hitl, format=form, to="2026-01-17T12:00:00Z") for form in ("jsonl", "csv")]


@FORMATS
def test_every_change_of_a_file_of_events_is_named(sealed_export: dict[str, Path], form: str) -> None:
    folder = sealed_export[form]
    lines, events = lines_of(folder, form), events_in(folder)
    first = len(lines) - len(events)
    names = [f"{event['subject']} event {event['seq']}" for event in events]

    def found() -> set[str]:
        return {finding.record for finding in verify_export(Export(str(folder))).findings}

    for place, name in enumerate(names):
        at = first + place
        write_lines(folder, form, [*lines[:at], *lines[at + 1 :]])
        assert name in found(), f"{name} was deleted"
        write_lines(folder, form, [*lines[: at + 1], *lines[at:]])
        assert found() == {name}, f"{name} is there twice"
        edited = (
            lines[at].replace(b"flow-hitl", b"flow-hitI").replace(b"flow_test", b"flow_tesT").replace(b"api", b"apI")
        )
        edited = (
            edited
            if edited != lines[at]
            else lines[at].replace(b"operator", b"nobody_").replace(b"creator", b"createe")
        )
        assert edited != lines[at]
        write_lines(folder, form, [*lines[:at], edited, *lines[at + 1 :]])
        assert name in found(), f"{name} was edited"
        write_lines(folder, form, lines[: at + 1])
        missing = set(names[place + 1 :])
        assert missing <= found(), f"what follows {name} was cut off"
        if place:
            write_lines(folder, form, [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]])
            assert {names[place - 1], name} & found(), f"{name} changed places with the one before it"
    write_lines(folder, form, lines)
    assert found() == set()


@FORMATS
def test_a_changed_file_is_named_by_the_manifest(sealed_export: dict[str, Path], form: str) -> None:
    folder = sealed_export[form]
    for path in folder.iterdir():
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        if path.name != "manifest.json":
            findings = verify_export(Export(str(folder))).findings
            assert path.name in {finding.file for finding in findings}
        path.write_bytes(before)


def test_a_csv_with_a_changed_column_for_people_is_named(sealed_export: dict[str, Path]) -> None:
    folder = sealed_export["csv"]
    lines = lines_of(folder, "csv")
    (place,) = [number for number, line in enumerate(lines) if b",response_submitted," in line][:1]
    lines[place] = lines[place].replace(b",approved,", b",rejected,", 1)
    write_lines(folder, "csv", lines)
    (finding,) = [one for one in verify_export(Export(str(folder))).findings if one.kind == "edited"]
    assert "its columns contradict its data" in finding.detail


def test_a_digest_taken_out_of_an_export_is_named(sealed_export: dict[str, Path]) -> None:
    folder = sealed_export["jsonl"]
    seals = folder / "seals-00001.jsonl"
    lines = seals.read_bytes().splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.startswith(b'{"digest"')]
    seals.write_bytes(b"".join([*lines[: starts[1]], *lines[starts[2] :]]))
    write_lines(folder, "jsonl", lines_of(folder, "jsonl"))
    assert "digest_missing" in {finding.kind for finding in verify_export(Export(str(folder))).findings}


# --- the script, as an auditor runs it


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script by itself: no packages, nothing of ours on the path."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=HANG_SECONDS,
    )


def test_the_script_in_the_export_verifies_it_without_us(sealed_export: dict[str, Path], tmp_path: Path) -> None:
    folder = sealed_export["csv"]
    script = str(folder / "verify_audit.py")
    (tmp_path / "key.pem").write_text(pem(current().seal_audit.key.public_key()))
    trusting = ("--public-key", str(tmp_path / "key.pem"))
    fine = run(script, str(folder), *trusting)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.endswith("Nothing was changed.\n")
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in folder.iterdir():
            made.write(path, path.name)
    zipped = run(script, str(archive), *trusting)
    assert (zipped.returncode, "(given)" in zipped.stdout) == (0, True)
    lines = lines_of(folder, "csv")
    write_lines(folder, "csv", lines[:-1])
    cut = run(script, str(folder))
    assert cut.returncode == 1
    assert re.search(r"MISSING: \S+ event \d+ ", cut.stdout)


def test_the_script_says_what_it_cannot_read(sealed_export: dict[str, Path], tmp_path: Path) -> None:
    folder = sealed_export["jsonl"]
    script = str(folder / "verify_audit.py")
    for arguments in (
        [str(tmp_path)],
        [str(tmp_path / "none")],
        [str(folder), "--public-key", script],
        ["mail", "/none"],
    ):
        refused = run(script, *arguments)
        assert refused.returncode == 2, refused.stdout
        assert "Traceback" not in refused.stderr
        assert refused.stderr.strip()


def test_the_script_hashes_a_copy_of_a_mail(hitl: Hitl, sealed_export: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.eml"
    copy.write_text(hitl.inbox[0].raw)
    hashed = run(str(sealed_export["jsonl"] / "verify_audit.py"), "mail", str(copy)).stdout.strip()
    shown = [event["data"]["shown"] for event in events_in(sealed_export["jsonl"]) if "shown" in event["data"]]
    assert shown[0]["sha256"] == hashed


def test_an_export_whose_manifest_leads_elsewhere_is_not_followed(sealed_export: dict[str, Path]) -> None:
    folder = sealed_export["jsonl"]
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0]["name"] = "../csv/manifest.json"
    (folder / "manifest.json").write_text(canonical_json(manifest))
    with pytest.raises(Unusable):
        verify_export(Export(str(folder)))


# --- what no event can be


@FORMATS
@pytest.mark.parametrize(
    "member",
    [
        {"data": {"S": "none"}},
        {"data": {"S": "[" * 100_000}},
        {"data": {"S": '{"x":NaN}'}},
        {"data": {"S": '{"x":"\\ud800"}'}},
        {"data": {"N": "5"}},
        {"at": {"S": "9999-99-99T99:99:99Z"}},
        {"at": {"NULL": True}},
        {"hash": {"N": "1.5"}},
        {"kind": {"L": [{"N": "1.5"}]}},
    ],
    ids=lambda member: str(member)[:30],
)
def test_what_no_event_can_be_stops_no_export_and_is_found(
    hitl: Hitl, tmp_path: Path, form: str, member: dict[str, Any]
) -> None:
    request = hitl.ask(emit=EMIT)
    dynamodb, key = hitl._clients["dynamodb"], {"subject": {"S": f"request#{request.id}"}, "seq": {"N": "1"}}
    dynamodb.put_item(TableName="audit", Item={**dynamodb.get_item(TableName="audit", Key=key)["Item"], **member})
    export = exported(hitl, format=form)
    assert export["state"] == "done"
    folder = download(hitl, export, tmp_path)
    result = verify_export(Export(str(folder)), current().seal_audit.key.trusted())
    assert "edited" in {finding.kind for finding in result.findings}


def test_an_export_begins_with_the_log_whatever_the_date_of_its_first_event(hitl: Hitl) -> None:
    some_days(hitl)
    hitl.seal()
    dynamodb, key = hitl._clients["dynamodb"], {"subject": {"S": "deployment#1"}, "seq": {"N": "1"}}
    forged = dynamodb.get_item(TableName="audit", Key=key)["Item"] | {"at": {"S": "2026-01-16T12:00:00Z"}}
    dynamodb.put_item(TableName="audit", Item=forged)
    assert exported(hitl)["from"] == "2026-01-14T00:00:00Z"
