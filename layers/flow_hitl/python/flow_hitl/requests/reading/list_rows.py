"""Requests as lists show them: a row of each, which is all that a list reads, and how many there are."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flow_hitl.contract.shapes import Channel
from flow_hitl.requests.request import Status

MOST_COUNTED = 1000


class Order(StrEnum):
    """In which order rows come; `DUE` is by SLA, soonest first, then what has none; it lists pending requests alone."""

    NEWEST = "newest"
    OLDEST = "oldest"
    DUE = "due"


@dataclass(frozen=True)
class RequestRow:
    """What a list shows of a request; `summary` is the beginning of its message."""

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
        """Tell whether each word of a text is part of what the row says, in whatever case."""
        said = "\n".join([self.method_name, self.flow_name or "", self.assigned_to_email, self.summary]).casefold()
        return all(word in said for word in text.casefold().split())


@dataclass(frozen=True)
class Count:
    """How many there are, or with `more` at least how many."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


@dataclass(frozen=True)
class Counts:
    """How many requests are in each state; `overdue` are the pending ones that are past their SLA."""

    pending: Count
    responded: Count
    cancelled: Count
    overdue: Count
