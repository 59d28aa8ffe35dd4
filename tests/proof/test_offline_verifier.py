"""What auditors' script says of an export: each change is named in a sentence, and nothing else is.

The sentences stand in `tests/data/offline_verifier.txt`: the name of the change, the exit code, and what is said.
"""

import base64
import json
import re
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.proof.verify_audit import (
    COLUMNS,
    Unusable,
    Verifier,
    canonical_json,
    end_of_day,
    event_hash,
    event_of_row,
    fingerprint,
    is_intact,
    main,
    pem,
    printable,
    read_json,
    row_of,
    sha256,
    untouched,
)
from tests.support.audit_logs import SIGNER, Event, Signer
from tests.support.exports import HEADS, LOG, SEALS, TO, Forgery, MadeExport, line, rows

SENTENCES = Path(__file__).parents[1] / "data/offline_verifier.txt"
SECTION = {"format": "flow-hitl/audit-section/2", "deployment_id": 456}
FIRST = {"from": "2026-01-14T00:00:00Z", "until": "2026-01-15T00:00:00Z"}
SECOND = {"from": "2026-01-15T00:00:00Z", "until": "2026-01-16T00:00:00Z"}
CLAIM = {"subject": "request#r2", "first": 1, "seq": 4, "hash": LOG.chains["request#r2"][3]["hash"]}


def edited(event: Event, **members: Any) -> None:
    """Change an event and its hash, as a forger does who cannot sign."""
    event.update(members)
    event["hash"] = event_hash(event)


def said(**members: Any) -> Forgery:
    return lambda export: export.said.update(members)


def on_events(change: Callable[[list[Event]], object]) -> Forgery:
    return lambda export: change(export.events)


def on_heads(change: Callable[[list[dict[str, Any]]], object]) -> Forgery:
    return lambda export: change(export.heads)


def on_seals(change: Callable[[list[Any]], object]) -> Forgery:
    return lambda export: change(export.seals)


def on_file(name: str, content: bytes) -> Forgery:
    return lambda export: export.files.update({name: content})


def resigned(**members: Any) -> Forgery:
    """Change the second digest, and sign it with the service's own key."""

    def forge(export: MadeExport) -> None:
        signed, section = export.seals[1]
        export.seals[1] = SIGNER.sign({**signed["digest"], **members}), section

    return forge


def section(*records: Any) -> Forgery:
    """Put other lines into the section of the second digest, and sign it with the service's own key."""
    content = b"".join(map(line, records))

    def forge(export: MadeExport) -> None:
        signed, _ = export.seals[1]
        export.seals[1] = SIGNER.sign({**signed["digest"], "deployments": {"456": sha256(content)}}), content

    return forge


def unsigned_digest(signed: Any) -> Forgery:
    return on_seals(lambda seals: seals.__setitem__(1, ({**seals[1][0], **signed}, seals[1][1])))


# Whoever does these has the service's key: what is found is what the signatures cannot tell.
FORGERIES: dict[str, Forgery] = {
    "nothing": lambda _: None,
    "an event edited": on_events(lambda events: events[2].update(actor="nobody")),
    "an event edited with its hash": on_events(lambda events: edited(events[2], actor="nobody")),
    "an event without a kind": on_events(lambda events: events[2].pop("kind")),
    "an event at place 0": on_events(lambda events: events[2].update(seq=0)),
    "an event at an endless place": on_events(lambda events: events[2].update(seq=10**9)),
    "an event at a place that is none": on_events(lambda events: events[2].update(seq=True)),
    "an event at no time": on_events(lambda events: events[2].update(at="yesterday")),
    "an event with half a hash": on_events(lambda events: events[2].update(hash="ab")),
    "an event whose facts are none": on_events(lambda events: events[2].update(data=[])),
    "an event removed": on_events(lambda events: events.pop(3)),
    "three events removed": on_events(lambda events: events.__delitem__(slice(2, 5))),
    "the first event removed": on_events(lambda events: events.pop(0)),
    "the last event removed": on_events(lambda events: events.pop()),
    "an event twice": on_events(lambda events: events.insert(3, events[3])),
    "two events changed places": on_events(lambda events: events.insert(3, events.pop(4))),
    "an event of another day": on_events(lambda events: edited(events[-1], at="2026-01-17T12:00:00Z")),
    "an event from before the first digest": on_events(lambda events: edited(events[0], at="2026-01-13T12:00:00Z")),
    "an event of another deployment": on_events(lambda events: edited(events[0], subject="deployment#7")),
    "a first event that follows something": on_events(lambda events: edited(events[2], prev_hash="1" * 64)),
    "all events removed": on_events(lambda events: events.clear()),
    "a digest removed": on_seals(lambda seals: seals.pop(0)),
    "the last digest removed": on_seals(lambda seals: seals.pop()),
    "all digests removed": on_seals(lambda seals: seals.clear()),
    "a digest twice": on_seals(lambda seals: seals.append(seals[-1])),
    "digests in another order": on_seals(lambda seals: seals.reverse()),
    "a digest of another format": resigned(format="flow-hitl/audit-digest/1"),
    "a digest that ends before it begins": resigned(until="2026-01-14T00:00:00Z"),
    "a digest at no time": resigned(until="2026-01-16"),
    "a digest of sections that are none": resigned(deployments=[]),
    "a digest by another key": resigned(key="ab"),
    "a digest that overlaps the one before": resigned(**{"from": "2026-01-14T23:00:00Z"}),
    "a digest that begins late": resigned(**{"from": "2026-01-15T01:00:00Z"}),
    "a digest of another one before": resigned(previous="ab"),
    "a digest after the time": resigned(**{"from": "2026-01-17T00:00:00Z", "until": "2026-01-18T00:00:00Z"}),
    "a digest with another signature": unsigned_digest({"signature": base64.b64encode(b"junk").decode()}),
    "a digest with a signature that is none": unsigned_digest({"signature": "!"}),
    "a digest without an end": unsigned_digest({"digest": {"from": "2026-01-15T00:00:00Z"}}),
    "a digest that is a list": unsigned_digest({"digest": []}),
    "a digest that ends in a long word": unsigned_digest({"digest": {"until": "x" * 50}}),
    "a digest without a section": on_seals(lambda seals: seals.__setitem__(1, (seals[1][0], b""))),
    "a section that no digest names": resigned(deployments={}),
    "a section that was changed": on_seals(lambda seals: seals.__setitem__(1, (seals[1][0], seals[1][1] + b"\n"))),
    "a section of another deployment": section({**SECTION, **SECOND, "deployment_id": 7}, CLAIM),
    "a section of another time": section({**SECTION, **FIRST}, CLAIM),
    "a section of another format": section({**SECTION, **SECOND, "format": "1"}, CLAIM),
    "a section that is no list of claims": section({**SECTION, **SECOND}, []),
    "a claim with more in it": section({**SECTION, **SECOND}, {**CLAIM, "more": 1}),
    "a claim from no place": section({**SECTION, **SECOND}, {**CLAIM, "first": 0}),
    "a claim that ends before it begins": section({**SECTION, **SECOND}, {**CLAIM, "first": 5}),
    "a claim to an endless place": section({**SECTION, **SECOND}, {**CLAIM, "seq": 10**9}),
    "a claim to a place that is none": section({**SECTION, **SECOND}, {**CLAIM, "seq": True}),
    "a claim of a chain that is none": section({**SECTION, **SECOND}, {**CLAIM, "subject": 7}),
    "a section without claims": section({**SECTION, **SECOND}),
    "one claim alone": section({**SECTION, **SECOND}, CLAIM),
    "a claim of events that are not there": section({**SECTION, **SECOND}, {**CLAIM, "subject": "request#x"}),
    "a claim of fewer events": section({**SECTION, **SECOND}, {**CLAIM, "seq": 3}),
    "a line before the first digest": lambda export: export.files.update(
        {SEALS: b"junk\n" + b"".join(line(signed) + rest for signed, rest in export.seals)}
    ),
    "a digest that is no JSON": lambda export: export.files.update(
        {SEALS: b"".join(line(signed) + rest for signed, rest in export.seals) + b'{"digest":\n'}
    ),
    "an event that is no JSON": lambda export: export.files.update(
        {export.events_file: b"".join(map(line, export.events)) + b"{\n[]\n"}
    ),
    "a head removed": on_heads(lambda heads: heads.pop()),
    "a head twice": on_heads(lambda heads: heads.append(heads[0])),
    "a head of another event": on_heads(lambda heads: heads[0].update(seq=1, hash="0" * 64)),
    "a head of a later event": on_heads(lambda heads: heads[0].update(seq=3)),
    "a head with another hash": on_heads(lambda heads: heads[0].update(hash="0" * 64)),
    "a head of no chain": on_heads(lambda heads: heads.append({"subject": "request#x", "seq": 1, "hash": "0" * 64})),
    "a head at place 0": on_heads(lambda heads: heads.append({"subject": "request#x", "seq": 0, "hash": "0" * 64})),
    "a head at an endless place": on_heads(lambda heads: heads[0].update(seq=10**9)),
    "a head at a place that is none": on_heads(lambda heads: heads[0].update(seq=True)),
    "a head without a hash": on_heads(lambda heads: heads[0].pop("hash")),
    "another deployment": said(deployment_id=7),
    "from is to": said(**{"from": TO}),
    "from moved back": said(**{"from": "2026-01-10T00:00:00Z"}),
    "from moved on": said(**{"from": "2026-01-14T02:00:00Z"}),
    "to moved on": said(to="2026-01-18T00:00:00Z"),
    "to moved back": said(to="2026-01-15T15:00:00Z"),
    "requested long ago": said(requested_at="2026-01-15T02:00:00Z"),
    "requested as soon as all was overdue": said(requested_at="2026-01-17T03:00:00Z", to="2026-01-18T00:00:00Z"),
    "requested a second before": said(requested_at="2026-01-17T02:59:59Z", to="2026-01-18T00:00:00Z"),
    "fewer events counted": said(events=1),
    "fewer digests counted": said(digests=1),
    "unsealed events counted": said(unsealed_events=3),
    "another first event": said(first=None),
    "another last event": said(last=None),
    "another first digest": said(first_digest=None),
    "another last digest": said(last_digest=None),
    "sealed later": said(sealed_until="2027-01-16T00:00:00Z"),
    "no files": said(files=[]),
    "another file": on_file("more.txt", b""),
    "the key of somebody else": said(key="ab"),
}


def told(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> list[str]:
    """Return the exit code and all that the script says with the trusted key."""
    key = folder.parent / "key.der"
    key.write_bytes(SIGNER.public)
    try:
        code = main([str(folder), "--public-key", str(key), *more])
    except Unusable as refusal:
        return ["2", str(refusal)]
    return [str(code), *capsys.readouterr().out.splitlines()]


def concluded(lines: list[str]) -> list[str]:
    """Return the exit code and what follows the key, without hashes, which are others each time."""
    place = next((place for place, one in enumerate(lines) if one.startswith("Key: ")), 0)
    return [lines[0], *(re.sub("[0-9a-f]{64}", "…", one) for one in lines[place + 1 :])]


def sentences() -> dict[str, list[str]]:
    parts = SENTENCES.read_text("utf-8").strip().split("\n\n")
    return {name: rest for name, *rest in (part.split("\n") for part in parts)}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_changed_in_an_export_is_said(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = MadeExport()
    FORGERIES[name](export)
    export.write(tmp_path / "export")
    assert concluded(told(capsys, tmp_path / "export")) == sentences()[name]


def test_all_changes_have_their_sentences() -> None:
    assert list(sentences()) == list(FORGERIES)


UNSEALED = (
    "This is proven only until 2026-01-16T00:00:00Z: what came then is not sealed yet. 8 events are not sealed "
    "yet. Export until 2026-01-16T00:00:00Z, or again later."
)
CANNOT_TELL = "No change was found, but whether anything was changed cannot be told."
UNTRUSTED = (
    f"No trusted key was given, and the key inside the export (fingerprint {fingerprint(SIGNER.public)}) proves "
    "nothing by itself: get the service's own with `aws kms get-public-key --key-id KEY --query PublicKey --output "
    "text > key.txt`, and add --public-key key.txt."
)


def test_the_script_says_first_what_it_has_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = MadeExport(to="2026-01-17T00:00:00Z")
    export.write(tmp_path / "export")
    assert told(capsys, tmp_path / "export") == [
        "2",
        "Deployment 456, from 2026-01-14T00:00:00Z to 2026-01-17T00:00:00Z",
        "Export requested at 2026-01-16T02:00:00Z",
        "Events: 25, in 5 chains; digests: 2",
        "Events not yet sealed by a digest: 8",
        f"Key: {fingerprint(SIGNER.public)} (given)",
        CANNOT_TELL,
        UNSEALED,
    ]
    assert main([str(tmp_path / "export")]) == 2
    assert capsys.readouterr().out.splitlines()[4:] == [
        f"Key: {fingerprint(SIGNER.public)} (from the export itself)",
        CANNOT_TELL,
        UNTRUSTED,
        UNSEALED,
    ]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_part_of_the_log_is_proven_in_each_format(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MadeExport(form).write(tmp_path / "export")
    assert concluded(told(capsys, tmp_path / "export")) == ["0", "Nothing was changed."]


@pytest.mark.parametrize(
    ("since", "to", "lost"),
    [
        ("2026-01-14T12:00:00Z", "2026-01-16T00:00:00Z", ("2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z")),
        ("2026-01-14T00:00:00Z", "2026-01-15T12:00:00Z", ("2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z")),
    ],
)
def test_at_its_edges_a_digest_proves_less(
    since: str, to: str, lost: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MadeExport(since=since, to=to).write(tmp_path / "export")
    doubt = (
        f"The digest from {lost[0]} to {lost[1]} goes beyond the exported time, so that it cannot be told whether "
        "events were left out of its part. Export from and to the end of a digest, such as these."
    )
    assert concluded(told(capsys, tmp_path / "export")) == ["2", CANNOT_TELL, doubt]


SCOPES = {
    ("--deployment", "456", "--from", "2026-01-14", "--to", "2026-01-16T00:00:00Z"): [],
    ("--deployment", "7"): ["is of deployment 456, not 7"],
    ("--from", "2026-01-13"): ["begins at 2026-01-14T00:00:00Z, after 2026-01-13T00:00:00Z"],
    ("--to", "2026-01-16T00:00:01Z"): ["ends at 2026-01-16T00:00:00Z, before 2026-01-16T00:00:01Z"],
}


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_an_export_of_something_else_than_was_wanted_says_what_it_is_of(
    scope: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MadeExport().write(tmp_path / "export")
    code, *lines = told(capsys, tmp_path / "export", *scope)
    wrong = [one.removeprefix("WRONG_SCOPE: file manifest.json ") for one in lines if one.startswith("WRONG_SCOPE")]
    assert (code, wrong) == ("1" if SCOPES[scope] else "0", SCOPES[scope])


@pytest.mark.parametrize(
    "time", ["yesterday", "2026-13-01", "2026-01-14T00:00:00", "0001-01-01", "2026-01-14T24:00:00Z"]
)
def test_a_time_that_is_none_is_not_taken(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--to", time])
    assert "it is not a time such as 2027-01-31T00:00:00Z" in capsys.readouterr().err


STRANGER = Signer()


@pytest.mark.parametrize(
    ("signer", "change", "finding"),
    [
        (None, {}, "is not signed"),
        (STRANGER, {}, "has an invalid signature"),
        (
            STRANGER,
            {"key": fingerprint(STRANGER.public)},
            f"names the key {fingerprint(STRANGER.public)}, which is not trusted",
        ),
        (SIGNER, {"signature": 5}, "has an invalid signature"),
        (SIGNER, {"signature": "!"}, "has an invalid signature"),
        (SIGNER, {"requested_by": "somebody"}, "has an invalid signature"),
    ],
    # Not by the keys, which are drawn anew in each process.
    ids=[
        "no signature",
        "a stranger's",
        "a stranger's under their name",
        "a number",
        "no base64",
        "of another manifest",
    ],
)
def test_a_manifest_that_the_service_did_not_sign_is_named(
    signer: Signer | None, change: dict[str, Any], finding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = MadeExport()
    export.said = {name: value for name, value in change.items() if signer is not SIGNER}
    export.write(tmp_path / "export", signer)
    if signer is SIGNER:
        (tmp_path / "export/manifest.json").write_text(json.dumps({**export.manifest, **change}))
    code, *lines = told(capsys, tmp_path / "export")
    assert (code, f"FILE_CHANGED: file manifest.json {finding}" in lines) == ("1", True)


WRONG: dict[str, Any] = {
    "deployment_id": "456",
    "events": -1,
    "digests": True,
    "unsealed_events": 1 << 60,
    "from": "2026-01-14",
    "to": "0001-01-01T00:00:00Z",
    "requested_at": None,
    "event_format": "xml",
    "files": {},
}
FILE = {"name": "a.txt", "kind": "script", "bytes": 1, "sha256": "ab"}
BAD_FILES: list[Any] = [
    [[]],
    [{**FILE, "name": "../a.txt"}],
    [{**FILE, "name": "manifest.json"}],
    [{**FILE, "name": None}],
    [{**FILE, "kind": "manifest"}],
    [{**FILE, "bytes": -1}],
    [{**FILE, "events": "1"}],
    [{**FILE, "sha256": None}],
    [FILE, FILE],
]


@pytest.mark.parametrize(("member", "value"), [*WRONG.items(), *(("files", files) for files in BAD_FILES)])
def test_a_manifest_that_is_malformed_says_where(
    member: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = MadeExport()
    export.said = {member: value}
    export.write(tmp_path / "export")
    says = f"The manifest is incomplete or malformed: its {member} is not valid."
    assert told(capsys, tmp_path / "export") == ["2", says]
    del export.manifest[member]
    (tmp_path / "export/manifest.json").write_text(json.dumps(export.manifest))
    assert told(capsys, tmp_path / "export") == ["2", says]


@pytest.mark.parametrize("content", [b"", b"junk", b"[]", b'{"format":"flow-hitl/audit-export/1"}'])
def test_what_is_no_export_says_so(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export/manifest.json").write_bytes(content)
    code, says = told(capsys, tmp_path / "export")
    assert code == "2"
    path = tmp_path / "export"
    if content[:1] in (b"[", b"{"):
        wanted = "flow-hitl/audit-export/2"
        assert says == f"{path} is not in the format {wanted}. Export again: since then, exports are signed."
    else:
        assert says.startswith(f"{path} is not an export: its manifest.json cannot be read (")
    (path / "manifest.json").unlink()
    gone = "The export's file manifest.json cannot be read: No such file or directory."
    assert told(capsys, path)[1] == f"{path} is not an export: its manifest.json cannot be read ({gone})."


@pytest.mark.parametrize("name", [SEALS, "events-00001.jsonl", HEADS, "verify_audit.py"])
def test_a_file_that_is_gone_or_none_stops_the_proof(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MadeExport().write(tmp_path / "export")
    (tmp_path / "export" / name).unlink()
    gone = f"The export's file {name} cannot be read: No such file or directory."
    assert concluded(told(capsys, tmp_path / "export")) == ["2", CANNOT_TELL, gone]
    (tmp_path / "export" / name).mkdir()
    no_file = f"The export's file {name} cannot be read: it is no plain file."
    assert concluded(told(capsys, tmp_path / "export")) == ["2", CANNOT_TELL, no_file]


@pytest.mark.parametrize("added", [b"", b"x"])
def test_a_file_that_is_shorter_or_longer_than_the_manifest_says_is_named(
    added: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MadeExport().write(tmp_path / "export")
    script = tmp_path / "export/verify_audit.py"
    script.write_bytes(script.read_bytes()[: len(added) - 1 or None] + added)
    assert "FILE_CHANGED: file verify_audit.py does not match its size and SHA-256 in the manifest" in told(
        capsys, tmp_path / "export"
    )


def test_of_very_many_missing_events_a_hundred_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = MadeExport()
    export.heads[0]["seq"] = 400
    export.write(tmp_path / "export")
    lines = [one for one in told(capsys, tmp_path / "export") if one.startswith("MISSING: deployment#456 event ")]
    why = "is missing, like all from 3 to 400: deployment#456 should have 400 events"
    assert lines == [f"MISSING: deployment#456 event {seq} {why}" for seq in range(3, 103)]


# --- a .zip


def zipped(folder: Path, change: Callable[[zipfile.ZipFile], object] = lambda _: None) -> Path:
    with zipfile.ZipFile(folder.parent / "export.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, path.name)
        change(packed)
    return folder.parent / "export.zip"


def test_a_zip_is_read_as_a_folder_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MadeExport().write(tmp_path / "export")
    assert concluded(told(capsys, zipped(tmp_path / "export"))) == ["0", "Nothing was changed."]
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "export", lambda packed: packed.writestr(HEADS, b""))
    assert f"FILE_CHANGED: file {HEADS} is there more than once" in told(capsys, path)
    path = zipped(tmp_path / "export", lambda packed: packed.writestr("more.txt", b""))
    assert concluded(told(capsys, path))[1] == "FILE_CHANGED: file more.txt is not named in the manifest"


def test_a_zip_with_a_link_or_without_a_file_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = MadeExport()
    export.write(tmp_path / "export")
    (tmp_path / "export" / HEADS).unlink()
    path = zipped(tmp_path / "export")
    assert concluded(told(capsys, path))[2] == f"The export's file {HEADS} is missing."

    def link(packed: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo(HEADS)
        entry.external_attr = 0o120777 << 16
        packed.writestr(entry, b"elsewhere")

    path = zipped(tmp_path / "export", link)
    assert concluded(told(capsys, path))[2] == f"The export's file {HEADS} cannot be read: it is no plain file."


# --- rows of a table

EVENT: Event = {
    "subject": "request#r1",
    "seq": 2,
    "event_id": "e2",
    "kind": "response_submitted",
    "at": "2026-01-14T03:01:00Z",
    "actor": "a@example.com",
    "prev_hash": "0" * 64,
    "hash": "1" * 64,
    "data": {"outcome": None, "feedback": "=1+1", "responder_verified": True, "response_seconds": 90, "x": "y"},
}


def test_an_event_is_a_row_that_people_can_read_and_no_formula() -> None:
    assert dict(zip(COLUMNS, row_of(EVENT), strict=True)) == {
        "at": "2026-01-14T03:01:00Z",
        "request_id": "r1",
        "kind": "response_submitted",
        "actor": "a@example.com",
        "outcome": "",
        "feedback": "'=1+1",
        "comment": "",
        "responder": "",
        "responder_verified": "true",
        "responded_via": "",
        "source": "",
        "response_seconds": "90",
        "assigned_to_email": "",
        "subject": "request#r1",
        "seq": "2",
        "event_id": "e2",
        "prev_hash": "0" * 64,
        "hash": "1" * 64,
        "data": canonical_json(EVENT["data"]),
    }
    assert event_of_row(row_of(EVENT)) == EVENT
    of_deployment = {**EVENT, "subject": "deployment#456"}
    assert row_of(of_deployment)[1] == ""
    assert event_of_row(row_of(of_deployment)) == of_deployment
    by_a_formula = {**EVENT, "actor": "=1+1@example.com"}
    assert row_of(by_a_formula)[COLUMNS.index("actor")] == "'=1+1@example.com"
    assert event_of_row(row_of(by_a_formula)) == by_a_formula


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("plain", "plain"),
        ("1+1", "1+1"),
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\u22121", "'\u22121"),
        ("\uff1d1", "'\uff1d1"),
        (" \u200b=1", "' \u200b=1"),
        ("'x", "''x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        (" x", " x"),
        ("(=1)", "(=1)"),
        ("a\0b", "ab"),
        ("\0=1", "'=1"),
    ],
)
def test_no_cell_is_taken_for_a_formula(text: str, cell: str) -> None:
    event = {**EVENT, "data": {"comment": text}}
    assert row_of(event)[COLUMNS.index("comment")] == cell
    assert event_of_row(row_of(event)) == event


@pytest.mark.parametrize("column", COLUMNS)
def test_a_row_that_contradicts_itself_is_no_event(column: str) -> None:
    place = COLUMNS.index(column)
    row = row_of(EVENT)
    changed = {"seq": "3x", "data": "[]"}.get(column, row[place] + "x")
    if column in ("subject", "event_id", "kind", "at", "actor", "prev_hash", "hash"):
        # These are the event itself: its hash tells.
        changed = ""
        row[COLUMNS.index("request_id")] += "x"
    row[place] = changed
    with pytest.raises(
        ValueError, match=r"^its columns contradict its data$" if column != "seq" else "invalid literal"
    ):
        event_of_row(row)
    with pytest.raises(ValueError, match=r"^it does not have the columns of an export$"):
        event_of_row(row[1:])


def csv_file(change: Callable[[bytes], bytes]) -> Forgery:
    def forge(export: MadeExport) -> None:
        export.form = "csv"
        export.files[export.events_file] = change(rows(export.events))

    return forge


TABLE = "events-00001.csv"
NO_UTF_8 = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
TABLES: dict[str, tuple[Forgery, list[str]]] = {
    "another heading": (
        csv_file(lambda content: content.replace(b"request_id", b"request")),
        [f"FILE_CHANGED: file {TABLE} does not start with the columns of an export"],
    ),
    "an edited cell": (
        csv_file(lambda content: content.replace(b",r1,", b",r9,", 1)),
        [f"EDITED: request#r1 event 1 on line 4 of {TABLE} cannot be read: its columns contradict its data"],
    ),
    "half a row": (
        csv_file(lambda content: content + b"2026-01-14T03:01:00Z,r1\r\n"),
        [f"EDITED: ? event None on line 19 of {TABLE} cannot be read: it does not have the columns of an export"],
    ),
    "a place that is none": (
        csv_file(
            lambda content: content.replace(b",r2,", b",r9,").replace(b"request#r2,4,", b"request#r2,4444444444,")
        ),
        [
            f"EDITED: request#r2 event {place} on line {row} of {TABLE} cannot be read: its columns contradict its data"
            for row, place in ((12, 1), (13, 2), (14, 3), (15, None))
        ],
    ),
    "no UTF-8": (
        csv_file(lambda content: content + b"\xff"),
        [f"FILE_CHANGED: file {TABLE} cannot be read after line 18: {NO_UTF_8}"],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_changed_in_a_table_is_said(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forge, findings = TABLES[name]
    export = MadeExport("csv")
    forge(export)
    export.write(tmp_path / "export")
    code, *lines = concluded(told(capsys, tmp_path / "export"))
    assert (code, lines[: len(findings)]) == ("1", findings)
    # A row that cannot be read counts as an event all the same.
    miscounted = f"FILE_CHANGED: file {TABLE} holds 18 events, but the manifest says 17"
    assert [one for one in lines if " events, but " in one and TABLE in one] == {
        "half a row": [miscounted],
        "another heading": [f"FILE_CHANGED: file {TABLE} holds 0 events, but the manifest says 17"],
    }.get(name, [])


# --- copies, and what else the script says


def test_the_hash_of_an_email_and_of_a_payload_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Publish?  \u00fc"
    mail.set_content("Hello\r\nthere\r\n\r\n")
    mail.add_alternative("<p>Hello</p>\n", subtype="html")
    copy = tmp_path / "copy.eml"
    copy.write_bytes(mail.as_bytes())
    assert main(["mail", str(copy)]) == 0
    shown = {"subject": "Publish? \u00fc", "text": "Hello\nthere", "html": "<p>Hello</p>"}
    assert capsys.readouterr().out == f"{sha256(canonical_json(shown))}\n"
    copy.write_bytes(b"X: y\n\n")
    assert main(["mail", str(copy)]) == 0
    assert capsys.readouterr().out == f"{sha256(canonical_json({'subject': '', 'text': '', 'html': ''}))}\n"

    request = {"id": "r1", "output": "# Draft", "response": {"outcome": "approved"}}
    copy.write_text(json.dumps({"event": "new_request", "request": request}))
    assert main(["payload", str(copy)]) == 0
    assert capsys.readouterr().out == f"{sha256(canonical_json({'id': 'r1', 'output': '# Draft'}))}\n"


def test_the_hash_of_an_email_does_not_depend_on_how_its_lines_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.eml"
    for text in (b"Hello\r\nthere\rend\r\n\r\n", b"Hello\nthere\nend"):
        body = base64.b64encode(text)
        copy.write_bytes(b"Subject: x\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + body)
        assert main(["mail", str(copy)]) == 0
        shown = {"subject": "x", "text": "Hello\nthere\nend", "html": ""}
        assert capsys.readouterr().out == f"{sha256(canonical_json(shown))}\n"


def test_the_help_names_every_option_and_what_the_exit_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "\n    python verify_audit.py mail COPY.eml                print the hash of an email" in told
    assert "The exit code is 0 if it is proven that nothing was changed, 1 if something was" in told
    words = " ".join(told.split())
    assert "[--public-key KEY] [--deployment ID] [--from TIME] [--to TIME] EXPORT" in words
    assert words.endswith(
        "--public-key KEY a file with public keys to trust "
        "--deployment ID the deployment that it must be of "
        "--from TIME the time that it must cover: begin "
        "--to TIME and end, such as 2027-01-31T00:00:00Z"
    )


@pytest.mark.parametrize("body", ["junk", "[]", "{}", '{"request":5}'])
def test_what_is_no_payload_has_no_hash(body: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text(body)
    with pytest.raises(Unusable, match=r"^This is not a webhook payload\.$"):
        main(["payload", str(copy)])


def test_a_payload_without_its_content_is_asked_for_with_it(tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text('{"request":{"content_url":"https://x"}}')
    says = "This payload was sent without its content. Add what its content_url returned, and try again."
    with pytest.raises(Unusable, match=f"^{re.escape(says)}$"):
        main(["payload", str(copy)])
    with pytest.raises(Unusable, match="/none cannot be read: No such file or directory"):
        main(["mail", str(tmp_path / "none")])


@pytest.mark.parametrize("content", [b"junk", b"", SIGNER.public[:-1]], ids=["junk", "empty", "cut"])
def test_a_key_that_is_none_is_not_trusted(content: bytes, tmp_path: Path) -> None:
    MadeExport().write(tmp_path / "export")
    key = tmp_path / "key"
    key.write_bytes(content)
    with pytest.raises(Unusable, match="key cannot be used: it is not a P-256 public key in DER, PEM, or base64"):
        main([str(tmp_path / "export"), "--public-key", str(key)])


def test_an_exports_own_key_that_is_none_proves_nothing(tmp_path: Path) -> None:
    export = MadeExport()
    export.said = {"public_key": None}
    export.write(tmp_path / "export")
    with pytest.raises(Unusable, match="No trusted key was given, and the export's own cannot be used: it is not"):
        main([str(tmp_path / "export")])


def test_a_key_is_printed_as_pem() -> None:
    assert pem(b"x" * 50) == ("-----BEGIN PUBLIC KEY-----\n" + "eHh4" * 16 + "\neHg=\n" + "-----END PUBLIC KEY-----\n")


def test_nothing_of_an_export_acts_on_a_terminal() -> None:
    assert printable("a\u00fc b\x1b[2J\n\u202e") == "a\u00fc b\\x1b[2J\\n\\u202e"


def test_the_conclusion_never_says_more_than_was_proven() -> None:
    assert untouched(sealed=True) == "Nothing was changed."
    assert untouched(sealed=True, unsealed=1) == (
        "Nothing was changed in what is sealed. 1 event is not sealed yet: only the chain could be checked."
    )
    assert untouched(sealed=True, unsealed=2).count("2 events are not sealed yet") == 1
    for unsealed in (0, 5):
        assert untouched(sealed=False, unsealed=unsealed).startswith("None of this has been sealed yet")


def test_an_event_is_intact_only_as_it_was_hashed() -> None:
    event = LOG.events[0]
    assert is_intact(event)
    for change in ({"actor": "x"}, {"seq": "1"}, {"data": {"x": float("nan")}}, {"actor": "\ud800"}):
        assert not is_intact({**event, **change})


def test_numbers_and_nesting_have_an_end() -> None:
    assert read_json("9" * 4300) == int("9" * 4300)
    with pytest.raises(ValueError, match=r"^it has a number with too many digits$"):
        read_json("9" * 4301)
    with pytest.raises(ValueError, match=r"^it is nested too deeply$"):
        read_json("[" * 200_000)


# --- the verifier by itself, as the service asks it


def verifier(**about: Any) -> Verifier:
    return Verifier({fingerprint(SIGNER.public): SIGNER.public}, **about)


def found(one: Verifier) -> list[tuple[Any, ...]]:
    return [(each.kind, each.record, each.detail, each.doubtful_from) for each in one.finish()]


def test_a_digest_that_is_named_for_another_time_is_none() -> None:
    one, signed = verifier(), LOG.digests[0]
    assert one.digest(signed, named="2026-01-15T00:00:00Z")
    assert not one.digest(signed, named="2026-01-17T00:00:00Z")
    assert not one.digest({}, named="2026-01-18T00:00:00Z")
    assert found(one) == [
        (
            "digest_invalid",
            "digest until 2026-01-17T00:00:00Z",
            "has an unknown format, or is named for another time",
            None,
        ),
        ("digest_invalid", "digest until 2026-01-18T00:00:00Z", "cannot be read", None),
    ]
    assert (one.digests, one.sealed_until, one.begins) == (2, "2026-01-15T00:00:00Z", "2026-01-14T00:00:00Z")


def test_a_time_is_sealed_from_the_begin_of_a_digest_up_to_its_end() -> None:
    one = verifier()
    assert (one.begins, one.is_sealed("2026-01-14T00:00:00Z")) == ("~", False)
    for signed in LOG.digests:
        one.digest(signed)
    times = ("2026-01-13T23:59:59Z", "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z")
    assert [one.is_sealed(time) for time in times] == [False, True, True, False]


def test_a_digest_after_a_known_one_must_follow_it() -> None:
    one = verifier()
    one.follow(LOG.digests[0])
    one.digest(LOG.digests[1])
    assert found(one) == []
    two = verifier()
    two.follow(LOG.digests[1])
    two.digest(LOG.digests[1])
    wrong = "overlaps the digest until 2026-01-16T00:00:00Z"
    assert found(two) == [("digest_invalid", "digest until 2026-01-16T00:00:00Z", wrong, None)]


def test_nothing_is_dated_in_the_future() -> None:
    event = LOG.chains["request#r1"][0]
    one, two = verifier(now="2026-01-14T03:00:00Z"), verifier(now="2026-01-14T03:00:01Z")
    one.event(event)
    two.event(event)
    says = "is dated 2026-01-14T03:00:00Z, in the future"
    assert found(one) == [("edited", "request#r1 event 1", says, None)]
    assert found(two) == []


def test_a_whole_chain_begins_with_its_first_event_and_ends_with_its_last() -> None:
    chain = LOG.chains["request#r1"]
    last = chain[3]["hash"]
    one = verifier(whole=True)
    for event in chain[1:]:
        one.event(event)
    one.head("request#r1", 4, last)
    one.head("request#x", 2, last)
    lost = "is missing, like all from 1 to 2: request#x should have 2 events"
    assert found(one) == [
        ("missing", "request#r1 event 1", "is missing: the chain starts with event 2", None),
        ("missing", "request#x event 1", lost, None),
        ("missing", "request#x event 2", lost, None),
    ]
    assert (one.events, one.chains, one.unsealed) == (3, 1, 3)
    part = verifier()
    for event in chain[1:]:
        part.event(event)
    part.head("request#x", 2, last)
    assert found(part) == [("missing", "request#x event 2", "is missing: request#x should have 2 events", None)]


def test_an_event_that_a_digest_does_not_confirm_leaves_those_since_the_last_one_in_doubt() -> None:
    chain = LOG.copy().chains["request#r0"]
    one = verifier(whole=True)
    for signed in LOG.digests:
        one.digest(signed)
        claims = one.section(signed["digest"], 456, LOG.sections[signed["digest"]["until"]])
        one.seal(claim for claim in claims if claim.subject == "request#r0")
    edited(chain[6], actor="nobody")
    for event in chain[:7]:
        one.event(event)
    one.head("request#r0", 7, "0" * 64)
    assert found(one) == [
        ("replaced", "request#r0 event 7", "is not the one in the digest until 2026-01-16T00:00:00Z", 5),
        ("replaced", "request#r0 event 7", "is not the last event that request#r0 recorded", 5),
    ]


def test_an_event_of_long_ago_that_no_digest_covers_was_left_out() -> None:
    one = verifier(overdue="2026-01-14T03:01:00Z")
    for event in LOG.chains["request#r1"]:
        one.event(event)
    says = "is missing and long overdue"
    assert found(one) == [("digest_missing", "digest until 2026-01-15T00:00:00Z", says, None)]


def test_what_the_service_compares_by_itself_is_named_alike() -> None:
    one = verifier()
    one.changed("request#r1", 2, "does not match")
    one.changed("request#r1", 2, "does not match")
    one.strange("request#r1", 3, "belongs to nothing")
    one.miss("2026-01-15T00:00:00Z", "is missing")
    first, strange, missed = one.finish()
    assert first.to_dict() == {
        "kind": "record_changed",
        "detail": "does not match",
        "subject": "request#r1",
        "seq": 2,
        "doubtful_from": None,
        "digest": None,
        "file": None,
        "record": "request#r1 event 2",
    }
    assert (strange.kind, strange.record) == ("inserted", "request#r1 event 3")
    assert (missed.kind, missed.record) == ("digest_missing", "digest until 2026-01-15T00:00:00Z")


def test_a_day_ends_at_midnight_and_the_calendar_too() -> None:
    assert end_of_day("2026-12-31T23:59:59Z") == "2027-01-01T00:00:00Z"
    assert end_of_day("9999-12-31T00:00:00Z") == "9999-12-31T00:00:00Z"
    assert end_of_day("2026-02-30T00:00:00Z") == "2026-02-30T00:00:00Z"


LEFT, OTHER = "a" * 64, "b" * 64
STATES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "as it was left": ({"head_sha256": LEFT}, {"state_before": LEFT[:32]}, True),
    "another": ({"head_sha256": LEFT}, {"state_before": OTHER[:32]}, False),
    "a deployment as it was left": ({"configuration_sha256": LEFT}, {"state_before": LEFT[:32]}, True),
    "another deployment": ({"configuration_sha256": LEFT}, {"state_before": OTHER[:32]}, False),
    "one that the event before does not say": ({}, {"state_before": OTHER[:32]}, True),
    "one that it does not say itself": ({"head_sha256": LEFT}, {}, True),
    "only the begin of it": ({"head_sha256": LEFT}, {"state_before": LEFT[:31]}, False),
    "all of it": ({"head_sha256": LEFT}, {"state_before": LEFT}, False),
    "a number": ({"head_sha256": 7}, {"state_before": 7}, False),
}


@pytest.mark.parametrize("name", STATES)
def test_an_event_must_follow_on_the_state_that_the_one_before_left(name: str) -> None:
    before, after, expected = STATES[name]
    first, second = (dict(event) for event in LOG.copy().chains["request#r1"][:2])
    edited(first, data={**first["data"], **before})
    edited(second, data={**second["data"], **after}, prev_hash=first["hash"])
    one = verifier()
    one.event(first)
    one.event(second)
    says = "followed on another state of its record than event 1 left"
    assert found(one) == ([] if expected else [("record_changed", "request#r1 event 2", says, None)])


KEPT, ANOTHER = "c" * 64, "d" * 64
PENDING = "erased the content of a request that was pending"
NOT_ITS_OWN = "erased another content than the one that the request had"
# What the first event, the decision (None for no such event), and the erasure say of the content, and the findings.
ERASED: dict[str, tuple[Any, Any, Any, list[str]]] = {
    "what it was opened with and decided": (KEPT, KEPT, KEPT, []),
    "a request that was pending": (KEPT, None, KEPT, [PENDING]),
    "another content": (KEPT, KEPT, ANOTHER, [NOT_ITS_OWN]),
    "another than it was opened with": (ANOTHER, KEPT, KEPT, [NOT_ITS_OWN]),
    "another than was decided": (KEPT, ANOTHER, KEPT, [NOT_ITS_OWN]),
    "nothing that it names": (KEPT, KEPT, None, [NOT_ITS_OWN]),
    "of a request whose events do not say": ("", "", KEPT, []),
}


@pytest.mark.parametrize("name", ERASED)
def test_an_erasure_is_of_the_content_that_was_decided(name: str) -> None:
    opened, decided, erased, expected = ERASED[name]
    steps = [("request_created", opened), ("response_submitted", decided), ("content_erased", erased)]
    one, before, seq = verifier(whole=True), "0" * 64, 0
    for kind, kept in steps:
        if kept is None and kind == "response_submitted":
            continue
        seq += 1
        event = dict(LOG.chains["request#r1"][0])
        data = {"deployment_id": 456, **({"kept_sha256": kept} if kept else {})}
        edited(event, seq=seq, kind=kind, data=data, prev_hash=before)
        before = event["hash"]
        one.event(event)
    assert found(one) == [("edited", f"request#r1 event {seq}", says, None) for says in expected]
    assert one.erased == 1
