"""The real local stack: how soon it is ready, what memory it takes, and how fast its first answers are."""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.local import fork_server
from infra.local.failure import StackFailed
from infra.local.running import running_stack
from tests.e2e import web
from tests.e2e.local_client import LocalClient
from tests.support.local_processes import idle_mebibytes

ANSWERS = 16


@dataclass(frozen=True)
class LocalStack:
    """Seconds until it was ready, MiB of all its processes then, and seconds of its first answers, all at once."""

    ready: float
    idle: float
    answers: float


def measure_local_stack(say: Callable[[str], None]) -> LocalStack | None:
    """Start a stack, answer, and stop it; None, and why, where that cannot be.

    It is started twice, as the first one keeps the template that it synthesizes.
    """
    if not fork_server.AVAILABLE:
        say("The local stack is left out: its memory is counted on Linux only.")
        return None
    try:
        _started()
        return _started()
    except StackFailed as error:
        say(f"The local stack is left out: {error}")
        return None


def _started() -> LocalStack:
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder), errors=Path(folder) / "errors") as running,
    ):
        ready = time.monotonic() - began
        idle = idle_mebibytes(running.process)
        return LocalStack(ready, idle, _answered(LocalClient(running.home, running.credentials)))


def _answered(client: LocalClient) -> float:
    urls = [client.ask()["callback_url"] for _ in range(ANSWERS)]
    with ThreadPoolExecutor(ANSWERS) as threads:
        # They are there before the time runs.
        list(threads.map(lambda _: time.sleep(0.05), urls))
        began = time.monotonic()
        statuses = list(threads.map(lambda url: web.post(url, json={"feedback": "approved"}).status_code, urls))
        taken = time.monotonic() - began
    if set(statuses) != {200}:
        raise ValueError(f"the local stack answered {statuses}")
    return taken
