"""The audit log of a deployment, oldest first: its requests' chains and its own."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from flow_hitl.audit.index import IndexedEvent, midnight, periods
from flow_hitl.audit.ports import AuditArchive, AuditRecord
from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import ceil_second, parse_rfc3339, rfc3339

# Lambda answers with 6 MB at most, and escapes our JSON once more inside of its own.
_PAGE_BYTES = 2 * 1024 * 1024
# Days are read one by one, also those on which nothing happened.
_MOST_DAYS = 100
# Before this day nobody had a log.
_BEFORE_ALL = datetime(2026, 1, 1, tzinfo=UTC)
# How chains are named (the empty name stands before all of them), and more events than any of them has.
_SUBJECT = re.compile(r"(?:(?:request|deployment)#[0-9a-f-]{1,36})?")
_MOST_EVENTS = 10**9


@dataclass(frozen=True)
class Range:
    """What is asked for: events from `since` (included) to `to` (excluded), in whole seconds."""

    since: datetime
    to: datetime


@dataclass(frozen=True)
class EventPage:
    """Some events, and the cursor at which to go on, if there is more."""

    events: Sequence[AuditRecord]
    next_cursor: str | None


@dataclass(frozen=True)
class ReadAudit:
    """Read a deployment's log page by page; a page costs the same however much there is."""

    audit: AuditArchive
    clock: Clock

    def page(self, deployment_id: int, wanted: Range, limit: int, cursor: str | None) -> EventPage:
        """Return events in the order of time; a page may be short, or empty where nothing happened for long.

        Raises ValidationFailed for a cursor that is none of ours.
        """
        after, since = place_of(cursor, deployment_id, wanted.since) if cursor else (None, wanted.since)
        found: list[IndexedEvent] = []
        for number, period in enumerate(periods(since, wanted.to)):
            if number == _MOST_DAYS:
                return self._page(found, cursor_at(period.since))
            room = limit + 1 - len(found)
            found += islice(self.audit.indexed(period, deployment_id, after, ahead=room), room)
            if len(found) > limit:
                return self._page(found[:limit], cursor_behind(found[limit - 1]))
            after = None
        return self._page(found, None)

    def _page(self, found: Sequence[IndexedEvent], next_cursor: str | None) -> EventPage:
        places = {(event.subject, event.seq): event for event in found}
        shown: list[AuditRecord] = []
        taken = 0
        for record in map(_readable, self.audit.records(found)):
            taken += len(canonical_json(record).encode())
            if taken > _PAGE_BYTES and shown:
                return EventPage(shown, cursor_behind(places[shown[-1]["subject"], shown[-1]["seq"]]))
            shown.append(record)
        return EventPage(shown, next_cursor)

    def range_of(self, deployment_id: int, since: datetime | None, to: datetime | None) -> Range:
        """Return the range between two moments, where one that is not given is the log's first day, or now.

        Raises ValidationFailed if it is empty.
        """
        begin = since or self._first_day(deployment_id)
        # An event's moment is in whole seconds: now is before the second that comes.
        end = ceil_second(to) if to is not None else self.clock.now().replace(microsecond=0) + timedelta(seconds=1)
        if ceil_second(begin) >= end and to is not None:
            raise ValidationFailed([FieldError("/to", "must be later than `from`")])
        return Range(ceil_second(begin), end)

    def _first_day(self, deployment_id: int) -> datetime:
        first = self.audit.first_events([deployment_id]).get(deployment_id)
        # One that is gone, or dated in the future, was changed: it hides nothing.
        return midnight(first.at) if first is not None and first.at <= self.clock.now() else _BEFORE_ALL


def _readable(record: AuditRecord) -> AuditRecord:
    """Return an event as stored, with null for each member that is of a type that no event has there."""
    types = {"seq": int, "data": Mapping}
    return {name: value if isinstance(value, types.get(name, str)) else None for name, value in record.items()}


def cursor_behind(event: IndexedEvent) -> str:
    """Return the cursor of what follows an event."""
    return encode_cursor([rfc3339(event.at), event.subject, event.seq])


def cursor_at(moment: datetime) -> str:
    """Return the cursor of what happened from a moment on."""
    return encode_cursor([rfc3339(moment)])


def place_of(cursor: str, deployment_id: int, since: datetime) -> tuple[IndexedEvent | None, datetime]:
    """Return the event and the moment behind which a cursor goes on, never before `since`; raises ValidationFailed."""
    match decode_cursor(cursor):
        case [str(at)]:
            return None, max(since, _moment(at))
        case [str(at), subject, seq]:
            moment = _moment(at)
            return IndexedEvent(deployment_id, *event_place(subject, seq), moment, ""), max(since, moment)
    raise foreign_cursor()


def event_place(subject: Any, seq: Any) -> tuple[str, int]:
    """Return an event's chain and its place there; raises ValidationFailed for what would be no key of the index."""
    match subject, seq:
        case str(), int() if _SUBJECT.fullmatch(subject) and 0 <= seq < _MOST_EVENTS:
            return subject, seq
    raise foreign_cursor()


def _moment(text: str) -> datetime:
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise foreign_cursor() from None
