"""Times: RFC 3339, UTC, `Z`, whole seconds."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.platform.times import (
    ceil_second,
    parse_rfc3339,
    readable_duration,
    readable_moment,
    readable_time,
    rfc3339,
    with_readable_times,
)

moments = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def test_a_time_is_written_in_utc_without_its_fraction() -> None:
    berlin = timezone(timedelta(hours=1))
    assert rfc3339(datetime(2026, 1, 14, 13, 0, 0, 999_999, berlin)) == "2026-01-14T12:00:00Z"


@given(moments)
def test_what_is_written_is_read_back(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment.replace(microsecond=0)


@given(moments)
def test_rounding_up_is_never_early_and_less_than_a_second_late(moment: datetime) -> None:
    rounded = ceil_second(moment)
    assert rounded.microsecond == 0
    assert timedelta(0) <= rounded - moment < timedelta(seconds=1)


@pytest.mark.parametrize(
    "text", ["2026-01-14T13:00:00+01:00", "2026-01-14T12:00:00Z", "2026-01-14t12:00:00.000z", "2026-01-14 12:00:00Z"]
)
def test_offsets_are_understood(text: str) -> None:
    assert parse_rfc3339(text) == datetime(2026, 1, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1768392000",
        "2026-01-14T12:00:00",
        "2026-13-14T12:00:00Z",
        "2026-01-14",
        "2026-01-14x12:00:00Z",
        "2026-01-14T12:00Z",
        "20260114T120000Z",
        "2026-W03-3T12:00:00Z",
        "٢٠٢٦-01-14T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - datetime's own words are not ours to fix
        parse_rfc3339(text)


def test_people_read_this() -> None:
    assert readable_time(datetime(2026, 1, 4, 9, 5, tzinfo=UTC)) == "4 Jan 2026, 09:05 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 second"), (960, "16 minutes"), (7500, "2 hours"), (76 * 3600, "3 days"), (86_399, "1 day")],
)
def test_people_read_this_span_at_a_glance(seconds: float, text: str) -> None:
    assert readable_duration(seconds, coarse=True) == text


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_moment_that_is_written_otherwise_stays_as_it_is(text: str) -> None:
    assert readable_moment(text) == text
    assert readable_moment("2026-01-14T12:00:00+01:00") == "14 Jan 2026, 11:00 UTC"


def test_the_moments_within_a_text_are_shown_as_people_read_them() -> None:
    text = "Told at 2026-01-14T12:00:00Z, answered at 2026-01-15T09:30:59+01:00"
    assert with_readable_times(text) == "Told at 14 Jan 2026, 12:00 UTC, answered at 15 Jan 2026, 08:30 UTC"
    no_moments = "on 2026-01-16, order 2026-99-14T12:00:00Z"
    assert with_readable_times(no_moments) == no_moments
