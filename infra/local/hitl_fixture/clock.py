"""A test's clock, and ids that are the same in every run."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)


class TurnedClock:
    """A clock that only moves when told to; sleeping moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def turn_to(self, moment: datetime) -> None:
        self._now = max(self._now, moment)

    def turn_back_to(self, moment: datetime) -> None:
        self._now = moment


class CountedIds:
    """Ids that are the same in every run; `given` have been issued before."""

    def __init__(self, given: int = 0) -> None:
        self.given = given

    def request_id(self, at: datetime) -> str:
        milliseconds = int(at.timestamp() * 1000)
        return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7000-8000-{self._next():012x}"

    def event_id(self) -> str:
        return f"{self._next():032x}"

    def _next(self) -> int:
        self.given += 1
        return self.given
