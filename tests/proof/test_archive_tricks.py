"""Tricks with the archive itself, and with how its files are written: the verifier names each."""

import struct
import zipfile
import zlib
from binascii import crc32
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.proof.verify_audit import Unusable, main, pem
from tests.support.audit_logs import SIGNER
from tests.support.exports import HEADS, SEALS, MadeExport, line

EVENTS, MANIFEST = "events-00001.jsonl", "manifest.json"
ENCRYPTED, FOLLOWS, PATCHED, STRONG = 1, 8, 32, 64
STORED, DEFLATED, BZIP2, ZSTANDARD = 0, 8, 12, 93
LARGE = 0xFFFFFFFF


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@cache
def zeros(megabytes: int) -> bytes:
    """Return that many megabytes of zeros, deflated."""
    packer, parts = zlib.compressobj(wbits=-15), []
    for _ in range(megabytes):
        parts.append(packer.compress(bytes(1 << 20)))
    return b"".join([*parts, packer.flush()])


@dataclass
class File:
    """A file of an archive, as its own header and the directory say it; `behind` is what follows it."""

    name: bytes
    packed: bytes
    size: int
    crc: int
    method: int = DEFLATED
    flags: int = 0
    attributes: int = 0o100644 << 16
    extra: bytes = b""
    directory_extra: bytes = b""
    own_name: bytes | None = None
    own: Mapping[str, int] = field(default_factory=dict)
    behind: bytes = b""
    listed: int = 1
    said_packed: int | None = None
    place: int | None = None

    def header(self) -> bytes:
        name = self.name if self.own_name is None else self.own_name
        said = {"method": self.method, "crc": self.crc, "packed": len(self.packed), "size": self.size, **self.own}
        numbers = (said["method"], 0, 0x5C21, said["crc"], said["packed"], said["size"])
        return (
            struct.pack("<4s5H3L2H", b"PK\3\4", 20, self.flags, *numbers, len(name), len(self.extra))
            + name
            + self.extra
        )

    def entry(self, place: int) -> bytes:
        packed = len(self.packed) if self.said_packed is None else self.said_packed
        lengths = (len(self.name), len(self.directory_extra), 0, 0, 0)
        numbers = (20, 20, self.flags, self.method, 0, 0x5C21, self.crc, packed, self.size, *lengths, self.attributes)
        where = place if self.place is None else self.place
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", *numbers, where) + self.name + self.directory_extra


def file_of(name: str, content: bytes, **more: Any) -> File:
    return File(name.encode(), deflated(content), len(content), crc32(content), **more)


@dataclass
class Archive:
    files: list[File]
    begin: bytes = b""
    before_directory: bytes = b""
    comment: bytes = b""
    end: Mapping[str, int] = field(default_factory=dict)
    before_end: Callable[[int, int, int], bytes] = lambda _offset, _size, _number: b""
    behind: bytes = b""

    def __getitem__(self, name: str) -> File:
        return next(one for one in self.files if one.name == name.encode())

    def change(self, which: str, /, **members: Any) -> None:
        self.files = [replace(one, **members) if one.name == which.encode() else one for one in self.files]

    def content(self) -> bytes:
        made, entries = self.begin, list[bytes]()
        for one in self.files:
            entries += [one.entry(len(made))] * one.listed
            made += one.header() + one.packed + one.behind
        made += self.before_directory
        directory = b"".join(entries)
        offset, size = len(made), len(directory)
        most = min(len(entries), 0xFFFF)
        said = {"disk": 0, "number": most, "all": most, "size": size, "offset": offset, **self.end}
        made += directory + self.before_end(offset, size, len(entries))
        numbers = (said["disk"], said["disk"], said["number"], said["all"], said["size"], said["offset"])
        return made + struct.pack("<4s4H2LH", b"PK\5\6", *numbers, len(self.comment)) + self.comment + self.behind


def archive(folder: Path, export: MadeExport | None = None) -> Archive:
    """Return the archive of an export that the service has signed."""
    (export or MadeExport()).write(folder)
    return Archive([file_of(path.name, path.read_bytes()) for path in sorted(folder.iterdir())])


def verified(capsys: pytest.CaptureFixture[str], folder: Path, content: bytes) -> tuple[int, str]:
    """Return the exit code for an archive, with the trusted key, and what is said."""
    (folder / "key.pem").write_text(pem(SIGNER.public))
    (folder / "export.zip").write_bytes(content)
    try:
        code = main([str(folder / "export.zip"), "--public-key", str(folder / "key.pem")])
    except Unusable as refused:
        return 2, str(refused)
    return code, capsys.readouterr().out


# --- honest archives


def streamed(made: Archive) -> None:
    """As a tool writes them that cannot go back: the sizes follow each file."""
    for one in list(made.files):
        sizes = struct.pack("<4s3L", b"PK\7\x08", one.crc, len(one.packed), one.size)
        made.change(one.name.decode(), flags=FOLLOWS, own={"crc": 0, "packed": 0, "size": 0}, behind=sizes)


def stored(made: Archive) -> None:
    for one in list(made.files):
        content = zlib.decompress(one.packed, wbits=-15)
        made.change(one.name.decode(), packed=content, method=STORED)


def zip64_end(offset: int, size: int, number: int) -> bytes:
    """Return the end as archives beyond 4 GB have it."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, size, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)


def with_zip64_end(made: Archive) -> None:
    made.before_end = zip64_end


HONEST: Mapping[str, Callable[[Archive], object]] = {
    "as it is": lambda _: None,
    "streamed": streamed,
    "stored": stored,
    "with the end of a large one": with_zip64_end,
    "in another order": lambda made: made.files.reverse(),
}


@pytest.mark.parametrize("how", HONEST)
def test_an_honest_archive_is_proven(how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = archive(tmp_path / "export")
    HONEST[how](made)
    code, said = verified(capsys, tmp_path, made.content())
    assert (code, said.splitlines()[-1]) == (0, "Nothing was changed.")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("large", [True, False])
def test_what_python_writes_is_proven(
    method: int, large: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MadeExport().write(tmp_path / "export")
    with zipfile.ZipFile(tmp_path / "made.zip", "w", method) as packed:
        for path in (tmp_path / "export").iterdir():
            with packed.open(path.name, "w", force_zip64=large) as file:
                file.write(path.read_bytes())
    assert verified(capsys, tmp_path, (tmp_path / "made.zip").read_bytes())[0] == 0


# --- tricks with the archive

Trick = Callable[[Archive], object]


def more(name: str, content: bytes = b"", **members: Any) -> Trick:
    return lambda made: made.files.append(file_of(name, content, **members))


def of_events(**members: Any) -> Trick:
    return lambda made: made.change(EVENTS, **members)


def hidden(made: Archive) -> None:
    """A file that no directory lists: readers of a stream find it."""
    made.files.insert(0, replace(file_of(EVENTS, b'{"forged":1}\n'), listed=0))


def hidden_behind_sizes(made: Archive) -> None:
    streamed(made)
    made.change(EVENTS, behind=made[EVENTS].behind + b"forged and hidden")


def overlapping(made: Archive) -> None:
    """Two names for the same bytes."""
    first = made.files[0]
    made.files.append(replace(first, name=b"x.jsonl", packed=b"", place=0, said_packed=len(first.packed), own_name=b""))


def two_archives(made: Archive) -> None:
    other = Archive([file_of(MANIFEST, b"{}")]).content()
    made.begin = other


def one_in_the_comment(made: Archive) -> None:
    made.comment = Archive([file_of(MANIFEST, b"{}")]).content()


def two_directories(made: Archive) -> None:
    made.before_directory = b"".join(one.entry(0) for one in made.files)


def by_another_name(made: Archive) -> None:
    """Only what understands the field for names in Unicode sees the other."""
    name = b"\1" + struct.pack("<L", crc32(EVENTS.encode())) + b"forged.jsonl"
    made.change(EVENTS, directory_extra=struct.pack("<2H", 0x7075, len(name)) + name)


def by_another_name_behind_others(made: Archive) -> None:
    name = b"\1" + struct.pack("<L", crc32(EVENTS.encode())) + b"forged.jsonl"
    others = struct.pack("<2H", 0x9901, 0) + struct.pack("<2H3s", 0x9902, 3, b"abc")
    made.change(EVENTS, directory_extra=others + struct.pack("<2H", 0x7075, len(name)) + name)


def of_zip64(made: Archive) -> None:
    sizes = struct.pack("<2H2Q", 1, 16, 1 << 60, 1 << 60)
    made.change(EVENTS, directory_extra=sizes, size=LARGE, said_packed=LARGE)


def zip64_end_that_lies(**members: int) -> Trick:
    def trick(made: Archive) -> None:
        def end(offset: int, size: int, number: int) -> bytes:
            said = {"size": size, "offset": offset, "number": number, **members}
            record = struct.pack(
                "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, said["number"], said["number"], said["size"], said["offset"]
            )
            return record + struct.pack("<4sLQL", b"PK\6\7", 0, members.get("place", offset + size), 1)

        made.before_end = end

    return trick


def very_many(made: Archive) -> None:
    made.files += [file_of(f"{number:05d}.jsonl", b"") for number in range(5000)]


def too_many(made: Archive) -> None:
    made.files[0] = replace(made.files[0], listed=100_000)


def bomb(name: str, megabytes: int = 20) -> Trick:
    def trick(made: Archive) -> None:
        made.change(name, packed=zeros(megabytes), size=megabytes << 20, crc=0)

    return trick


PLAIN = "it is no plain file"
TWICE = "is there more than once"
UNKNOWN = "is not named in the manifest"
WAYS = "is described in two ways"
HIDDEN = "something is hidden around its file"
AROUND = "there is more in the file than the .zip"
END = "its end contradicts itself"
TRICKS: Mapping[str, tuple[Trick, int, str]] = {
    "a file twice": (more(EVENTS, b"{}"), 1, f"file {EVENTS} {TWICE}"),
    "the manifest twice": (lambda made: made.files.append(made[MANIFEST]), 1, f"file {MANIFEST} {TWICE}"),
    "a file listed twice": (of_events(listed=2), 2, HIDDEN),
    "a name in capitals": (more(EVENTS.upper()), 1, f"file {EVENTS.upper()} {UNKNOWN}"),
    "a name by a path": (more(f"./{EVENTS}"), 1, f"file ./{EVENTS} {UNKNOWN}"),
    "an absolute path": (more("/etc/passwd"), 1, f"file /etc/passwd {UNKNOWN}"),
    "a path upwards": (more("../../x"), 1, f"file ../../x {UNKNOWN}"),
    "a path of Windows": (more("..\\x"), 1, UNKNOWN),
    "a drive of Windows": (more("C:x"), 1, UNKNOWN),
    "a name that looks alike": (more("m\u0430nifest.json"), 1, UNKNOWN),
    "a name that acts on a terminal": (more("a\x1b[2Jb"), 1, UNKNOWN),
    "a folder": (more("more/"), 1, f"file more/ {UNKNOWN}"),
    "a name that ends early": (of_events(name=f"{EVENTS}\0.txt".encode()), 2, "has two names"),
    "a second name": (by_another_name, 2, f"its file {EVENTS} has two names"),
    "a second name behind others": (by_another_name_behind_others, 2, f"its file {EVENTS} has two names"),
    "another name in its own header": (of_events(own_name=b"events-00002.jsonl"), 2, f"{EVENTS} cannot be read"),
    "another size in its own header": (of_events(own={"size": 1}), 2, WAYS),
    "another checksum in its own header": (of_events(own={"crc": 1}), 2, WAYS),
    "another method in its own header": (of_events(own={"method": STORED}), 2, WAYS),
    "a link": (of_events(attributes=0o120777 << 16), 2, PLAIN),
    "an encrypted file": (of_events(flags=ENCRYPTED), 2, "encrypted"),
    "a strongly encrypted file": (of_events(flags=STRONG), 2, f"{EVENTS} cannot be read"),
    "a patch": (of_events(flags=PATCHED), 2, f"{EVENTS} cannot be read"),
    "a wrong checksum": (of_events(crc=1), 2, "Bad CRC-32"),
    "bzip2": (of_events(method=BZIP2), 2, PLAIN),
    "Zstandard": (of_events(method=ZSTANDARD), 2, PLAIN),
    "a method that is none": (of_events(method=255), 2, PLAIN),
    "deflated data that are none": (lambda made: made.change(EVENTS, packed=b"\xff" * 9), 2, "cannot be read"),
    "deflated data that are cut off": (lambda made: made.change(EVENTS, packed=made[EVENTS].packed[:-9]), 2, "read"),
    "something behind deflated data": (
        lambda made: made.change(EVENTS, packed=made[EVENTS].packed, behind=b"forged"),
        2,
        HIDDEN,
    ),
    "something hidden behind sizes that follow": (
        hidden_behind_sizes,
        2,
        HIDDEN,
    ),
    "a file that no directory lists": (hidden, 2, HIDDEN),
    "two names for the same bytes": (overlapping, 2, ""),
    "a second archive before it": (two_archives, 2, HIDDEN),
    "a second archive in its comment": (one_in_the_comment, 2, END),
    "a second directory": (two_directories, 2, HIDDEN),
    "something before its directory": (lambda made: setattr(made, "before_directory", b"forged"), 2, HIDDEN),
    "something between its directory and its end": (
        lambda made: setattr(made, "before_end", lambda *_: b"forged"),
        2,
        END,
    ),
    "something before it": (lambda made: setattr(made, "begin", b"#!/bin/sh\n"), 2, AROUND),
    "something behind it": (lambda made: setattr(made, "behind", b"\n"), 2, AROUND),
    "a comment": (lambda made: setattr(made, "comment", b"Nothing was changed."), 2, AROUND),
    "fewer files at its end than in its directory": (
        lambda made: setattr(made, "end", {"number": 1, "all": 1}),
        2,
        "says 1",
    ),
    "two numbers of files at its end": (lambda made: setattr(made, "end", {"number": 1}), 2, END),
    "a part of several disks": (lambda made: setattr(made, "end", {"disk": 1}), 2, END),
    "a directory elsewhere": (lambda made: setattr(made, "end", {"offset": 0}), 2, END),
    "a directory of 4 GB": (lambda made: setattr(made, "end", {"size": LARGE}), 2, "far too many files"),
    "sizes beyond all": (of_zip64, 2, ""),
    "a large end with another place": (zip64_end_that_lies(offset=7), 2, END),
    "a large end with another size": (zip64_end_that_lies(size=1 << 62), 2, "far too many files"),
    "a large end with another number of files": (zip64_end_that_lies(number=1 << 62), 2, "says"),
    "a large end that is elsewhere": (zip64_end_that_lies(place=1 << 62), 2, END),
    "thousands of files": (very_many, 1, "and so for 4899 more files"),
    "a hundred thousand files": (too_many, 2, "far too many files"),
    "a file that grows": (bomb(EVENTS), 1, f"file {EVENTS} does not match its size and SHA-256"),
    "a manifest that grows": (bomb(MANIFEST), 2, f"its {MANIFEST} cannot be read"),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_with_the_archive_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trick, expected, sentence = TRICKS[name]
    made = archive(tmp_path / "export")
    trick(made)
    content = made.content()
    code, said = verified(capsys, tmp_path, content)
    assert (code, sentence in said) == (expected, True), said[-600:]
    assert "Nothing was changed." not in said
    assert "\x1b" not in said
    assert len(said.splitlines()) < 200


# --- tricks with how files are written, which even the service's own signature would not excuse


def with_file(name: str, change: Callable[[bytes], bytes]) -> Callable[[MadeExport], object]:
    def trick(export: MadeExport) -> None:
        files = {
            EVENTS: b"".join(map(line, export.events)),
            HEADS: b"".join(map(line, export.heads)),
            SEALS: b"".join(line(signed) + section for signed, section in export.seals),
        }
        export.files[name] = change(files[name])

    return trick


def doubled(content: bytes, member: str, value: str) -> bytes:
    """Say a member twice: others may read the first."""
    return content.replace(b"{", f'{{"{member}":{value},'.encode(), 1)


DEEP = b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"
WRITTEN: Mapping[str, Callable[[MadeExport], object]] = {
    **{
        f"{what} in {name}": with_file(name, change)
        for name in (EVENTS, HEADS, SEALS)
        for what, change in {
            "a byte order mark": lambda content: b"\xef\xbb\xbf" + content,
            "UTF-16": lambda content: content.decode().encode("utf-16"),
            "deep nesting": lambda content: content + DEEP,
            "a number without end": lambda content: content + b'{"seq":' + b"9" * 5_000_000 + b"}\n",
            "a line without end": lambda content: content + b" " * (17 << 20) + b"\n",
            "no number": lambda content: content + b'{"seq":NaN}\n',
            "half a character": lambda content: content + b"\xff\n",
            "an empty line": lambda content: content + b"\n",
        }.items()
    },
    "a member twice in an event": with_file(EVENTS, lambda content: doubled(content, "actor", '"mallory@example.com"')),
    "a member twice in an event's data": with_file(
        EVENTS, lambda content: content.replace(b'"data":{', b'"data":{"outcome":"rejected","outcome":1,', 1)
    ),
    "a member twice in the last event of a chain": with_file(HEADS, lambda content: doubled(content, "seq", "9")),
    "a member twice in a digest": with_file(
        SEALS, lambda content: content.replace(b'"until":', b'"until":"x","until":')
    ),
    "infinity in an event": with_file(
        EVENTS, lambda content: content.replace(b'"seq":1,', b'"seq":1,"x":Infinity,', 1)
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_others_could_read_otherwise_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = MadeExport()
    WRITTEN[name](export)
    code, said = verified(capsys, tmp_path, archive(tmp_path / "export", export).content())
    assert code in (1, 2), said
    assert "Nothing was changed." not in said
    assert ".jsonl" in said or "does not match its section" in said


def test_other_line_ends_change_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As some programs write them that transfer text."""
    made = archive(tmp_path / "export")
    content = (tmp_path / "export" / EVENTS).read_bytes().replace(b"\n", b"\r\n")
    made.files = [file_of(EVENTS, content) if one.name == EVENTS.encode() else one for one in made.files]
    code, said = verified(capsys, tmp_path, made.content())
    assert code == 1
    assert f"FILE_CHANGED: file {EVENTS} does not match its size and SHA-256 in the manifest" in said


MANIFESTS: Mapping[str, bytes] = {
    "a member twice": b'{"deployment_id":2,',
    "no number": b'{"x":NaN,',
    "a number without end": b'{"x":' + b"9" * 5_000_000 + b",",
    "deep nesting": b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b",",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_others_could_read_otherwise_proves_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = archive(tmp_path / "export")
    content = (tmp_path / "export" / MANIFEST).read_bytes().replace(b"{", MANIFESTS[name], 1)
    made.files = [file_of(MANIFEST, content) if one.name == MANIFEST.encode() else one for one in made.files]
    code, said = verified(capsys, tmp_path, made.content())
    assert code in (1, 2)
    assert MANIFEST in said


def test_there_are_many_tricks() -> None:
    assert len(TRICKS) >= 25
