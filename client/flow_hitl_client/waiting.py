"""How clients wait for a decision, one step at a time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flow_hitl_client.errors import RateLimited, StillPending
from flow_hitl_client.types import Request

LONGEST_WAIT_SECONDS: Final = 20
# For so long, an answer is seen at once.
_EAGER_SECONDS: Final = 120.0
_SHORTEST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
# A receipt follows its decision within seconds, unless the service cannot sign.
RECEIPT_SECONDS: Final = 300
_RECEIPT_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Pause:
    """The request is still open, or the server is busy: ask again after some seconds."""

    seconds: float


@dataclass(frozen=True)
class Look:
    """How to ask next: after a pause, with a wait at the server; both in seconds."""

    pause: float
    wait: int


def next_look(waited: float) -> Look:
    """Return how to ask after so many seconds in vain: all the time at first, later now and then.

    The service pays for each second that a call waits there, and next to nothing for a question.
    """
    if waited < _EAGER_SECONDS:
        return Look(0.0, LONGEST_WAIT_SECONDS)
    return Look(min(max(waited / 60, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS), 1)


def awaits_receipt(request: Request) -> bool:
    """Tell whether the request is decided, and the receipt that was asked for is not signed yet."""
    response = request["response"]
    return response is not None and bool(request.get("receipt")) and response.get("receipt") is None


class ReceiptPatience:
    """Waits for one decision's receipt, but not longer than `RECEIPT_SECONDS` after the decision was first seen."""

    def __init__(self) -> None:
        self._until: float | None = None

    def waits(self, request: Request) -> bool:
        """Tell whether to ask again because of the receipt."""
        if not awaits_receipt(request):
            return False
        if self._until is None:
            self._until = time.monotonic() + RECEIPT_SECONDS
        return time.monotonic() < self._until


class Waiting:
    """The wait for one request's decision, and for its receipt if one was asked for."""

    def __init__(
        self,
        get_request: Callable[..., Request],
        request_id: str,
        timeout: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wait `timeout` seconds by `clock`; None means forever."""
        self._get_request, self._request_id, self._clock = get_request, request_id, clock
        self._began = clock()
        self._deadline = math.inf if timeout is None else self._began + timeout
        self._patience = ReceiptPatience()

    def look(self) -> Request | Pause:
        """Return the request if it is closed, or the pause before the next look.

        Raises StillPending at the deadline, and RateLimited if the deadline falls into the pause. At the deadline, a
        decision is returned without its receipt.
        """
        now = self._clock()
        left, wait = max(0, self._deadline - now), next_look(now - self._began).wait
        try:
            request = self._get_request(self._request_id, wait=math.ceil(min(wait, left)))
        except RateLimited as refused:
            pause = refused.retry_after or LONGEST_WAIT_SECONDS
            if self._clock() + pause >= self._deadline:
                raise
            return Pause(pause)
        if request["status"] != "pending":
            ends = self._clock() + _RECEIPT_PAUSE_SECONDS >= self._deadline
            return Pause(_RECEIPT_PAUSE_SECONDS) if self._patience.waits(request) and not ends else request
        if (now := self._clock()) >= self._deadline:
            raise StillPending(request)
        return Pause(min(next_look(now - self._began).pause, self._deadline - now))
