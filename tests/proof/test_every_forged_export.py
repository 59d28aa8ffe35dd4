"""Whatever is done to an export, the verifier with the trusted key exits with 1 or 2, and says why in a sentence."""

import base64
import json
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.proof.verify_audit import (
    Unusable,
    canonical_json,
    event_hash,
    fingerprint,
    main,
    manifest_message,
    pem,
    sha256,
)
from infra.local.hitl_fixture import Hitl
from tests.audit.test_audit_log import some_days
from tests.proof.test_archive_tricks import TRICKS, Archive, archive, bomb, verified
from tests.proof.test_audit_export import download, exported
from tests.support.audit_logs import SIGNER

EVENTS, HEADS, SEALS, MANIFEST = "events-00001.jsonl", "heads-00001.jsonl", "seals-00001.jsonl", "manifest.json"
Manifest = dict[str, Any]
Forgery = Callable[[Path, Manifest], None]
_MADE: dict[str, dict[str, bytes]] = {}


@pytest.fixture
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a sealed export in each format, one that is partly sealed, and the key; made once."""
    if not _MADE:
        make(request.getfixturevalue("hitl"), tmp_path / "made")
    for name, files in _MADE.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_bytes(content)
    return tmp_path


def make(hitl: Hitl, scratch: Path) -> None:
    some_days(hitl)
    hitl.advance(days=7)
    hitl.seal()
    wishes = {"jsonl": {"to": "2026-01-24T12:00:00Z"}, "csv": {"to": "2026-01-24T12:00:00Z", "format": "csv"}}
    for name, wish in (*wishes.items(), ("partly", {})):
        (scratch / name).mkdir(parents=True)
        folder = download(hitl, exported(hitl, **wish), scratch / name)
        _MADE[name] = {path.name: path.read_bytes() for path in folder.iterdir()}
    _MADE["key"] = {"key.pem": pem(current().seal_audit.key.public_key()).encode()}


def code(path: Path, *more: str) -> int:
    """Run the script's command line in this process: anything but an answer or its own refusal is a failure."""
    try:
        return main([str(path), *more])
    except Unusable as refusal:
        return 2 if str(refusal).endswith(".") else -1


def trusting(folders: Path) -> tuple[str, str]:
    return "--public-key", str(folders / "key" / "key.pem")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_untouched_export_of_a_sealed_time_is_proven(
    folders: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = ("--deployment", "1", "--from", "2026-01-14", "--to", "2026-01-24T12:00:00Z")
    assert code(folders / form, *trusting(folders), *scope) == 0
    assert capsys.readouterr().out.endswith("\nNothing was changed.\n")


def test_an_export_that_is_partly_sealed_is_proven_only_so_far(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(folders / "partly", *trusting(folders)) == 2
    told = capsys.readouterr().out
    assert "This is proven only until 2026-01-24T12:00:01Z" in told
    assert "events are not sealed yet" in told
    assert "Nothing was changed." not in told


def test_without_a_trusted_key_nothing_is_proven(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(folders / "jsonl") == 2
    told = capsys.readouterr().out
    assert json.loads((folders / "jsonl" / MANIFEST).read_text())["key"] in told
    assert "aws kms get-public-key" in told


@pytest.mark.parametrize(
    "scope", [("--deployment", "2"), ("--from", "2026-01-13"), ("--to", "2026-01-24T12:00:01Z")], ids=lambda one: one[0]
)
def test_an_export_of_something_else_than_was_wanted_is_a_finding(folders: Path, scope: tuple[str, str]) -> None:
    assert code(folders / "jsonl", *trusting(folders), *scope) == 1


# --- forgeries


def read(folder: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


def write(folder: Path, name: str, records: list[Any]) -> None:
    (folder / name).write_text("".join(f"{canonical_json(one)}\n" for one in records), "utf-8")


def digest_parts(folder: Path) -> list[list[bytes]]:
    """Return each digest with its section, as lines."""
    parts: list[list[bytes]] = []
    for line in (folder / SEALS).read_bytes().splitlines(keepends=True):
        if line.startswith(b'{"digest"'):
            parts.append([])
        parts[-1].append(line)
    return parts


def on_events(change: Callable[[list[Any]], Any]) -> Forgery:
    def forge(folder: Path, manifest: Manifest) -> None:
        events = read(folder, EVENTS)
        change(events)
        write(folder, EVENTS, events)
        manifest["events"] = len(events)

    return forge


def on_heads(change: Callable[[list[Any]], Any]) -> Forgery:
    def forge(folder: Path, _: Manifest) -> None:
        heads = read(folder, HEADS)
        change(heads)
        write(folder, HEADS, heads)

    return forge


def on_digests(change: Callable[[list[list[bytes]]], Any]) -> Forgery:
    def forge(folder: Path, manifest: Manifest) -> None:
        parts = digest_parts(folder)
        change(parts)
        (folder / SEALS).write_bytes(b"".join(line for part in parts for line in part))
        manifest["digests"] = len(parts)

    return forge


def saying(**members: Any) -> Forgery:
    return lambda _, manifest: manifest.update(members)


def nothing_at_all(folder: Path, manifest: Manifest) -> None:
    for name in (EVENTS, HEADS):
        (folder / name).write_bytes(b"")
    without(SEALS)(folder, manifest)
    manifest.update(events=0, digests=0, sealed_until=None, first=None, last=None)


def one_request_removed(folder: Path, manifest: Manifest) -> None:
    cut = "2026-01-16T00:00:00Z"
    on_events(lambda events: events.__setitem__(slice(None), [one for one in events if one["at"] < cut]))(
        folder, manifest
    )
    tails = {one["subject"]: one for one in read(folder, EVENTS)}
    write(folder, HEADS, [{name: one[name] for name in ("subject", "seq", "hash")} for one in tails.values()])
    on_digests(lambda parts: parts.__delitem__(slice(2, None)))(folder, manifest)
    manifest.update(requested_at=cut, sealed_until=cut, to=cut)


def turned_round(events: list[Any]) -> None:
    last: dict[str, Any] = {}
    for event in events:
        if event["kind"] == "response_submitted":
            event["data"]["outcome"] = "rejected"
        if event["subject"] in last:
            event["prev_hash"] = last[event["subject"]]["hash"]
        event["hash"] = event_hash(event)
        last[event["subject"]] = event


def edited(event: Any, **members: Any) -> None:
    event.update(members)
    event["hash"] = event_hash(event)


def without(name: str) -> Forgery:
    def forge(folder: Path, manifest: Manifest) -> None:
        (folder / name).unlink()
        manifest["files"] = [file for file in manifest["files"] if file["name"] != name]

    return forge


def resigned_digests(parts: list[list[bytes]]) -> None:
    for part in parts:
        digest = json.loads(part[0])["digest"] | {"key": fingerprint(SIGNER.public)}
        part[0] = f"{canonical_json(SIGNER.sign(digest))}\n".encode()


def empty_section(parts: list[list[bytes]]) -> None:
    signed = json.loads(parts[0][0])
    signed["digest"]["deployments"]["1"] = sha256(b"")
    parts[0][:] = [f"{canonical_json(signed)}\n".encode()]


def reused_signature(folder: Path, manifest: Manifest) -> None:
    manifest["signature"] = json.loads(digest_parts(folder)[0][0])["signature"]


def renamed(folder: Path, manifest: Manifest) -> None:
    (folder / HEADS).rename(folder / "heads-00002.jsonl")
    for file in manifest["files"]:
        file["name"] = file["name"].replace(HEADS, "heads-00002.jsonl")


def linked(folder: Path, _: Manifest) -> None:
    (folder / EVENTS).rename(folder.parent / "elsewhere")
    (folder / EVENTS).symlink_to(folder.parent / "elsewhere")


def junk(name: str, content: bytes) -> Forgery:
    def write(folder: Path, _: Manifest) -> None:
        (folder / name).write_bytes(content)

    return write


FORGERIES: dict[str, Forgery] = {
    "no events and no digests": nothing_at_all,
    "one request removed with its digests, the date moved back": one_request_removed,
    "from after to": saying(**{"from": "2026-01-25T00:00:00Z"}),
    "from is to": saying(**{"from": "2026-01-24T12:00:00Z"}),
    "from moved back": saying(**{"from": "2026-01-10T00:00:00Z"}),
    "to moved back": saying(to="2026-01-16T00:00:00Z"),
    "to moved on": saying(to="2027-01-16T00:00:00Z"),
    "another deployment": saying(deployment_id=2),
    "requested earlier": saying(requested_at="2026-01-14T12:00:00Z"),
    "sealed later": saying(sealed_until="2027-01-16T00:00:00Z"),
    "fewer events counted": saying(events=1),
    "no events counted": saying(events=0),
    "fewer digests counted": saying(digests=1),
    "unsealed events counted": saying(unsealed_events=3),
    "another first event": saying(first=None),
    "another last digest": saying(last_digest=None),
    "no number of events": saying(events="all"),
    "the format of before": saying(format="flow-hitl/audit-export/1"),
    "no files": saying(files=[]),
    "no signature": lambda _, manifest: manifest.pop("signature") and None,
    "an empty signature": saying(signature=""),
    "a signature that is none": saying(signature=5),
    "the signature of a digest": reused_signature,
    "an event edited": on_events(lambda events: events[2].update(actor="nobody")),
    "an event edited with its hash": on_events(lambda events: edited(events[2], actor="nobody")),
    "an event removed": on_events(lambda events: events.pop(3)),
    "the first event removed": on_events(lambda events: events.pop(0)),
    "the last event removed": on_events(lambda events: events.pop()),
    "an event twice": on_events(lambda events: events.insert(3, events[3])),
    "events in another order": on_events(lambda events: events.reverse()),
    "an event of another day": on_events(lambda events: edited(events[-1], at="2025-01-16T12:00:00Z")),
    "an event of another deployment": on_events(lambda events: edited(events[0], subject="deployment#2")),
    "a huge seq": on_events(lambda events: events[0].update(seq=10**4000)),
    "every answer turned round": on_events(turned_round),
    "all events removed": on_events(lambda events: events.clear()),
    "the first digest removed": on_digests(lambda parts: parts.pop(0)),
    "a digest removed": on_digests(lambda parts: parts.pop(1)),
    "the last digest removed": on_digests(lambda parts: parts.pop()),
    "all digests removed": on_digests(lambda parts: parts.clear()),
    "a digest twice": on_digests(lambda parts: parts.insert(1, parts[1])),
    "digests in another order": on_digests(lambda parts: parts.reverse()),
    "digests signed anew": on_digests(resigned_digests),
    "a digest with an empty section": on_digests(empty_section),
    "a section removed": on_digests(lambda parts: parts[0].__delitem__(slice(1, None))),
    "a claim removed": on_digests(lambda parts: parts[0].pop()),
    "a section of another digest": on_digests(lambda parts: parts[0].__setitem__(slice(1, None), parts[1][1:])),
    "a digest that is none": on_digests(lambda parts: parts[0].__setitem__(0, b'{"digest":[]}\n')),
    "heads removed": without(HEADS),
    "the file of digests removed": without(SEALS),
    "the script removed": without("verify_audit.py"),
    "a head removed": on_heads(lambda heads: heads.pop()),
    "a head twice": on_heads(lambda heads: heads.append(heads[0])),
    "a head of another event": on_heads(lambda heads: heads[0].update(seq=1, hash="0" * 64)),
    "a head of no chain": on_heads(lambda heads: heads.append({"subject": "request#x", "seq": 1, "hash": "0" * 64})),
    "another script": junk("verify_audit.py", b"print('Nothing was changed.')\n"),
    "a file that is not named": junk("events-00002.jsonl", b""),
    "a file renamed": renamed,
    "a file twice": lambda _, manifest: manifest["files"].append(manifest["files"][0]),
    "a file from elsewhere": lambda _, manifest: manifest["files"][0].update(name="../partly/" + SEALS),
    "a link": linked,
    "binary junk for events": junk(EVENTS, bytes(range(256)) * 40),
    "binary junk for digests": junk(SEALS, bytes(range(256)) * 40),
    "binary junk for heads": junk(HEADS, bytes(range(256)) * 40),
    "deep nesting in events": junk(EVENTS, b"[" * 200_000 + b"\n"),
    "deep nesting in a digest": junk(SEALS, b'{"digest":' + b"[" * 200_000 + b"\n"),
    "a huge number in an event": junk(EVENTS, b'{"seq":' + b"9" * 100_000 + b"}\n"),
    "a huge number in a head": junk(HEADS, b'{"subject":"x","hash":"y","seq":' + b"9" * 100_000 + b"}\n"),
    "half a character": junk(HEADS, b'{"subject":"\\ud800","hash":"y","seq":1}\n'),
}


@pytest.mark.parametrize("signer", ["nobody", "forger", "forger in our name"])
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_export_is_found_out(
    folders: Path, name: str, signer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folders / "jsonl"
    manifest = json.loads((folder / MANIFEST).read_text())
    FORGERIES[name](folder, manifest)
    for file in manifest["files"]:
        # As a careful forger would, the manifest is made to fit the files.
        content = (folder / file["name"]).read_bytes()
        file.update(bytes=len(content), sha256=sha256(content))
        if file["kind"] == "events":
            file["events"] = manifest["events"]
    if signer != "nobody" and isinstance(manifest.get("signature"), str):
        manifest["public_key"] = pem(SIGNER.public)
        manifest["key"] = fingerprint(SIGNER.public) if signer == "forger" else manifest["key"]
        manifest["signature"] = base64.b64encode(sign(manifest_message(manifest))).decode()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert code(folder, *trusting(folders)) in (1, 2)
    assert "Nothing was changed." not in capsys.readouterr().out


def sign(message: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return SIGNER.private.sign(message, ec.ECDSA(hashes.SHA256()))


MANIFESTS = {
    "none": None,
    "empty": b"",
    "a list": b"[]",
    "binary junk": bytes(range(256)),
    "deep": b"[" * 200_000,
    "a huge number": b'{"events":' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_is_none_proves_nothing(folders: Path, name: str) -> None:
    (folders / "jsonl" / MANIFEST).unlink()
    if (content := MANIFESTS[name]) is not None:
        (folders / "jsonl" / MANIFEST).write_bytes(content)
    assert code(folders / "jsonl", *trusting(folders)) == 2


@pytest.mark.parametrize("member", ["to", "deployment_id", "public_key"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_manifest_that_says_something_twice_proves_nothing(folders: Path, member: str, place: str) -> None:
    path = folders / "jsonl" / MANIFEST
    text, forged = path.read_text().strip(), f'"{member}": 2'
    path.write_text(f"{{{forged},{text[1:]}" if place == "first" else f"{text[:-1]},{forged}}}")
    assert code(folders / "jsonl", *trusting(folders)) in (1, 2)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_manifest_in_another_encoding_proves_nothing(folders: Path, encoding: str) -> None:
    path = folders / "jsonl" / MANIFEST
    path.write_bytes(path.read_text("utf-8").encode(encoding))
    assert code(folders / "jsonl", *trusting(folders)) == 2


@pytest.mark.parametrize("ending", ["{}", " x", "\n{}", "\0"])
def test_a_manifest_with_more_behind_it_proves_nothing(folders: Path, ending: str) -> None:
    path = folders / "jsonl" / MANIFEST
    path.write_text(path.read_text() + ending)
    assert code(folders / "jsonl", *trusting(folders)) == 2


@pytest.mark.parametrize("name", ["Manifest.json", "manifest.json.bak", "manifest.json ", ".manifest.json", "jsonl"])
def test_a_second_manifest_under_a_name_like_it_is_found_out(folders: Path, name: str) -> None:
    (folders / "jsonl" / name).write_bytes((folders / "jsonl" / MANIFEST).read_bytes())
    assert code(folders / "jsonl", *trusting(folders)) == 1


@pytest.mark.parametrize(
    "key", [b"", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"oct","k":"AAAA"}]}', b"\xff" * 91, b"x"]
)
def test_a_key_that_is_none_proves_nothing(folders: Path, key: bytes) -> None:
    (folders / "forged").write_bytes(key)
    assert code(folders / "jsonl", "--public-key", str(folders / "forged")) in (1, 2)


def test_a_compressed_archive_of_another_kind_proves_nothing(folders: Path) -> None:
    with tarfile.open(folders / "export.tar.gz", "w:gz") as packed:
        packed.add(folders / "jsonl", "export")
    for length in (None, -100, 10):
        (folders / "cut.tar.gz").write_bytes((folders / "export.tar.gz").read_bytes()[:length])
        assert code(folders / "cut.tar.gz", *trusting(folders)) == 2


def zipped(folders: Path, change: Callable[[zipfile.ZipFile], Any]) -> Path:
    path = folders / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (folders / "jsonl").iterdir():
            archive.write(file, file.name)
        change(archive)
    return path


def test_a_zip_is_verified_as_a_folder_is(folders: Path) -> None:
    assert code(zipped(folders, lambda _: None), *trusting(folders)) == 0


@pytest.mark.parametrize("name", ["../x", "/x", "x/", "x.jsonl", "a\x1b[2Jb"])
def test_a_zip_with_more_in_it_is_found_out(folders: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(zipped(folders, lambda archive: archive.writestr(name, b"")), *trusting(folders)) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_a_zip_with_a_file_twice_is_found_out(folders: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = zipped(folders, lambda archive: archive.writestr(EVENTS, b""))
    assert code(path, *trusting(folders)) == 1


def test_a_zip_with_two_manifests_is_found_out(folders: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = (folders / "jsonl" / MANIFEST).read_bytes()
        path = zipped(folders, lambda archive: archive.writestr(MANIFEST, content))
    assert code(path, *trusting(folders)) == 1


@pytest.mark.parametrize(
    "around", [(b"#!/bin/sh\n", b""), (b"", b"junk"), (b"", b"\0" * 22), (b"", b"PK\3\4" + bytes(26))]
)
def test_a_zip_with_something_around_it_proves_nothing(folders: Path, around: tuple[bytes, bytes]) -> None:
    path = zipped(folders, lambda _: None)
    path.write_bytes(around[0] + path.read_bytes() + around[1])
    assert code(path, *trusting(folders)) == 2


def test_a_zip_with_a_comment_proves_nothing(folders: Path) -> None:
    path = zipped(folders, lambda archive: setattr(archive, "comment", b"Nothing was changed."))
    assert code(path, *trusting(folders)) == 2


def test_a_zip_bomb_is_not_unpacked(folders: Path) -> None:
    manifest = json.loads((folders / "jsonl" / MANIFEST).read_text())
    manifest["files"][0]["bytes"] = 1 << 50
    (folders / "jsonl" / MANIFEST).write_text(json.dumps(manifest))
    assert code(zipped(folders, lambda _: None), *trusting(folders)) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "junk"])
def test_a_damaged_zip_proves_nothing(folders: Path, damage: str) -> None:
    path = zipped(folders, lambda _: None)
    content = path.read_bytes()
    middle = len(content) // 3
    flipped = content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 50]) + content[middle + 50 :]
    path.write_bytes({"cut": content[:middle], "flipped": flipped, "junk": b"PK\5\6" + bytes(18)}[damage])
    assert code(path, *trusting(folders)) in (1, 2)


@pytest.fixture
def room() -> Iterator[Callable[[], int]]:
    """How many bytes were in use at most since."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


BOMBS: dict[str, Callable[[Archive], object]] = {
    "a file that grows": bomb(EVENTS, 300),
    "a manifest that grows": bomb(MANIFEST, 300),
    "a large end with another size": TRICKS["a large end with another size"][0],
    "sizes beyond all": TRICKS["sizes beyond all"][0],
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_archive_takes_more_room_than_a_file_is_read_with(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], room: Callable[[], int]
) -> None:
    made = archive(tmp_path / "export")
    BOMBS[name](made)
    content = made.content()
    tracemalloc.reset_peak()
    assert verified(capsys, tmp_path, content)[0] in (1, 2)
    assert room() < 100 << 20
