"""How much a deployment may ask of people and send them, how much of it is used, and what is said when it is."""

import math
from datetime import UTC, datetime, timedelta

from flow_hitl.platform.errors import RateLimited
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339

_WARN_AT_PERCENT = 80


@dataclass(frozen=True)
class Quotas:
    """What the operator lets a deployment use; the defaults stop a flow that runs in circles, and hardly a team."""

    requests_per_hour: int = 1_000
    mails_per_day: int = 10_000


@dataclass(frozen=True)
class Usage:
    """What a deployment has used: requests since the full hour, emails since midnight (UTC)."""

    requests: int = 0
    mails: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.requests + other.requests, self.mails + other.mails)


NO_USAGE = Usage()


@dataclass(frozen=True)
class _Window:
    quota: str
    used: int
    wanted: int
    limit: int
    ends: datetime

    @property
    def unit(self) -> str:
        return self.quota.replace("_", " ")


def over_quota(quotas: Quotas, used: Usage, wanted: Usage, now: datetime) -> RateLimited | None:
    """Return the refusal of a call that wants a request or an email where none is left, or None."""
    full = [one for one in _windows(quotas, used, wanted, now) if one.wanted and one.used >= one.limit]
    if not full:
        return None
    last = max(full, key=lambda one: one.ends)
    return RateLimited(
        f"This deployment may use {last.limit:,} {last.unit}, and has. Try again after {rfc3339(last.ends)}, or ask "
        "your operator to raise the quota (flow-hitl deployment quota).",
        quota=last.quota,
        limit=last.limit,
        retry_after=math.ceil((last.ends - now).total_seconds()),
    )


def near_quota(quotas: Quotas, used: Usage, now: datetime) -> tuple[str, ...]:
    """Return a warning for each quota of which the greater part is used."""
    return tuple(
        f"{one.used:,} of this deployment's {one.limit:,} {one.unit} are used; when all are, new requests are refused "
        f"until {rfc3339(one.ends)}. Your operator can raise the quota (flow-hitl deployment quota)."
        for one in _windows(quotas, used, NO_USAGE, now)
        if one.used * 100 >= one.limit * _WARN_AT_PERCENT
    )


def full_hour(moment: datetime) -> datetime:
    """Return the beginning of the hour (UTC) that a moment falls into."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def quarter_of_hour(moment: datetime) -> datetime:
    """Return the beginning of the quarter of an hour (UTC) that a moment falls into."""
    return full_hour(moment) + timedelta(minutes=moment.minute // 15 * 15)


def _windows(quotas: Quotas, used: Usage, wanted: Usage, now: datetime) -> tuple[_Window, _Window]:
    hour = full_hour(now)
    next_hour, midnight = hour + timedelta(hours=1), hour.replace(hour=0) + timedelta(days=1)
    return (
        _Window("requests_per_hour", used.requests, wanted.requests, quotas.requests_per_hour, next_hour),
        _Window("mails_per_day", used.mails, wanted.mails, quotas.mails_per_day, midnight),
    )
