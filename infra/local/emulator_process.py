"""Runs ministack in the emulator's environment, with seven changes for the local stack.

It ends with the program that started it. Functions share one unpacked copy of each archive; ministack would unpack
thousands of files per process. Grants on a schedule group work; ministack takes every schedule as of the default group.
A call without log lines is answered at once; ministack waits 50 ms for one. Workers are forked from one warm process.
A call waits a moment for a free worker; ministack starts another one, and keeps it. And each reader
of a stream has a thread; ministack takes no message and reads for no other while a reader is at work.
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
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# So many workers of a function start at once; more only after none has become free for so long.
EAGER_WORKERS = 4
STUCK_SECONDS = 2.0
# As many as `stack.FRONT_THREADS`: a waiting call keeps its worker.
MOST_WORKERS = 64
# Between two looks at streams that had nothing new.
STREAM_SECONDS = 0.05
# AWS runs 1,000 consumers and more; with ministack's five, five slow receivers hold up all others.
MOST_BATCHES = 32

_unpack = zipfile.ZipFile.extractall
_unpacking = threading.Lock()


def _end_with_parent() -> None:
    """When the parent's pipe closes, end this process group: the emulator and its functions."""
    # Not sys.stdin.read(), which holds a lock that the interpreter needs to end.
    os.read(sys.stdin.fileno(), 1)
    os.killpg(0, signal.SIGTERM)


def _share_unpacked(archives: Path) -> None:
    """Unpack every archive once, into `archives`, and link to it.

    ministack gets a stand-in for each layer, with the copy's name only: it would check every name in the layer.
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
                    # Another stack was quicker.
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
    """Check a call on a schedule against the group that it names."""
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
    """Wait only 5 ms for a function's log lines; later ones are written with the next call's."""
    worker: Any = import_module("ministack.core.lambda_runtime").Worker
    first_line, *others = worker._drain_stderr_bounded.__defaults__
    worker._drain_stderr_bounded.__defaults__ = (first_line / 10, *others)


def _fork_workers() -> None:
    """Fork the functions' workers from one process that has imported what they need."""
    # As a program, its folder is on the path.
    fork_server: Any = import_module("fork_server")
    if fork_server.AVAILABLE:
        runtime: Any = import_module("ministack.core.lambda_runtime")
        names = vars(runtime.subprocess)
        runtime.subprocess = SimpleNamespace(**{**names, "Popen": fork_server.ForkServer().popen})


class Pool:
    """Lends workers: a free one, or a new one if the function has few or all are stuck.

    Few processes finish computing calls sooner. Waiting calls, such as long polls, hold their workers: after a while
    without a free one, there may be twice as many.
    """

    def __init__(self, runtime: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """Lend the workers of ministack's module `runtime`; `clock` is in seconds."""
        self._runtime = runtime
        self._acquire, self._release = runtime.acquire_worker, runtime.release_worker
        self._clock = clock
        self._changed = threading.Condition()
        self._moved: dict[str, float] = {}
        self._allowed: dict[str, int] = {}

    def acquire(self, name: str, config: Any, code: bytes, qualifier: str = "$LATEST", **named: Any) -> Any:
        """Return what ministack's `acquire_worker` does, once there is a worker or may be one more."""
        key = self._runtime._worker_key(name, config, qualifier)
        with self._changed:
            while (seconds := self._seconds_to_wait(key)) > 0:
                self._changed.wait(seconds)
            self._moved[key] = self._clock()
            worker, how = self._acquire(name, config, code, qualifier=qualifier, **named)
            worker.lent_as = key
            return worker, how

    def release(self, worker: Any) -> None:
        """Take a worker back; None means that it has ended."""
        with self._changed:
            self._release(worker)
            if worker is not None:
                self._moved[worker.lent_as] = self._clock()
                self._allowed.pop(worker.lent_as, None)
            self._changed.notify_all()

    def _seconds_to_wait(self, key: str) -> float:
        with self._runtime._lock:
            busy = [worker.in_use for worker in self._runtime._workers.get(key, [])]
        if not all(busy) or len(busy) < max(EAGER_WORKERS, self._allowed.get(key, 0)):
            return 0.0
        if len(busy) >= MOST_WORKERS:
            return STUCK_SECONDS
        seconds = self._moved.get(key, 0.0) + STUCK_SECONDS - self._clock()
        if seconds <= 0:
            self._allowed[key] = min(2 * len(busy), MOST_WORKERS)
        return seconds


def _start_few_workers() -> None:
    functions: Any = import_module("ministack.services.lambda_svc")
    pool = Pool(import_module("ministack.core.lambda_runtime"))
    functions.acquire_worker, functions.release_worker = pool.acquire, pool.release
    functions._ESM_SQS_DEFAULT_CONCURRENCY = MOST_BATCHES


class StreamReaders:
    """Reads streams for their functions, each in a thread of its own."""

    def __init__(self, functions: Any, pause: Callable[[float], None] = time.sleep) -> None:
        """Take over from the poller of ministack's module `functions`."""
        self._functions, self._pause = functions, pause
        self._poll, self._mappings = functions._poll_dynamodb_streams, functions._iter_all_esms
        self._own = threading.local()
        self._read: set[str] = set()
        functions._poll_dynamodb_streams = self.start
        functions._iter_all_esms = self.mappings

    def start(self) -> bool:
        """Start a thread for each mapping of a stream that has none yet; return False, as nothing was read."""
        for _, _, mapping in self._mappings():
            name = mapping["UUID"]
            if ":dynamodb:" in mapping.get("EventSourceArn", "") and name not in self._read:
                self._read.add(name)
                threading.Thread(target=self._follow, args=(name,), name="stream", daemon=True).start()
        return False

    def mappings(self) -> Iterator[Any]:
        """Yield ministack's mappings; in the thread of one of them, only that."""
        only = getattr(self._own, "name", None)
        return (one for one in self._mappings() if only in (None, one[2]["UUID"]))

    def _follow(self, name: str) -> None:
        self._own.name = name
        while any(True for _ in self.mappings()):
            try:
                found = self._poll()
            except Exception as error:
                self._functions.logger.error("stream reader: %s", error)
                found = False
            if not found:
                self._pause(STREAM_SECONDS)
        self._read.discard(name)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _share_unpacked(Path(sys.argv[1]))
    _know_schedule_groups()
    _wait_less_for_logs()
    _fork_workers()
    _start_few_workers()
    StreamReaders(import_module("ministack.services.lambda_svc"))
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
