"""Progress on the terminal: each step, and the seconds it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Prints one line per step, with the time since this object was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds since the first step."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print a line at once."""
        print(f"[{self.seconds():5.1f} s] {text}", flush=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Print what is being done, and when it is done how long that took."""
        self.say(f"{doing} …")
        started = time.monotonic()
        yield
        self.say(f"  done in {time.monotonic() - started:.1f} s")


def fail(message: str) -> int:
    """Print one sentence about what went wrong and return the exit code for it."""
    print(f"flow-hitl local: {message}", file=sys.stderr, flush=True)
    return 1
