"""How much is left of a quota, what is said when nothing is, and when there is room again."""

from datetime import UTC, datetime, timedelta

import pytest

from flow_hitl.deployments.quotas import NO_USAGE, Quotas, Usage, full_hour, near_quota, over_quota

QUOTAS = Quotas(requests_per_hour=10, mails_per_day=100)
NOW = datetime(2026, 1, 14, 22, 15, 30, 500_000, tzinfo=UTC)
BOTH = Usage(requests=1, mails=1)


@pytest.mark.parametrize("used", [NO_USAGE, Usage(9, 99)])
def test_there_is_room_until_all_is_used(used: Usage) -> None:
    assert over_quota(QUOTAS, used, BOTH, NOW) is None


@pytest.mark.parametrize(
    ("used", "quota", "until"),
    [
        (Usage(10, 0), "requests_per_hour", "2026-01-14T23:00:00Z"),
        (Usage(25, 99), "requests_per_hour", "2026-01-14T23:00:00Z"),
        (Usage(0, 100), "mails_per_day", "2026-01-15T00:00:00Z"),
        (Usage(10, 100), "mails_per_day", "2026-01-15T00:00:00Z"),
    ],
)
def test_what_is_used_up_is_named_with_the_moment_when_there_is_room_for_all(
    used: Usage, quota: str, until: str
) -> None:
    refusal = over_quota(QUOTAS, used, BOTH, NOW)
    assert refusal is not None
    assert (refusal.slug, refusal.status, refusal.quota) == ("rate-limited", 429, quota)
    assert until in refusal.detail
    assert NOW + timedelta(seconds=refusal.retry_after) >= datetime.fromisoformat(until)
    assert NOW + timedelta(seconds=refusal.retry_after - 1) < datetime.fromisoformat(until)


def test_only_what_the_call_wants_counts() -> None:
    assert over_quota(QUOTAS, Usage(0, 100), Usage(requests=1), NOW) is None
    assert over_quota(QUOTAS, Usage(10, 0), Usage(mails=1), NOW) is None


def test_the_hour_is_that_of_utc() -> None:
    india = NOW.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    assert full_hour(india) == datetime(2026, 1, 14, 22, tzinfo=UTC)
    refusal = over_quota(QUOTAS, Usage(10, 0), BOTH, india)
    assert refusal is not None
    assert refusal.retry_after == 44 * 60 + 30


@pytest.mark.parametrize(
    ("used", "warned_of"),
    [
        (Usage(7, 79), []),
        (Usage(8, 79), ["requests per hour"]),
        (Usage(7, 80), ["mails per day"]),
        (Usage(12, 200), ["requests per hour", "mails per day"]),
    ],
)
def test_from_four_fifths_on_it_is_said_before(used: Usage, warned_of: list[str]) -> None:
    warnings = near_quota(QUOTAS, used, NOW)
    assert len(warnings) == len(warned_of)
    assert all(unit in warning for unit, warning in zip(warned_of, warnings, strict=True))


def test_a_team_hardly_meets_the_defaults() -> None:
    assert near_quota(Quotas(), Usage(requests=700, mails=7_000), NOW) == ()
