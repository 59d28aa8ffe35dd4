"""Up to where the audit log should be sealed by now, and when that is looked at."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from flow_hitl.platform.records import dataclass

_HOUR = timedelta(hours=1)
# The seal runs a quarter of an hour after each hour.
_FIRST_LOOK = 2 * _HOUR
# The seal's queue tries a message five times, half an hour apart; then it goes back from the dead letters.
_ASKED_AGAIN_AFTER = 24 * _HOUR


@dataclass(frozen=True)
class Unsealed:
    """Hours with events that no digest is known to cover: the ends of the first and the last.

    `looked_at`: when that was last looked at; `asked_at`: when the seal was last sent a message because of it.
    """

    since: datetime
    until: datetime
    looked_at: datetime | None = None
    asked_at: datetime | None = None

    @classmethod
    def with_events(cls, before: Self | None, moments: Iterable[datetime]) -> Self:
        """Return what is to be sealed once there also are events of these moments, at least one."""
        ends = [_end_of_hour(moment) for moment in moments]
        if before is None:
            return cls(min(ends), max(ends))
        return replace(before, since=min(before.since, *ends), until=max(before.until, *ends))

    @property
    def due_at(self) -> datetime:
        """Return when to look for the digest."""
        due = self.since + _FIRST_LOOK
        return max(due, self.looked_at + _HOUR) if self.looked_at else due

    def is_to_be_asked(self, now: datetime) -> bool:
        """Tell whether the seal is to be sent a message: the last one, if any, has rested for long."""
        return self.asked_at is None or now - self.asked_at >= _ASKED_AGAIN_AFTER

    def sealed(self, end: datetime) -> Self | None:
        """Return what is left once a digest reaches to `end`; None if that is nothing."""
        return None if end >= self.until else replace(self, since=max(self.since, min(end + _HOUR, self.until)))


def _end_of_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + _HOUR
