"""What is looked at later, and when: what an event promises for a later time, and what was not done at first look."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339
from flow_hitl.sweep.looks import STILL_QUEUED

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Topic(StrEnum):
    AUTO_RESPONSE = "auto_response"
    REMINDER = "reminder"
    EFFECT = "effect"
    OWNER = "owner"
    EXPORT = "export"
    SEAL = "seal"


@dataclass(frozen=True)
class _Looks:
    """How long after its moment something is looked at, then how often, and until when.

    `message_lives`: for how long a message that was sent about it comes again by itself.
    """

    first: tuple[timedelta, ...]
    every: timedelta
    last: timedelta | None = None
    message_lives: timedelta = STILL_QUEUED

    def offsets(self) -> Iterator[timedelta]:
        yield from self.first
        for number in count(1):
            offset = self.first[-1] + number * self.every
            if self.last is not None and offset > self.last:
                return
            yield offset


# A queue tries for four days: what it gave up is looked at right after that.
_LOOKS = {
    Topic.AUTO_RESPONSE: _Looks((5 * _MINUTE, 20 * _MINUTE, 80 * _MINUTE, 7 * _HOUR), _DAY),
    Topic.REMINDER: _Looks((5 * _MINUTE, 20 * _MINUTE, 80 * _MINUTE, 7 * _HOUR), _DAY, 7 * _DAY),
    Topic.EFFECT: _Looks(
        (30 * _MINUTE, 90 * _MINUTE, 7 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY + 2 * _HOUR), 4 * _DAY, 14 * _DAY
    ),
    Topic.OWNER: _Looks((_DAY,), 7 * _DAY),
    Topic.EXPORT: _Looks((2 * _HOUR, 8 * _HOUR), _DAY, 7 * _DAY, message_lives=5 * _HOUR),
}
_WORKERS_TIME = timedelta(minutes=20)
_LATE_AFTER = {
    Topic.AUTO_RESPONSE: _HOUR,
    Topic.REMINDER: _HOUR,
    Topic.EFFECT: _DAY,
    Topic.OWNER: timedelta(),
    Topic.EXPORT: 7 * _HOUR,
    Topic.SEAL: 6 * _HOUR,
}


@dataclass(frozen=True)
class Matter:
    """Something that should have happened by `since`; `subject` is its request, or the export that it is."""

    topic: Topic
    deployment_id: int
    subject: str
    since: datetime
    effect: Effect | None = None

    def is_late(self, now: datetime) -> bool:
        """Tell whether it was done again in vain for so long that somebody should look."""
        return now - self.since >= _LATE_AFTER[self.topic]


@dataclass(frozen=True)
class Entry:
    """A matter, the moment at which it is looked at, and when the sweep last sent a message about it, if it has."""

    at: datetime
    matter: Matter
    sent_at: datetime | None = None

    def is_under_way(self, now: datetime) -> bool:
        """Tell whether the sweep's own message may still come again by itself: another one would only be one more."""
        return self.sent_at is not None and now - self.sent_at < _LOOKS[self.matter.topic].message_lives


def first_entry(matter: Matter, now: datetime, *, sent: bool = False) -> Entry:
    """Return the entry of a new matter: at its first look, or if that is past, at once; `sent`: it was handed on now.

    The worker of an effect gets some time for it.
    """
    soonest = now + _WORKERS_TIME if matter.topic is Topic.EFFECT else now
    at = max(matter.since + next(_LOOKS[matter.topic].offsets()), soonest)
    return Entry(at, matter, now if sent else None)


def next_entry(entry: Entry, now: datetime, *, sent: bool) -> Entry | None:
    """Return the next entry of a matter that is still open, or None if it has been looked at often enough."""
    matter = entry.matter
    moments = (matter.since + offset for offset in _LOOKS[matter.topic].offsets())
    at = next((moment for moment in moments if moment > now), None)
    return Entry(at, matter, now if sent else entry.sent_at) if at is not None else None


def promised(event: AuditEvent, deployment_id: int) -> Iterator[Matter]:
    """Yield what an event promises for later; raises KeyError, TypeError or ValueError if it makes no sense."""
    if event.kind is EventKind.REQUEST_CREATED:
        due = event.data["auto_response"]
        if due:
            due_at = parse_rfc3339(due["due_at"])
            yield Matter(Topic.AUTO_RESPONSE, deployment_id, event.request_id, due_at)
        for moment in event.data.get("reminders", ()):
            yield Matter(Topic.REMINDER, deployment_id, event.request_id, parse_rfc3339(moment))
    elif event.kind is EventKind.NOTIFICATION_UNDELIVERED:
        yield Matter(Topic.OWNER, deployment_id, event.request_id, event.at)
    elif event.kind is EventKind.AUDIT_EXPORTED:
        yield Matter(Topic.EXPORT, deployment_id, str(event.data["after"]["export"]), event.at)
