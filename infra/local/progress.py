"""Progress on the terminal: each step, how long it took, and a sign of life while it takes long."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infra.local.patience import TOLD_SECONDS


class Progress:
    """Prints one line per step, with the time since this object was made."""

    def __init__(self, told_seconds: float = TOLD_SECONDS) -> None:
        """Say every `told_seconds` that a step is still running."""
        self._started = time.monotonic()
        self._told_seconds = told_seconds

    def seconds(self) -> float:
        """Return the seconds since the first step."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print a line at once."""
        print(f"[{self.seconds():5.1f} s] {text}", flush=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Print what is being done, then how long it took; yields what takes notes of how far it is."""
        self.say(f"{doing} …")
        started = time.monotonic()
        with signs_of_life(self.say, self._told_seconds) as note:
            yield note
        self.say(f"  done in {time.monotonic() - started:.1f} s")


@contextmanager
def signs_of_life(say: Callable[[str], None], seconds: float = TOLD_SECONDS) -> Iterator[Callable[[str], None]]:
    """Say every `seconds` that the block still runs, with the last note of how far it is."""
    notes = ["still working"]
    ended = threading.Event()
    started = time.monotonic()

    def tell() -> None:
        while not ended.wait(seconds):
            say(f"  … {notes[-1]} ({time.monotonic() - started:.0f} s)")

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield notes.append
    finally:
        ended.set()
        teller.join()


def fail(message: str) -> int:
    """Print what went wrong and return the exit code for it."""
    print(f"flow-hitl local: {message}", file=sys.stderr, flush=True)
    return 1
