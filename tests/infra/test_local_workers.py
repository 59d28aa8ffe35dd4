"""The local stack's functions: how many processes a burst of calls starts, and how fast."""

import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local import fork_server, stand_in
from infra.local.emulator_process import EAGER_WORKERS, IDLE_SECONDS, MOST_WORKERS, STUCK_SECONDS, Pool, StreamReaders
from infra.local.fork_server import Forked, ForkServer
from infra.local.patience import HANG_SECONDS

# What it has imported before it is forked, it finds already there.
WORKER = """
import json, os, sys
import shared
for line in sys.stdin:
    print(json.dumps({"said": line.strip(), "shared": shared.PID, "own": os.getpid(), "name": os.environ["NAME"],
                      "argv": sys.argv, "folder": os.getcwd()}), flush=True)
    print("logged", file=sys.stderr, flush=True)
    if line.strip() == "fail":
        raise ValueError("as told")
"""

pytestmark_fork = pytest.mark.skipif(not fork_server.AVAILABLE, reason="workers are forked on Linux only")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A function's code, with a module that takes long to import."""
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/__init__.py").write_text("")
    (tmp_path / "functions/slow.py").write_text("import shared")
    (tmp_path / "functions/broken.py").write_text("raise RuntimeError('does not load')")
    (tmp_path / "shared.py").write_text("import os\nPID = os.getpid()")
    (tmp_path / "flow_hitl").mkdir()
    (tmp_path / "flow_hitl/__init__.py").write_text("")
    (tmp_path / "a_worker.py").write_text(WORKER)
    return tmp_path


@pytest.fixture
def started(code: Path) -> "Iterator[Any]":
    """Start a worker under a name."""
    server = ForkServer()
    workers: list[Any] = []

    def start(name: str, **more: str) -> Any:
        environment = {"PATH": os.defpath, "NAME": name, "_LAMBDA_LAYERS_DIRS": str(code), **more}
        worker = server.popen([sys.executable, str(code / "a_worker.py")], cwd=str(code), env=environment)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait(HANG_SECONDS)
        for stream in (worker.stdin, worker.stdout, worker.stderr):
            stream.close()
    server.stop()


def ask(worker: Any, text: str) -> Any:
    worker.stdin.write(f"{text}\n")
    return json.loads(worker.stdout.readline())


@pytestmark_fork
def test_workers_share_what_was_imported_and_nothing_else(started: Any, code: Path) -> None:
    one, other = started("one"), started("other")
    assert isinstance(one, Forked)
    answers = [ask(one, "hello"), ask(other, "hi"), ask(one, "again")]
    assert [answer["said"] for answer in answers] == ["hello", "hi", "again"]
    assert [answer["name"] for answer in answers] == ["one", "other", "one"]
    assert [answer["own"] for answer in answers] == [one.pid, other.pid, one.pid]
    assert len({answer["shared"] for answer in answers}) == 1, "imported once, for both"
    assert answers[0]["shared"] not in (one.pid, other.pid)
    assert answers[0]["argv"] == [str(code / "a_worker.py")]
    assert answers[0]["folder"] == str(code)
    assert one.stderr.readline() == "logged\n"


@pytestmark_fork
@pytest.mark.parametrize(
    ("function", "name"),
    [("flow-hitl-FunctionsSendEmailFunction0973AD12-B0EF3F3A05714", "send_email"), ("mine", "worker")],
)
def test_a_worker_is_named_after_its_function(started: Any, function: str, name: str) -> None:
    worker = started("one", AWS_LAMBDA_FUNCTION_NAME=function)
    ask(worker, "hello")
    listed = subprocess.run(["ps", "-o", "comm=", "-p", str(worker.pid)], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == name


@pytestmark_fork
def test_a_worker_that_fails_says_why_and_ends_alone(started: Any) -> None:
    failing, other = started("failing"), started("other")
    ask(failing, "fail")
    assert "ValueError: as told" in failing.stderr.read()
    assert failing.wait(HANG_SECONDS) == 1
    assert failing.poll() == 1
    assert ask(other, "there?")["said"] == "there?"
    assert other.poll() is None


@pytestmark_fork
def test_a_worker_ends_when_it_is_told_to_and_when_nobody_writes_to_it_any_more(started: Any) -> None:
    told, left = started("told"), started("left")
    with pytest.raises(subprocess.TimeoutExpired):
        told.wait(0.0)
    told.terminate()
    assert told.wait(HANG_SECONDS) == -15
    left.stdin.close()
    assert left.wait(HANG_SECONDS) == 0


@pytestmark_fork
def test_workers_start_again_after_the_process_that_forks_them_has_ended(started: Any) -> None:
    worker = started("first")
    forker = ask(worker, "who?")["shared"]
    os.kill(forker, 9)
    while worker.poll() is None:
        time.sleep(0.01)
    assert worker.stdout.read() == "", "it has ended too"
    assert ask(started("second"), "who?")["shared"] != forker


@pytestmark_fork
def test_what_functions_import_is_there_before_the_first_worker_and_what_does_not_load_is_named(
    code: Path, tmp_path: Path
) -> None:
    server, report = ForkServer(), tmp_path / "report"
    environment = {"PATH": os.defpath, "NAME": "first"}
    server.prepare(sys.executable, str(code), [str(code)], environment, str(report))
    wait_until(report.exists)
    worker = server.popen([sys.executable, str(code / "a_worker.py")], cwd=str(code), env=environment)
    try:
        assert ask(worker, "who?")["shared"] not in (worker.pid, os.getpid())
        assert json.loads(report.read_text()) == {"functions.broken": "RuntimeError: does not load"}
    finally:
        worker.kill()
        worker.wait(HANG_SECONDS)
        for stream in (worker.stdin, worker.stdout, worker.stderr):
            stream.close()
        server.stop()


def test_functions_run_from_the_directory_that_their_archive_stands_for(code: Path, tmp_path: Path) -> None:
    archive, ordinary = tmp_path / "code.zip", tmp_path / "ordinary.zip"
    archive.write_bytes(stand_in.archive_for(code))
    with zipfile.ZipFile(ordinary, "w") as written:
        written.writestr("functions/mine.py", "")
    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(ordinary) as other:
        assert stand_in.directory_of(opened) == code.resolve()
        assert stand_in.directory_of(other) is None
    assert archive.stat().st_size < 1000
    assert stand_in.archive_for(code) == archive.read_bytes()


def test_other_programs_are_started_as_ever() -> None:
    echo = ForkServer().popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
    assert echo.communicate()[0] == b"1\n"


# --- how many


class Emulator:
    """What the pool uses of ministack: it lends free workers, and starts one where there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: dict[str, list[Any]] = {}
        self.ended: list[Any] = []

    def kill_workers(self, workers: list[Any]) -> None:
        self.ended += workers

    def _worker_key(self, name: str, _config: Any, qualifier: str) -> str:
        return f"{name}:{qualifier}"

    def acquire_worker(self, name: str, config: Any, _code: bytes, qualifier: str = "$LATEST") -> tuple[Any, str]:
        workers = self._workers.setdefault(self._worker_key(name, config, qualifier), [])
        for worker in workers:
            if not worker.in_use:
                worker.in_use = True
                return worker, "reused"
        workers.append(SimpleNamespace(in_use=True))
        return workers[-1], "spawn"

    def release_worker(self, worker: Any) -> None:
        worker.in_use = False

    def count(self, name: str) -> int:
        return len(self._workers[f"{name}:$LATEST"])


def at_once(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)
        assert not thread.is_alive()


def test_a_burst_of_short_calls_is_worked_off_by_few_workers() -> None:
    emulator = Emulator()
    # Time stands still: no call takes long.
    pool = Pool(emulator, clock=lambda: 0.0)

    def call() -> None:
        worker, _ = pool.acquire("answer", {}, b"")
        pool.release(worker)

    at_once(16, call)
    at_once(16, call)
    assert emulator.count("answer") <= EAGER_WORKERS


def test_calls_that_wait_for_something_hold_up_nobody() -> None:
    emulator, answered = Emulator(), threading.Event()
    pool = Pool(emulator)
    waiting = threading.Semaphore(0)

    def poll() -> None:
        worker, _ = pool.acquire("read", {}, b"")
        waiting.release()
        answered.wait(HANG_SECONDS)
        pool.release(worker)

    polls = threading.Thread(target=at_once, args=(20, poll))
    polls.start()
    for _ in range(20):
        assert waiting.acquire(timeout=HANG_SECONDS), "each gets a worker while all the others wait"
    worker, _ = pool.acquire("read", {}, b"")
    pool.release(worker)
    answered.set()
    polls.join(HANG_SECONDS)
    assert 20 <= emulator.count("read") <= 40


def test_a_function_gets_no_more_workers_than_the_stack_takes_calls_at_once() -> None:
    emulator, now = Emulator(), [0.0]

    def clock() -> float:
        now[0] += STUCK_SECONDS
        return now[0]

    pool = Pool(emulator, clock)
    workers = [pool.acquire("read", {}, b"")[0] for _ in range(MOST_WORKERS)]
    got: list[Any] = []
    late = threading.Thread(target=lambda: got.append(pool.acquire("read", {}, b"")[0]))
    late.start()
    pool.release(workers[7])
    late.join(HANG_SECONDS)
    assert got == [workers[7]]
    assert emulator.count("read") == MOST_WORKERS


def test_idle_workers_end_except_for_one_of_each_function_that_somebody_waits_for() -> None:
    emulator, now = Emulator(), [0.0]
    pool = Pool(emulator, now=lambda: now[0])
    asked, seldom = "flow-hitl-FunctionsIntakeFunction1", "flow-hitl-FunctionsSweepFunction1"
    lent = [pool.acquire(name, {}, b"")[0] for name in (asked, asked, seldom, seldom)]
    for worker in lent[:3]:
        pool.release(worker)
        worker.last_used = now[0]
    now[0] = IDLE_SECONDS - 1
    assert pool.reap() == 0
    now[0] = IDLE_SECONDS
    assert pool.reap() == 2
    assert emulator.ended == [lent[1], lent[2]], "one of intake stays, and the one that is still at work"
    pool.release(lent[3])
    lent[3].last_used = now[0]
    now[0] *= 2
    assert (pool.reap(), emulator.ended[2:]) == (1, [lent[3]])
    assert pool.acquire(seldom, {}, b"")[1] == "spawn"


def test_one_functions_burst_does_not_wait_for_anothers() -> None:
    pool = Pool(Emulator(), clock=lambda: 0.0)
    for _ in range(EAGER_WORKERS):
        pool.acquire("webhook", {}, b"")
    worker, how = pool.acquire("answer", {}, b"")
    assert (worker.in_use, how) == (True, "spawn")


# --- streams


def test_a_reader_of_a_stream_at_work_holds_up_neither_queues_nor_other_readers() -> None:
    stream, busy, read = "arn:aws:dynamodb:us-east-1:0:table/audit/stream/1", threading.Event(), threading.Event()
    mappings = [("0", "r", {"UUID": name, "EventSourceArn": stream}) for name in ("relay", "measure")]
    mappings.append(("0", "r", {"UUID": "email", "EventSourceArn": "arn:aws:sqs:us-east-1:0:email"}))

    def poll() -> bool:
        (own,) = [mapping["UUID"] for _, _, mapping in module._iter_all_esms()]
        assert (busy if own == "relay" else read).wait(HANG_SECONDS)
        done.append(own)
        mappings[:] = [one for one in mappings if one[2]["UUID"] != own]
        return True

    done: list[str] = []
    module = SimpleNamespace(_poll_dynamodb_streams=poll, _iter_all_esms=lambda: iter(list(mappings)), logger=None)
    StreamReaders(module)
    assert module._poll_dynamodb_streams() is False
    assert module._poll_dynamodb_streams() is False, "no reader is started twice"
    assert [one[2]["UUID"] for one in module._iter_all_esms()] == ["relay", "measure", "email"]
    read.set()
    wait_until(lambda: done == ["measure"])
    busy.set()
    wait_until(lambda: done == ["measure", "relay"])


def wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)
