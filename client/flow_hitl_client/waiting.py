"""How clients wait for a decision, one step at a time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flow_hitl_client.errors import RateLimited, StillPending
from flow_hitl_client.types import Request

LONGEST_WAIT_SECONDS: Final = 20
# A receipt follows its decision within seconds, unless the service cannot sign.
RECEIPT_SECONDS: Final = 300
_RECEIPT_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Pause:
    """The request is still open, or the server is busy: ask again after some seconds."""

    seconds: float


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

    def __init__(self, get_request: Callable[..., Request], request_id: str, timeout: float | None) -> None:
        """Wait `timeout` seconds; None means forever."""
        self._get_request, self._request_id = get_request, request_id
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._patience = ReceiptPatience()

    def look(self) -> Request | Pause:
        """Return the request if it is closed, or the pause before the next look.

        Raises StillPending at the deadline, and RateLimited if the deadline falls into the pause. At the deadline, a
        decision is returned without its receipt.
        """
        left = max(0, self._deadline - time.monotonic())
        try:
            request = self._get_request(self._request_id, wait=math.ceil(min(LONGEST_WAIT_SECONDS, left)))
        except RateLimited as refused:
            pause = refused.retry_after or LONGEST_WAIT_SECONDS
            if time.monotonic() + pause >= self._deadline:
                raise
            return Pause(pause)
        if request["status"] != "pending":
            ends = time.monotonic() + _RECEIPT_PAUSE_SECONDS >= self._deadline
            return Pause(_RECEIPT_PAUSE_SECONDS) if self._patience.waits(request) and not ends else request
        if time.monotonic() >= self._deadline:
            raise StillPending(request)
        return Pause(0)
