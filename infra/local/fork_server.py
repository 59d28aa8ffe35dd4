"""Workers of the emulator's functions, forked from one process that has imported what functions import.

Alone, a worker imports for a second and takes 60 MB; forked, it shares both. Run as a program, this is that process:
`python fork_server.py CHANNEL CODE_DIRECTORY LAYER_DIRECTORIES REPORT`.
"""

import contextlib
import gc
import json
import os
import pkgutil
import re
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

# macOS's networking ends a forked process that runs no program of its own.
AVAILABLE = sys.platform == "linux"
PACKAGES = ("functions", "flow_hitl")
# The services that functions call by the SDK.
SERVICES = ("s3",)
LARGEST_ORDER = 1024 * 1024


class Forked:
    """A forked worker, with the interface of `subprocess.Popen`."""

    def __init__(self, server: "ForkServer", pid: int, ends: Sequence[int]) -> None:
        """Take the worker's process id, and our ends of its three standard streams."""
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
            # The server has ended, so nobody can wait for the worker; it ends when its input closes.
            self.returncode = -signal.SIGKILL
            self.stdin.close()


class ForkServer:
    """Starts workers by the forking process, which it starts, and restarts if that has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def prepare(
        self, python: str, code: str, layers: Sequence[str], environment: dict[str, str], report: str = ""
    ) -> None:
        """Start the forking process before there is a worker, so that it imports while others still work.

        Before the first worker, the file `report` says which functions' modules do not load, and why: a JSON object.
        """
        with self._lock:
            self._ensure(python, code, layers, environment, report)

    def popen(self, command: Sequence[str], **options: Any) -> Any:
        """Start a Python worker by a fork, or another command as `subprocess.Popen` does."""
        if len(command) != 2 or not command[1].endswith("_worker.py"):
            return subprocess.Popen(command, **options)
        order = {"script": command[1], "directory": options["cwd"], "environment": options["env"]}
        pipes = [os.pipe() for _ in range(3)]
        (its_in, our_in), (our_out, its_out), (our_err, its_err) = pipes
        environment = options["env"]
        layers = [layer for layer in environment.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep) if layer]
        try:
            with self._lock:
                self._ensure(command[0], options["cwd"], layers, environment)
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
        """Send a signal (0: none) to a worker, or return its exit code; raises OSError if the server has ended."""
        with self._lock:
            code = self._ask({"pid": pid, "signal": number}, [])
        return None if code is None else int(code)

    def stop(self) -> None:
        """End the forking process; workers end when their input closes."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _ensure(
        self, python: str, code: str, layers: Sequence[str], environment: dict[str, str], report: str = ""
    ) -> None:
        if self._channel is not None:
            return
        self._channel, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folders = os.pathsep.join(map(os.path.realpath, layers))
        with its:
            self._process = subprocess.Popen(
                [python, __file__, str(its.fileno()), os.path.realpath(code), folders, report],
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


def main(channel: socket.socket, code: str, layers: str, report: str) -> None:
    """Import what functions import, then fork a worker for each order; end when the emulator does."""
    sys.path[:0] = [code, *(folder for layer in layers.split(os.pathsep) for folder in (f"{layer}/python", layer))]
    # In a worker, standard output is for answers only, and loggers keep the stream they find now.
    sys.stdout = sys.stderr
    broken: dict[str, str] = {}
    for package in PACKAGES:
        for module in _modules(package):
            try:
                import_module(module)
            except Exception as error:
                # The worker that needs it fails, too; this one shall serve the others.
                broken[module] = f"{type(error).__name__}: {error}"
    if report:
        Path(report).write_text(json.dumps({name: why for name, why in broken.items() if name.startswith("functions")}))
    with contextlib.suppress(Exception):
        _make_clients()
    gc.collect()
    # A collection in a worker would copy every page that it looks at.
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
    """Fill the shared botocore session by making the functions' clients of the SDK and one call that nobody answers.

    The session gets no credentials: each worker finds its own.
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
        if service == "s3":
            with contextlib.suppress(import_module("botocore.exceptions").BotoCoreError):
                client.head_bucket(Bucket="none")


def _tend(workers: set[int], pid: int, number: int) -> int | None:
    """Signal a worker and return None, or return its exit code; until then, its id is not reused."""
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
    """Become the worker: its streams, environment, folder, and program."""
    code = 1
    try:
        for number, end in enumerate(ends):
            os.dup2(end, number)
            os.close(end)
        sys.stdout = sys.__stdout__
        os.environ.clear()
        os.environ.update(order["environment"])
        _name_after(os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))
        os.chdir(order["directory"])
        sys.argv = [order["script"]]
        runpy.run_path(order["script"], run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _name_after(function: str) -> None:
    """Name the process after its function for `ps -o comm`: `relay` for `flow-hitl-FunctionsRelayFunctionCE92…`."""
    found = re.search(r"-Functions(\w+?)Function", function)
    # The system keeps 15 characters.
    Path("/proc/self/comm").write_text(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[1]).lower() if found else "worker")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), *sys.argv[2:])
