"""What every capability needs of the outside world: time, ids, secrets and HTTP."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, overload

from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call, CallRecord

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")
_E = TypeVar("_E")


class Clock(Protocol):
    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def request_id(self, at: datetime) -> str: ...
    def event_id(self) -> str: ...


class CallLog(Protocol):
    """What is kept of calls that may come again; most of it is written by the stores of what they make."""

    def find(self, call: Call) -> CallRecord | None:
        """Return, read consistently, what was kept of an earlier call under the same key."""

    def add(self, record: CallRecord) -> None:
        """Keep a call that had nothing to write; raises CalledBefore."""


class CalledBefore(Exception):
    """An earlier call has the key: nothing was written, and this is what was kept of that."""

    def __init__(self, record: CallRecord) -> None:
        super().__init__("the call was made before")
        self.record = record


@dataclass(frozen=True)
class Reading(Generic[_A]):
    """What a store would read, as it made it for `ReadTogether`, and nobody else looks at it.

    `made` returns its value from the items that there are, in the order of their keys; it raises what the store raises.
    `never_change`: each item is written once, so any copy that has it will do. `may_lag`: any copy will do, as it is.
    """

    table: str
    keys: Sequence[Mapping[str, Any]]
    made: Callable[[Sequence[Mapping[str, Any]]], _A]
    never_change: bool = False
    may_lag: bool = False

    @property
    def later(self) -> "Reading[Callable[[], _A]]":
        """The same, but its value is made, and errors are raised, when it is called."""
        return Reading(
            self.table, self.keys, lambda records: partial(self.made, records), self.never_change, self.may_lag
        )


class ReadTogether(Protocol):
    """Read what several stores would, in one call, which takes a hundred items: consistently where nothing may lag."""

    @overload
    def __call__(self, a: Reading[_A], b: Reading[_B], /) -> tuple[_A, _B]: ...
    @overload
    def __call__(self, a: Reading[_A], b: Reading[_B], c: Reading[_C], /) -> tuple[_A, _B, _C]: ...
    @overload
    def __call__(self, a: Reading[_A], b: Reading[_B], c: Reading[_C], d: Reading[_D], /) -> tuple[_A, _B, _C, _D]: ...
    @overload
    def __call__(
        self, a: Reading[_A], b: Reading[_B], c: Reading[_C], d: Reading[_D], e: Reading[_E], /
    ) -> tuple[_A, _B, _C, _D, _E]: ...


class DeadLetterCounts(Protocol):
    def number(self, queue: str) -> int | Unknown:
        """Return how many messages rest in a queue's dead-letter queue; never raises for what SQS answers."""


class SecretBox(Protocol):
    """Keeps secrets; each opens only for those who name what it belongs to."""

    def seal(self, secret: str, belongs_to: Mapping[str, str]) -> str: ...

    def open(self, ciphertext: str, belongs_to: Mapping[str, str]) -> str: ...


@dataclass(frozen=True)
class PostResult:
    """What came of a POST: the HTTP status, or None with the reason why there is none.

    `body` is the text of the answer's first KB, "" where there was none; `duration_ms` covers the whole attempt.
    """

    status: int | None
    reason: str
    body: str = ""
    duration_ms: int = 0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class HttpPoster(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """POST JSON once, only to where the operator allows, and without redirects; never raises for what a peer does.

        `url` is checked again, whenever it was checked before.
        """
