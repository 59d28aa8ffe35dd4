"""Runs ministack in the emulator's environment, with changes for the local stack.

It ends with the program that started it. Its argument is a JSON object: `code`, `layers`, and `environment` of the
functions, and `report`, the file that says which of them do not load.

Functions run from this machine's directories; ministack would unpack thousands of files per process. Grants on a
schedule group work; ministack takes every schedule as of the default group. A call without log lines is answered at
once; ministack waits 50 ms for one. Workers are forked from one warm process. A call waits a moment for a free worker,
and idle workers end; ministack starts another one, and keeps one of each function. And each reader of a stream has a
thread; ministack takes no message and reads for no other while a reader is at work. Services are imported before they
are called, and nobody compares the types of their answers; ministack loads the SDK for that. Queries of an index look
at what they ask for; ministack sorts all of a partition. And an identity of SES takes a MAIL FROM domain; ministack
does not know that call.
"""

import json
import os
import re
import runpy
import signal
import sys
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
# Without a call for so long, a worker ends: another is forked in moments.
IDLE_SECONDS = 30.0
# Who asks or answers waits for these, so one worker of each stays.
KEPT = re.compile("-Functions(Intake|Relay|Respond)Function")
# AWS runs 1,000 consumers and more; with ministack's five, five slow receivers hold up all others.
MOST_BATCHES = 32

_unpack = zipfile.ZipFile.extractall


def _end_with_parent() -> None:
    """When the parent's pipe closes, end this process group: the emulator and its functions."""
    # Not sys.stdin.read(), which holds a lock that the interpreter needs to end.
    os.read(sys.stdin.fileno(), 1)
    os.killpg(0, signal.SIGTERM)


def _link_directories() -> None:
    """Link to the directory that an archive stands for."""
    directory_of: Callable[[zipfile.ZipFile], Path | None] = import_module("stand_in").directory_of

    def extractall(archive: zipfile.ZipFile, path: str) -> None:
        if (directory := directory_of(archive)) is None:
            _unpack(archive, path)
        else:
            Path(path).rmdir()
            Path(path).symlink_to(directory)

    zipfile.ZipFile.extractall = extractall  # type: ignore[assignment, method-assign]


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


def _keep_content_types() -> None:
    """Leave answers' types as services write them; ministack would load the SDK and its models to compare them."""
    responses: Any = import_module("ministack.core.responses")
    responses._service_model = lambda _service: None


def _load_services() -> None:
    """Import all services while the stack's own process still imports what deploys; ministack would wait for calls."""
    app: Any = import_module("ministack.app")
    for name in os.environ.get("SERVICES", "").split(","):
        app._get_module(app.SERVICE_REGISTRY[app.SERVICE_NAME_ALIASES.get(name, name)]["module"])


def _take_mail_from() -> None:
    """Keep the MAIL FROM domain of an identity, where SES is among the services."""
    if "ses" not in os.environ.get("SERVICES", "").split(","):
        return
    ses: Any = import_module("ministack.services.ses_v2")
    handle = ses.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        found = re.fullmatch(r"/v2/email/identities/(.+)/mail-from", path)
        if not found or method != "PUT":
            return await handle(method, path, headers, body, query)
        ses._identities[found[1]]["MailFromAttributes"] = {"MailFromDomainStatus": "PENDING"} | json.loads(body)
        return ses.json_response({})

    ses.handle_request = handle_request


def _read_less_of_indexes() -> None:
    import_module("index_queries").NarrowQueries(import_module("ministack.services.dynamodb"))


def _fork_workers(order: dict[str, Any]) -> None:
    """Fork the functions' workers from one process, which imports what they need from now on."""
    # As a program, its folder is on the path.
    fork_server: Any = import_module("fork_server")
    if fork_server.AVAILABLE:
        server = fork_server.ForkServer()
        server.prepare(
            sys.executable, order["code"], order["layers"], {**os.environ, **order["environment"]}, order["report"]
        )
        runtime: Any = import_module("ministack.core.lambda_runtime")
        runtime.subprocess = SimpleNamespace(**{**vars(runtime.subprocess), "Popen": server.popen})


class Pool:
    """Lends workers: a free one, or a new one if the function has few or all are stuck.

    Few processes finish computing calls sooner. Waiting calls, such as long polls, hold their workers: after a while
    without a free one, there may be twice as many.
    """

    def __init__(
        self, runtime: Any, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        """Lend the workers of ministack's module `runtime`; `clock` and `now`, that of `last_used`, are in seconds."""
        self._now = now
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

    def reap(self) -> int:
        """End the workers that have been idle for long, except for one of each function in `KEPT`; return how many."""
        ended: list[Any] = []
        with self._runtime._lock:
            for key, workers in list(self._runtime._workers.items()):
                kept = [one for one in workers if one.in_use or self._now() - one.last_used < IDLE_SECONDS]
                idle = [one for one in workers if not any(one is other for other in kept)]
                if not kept and KEPT.search(key):
                    kept = [idle.pop(0)]
                ended += idle
                if kept:
                    self._runtime._workers[key] = kept
                else:
                    del self._runtime._workers[key]
        self._runtime.kill_workers(ended)
        return len(ended)

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
    functions.reap_idle_workers = pool.reap
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
    # First, as it takes longest and runs beside everything else.
    _fork_workers(json.loads(sys.argv[1]))
    _link_directories()
    _know_schedule_groups()
    _wait_less_for_logs()
    _keep_content_types()
    _read_less_of_indexes()
    _take_mail_from()
    threading.Thread(target=_load_services, name="services", daemon=True).start()
    _start_few_workers()
    StreamReaders(import_module("ministack.services.lambda_svc"))
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
