"""A local stack in a process of its own, on free ports and with its own files: for the demo and the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.failure import StackFailed
from infra.local.state import HOME_VARIABLE, ROOT, Credentials, credentials_path, read_credentials

STOP_SECONDS = 20.0


@contextmanager
def running_stack(home: Path, ready_seconds: float = 180.0) -> Iterator[Credentials]:
    """Start `python -m infra.local` with its files in `home`, wait until it is ready, and end it at last.

    Its progress goes to this process's standard output. Raises StackFailed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.local"],
        env=os.environ | {HOME_VARIABLE: str(home), "FLOW_HITL_PORT": "0", "FLOW_HITL_SMTP_PORT": "0"},
        cwd=ROOT,
        # Ctrl-C at the terminal is ours to answer: the stack is ended after what uses it.
        start_new_session=True,
    )
    try:
        yield _wait(process, home, ready_seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], home: Path, seconds: float) -> Credentials:
    deadline = time.monotonic() + seconds
    while not credentials_path(home).exists():
        if process.poll() is not None:
            raise StackFailed(f"The local stack ended with exit code {process.returncode}; it said why above.")
        if time.monotonic() > deadline:
            raise StackFailed(f"The local stack was not ready within {seconds:.0f} s.")
        time.sleep(0.1)
    return read_credentials(home)
