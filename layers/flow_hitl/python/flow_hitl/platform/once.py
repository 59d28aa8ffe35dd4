"""A call that is made again, because its answer was lost, makes nothing a second time and gets the same answer.

What is kept of a call is written in the one transaction that makes what it asks for. So there is never one without the
other, whoever dies in between, and of two calls at once one makes it and the other finds that.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from flow_hitl.platform.ports import CalledBefore, CallLog, SecretBox
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import REPEATED_CALL, Call, CallRecord

_Made = TypeVar("_Made")


class Remember(Protocol):
    def __call__(self, made: str = "", secret: str = "") -> CallRecord | None:
        """Return what is to be kept of the call: by what its answer is found again; None for a call without a key."""


@dataclass(frozen=True)
class Once:
    """Do what a call asks for, unless it was done before; a call without a key costs nothing more."""

    calls: CallLog
    box: Callable[[], SecretBox]

    def __call__(
        self, call: Call | None, make: Callable[[Remember], _Made], again: Callable[[CallRecord], _Made]
    ) -> _Made:
        """Return what `make` returns, which writes what it is given along with its own; or what `again` finds.

        Raises what the two raise, and IdempotencyMismatch if the call's key stands for another body.
        """
        if call is None:
            return make(_forget)
        found = self.calls.find(call)
        if found is None:

            def remember(made: str = "", secret: str = "") -> CallRecord:
                return CallRecord(call, made, self.box().seal(secret, _context(call)) if secret else None)

            try:
                return make(remember)
            except CalledBefore as before:
                found = before.record
        found.require_same_body(call)
        return again(found)

    def secret(self, record: CallRecord) -> str:
        """Return the secret that the first answer had."""
        if record.sealed is None:
            raise ValueError("nothing secret was kept of this call")
        return self.box().open(record.sealed, _context(record.call))


def _forget(made: str = "", secret: str = "") -> None:  # noqa: ARG001 - as `Remember` has it
    return None


def _context(call: Call) -> dict[str, str]:
    return {REPEATED_CALL: f"{call.deployment_id}/{call.name}"}
