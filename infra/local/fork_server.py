"""Workers of the emulator's functions, forked from one process that has imported what functions import.

A worker that is started alone imports for a second and holds 60 MB of its own. Forked it shares both, so that a burst
of calls starts its workers in no time. As a program this is that process:
`python fork_server.py CHANNEL CODE_DIRECTORY LAYER_DIRECTORIES`.
"""

import contextlib
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

# The networking parts of macOS end a process that was forked without a program of its own.
AVAILABLE = sys.platform == "linux"
PACKAGES = ("functions", "flow_hitl")
# Those whose AWS clients functions make.
SERVICES = ("dynamodb", "s3", "sqs", "kms", "secretsmanager", "scheduler", "sesv2")
LARGEST_ORDER = 1024 * 1024


class Forked:
    """A forked worker, used like `subprocess.Popen`."""

    def __init__(self, server: "ForkServer", pid: int, ends: Sequence[int]) -> None:
        """Take the worker of this process id, and our ends of its standard input, output and error output."""
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[str] = os.fdopen(ends[0], "w", buffering=1, encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(ends[1], encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(ends[2], encoding="utf-8", errors="replace")
        self._server = server

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        self._send(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended; raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("a worker", timeout or 0.0)
            time.sleep(0.01)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.returncode is not None:
            return
        try:
            self.returncode = self._server.signal(self.pid, number)
        except OSError:
            # Whoever forked it has ended. Nobody can wait for it now; it ends by itself when it reads no more.
            self.returncode = -signal.SIGKILL
            self.stdin.close()


class ForkServer:
    """Starts workers in the process that forks them, which it starts itself and starts again if it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def popen(self, command: Sequence[str], **options: Any) -> Any:
        """Start a Python worker by a fork, and any other command as `subprocess.Popen` does."""
        if len(command) != 2 or not command[1].endswith("_worker.py"):
            return subprocess.Popen(command, **options)
        order = {"script": command[1], "directory": options["cwd"], "environment": options["env"]}
        pipes = [os.pipe() for _ in range(3)]
        (its_in, our_in), (our_out, its_out), (our_err, its_err) = pipes
        try:
            with self._lock:
                self._ensure(command[0], Path(options["cwd"]), options["env"])
                pid = self._ask(order, [its_in, its_out, its_err])
        except OSError:
            for end in (our_in, our_out, our_err):
                os.close(end)
            raise
        finally:
            for end in (its_in, its_out, its_err):
                os.close(end)
        return Forked(self, int(pid), [our_in, our_out, our_err])

    def signal(self, pid: int, number: int) -> int | None:
        """Send a signal (0 sends none) to a worker that runs; return its exit code if it has ended.

        Raises OSError if the process that forked it has ended.
        """
        with self._lock:
            code = self._ask({"pid": pid, "signal": number}, [])
        return None if code is None else int(code)

    def stop(self) -> None:
        """End the process that forks workers; they end when nobody writes to them any more."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _ensure(self, python: str, code: Path, environment: dict[str, str]) -> None:
        if self._channel is not None:
            return
        self._channel, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        layers = os.pathsep.join(
            os.path.realpath(layer) for layer in environment.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep) if layer
        )
        with its:
            self._process = subprocess.Popen(
                [python, __file__, str(its.fileno()), str(code.resolve()), layers],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )

    def _ask(self, order: dict[str, Any], ends: list[int]) -> Any:
        if self._channel is None:
            raise ConnectionError("no process forks workers")
        try:
            socket.send_fds(self._channel, [json.dumps(order).encode()], ends)
            answer = self._channel.recv(LARGEST_ORDER)
            if not answer:
                raise ConnectionError("the process that forks workers has ended")
        except OSError:
            self._end()
            raise
        return json.loads(answer)


def main(channel: socket.socket, code: str, layers: str) -> None:
    """Import what functions import, then fork a worker for each order; end when the emulator does."""
    sys.path[:0] = [code, *(folder for layer in layers.split(os.pathsep) for folder in (f"{layer}/python", layer))]
    # As in a worker, whose standard output is for answers alone: a logger may keep the stream that it finds now.
    sys.stdout = sys.stderr
    for package in PACKAGES:
        for module in _modules(package):
            # A module that fails is reported by the worker that needs it.
            with contextlib.suppress(Exception):
                import_module(module)
    if "boto3" in sys.modules:
        with contextlib.suppress(Exception):
            _make_clients()
    gc.collect()
    # What is here stays: a collection in a worker would copy each page that it looks at.
    gc.freeze()
    workers: set[int] = set()
    while True:
        message, ends, _, _ = socket.recv_fds(channel, LARGEST_ORDER, 3)
        if not message:
            return
        order = json.loads(message)
        if "script" not in order:
            answer = _tend(workers, order["pid"], order["signal"])
        else:
            if (answer := os.fork()) == 0:
                channel.close()
                _work(order, ends)
            workers.add(answer)
            for end in ends:
                os.close(end)
        channel.sendall(json.dumps(answer).encode())


def _modules(package: str) -> Iterator[str]:
    yield package
    folders = import_module(package).__path__
    yield from (found.name for found in pkgutil.walk_packages(folders, f"{package}.", onerror=lambda _: None))


def _make_clients() -> None:
    """Make the clients that functions make, and one call that nobody answers.

    What botocore reads and keeps for that lies then in the session that all workers share. It holds no credentials:
    these are given to the clients here, and each worker looks for its own.
    """
    boto3: Any = import_module("boto3")
    config = import_module("botocore.config").Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    for service in SERVICES:
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id="none",
            aws_secret_access_key="none",  # noqa: S106
            config=config,
        )
        if service == "dynamodb":
            with contextlib.suppress(import_module("botocore.exceptions").BotoCoreError):
                client.get_item(TableName="none", Key={"pk": {"S": "none"}})


def _tend(workers: set[int], pid: int, number: int) -> int | None:
    """Signal a worker of ours and return None, or its exit code; until that is asked for nobody else gets its id."""
    if pid not in workers:
        return 0
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        workers.discard(pid)
        return os.waitstatus_to_exitcode(status)
    if number:
        os.kill(pid, number)
    return None


def _work(order: dict[str, Any], ends: Sequence[int]) -> NoReturn:
    """Be the worker: its streams, its environment, its folder and its program."""
    code = 1
    try:
        for number, end in enumerate(ends):
            os.dup2(end, number)
            os.close(end)
        sys.stdout = sys.__stdout__
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["directory"])
        sys.argv = [order["script"]]
        runpy.run_path(order["script"], run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3])
