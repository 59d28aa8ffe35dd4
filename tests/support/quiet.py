"""Dropping what handlers print, such as their metrics."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


class _Nowhere(io.StringIO):
    """It stays open, as a logger may keep it."""

    def write(self, text: str) -> int:
        return len(text)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what is printed."""
    with redirect_stdout(_Nowhere()):
        yield
