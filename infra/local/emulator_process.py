"""What runs inside the emulator's own environment: ministack, with four changes for the local stack.

It ends when the program that started it ends. Its functions share one unpacked copy of each archive: ministack writes
and unpacks the layers, thousands of files, for each process of each function, which takes most of a start. A grant on
the schedules of a group is honoured: ministack takes every schedule for one of the default group when it checks grants.
And a function that logs nothing is answered for at once: ministack waits 50 ms for a line, which is most of a warm
call.
"""

import hashlib
import io
import json
import os
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

_unpack = zipfile.ZipFile.extractall
_unpacking = threading.Lock()


def _end_with_parent() -> None:
    """Wait for the pipe from the parent to close, then end this process group: the emulator and its functions."""
    # Not sys.stdin.read(): that would hold a lock which the interpreter needs to end.
    os.read(sys.stdin.fileno(), 1)
    os.killpg(0, signal.SIGTERM)


def _share_unpacked(archives: Path) -> None:
    """Let every archive be unpacked once, into `archives`, and be linked to from where it is asked for.

    In place of a layer ministack gets an archive of one name, the copy's: it would check each name of the layer's own.
    """
    functions: Any = import_module("ministack.services.lambda_svc")
    find_layer = functions._resolve_layer_zip
    stand_ins: dict[str, bytes] = {}

    def unpack(archive: zipfile.ZipFile) -> Path:
        entries = sorted((entry.filename, entry.CRC) for entry in archive.infolist())
        unpacked = archives / hashlib.sha256(repr(entries).encode()).hexdigest()
        with _unpacking:
            if not unpacked.is_dir():
                archives.mkdir(parents=True, exist_ok=True)
                scratch = tempfile.mkdtemp(dir=archives)
                _unpack(archive, scratch)
                try:
                    Path(scratch).rename(unpacked)
                except OSError:
                    # Another stack on this machine was quicker.
                    shutil.rmtree(scratch, ignore_errors=True)
        return unpacked

    def extractall(archive: zipfile.ZipFile, path: str) -> None:
        copy = archives / archive.namelist()[0]
        Path(path).rmdir()
        Path(path).symlink_to(copy if copy.is_dir() and len(archive.namelist()) == 1 else unpack(archive))

    def resolve_layer_zip(attachment: object) -> bytes | None:
        name = str(attachment)
        if name not in stand_ins and (layer := find_layer(attachment)) is not None:
            with zipfile.ZipFile(io.BytesIO(layer)) as archive:
                stand_ins[name] = _archive_of(unpack(archive).name)
        return stand_ins.get(name)

    functions._resolve_layer_zip = resolve_layer_zip
    zipfile.ZipFile.extractall = extractall  # type: ignore[assignment, method-assign]


def _archive_of(name: str) -> bytes:
    """Return an archive with one empty file of this name."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(name, b"")
    return written.getvalue()


def _know_schedule_groups() -> None:
    """Let the check of a call on a schedule use the group that the call names."""
    actions: Any = import_module("ministack.core.iam_actions")
    find_arn = actions.extract_resource_arn

    def extract_resource_arn(service: str, *call: Any, **named: Any) -> str:
        arn = str(find_arn(service, *call, **named))
        if service == "scheduler" and ":schedule/default/" in arn:
            body = next((part for part in (*call, *named.values()) if isinstance(part, bytes) and part), b"{}")
            arn = arn.replace("/default/", f"/{json.loads(body).get('GroupName', 'default')}/", 1)
        return arn

    actions.extract_resource_arn = extract_resource_arn


def _wait_less_for_logs() -> None:
    """Wait 5 ms for what a function logs; a line that is later than that is written with those of the next call."""
    worker: Any = import_module("ministack.core.lambda_runtime").Worker
    first_line, *others = worker._drain_stderr_bounded.__defaults__
    worker._drain_stderr_bounded.__defaults__ = (first_line / 10, *others)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _share_unpacked(Path(sys.argv[1]))
    _know_schedule_groups()
    _wait_less_for_logs()
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
