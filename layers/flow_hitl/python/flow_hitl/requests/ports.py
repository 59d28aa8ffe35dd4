"""What keeps requests and their lists, and what wakes us at a deadline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flow_hitl.audit.effects import Effect
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.requests.reading.list_rows import Count, Counts, Order, RequestRow
from flow_hitl.requests.reading.polling import LastPolls
from flow_hitl.requests.request import Change, Content, Head, Request


@dataclass(frozen=True)
class RequestFilter:
    """The contract's list filters; a member that is None or empty does not restrict, of several one must fit.

    `assigned_to` are names of one assignee, or of several: their mail addresses and `group:<name>`.
    """

    statuses: tuple[str, ...] = ()
    assigned_to: tuple[str, ...] = ()
    flow_name: str | None = None
    method_name: str | None = None
    outcome: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Some requests, and the cursor at which to go on, if there is more."""

    requests: Sequence[Request]
    next_cursor: str | None


@dataclass(frozen=True)
class RowPage:
    """Some rows, and the cursor at which to go on, if there may be more."""

    rows: Sequence[RequestRow]
    next_cursor: str | None


Taken = Effect | CallRecord | str
"""What one step alone may have: an effect, which is done by it, a call's key, or a name."""


class RequestStore(Protocol):
    def create(self, change: Change, content: Content, call: Call | None) -> Request | None:
        """Write a new request with its first event; return the request that already holds the id or call, if any."""

    def find(self, request_id: str | None, call: Call | None) -> Request | None:
        """Return the request that holds the id or was made by the call, if any."""

    def head(self, request_id: str) -> Head:
        """Read a head consistently; raises NotFound."""

    def load(self, request_id: str) -> Request:
        """Read a whole request consistently; raises NotFound."""

    def commit(self, change: Change, takes: Taken | None = None) -> None:
        """Write a step and its event together with what it takes, or nothing at all.

        Raises Conflict if the head has moved on, TakenAlready if a name was taken before, CalledBefore if a call's key.
        """

    def list_requests(self, deployment_id: int, wanted: RequestFilter, limit: int, cursor: str | None) -> Page: ...

    def recent_heads(self, deployment_id: int, limit: int) -> Sequence[Head]:
        """Return the heads of a deployment's newest requests, newest first."""

    def heads(self, request_ids: Sequence[str]) -> Mapping[str, Head]:
        """Read heads consistently, by their requests' ids; those that there are none of are left out."""

    def opened_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        """Return ids of requests that were opened in a time, and the cursor at which to go on, if there is more."""

    def decisions(self, deployment_id: int, limit: int, cursor: str | None, now: datetime) -> Page:
        """Return decided requests, oldest first, at least once each; the cursor is never None."""


class RequestRows(Protocol):
    """Lists of requests from the indexes alone, which follow a change within a second."""

    def page(
        self, deployment_id: int, wanted: RequestFilter, *, order: Order, text: str, limit: int, cursor: str | None
    ) -> RowPage:
        """Return rows that fit the filters and `text`; few or none of them may fit though more do further on.

        Raises ValidationFailed for a cursor that is not ours, or is of another order.
        """

    def counts(self, deployment_id: int, assigned_to: tuple[str, ...], now: datetime) -> Counts:
        """Count the requests of a deployment, or of those whom they are assigned to, as far as is quick."""


class TakenAlready(Exception):
    """What may happen only once has happened before."""


class Polls(Protocol):
    """When somebody last fetched answers, which tells a flow that waits from one whose worker is gone."""

    def decisions_fed(self, deployment_id: int, key_id: str, at: datetime) -> None:
        """Take down that the decisions feed was polled with an API key."""

    def waited(self, request_id: str, at: datetime) -> None:
        """Take down that somebody waits on a request."""

    def last(self, deployment_id: int, request_id: str) -> LastPolls: ...


class Deadlines(Protocol):
    def schedule(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """See to it that the `deadline` function hears of the auto-response or reminder at the time, once or more."""

    def postpone(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Send an early message once more, at the time or before."""


class Backlog(Protocol):
    """How many pending requests wait, counted to a limit by what an index holds, tests left out."""

    def waiting_since(self, deployment_id: int, moment: datetime) -> Count:
        """Count those that were opened before a moment."""

    def overdue(self, deployment_id: int, now: datetime) -> Count:
        """Count those that are past their SLA."""
