"""Lists of requests, read only from the indexes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.requests.ports import RequestFilter, RowPage
from flow_hitl.requests.reading.list_rows import MOST_COUNTED, ByColumn, Count, Counts, Order
from flow_hitl.requests.request import Status
from flow_hitl.requests.store.request_index import (
    EVERYTHING,
    FIRST,
    INDEX_KEY,
    LAST,
    Record,
    RequestIndex,
    RowSpan,
    creation_span,
    due_key_of,
    equal_columns,
    last_key,
    moment_key,
    places_by_due,
    places_of,
    readable_rows,
    row_of,
)

_CLOSED = tuple(status.value for status in Status if status is not Status.PENDING)


class DynamoRequestRows:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._index = RequestIndex(dynamodb, table)

    def page(
        self,
        deployment_id: int,
        wanted: RequestFilter,
        *,
        order: Order | ByColumn,
        limit: int,
        cursor: str | None,
        backward: bool = False,
    ) -> RowPage:
        passed = _position(order, cursor) if cursor is not None else None
        backward = backward and passed is not None
        if isinstance(order, ByColumn):
            found, more = self._newest(deployment_id, wanted)
            sorted_ = _Sorted(found, lambda entry: order.key(row_of(entry)), order.descending)
            return replace(sorted_.page(order, passed, limit, backward=backward), partly_sorted=more)
        if order is Order.DUE and wanted.assigned_to:
            # No index has a person's requests by SLA; there are few enough to sort here.
            found, more = self._pending(deployment_id, wanted)
            return replace(_Sorted(found, due_key_of).page(order, passed, limit, backward=backward), partly_sorted=more)
        read = self._by_due if order is Order.DUE else self._by_creation
        forward = (order is not Order.NEWEST) != backward
        entries, reached = read(deployment_id, wanted, passed, limit + 1, forward)
        if backward and len(entries) <= limit and reached is None:
            return self.page(deployment_id, wanted, order=order, limit=limit, cursor=None)
        key = due_key_of if order is Order.DUE else _created_key_of
        shown = entries[:limit]
        if len(entries) > limit:
            reached = key(shown[-1])
        onward = encode_cursor([order, reached]) if reached else None
        if not backward:
            start = encode_cursor([order, key(shown[0])]) if shown and passed is not None else None
            return RowPage(readable_rows(shown), onward, start)
        shown = shown[::-1]
        end = encode_cursor([order, key(shown[-1]) if shown else passed])
        return RowPage(readable_rows(shown), end, onward)

    def pending(self, deployment_id: int, assigned_to: tuple[str, ...]) -> Count:
        wanted = RequestFilter(statuses=(Status.PENDING.value,), assigned_to=assigned_to)
        return self._index.count(places_of(deployment_id, wanted))

    def counts(self, deployment_id: int, assigned_to: tuple[str, ...]) -> Counts:
        def in_status(*statuses: str) -> Count:
            wanted = RequestFilter(statuses=statuses, assigned_to=assigned_to)
            return self._index.count(places_of(deployment_id, wanted))

        if assigned_to:
            return Counts(in_status(Status.PENDING), in_status(*_CLOSED))
        # Of few requests, one look at all tells both.
        pending, history = self._index.split(places_of(deployment_id, RequestFilter()), Status.PENDING)
        if pending.more:
            pending = in_status(Status.PENDING)
        if history.more and history.number < MOST_COUNTED:
            history = in_status(*_CLOSED)
        return Counts(pending, history)

    def waiting_since(self, deployment_id: int, moment: datetime) -> Count:
        places = places_of(deployment_id, RequestFilter(statuses=(Status.PENDING.value,)))
        return self._index.count(places, RowSpan(below=moment_key(moment)), tests=False)

    def overdue(self, deployment_id: int, now: datetime) -> Count:
        return self._index.count(places_by_due(deployment_id), RowSpan(below=moment_key(now)), tests=False)

    def _by_creation(
        self, deployment_id: int, wanted: RequestFilter, passed: str | None, enough: int, forward: bool
    ) -> tuple[list[Record], str | None]:
        span = creation_span(wanted, passed, forward=forward)
        if span is None:
            return [], None
        fits = _decided_in(wanted)
        return self._index.read(places_of(deployment_id, wanted), span, enough, equal_columns(wanted), fits)

    def _by_due(
        self, deployment_id: int, wanted: RequestFilter, passed: str | None, enough: int, forward: bool
    ) -> tuple[list[Record], str | None]:
        pending, created = Status.PENDING.value, creation_span(wanted, None, forward=False)
        if created is None or pending not in (wanted.statuses or (pending,)):
            return [], None
        above, below = (passed or FIRST, LAST) if forward else (FIRST, passed or LAST)
        span = RowSpan(above, below, passed, forward=forward)
        return self._index.read(places_by_due(deployment_id), span, enough, equal_columns(wanted), _opened_in(created))

    def _pending(self, deployment_id: int, wanted: RequestFilter) -> tuple[list[Record], bool]:
        pending, created = Status.PENDING.value, creation_span(wanted, None, forward=False)
        if created is None or pending not in (wanted.statuses or (pending,)):
            return [], False
        places = places_of(deployment_id, replace(wanted, statuses=(pending,)))
        fits = _opened_in(created)
        found, reached = self._index.read(places, RowSpan(forward=True), MOST_COUNTED, equal_columns(wanted), fits)
        return found, reached is not None

    def _newest(self, deployment_id: int, wanted: RequestFilter) -> tuple[list[Record], bool]:
        span = creation_span(wanted, None, forward=False)
        if span is None:
            return [], False
        places = places_of(deployment_id, wanted)
        found, reached = self._index.read(places, span, MOST_COUNTED, equal_columns(wanted), _decided_in(wanted))
        return found[:MOST_COUNTED], reached is not None or len(found) > MOST_COUNTED


class _Sorted:
    """Entries that are sorted here, as no index has them in this order."""

    def __init__(self, entries: Sequence[Record], key: Callable[[Record], str], descending: bool = False) -> None:
        self._entries, self._key, self._descending = sorted(entries, key=key, reverse=descending), key, descending

    def page(self, order: Order | ByColumn, passed: str | None, limit: int, *, backward: bool) -> RowPage:
        keys = [self._key(entry) for entry in self._entries]
        start = 0
        if passed is not None:
            before = [number for number, key in enumerate(keys) if (key > passed if self._descending else key < passed)]
            upto = len(before)
            start = max(0, upto - limit) if backward else upto + (upto < len(keys) and keys[upto] == passed)
        shown = self._entries[start : start + limit]
        onward = encode_cursor([str(order), keys[start + limit - 1]]) if start + limit < len(keys) else None
        back = encode_cursor([str(order), keys[start]]) if 0 < start < len(keys) else None
        return RowPage(readable_rows(shown), onward, back)


def _created_key_of(entry: Record) -> str:
    return str(entry["created_key"])


def _opened_in(created: RowSpan) -> Callable[[Record], bool] | None:
    """Return the filter for a time of creation, or None if every entry passes."""
    if created == EVERYTHING:
        return None
    return lambda entry: bool(created.above <= entry["created_key"] <= created.below)


def _decided_in(wanted: RequestFilter) -> Callable[[Record], bool] | None:
    """Return the filter for a time of decision, or None if every entry passes."""
    if wanted.decided_from is None and wanted.decided_to is None:
        return None
    above = moment_key(wanted.decided_from) if wanted.decided_from else FIRST
    below = last_key(wanted.decided_to) if wanted.decided_to else LAST
    return lambda entry: above <= str(entry.get("decided_at") or "") <= below


def _position(order: Order | ByColumn, cursor: str) -> str:
    match decode_cursor(cursor):
        case [str(of), str(position)] if of == str(order):
            if isinstance(order, ByColumn) or INDEX_KEY.fullmatch(position):
                return position
    raise foreign_cursor()
