"""What every capability needs of the outside world: time, ids, secrets and HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.repeated_calls import Call, CallRecord


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
