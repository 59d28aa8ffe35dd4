"""A local stack in its own process, on free ports, with its own files: for the demo and the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from infra.local.failure import StackFailed
from infra.local.patience import HANG_SECONDS, START_SECONDS
from infra.local.state import HOME_VARIABLE, ROOT, Credentials, credentials_path, read_credentials


@dataclass(frozen=True)
class RunningStack:
    """The process of a local stack that is ready, where its files are, and how it is called."""

    home: Path
    process: subprocess.Popen[bytes]
    credentials: Credentials


@contextmanager
def running_stack(home: Path, errors: Path | None = None) -> Iterator[RunningStack]:
    """Run `python -m infra.local` with its files in `home`, ready when the block begins.

    Progress goes to standard output, errors to the file `errors` or standard error. Raises StackFailed.
    """
    with errors.open("wb") if errors else nullcontext() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            env=os.environ | {HOME_VARIABLE: str(home), "FLOW_HITL_PORT": "0", "FLOW_HITL_SMTP_PORT": "0"},
            cwd=ROOT,
            stderr=said,
            # Ctrl-C must reach us only: the stack stops after what uses it.
            start_new_session=True,
        )
    try:
        yield RunningStack(home, process, _wait(process, home, errors))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], home: Path, errors: Path | None) -> Credentials:
    deadline = time.monotonic() + START_SECONDS
    while not credentials_path(home).exists():
        if process.poll() is not None:
            why = errors.read_text() if errors else "see its output above."
            raise StackFailed(f"The local stack ended with exit code {process.returncode}; {why}")
        if time.monotonic() > deadline:
            raise StackFailed(f"The local stack was not ready within {START_SECONDS:.0f} s; see its output above.")
        time.sleep(0.1)
    return read_credentials(home)
