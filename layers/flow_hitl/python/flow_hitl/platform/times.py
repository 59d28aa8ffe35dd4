"""Times as the contract writes them: RFC 3339, UTC, `Z`, whole seconds."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

# `fromisoformat` alone reads more of ISO 8601 than that: weeks, basic forms, any character in place of the T.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9][A-Za-z0-9_+-]{0,31}){0,2}", re.ASCII)
YEAR_OF_MINUTES = 366 * 24 * 60
_LAST_SECOND = datetime.max.replace(microsecond=0, tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """Return a moment as `2026-01-14T12:00:00Z`, its fraction of a second dropped."""
    there = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # Not strftime: it writes the year 1 as "1" on Linux.
    return f"{there.isoformat('T', 'seconds')[:19]}Z"


def parse_rfc3339(text: str) -> datetime:
    """Return the moment that an RFC 3339 text names; raises ValueError for any other text or a missing offset."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("the time is not written as RFC 3339 says, for example 2026-01-14T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside of the calendar") from None


def ceil_second(moment: datetime) -> datetime:
    """Return the moment rounded up to a whole second, so that nothing due at it fires early.

    Behind the last second of the calendar there is none.
    """
    floor = moment.replace(microsecond=0)
    return floor if floor in (moment, _LAST_SECOND) else floor + timedelta(seconds=1)


@cache
def zone_named(name: str) -> tzinfo | None:
    """Return the time zone of an IANA name such as `Europe/Berlin`, None if there is none."""
    # Few people have chosen one, and a request of all others is not to pay for it.
    from zoneinfo import ZoneInfo

    if not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def readable_time(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return a moment as people read it: `14 Jan 2026, 12:00 UTC`, or elsewhere `CET`, or `UTC+05:45`."""
    try:
        there = moment.astimezone(zone)
    except OverflowError:
        # There is no later day than the last.
        there = moment.astimezone(UTC)
    name = there.tzname() or ""
    return f"{there.day} {there:%b %Y, %H:%M} {name if name.isalpha() else _offset(there)}"


def _offset(there: datetime) -> str:
    """Return how far a moment's clock is ahead of UTC: zones without an abbreviation have only that."""
    digits = f"{there:%z}"
    return f"UTC{digits[:3]}:{digits[3:5]}"


def readable_moment(text: str, zone: tzinfo = UTC) -> str:
    """Return a moment that somebody else wrote as people read it, or as it is written where it is not RFC 3339."""
    try:
        return readable_time(parse_rfc3339(text), zone)
    except ValueError:
        return text


def with_readable_times(text: str) -> str:
    """Return a text in which the moments that are written as in RFC 3339 are as people read them."""
    return _RFC3339.sub(lambda found: readable_moment(found[0]), text)


def readable_duration(seconds: float, *, coarse: bool = False) -> str:
    """Return a span of time in two units at most, `59 s`, `2 h 5 min`, or coarsely as people say it, `3 days`."""
    whole = round(seconds)
    if whole < 60:
        return _said(whole, "second") if coarse else f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return _said(minutes, "minute") if coarse else f"{minutes} min"
    if minutes < 24 * 60:
        return _said(minutes // 60, "hour") if coarse else _units(minutes // 60, "h", minutes % 60, "min")
    hours = round(minutes / 60)
    return _said(hours // 24, "day") if coarse else _units(hours // 24, "d", hours % 24, "h")


def _said(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number:,} {unit}s"


def _units(number: int, unit: str, rest: int, smaller: str) -> str:
    return f"{number} {unit} {rest} {smaller}" if rest else f"{number} {unit}"
