"""What audit events add to the figures, and what is read off the sums."""

import random
import statistics
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.contract.shapes import Channel
from flow_hitl.metrics.metrics import (
    ALL_TIME,
    MEDIAN_ERROR,
    Bucket,
    Dimension,
    Figures,
    Measurement,
    Span,
    bin_of,
    day_period,
    figures,
    is_month,
    measure,
    merged,
    middle_of,
    pending,
    spans,
    volume_by_day,
    volume_by_hour,
)
from flow_hitl.requests.request import Stamp, cancel, decide, reassign
from tests.support import examples

NOON = examples.NOON
A_YEAR_OF_SECONDS = 366 * 24 * 3600
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))


def asked(**changes: Any) -> AuditEvent:
    return examples.opening(**changes).event


def answered(
    after: timedelta = timedelta(minutes=5), opening: dict[str, Any] | None = None, **changes: Any
) -> AuditEvent:
    head = examples.head(**(opening or {}))
    answer = examples.answer(**changes)
    return decide(head, answer, examples.CONTENT, stamp=Stamp("e2", NOON + after, answer.actor)).event


def counted(*events: AuditEvent) -> dict[Bucket, Counter[str]]:
    measured = [measure(event) for event in events]
    return merged(each.tallies for each in measured if each is not None)


def of(
    *events: AuditEvent, dimension: Dimension = Dimension.TOTAL, value: str = "", period: str = "2026-01"
) -> Figures:
    tallies = counted(*events)
    outcomes = {
        bucket.outcome: tally["responded"]
        for bucket, tally in tallies.items()
        if bucket.outcome is not None and (bucket.dimension, bucket.period, bucket.value) == (dimension, period, value)
    }
    return figures(tallies.get(Bucket(dimension, period, value), Counter()), outcomes)


def test_a_request_counts_on_the_day_it_was_opened_and_its_answer_on_the_day_it_was_given() -> None:
    tallies = counted(asked(), answered(timedelta(days=20)))
    opened_on, answered_on = (tallies[Bucket(Dimension.TOTAL, day)] for day in ("2026-01-14", "2026-02-03"))
    assert (opened_on["created"], opened_on["responded"]) == (1, 0)
    assert (answered_on["created"], answered_on["responded"]) == (0, 1)
    assert {bucket.period for bucket in tallies} == {"2026-01-14", "2026-01", "2026-02-03", "2026-02", ALL_TIME}


def test_the_day_is_that_of_utc() -> None:
    late = NOON.astimezone(UTC).replace(hour=23, minute=59)
    elsewhere = late.astimezone(tz=datetime.fromisoformat("2026-01-15T09:00:00+09:00").tzinfo)
    assert Bucket(Dimension.TOTAL, "2026-01-14") in counted(asked(at=elsewhere))


def test_the_reviewer_is_who_is_proven_to_have_answered_else_who_was_asked() -> None:
    given = [
        answered(responder="Boss@example.com"),
        answered(responder="anybody@example.com", responder_verified=False, via=Channel.API),
        answered(responder=None, responder_verified=False, via=Channel.AUTO_RESPONSE),
    ]
    by = {name: of(*given, dimension=Dimension.REVIEWER, value=name) for name in ("boss@example.com", "a@example.com")}
    assert [by[name].responded for name in by] == [1, 2]
    assert of(*given, dimension=Dimension.REVIEWER, value="anybody@example.com").responded == 0


def test_each_event_counts_in_one_value_of_every_dimension() -> None:
    tallies = counted(asked(), answered(), asked(flow_name=None))
    values = {(bucket.dimension, bucket.value) for bucket in tallies if bucket.period == "2026-01"}
    assert values == {
        (Dimension.TOTAL, ""),
        (Dimension.REVIEWER, "a@example.com"),
        (Dimension.FLOW, "ContentApprovalFlow"),
        (Dimension.FLOW, ""),
        (Dimension.METHOD, "review_article"),
    }
    for dimension in (Dimension.REVIEWER, Dimension.FLOW, Dimension.METHOD):
        buckets = [bucket for bucket in tallies if bucket.dimension is dimension and bucket.outcome is None]
        months = [tallies[bucket]["created"] for bucket in buckets if is_month(bucket.period)]
        assert sum(months) == 2


def test_an_automatic_answer_missed_the_sla_however_early_it_came_and_is_no_persons_time() -> None:
    sla = {"sla_target_minutes": 60}
    clock = answered(timedelta(minutes=1), sla, via=Channel.AUTO_RESPONSE, responder=None, responder_verified=False)
    total = of(clock, answered(timedelta(minutes=60), sla), answered(timedelta(minutes=61), sla), answered())
    assert (total.sla_met, total.sla_missed) == (1, 2)
    assert total.sla_compliance == pytest.approx(1 / 3)
    assert (total.auto_responded, total.auto_response_share) == (1, 0.25)
    assert total.average_seconds == pytest.approx((60 + 61 + 5) * 60 / 3)


def test_requests_without_an_sla_say_nothing_about_it() -> None:
    assert of(asked(), answered()).sla_compliance is None


def test_outcomes_are_counted_by_what_was_asked_and_free_text_is_one_of_its_own() -> None:
    given = [answered(), answered(), answered(outcome="rejected"), answered(outcome=None)]
    by_method = of(*given, dimension=Dimension.METHOD, value="review_article")
    assert by_method.outcomes == (("approved", 2), (None, 1), ("rejected", 1))


def test_what_is_pending_is_what_was_neither_answered_nor_cancelled() -> None:
    cancelled = cancel(examples.head(), stamp=Stamp("e2", NOON, "flow")).event
    tallies = counted(asked(), asked(), asked(), answered(), cancelled)
    assert pending(tallies[Bucket(Dimension.TOTAL, ALL_TIME)]) == 1
    assert of(cancelled, dimension=Dimension.METHOD, value="review_article").cancelled == 1


def test_tests_and_other_events_are_not_counted() -> None:
    for event in (asked(), answered()):
        assert measure(replace(event, data={**event.data, "test": True})) is None
    assert measure(examples.event(EventKind.NOTIFICATION_SENT, {})) is None


def test_an_event_that_lacks_what_it_should_have_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(KeyError):
        measure(examples.event(EventKind.REQUEST_CREATED, {"deployment_id": 1}))


def test_volumes_by_day_and_by_hour_of_the_week() -> None:
    wednesday_noon, sunday_night = asked(), asked(at=NOON + timedelta(days=4, hours=11, minutes=59))
    tallies = counted(wednesday_noon, sunday_night, answered(timedelta(days=1)))
    month = tallies[Bucket(Dimension.TOTAL, "2026-01")]
    whole_month = volume_by_day({"2026-01": month}, date(2026, 1, 1), date(2026, 1, 31))
    assert [(each.day.day, each.created, each.responded) for each in whole_month if each.created or each.responded] == [
        (14, 1, 0),
        (15, 0, 1),
        (18, 1, 0),
    ]
    hours = volume_by_hour(month)
    assert (hours[2][12], hours[6][23], sum(map(sum, hours))) == (1, 1, 2)


@given(st.lists(st.integers(0, A_YEAR_OF_SECONDS), min_size=1, max_size=60))
def test_the_median_is_within_the_stated_error(seconds: list[int]) -> None:
    tally = Counter({"responded": len(seconds)}) + Counter(f"bin:{bin_of(each)}" for each in seconds)
    exact, estimated = statistics.median(seconds), figures(tally).median_seconds
    assert estimated is not None
    assert abs(estimated - exact) <= MEDIAN_ERROR * exact * (1 + 1e-9)


@given(st.integers(0, 20 * A_YEAR_OF_SECONDS))
def test_every_time_is_near_the_middle_of_its_bin(seconds: int) -> None:
    assert abs(middle_of(bin_of(seconds)) - seconds) <= MEDIAN_ERROR * seconds * (1 + 1e-9)


def test_the_stated_error_is_two_and_a_half_per_cent_at_most() -> None:
    assert MEDIAN_ERROR <= 0.025


def test_a_median_of_nothing_is_nothing() -> None:
    nothing = figures(Counter())
    assert (nothing.median_seconds, nothing.average_seconds, nothing.auto_response_share) == (None, None, None)


@given(st.permutations(range(6)), st.integers(0, 6))
def test_neither_the_order_of_events_nor_how_they_are_batched_matters(order: list[int], cut: int) -> None:
    events = [asked(), answered(), answered(outcome=None), asked(method_name="x"), asked(flow_name=None), answered()]
    shuffled = [events[number] for number in order]
    assert merged([counted(*shuffled[:cut]), counted(*shuffled[cut:])]) == counted(*events)


@given(days, days)
def test_spans_make_up_exactly_the_range_by_three_queries_at_most(one: date, other: date) -> None:
    first, last = sorted((one, other))
    found = spans(first, last)
    covered = [day for span in found for day in days_of(span)]
    assert covered == [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert len(found) <= 3
    assert sum(len(days_of(span)) for span in found if not is_month(span.first)) <= 60


def test_a_calendar_year_is_one_span_of_months_and_a_day_one_of_days() -> None:
    assert spans(date(2026, 1, 1), date(2026, 12, 31)) == (Span("2026-01", "2026-12"),)
    assert spans(date(2026, 1, 14), date(2026, 1, 14)) == (Span("2026-01-14", "2026-01-14"),)


@given(days, days)
def test_days_and_months_say_the_same(one: date, other: date) -> None:
    first, last = sorted((one, other))
    chance = random.Random(first.toordinal())  # noqa: S311 - no secret
    moments = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(4 * 366 * 24)) for _ in range(12)]
    tallies = counted(*(asked(at=moment) for moment in moments))
    read: dict[str, Counter[str]] = {}
    for span in spans(first, last):
        read |= {
            bucket.period: tally
            for bucket, tally in tallies.items()
            if bucket.dimension is Dimension.TOTAL
            and is_month(bucket.period) == is_month(span.first)
            and span.first <= bucket.period <= span.last
        }
    inside = Counter(day_period(moment.date()) for moment in moments if first <= moment.date() <= last)
    volumes = volume_by_day(read, first, last)
    assert {day_period(each.day): each.created for each in volumes if each.created} == inside
    assert sum(tally["created"] for tally in read.values()) == inside.total()


def test_one_event_touches_few_buckets() -> None:
    measurement = measure(answered())
    assert isinstance(measurement, Measurement)
    assert len(measurement.tallies) == 15


def days_of(span: Span) -> list[date]:
    if not is_month(span.first):
        first, last = date.fromisoformat(span.first), date.fromisoformat(span.last)
    else:
        first = date.fromisoformat(f"{span.first}-01")
        last = (date.fromisoformat(f"{span.last}-28") + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


# --- reassigned


def reassigned(to: str, by: str = "member/boss@example.com", **changes: Any) -> AuditEvent:
    head = replace(examples.opening().after, **changes)
    settings = examples.deployment().settings
    at = NOON + timedelta(days=40)
    return reassign(head, to, "because", settings, stamp=Stamp("e2", at, by)).event


def test_a_reassignment_moves_what_was_opened_to_whom_it_is_with_now() -> None:
    measured = measure(reassigned("Bob@example.com"))
    assert measured is not None
    assert measured.tallies == {
        Bucket(Dimension.REVIEWER, period, person): {"created": by}
        for period in ("2026-01-14", "2026-01")
        for person, by in (("a@example.com", -1), ("bob@example.com", 1))
    }


def test_a_reassignment_of_a_test_or_of_before_moves_nothing() -> None:
    assert measure(reassigned("bob@example.com", test=True)) is None
    event = reassigned("bob@example.com")
    before = {"deployment_id", "assigned_to_email", "people", "assigned_before", "reason", "notify", "may_pass_on"}
    older = replace(event, data={name: value for name, value in event.data.items() if name in before})
    assert measure(older) is None
