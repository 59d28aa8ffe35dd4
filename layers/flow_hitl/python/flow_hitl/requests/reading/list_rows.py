"""What lists show of requests: rows and counts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flow_hitl.contract.shapes import Channel
from flow_hitl.requests.request import Status

MOST_COUNTED = 1000


class Order(StrEnum):
    """The order of rows; `DUE` lists only pending requests by SLA, soonest first, then those without."""

    NEWEST = "newest"
    OLDEST = "oldest"
    DUE = "due"


@dataclass(frozen=True)
class RequestRow:
    """What a list shows of a request; `summary` is the start of its message."""

    request_id: str
    status: Status
    created_at: datetime
    flow_name: str | None
    method_name: str
    summary: str
    assigned_to_email: str
    sla_due_at: datetime | None
    outcome: str | None
    responded_via: Channel | None
    decided_at: datetime | None
    test: bool

    def has(self, text: str) -> bool:
        """Tell whether the row contains each word of a text, ignoring case."""
        said = "\n".join([self.method_name, self.flow_name or "", self.assigned_to_email, self.summary]).casefold()
        return all(word in said for word in text.casefold().split())


@dataclass(frozen=True)
class Count:
    """A count; with `more`, a lower bound."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


@dataclass(frozen=True)
class Counts:
    """Requests that wait, and those that were answered or canceled."""

    pending: Count
    history: Count
