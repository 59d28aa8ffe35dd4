"""Lists of requests, read only from the indexes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.requests.ports import RequestFilter, RowPage
from flow_hitl.requests.reading.list_rows import MOST_COUNTED, Count, Counts, Order
from flow_hitl.requests.request import Status
from flow_hitl.requests.store.request_index import (
    EVERYTHING,
    FIRST,
    INDEX_KEY,
    Record,
    RequestIndex,
    RowSpan,
    creation_span,
    due_key_of,
    equal_columns,
    moment_key,
    places_by_due,
    places_of,
    row_of,
)

_CLOSED = tuple(status.value for status in Status if status is not Status.PENDING)


class DynamoRequestRows:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._index = RequestIndex(dynamodb, table)

    def page(
        self, deployment_id: int, wanted: RequestFilter, *, order: Order, text: str, limit: int, cursor: str | None
    ) -> RowPage:
        passed = _position(order, cursor) if cursor is not None else None
        if order is Order.DUE:
            entries, reached = self._by_due(deployment_id, wanted, text, passed, limit + 1)
        else:
            entries, reached = self._by_creation(deployment_id, wanted, text, passed, limit + 1, order is Order.OLDEST)
        shown = entries[:limit]
        if len(entries) > limit:
            reached = due_key_of(shown[-1]) if order is Order.DUE else str(shown[-1]["created_key"])
        return RowPage([row_of(entry) for entry in shown], encode_cursor([order, reached]) if reached else None)

    def counts(self, deployment_id: int, assigned_to: tuple[str, ...]) -> Counts:
        def in_status(*statuses: str) -> Count:
            wanted = RequestFilter(statuses=statuses, assigned_to=assigned_to)
            return self._index.count(places_of(deployment_id, wanted))

        if assigned_to:
            return Counts(in_status(Status.PENDING), in_status(*_CLOSED))
        # Of few requests, one look at all tells both.
        pending, history = self._index.split(places_of(deployment_id, RequestFilter()), Status.PENDING)
        if pending.more:
            pending = self._index.count(places_by_due(deployment_id))
        if history.more and history.number < MOST_COUNTED:
            history = in_status(*_CLOSED)
        return Counts(pending, history)

    def waiting_since(self, deployment_id: int, moment: datetime) -> Count:
        places = places_of(deployment_id, RequestFilter(statuses=(Status.PENDING.value,)))
        return self._index.count(places, RowSpan(below=moment_key(moment)), tests=False)

    def overdue(self, deployment_id: int, now: datetime) -> Count:
        return self._index.count(places_by_due(deployment_id), RowSpan(below=moment_key(now)), tests=False)

    def _by_creation(
        self, deployment_id: int, wanted: RequestFilter, text: str, passed: str | None, enough: int, forward: bool
    ) -> tuple[list[Record], str | None]:
        span = creation_span(wanted, passed, forward=forward)
        if span is None:
            return [], None
        return self._index.read(places_of(deployment_id, wanted), span, enough, equal_columns(wanted), _fits(text))

    def _by_due(
        self, deployment_id: int, wanted: RequestFilter, text: str, passed: str | None, enough: int
    ) -> tuple[list[Record], str | None]:
        pending, created = Status.PENDING.value, creation_span(wanted, None, forward=False)
        if created is None or pending not in (wanted.statuses or (pending,)):
            return [], None
        equal, fits = equal_columns(wanted), _fits(text, created)
        if not wanted.assigned_to:
            span = RowSpan(above=passed or FIRST, passed=passed, forward=True)
            return self._index.read(places_by_due(deployment_id), span, enough, equal, fits)
        # No index has a person's requests by SLA; there are few enough to sort here.
        places = places_of(deployment_id, replace(wanted, statuses=(pending,)))
        oldest, _ = self._index.read(places, RowSpan(forward=True), MOST_COUNTED, equal, fits)
        return sorted((one for one in oldest if due_key_of(one) > (passed or "")), key=due_key_of), None


def _fits(text: str, created: RowSpan = EVERYTHING) -> Callable[[Record], bool] | None:
    """Return the filter for words and creation time, or None if every entry passes."""
    if not text and created == EVERYTHING:
        return None
    return lambda entry: created.above <= entry["created_key"] <= created.below and row_of(entry).has(text)


def _position(order: Order, cursor: str) -> str:
    match decode_cursor(cursor):
        case [str(of), str(position)] if of == order and INDEX_KEY.fullmatch(position):
            return position
    raise foreign_cursor()
