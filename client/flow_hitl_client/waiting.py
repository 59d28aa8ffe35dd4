"""How both clients wait for a decision, one step at a time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flow_hitl_client.errors import RateLimited, StillPending
from flow_hitl_client.types import Request

LONGEST_WAIT_SECONDS: Final = 20


@dataclass(frozen=True)
class Pause:
    """The request is still pending, or the server is busy: ask again after some seconds."""

    seconds: float


def deadline_after(timeout: float | None) -> float | None:
    """Return when a wait of `timeout` seconds ends, by the monotonic clock; None means never."""
    return None if timeout is None else time.monotonic() + timeout


def look(get_request: Callable[..., Request], request_id: str, deadline: float | None) -> Request | Pause:
    """Return the request if it is no longer pending, or the pause before the next look.

    Raises StillPending at the deadline, and RateLimited if the deadline falls into the pause.
    """
    left = math.inf if deadline is None else max(0, math.ceil(deadline - time.monotonic()))
    try:
        request = get_request(request_id, wait=int(min(LONGEST_WAIT_SECONDS, left)))
    except RateLimited as refused:
        pause = refused.retry_after or LONGEST_WAIT_SECONDS
        if deadline is not None and time.monotonic() + pause >= deadline:
            raise
        return Pause(pause)
    if request["status"] != "pending":
        return request
    if deadline is not None and time.monotonic() >= deadline:
        raise StillPending(request)
    return Pause(0)
