"""What lists show of requests: rows and counts."""

from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Self

from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import as_words
from flow_hitl.requests.request import Head, Status

MOST_COUNTED = 1000


class Order(StrEnum):
    """The order of rows; `DUE` lists only pending requests by SLA, soonest first, then those without."""

    NEWEST = "newest"
    OLDEST = "oldest"
    DUE = "due"


class Column(StrEnum):
    """What a list can be sorted by on demand."""

    TITLE = "title"
    FLOW = "flow"
    ASSIGNEE = "assignee"
    ANSWER = "answer"
    DECIDED = "decided"
    TOOK = "took"
    DUE = "due-by"


@dataclass(frozen=True)
class ByColumn:
    """The order by a column: the `MOST_COUNTED` newest rows are sorted, and no others."""

    column: Column
    descending: bool = False

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.column}"

    def key(self, row: "RequestRow") -> str:
        """Return what a row is sorted by; equal ones are told apart by their creation."""
        took = (row.decided_at - row.created_at).total_seconds() if row.decided_at else 0
        by: dict[Column, str] = {
            Column.TITLE: row.title.casefold(),
            Column.FLOW: (row.flow_name or "").casefold(),
            Column.ASSIGNEE: row.assigned_to_email.casefold(),
            Column.ANSWER: (row.outcome or "").casefold(),
            Column.DECIDED: row.decided_at.isoformat() if row.decided_at else "",
            Column.TOOK: f"{max(0, took):020.3f}",
            Column.DUE: row.sla_due_at.isoformat() if row.sla_due_at else "~",
        }
        return f"{by[self.column]}\0{row.created_at.isoformat()}#{row.request_id}"


@dataclass(frozen=True)
class RequestRow:
    """What a list shows of a request; `summary` is as in the request's head."""

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

    @classmethod
    def of(cls, head: Head) -> Self:
        """Return the row of a request."""
        return cls(**{member.name: getattr(head, member.name) for member in fields(cls)})

    @property
    def title(self) -> str:
        title, end, _ = self.summary.partition("\n")
        return title if end else as_words(self.method_name)

    @property
    def message(self) -> str:
        """The start of the request's message."""
        return self.summary.rpartition("\n")[2]


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
