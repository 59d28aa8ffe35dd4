"""The one loop for writes that others may come in between of: read, decide, write, and all of it anew on conflict."""

from collections.abc import Callable
from typing import TypeVar

from flow_hitl.platform.errors import Conflict

_Made = TypeVar("_Made")


def in_rounds(attempt: Callable[[], _Made], pause: Callable[[int], None], rounds: int = 8) -> _Made:
    """Return what `attempt` returns; while it raises Conflict it is called again, after `pause(round number from 0)`.

    Raises whatever else `attempt` raises, and the last round's Conflict.
    """
    for round_number in range(rounds - 1):
        try:
            return attempt()
        except Conflict:
            pause(round_number)
    return attempt()
