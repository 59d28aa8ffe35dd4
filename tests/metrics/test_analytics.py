"""Analytics as a manager asks for them by API, of requests that went their ordinary ways."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from flow_hitl.metrics import read_analytics
from flow_hitl.metrics.metric_store import DynamoMetricStore
from flow_hitl.metrics.metrics import is_month
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, assert_problem, callback
from tests.support.aws_calls import AwsCall, around_calls, watched
from tests.support.figures import expected, figures_of, measure_all, measure_before, requests_of, settle, store, stored


def analytics(hitl: Hitl, **query: str) -> Any:
    words = "&".join(f"{name.rstrip('_')}={value}" for name, value in query.items())
    answer = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/analytics?{words}")
    assert answer.status == 200, answer.text
    return answer.json


def test_a_deployment_without_requests_has_figures_of_nothing(hitl: Hitl) -> None:
    found = analytics(hitl)
    assert (found["from"], found["to"], found["group_by"]) == ("2025-12-16", "2026-01-14", "reviewer")
    assert found["totals"] == {
        "created": 0,
        "responded": 0,
        "cancelled": 0,
        "average_response_seconds": None,
        "median_response_seconds": None,
        "sla_met": 0,
        "sla_missed": 0,
        "sla_compliance": None,
        "auto_responded": 0,
        "auto_response_share": None,
        "outcomes": [],
    }
    assert (found["groups"], found["others"], found["review_types"], found["alerts"]) == ([], None, [], [])
    assert (found["pending_now"], found["overdue"]) == (0, 0)
    assert len(found["volume_by_day"]) == 30
    assert [len(hours) for hours in found["volume_by_hour_of_week"]] == [24] * 7


def test_response_times_of_each_reviewer(hitl: Hitl) -> None:
    for minutes in (10, 20, 60):
        hitl.ask(emit=EMIT, assigned_to_email="anna@example.com")
        hitl.advance(minutes=minutes)
        hitl.reply("approved")
    hitl.ask(emit=EMIT, assigned_to_email="Bob@Example.com")
    hitl.advance(minutes=5)
    hitl.reply("rejected")
    anna, bob = analytics(hitl)["groups"]
    assert (anna["reviewer"], anna["created"], anna["responded"]) == ("anna@example.com", 3, 3)
    assert anna["average_response_seconds"] == 30 * 60
    assert anna["median_response_seconds"] == pytest.approx(20 * 60, rel=0.025)
    assert anna["outcomes"] == [{"outcome": "approved", "count": 3, "share": 1.0}]
    assert (bob["reviewer"], bob["responded"], bob["average_response_seconds"]) == ("bob@example.com", 1, 300)


@pytest.mark.parametrize(
    ("group_by", "names"), [("flow", {"Payments", None}), ("method", {"approve_payment", "review"})]
)
def test_groups_by_flow_and_by_method(hitl: Hitl, group_by: str, names: set[str | None]) -> None:
    hitl.ask(method_name="approve_payment", flow_name="Payments")
    hitl.ask(method_name="review")
    groups = analytics(hitl, group_by=group_by)["groups"]
    assert {group[group_by] for group in groups} == names
    assert [group["created"] for group in groups] == [1, 1]


def test_outcome_rates_of_each_review_type_whatever_the_groups_are(hitl: Hitl) -> None:
    for word in ("approved", "approved", "rejected", "why not?"):
        hitl.ask(emit=EMIT, method_name="review_article")
        hitl.reply(word)
    (article,) = analytics(hitl, group_by="flow")["review_types"]
    assert article["method"] == "review_article"
    assert article["outcomes"] == [
        {"outcome": "approved", "count": 2, "share": 0.5},
        {"outcome": None, "count": 1, "share": 0.25},
        {"outcome": "rejected", "count": 1, "share": 0.25},
    ]


def test_an_automatic_answer_misses_the_sla_and_is_no_persons_response_time(hitl: Hitl) -> None:
    clock = {"timeout_minutes": 30, "default_outcome": "rejected"}
    hitl.ask(emit=EMIT, sla_target_minutes=60, auto_response=clock)
    hitl.advance(minutes=31)
    for minutes in (60, 61):
        hitl.ask(emit=EMIT, sla_target_minutes=60)
        hitl.advance(minutes=minutes)
        hitl.reply("approved")
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    totals = analytics(hitl)["totals"]
    assert (totals["sla_met"], totals["sla_missed"], totals["sla_compliance"]) == (1, 2, 0.3333)
    assert (totals["auto_responded"], totals["auto_response_share"]) == (1, 0.25)
    assert totals["average_response_seconds"] == pytest.approx((60 + 61 + 0) * 60 / 3, abs=1)


def test_an_answer_counts_on_its_own_day_and_not_on_that_of_the_question(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.advance(days=1)
    hitl.reply("approved")
    yesterday, today = (analytics(hitl, from_=day, to=day)["totals"] for day in ("2026-01-14", "2026-01-15"))
    assert (yesterday["created"], yesterday["responded"]) == (1, 0)
    assert (today["created"], today["responded"], today["median_response_seconds"]) == (
        0,
        1,
        pytest.approx(86400, 0.025),
    )


def test_volume_by_day_and_by_hour_of_the_week(hitl: Hitl) -> None:
    for _ in range(2):
        hitl.ask(emit=EMIT)
    hitl.advance(days=1, minutes=125)
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    found = analytics(hitl, from_="2026-01-13", to="2026-01-15")
    assert found["volume_by_day"] == [
        {"day": "2026-01-13", "created": 0, "responded": 0},
        {"day": "2026-01-14", "created": 2, "responded": 0},
        {"day": "2026-01-15", "created": 1, "responded": 1},
    ]
    hours = found["volume_by_hour_of_week"]
    assert (hours[2][12], hours[3][14], sum(map(sum, hours))) == (2, 1, 3)


def test_a_month_and_its_days_say_the_same(hitl: Hitl) -> None:
    for _ in range(3):
        hitl.ask(emit=EMIT, sla_target_minutes=60)
        hitl.advance(days=1, minutes=7)
        hitl.reply("approved")
    month, days = (
        analytics(hitl, from_="2026-01-01", to="2026-01-31"),
        analytics(hitl, from_="2026-01-02", to="2026-01-30"),
    )
    for part in ("totals", "groups", "review_types", "volume_by_hour_of_week"):
        assert month[part] == days[part]
    assert month["volume_by_day"][1:-1] == days["volume_by_day"]


def test_what_is_pending_overdue_and_waiting_now(hitl: Hitl) -> None:
    hitl.configure(settings={"sla_target_minutes": 120})
    for _ in range(6):
        hitl.ask(emit=EMIT)
    hitl.advance(minutes=121)
    hitl.ask(emit=EMIT)
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    found = analytics(hitl, from_="2025-12-01", to="2025-12-02")
    assert (found["pending_now"], found["overdue"]) == (7, 6)
    assert found["alerts"] == [
        {"kind": "waiting", "requests": 6, "minutes": 120, "text": "6 requests waiting > 120 min"}
    ]


def test_the_alert_has_a_limit_of_its_own_if_the_manager_sets_one(hitl: Hitl) -> None:
    hitl.configure(settings={"waiting_alert_minutes": 15})
    hitl.ask()
    hitl.advance(minutes=14)
    assert analytics(hitl)["alerts"] == []
    hitl.advance(minutes=2)
    (alert,) = analytics(hitl)["alerts"]
    assert alert["text"] == "1 request waiting > 15 min"
    assert analytics(hitl)["overdue"] == 0


def test_a_reassigned_request_is_of_who_has_it(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email="ann@example.com")
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "bob@example.com"})
    (only,) = analytics(hitl)["groups"]
    assert (only["reviewer"], only["created"]) == ("bob@example.com", 1)


def test_cancelled_requests_are_neither_pending_nor_answered(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    found = analytics(hitl)
    totals = found["totals"]
    assert (found["pending_now"], totals["created"], totals["responded"], totals["cancelled"]) == (0, 1, 0, 1)


def test_an_answer_of_an_application_counts_for_whom_it_was_assigned_to(hitl: Hitl) -> None:
    callback(hitl, hitl.ask(emit=EMIT, assigned_to_email="anna@example.com"), responder="mallory@example.com")
    (group,) = analytics(hitl)["groups"]
    assert (group["reviewer"], group["responded"]) == ("anna@example.com", 1)


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("from=yesterday", "/from", "2026-01-14"),
        ("from=2026-02-30", "/from", "2026-01-14"),
        ("to=2026-01-14T12:00:00", "/to", "2026-01-14"),
        ("from=2026-01-02&to=2026-01-01", "/from", "before the end"),
        ("from=2020-01-01&to=2026-01-01", "/from", "5 years"),
        ("from=1999-12-31&to=2000-01-01", "/from", "2000"),
        ("to=9999-12-31", "/to", "2099"),
        ("to=0001-01-01", "/to", "2000"),
        ("group_by=colour", "/group_by", "reviewer, flow, method"),
    ],
)
def test_a_wrong_range_is_refused_with_what_to_write(hitl: Hitl, query: str, field: str, says: str) -> None:
    answer = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/analytics?{query}")
    assert_problem(answer, 422, "validation")
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert says in error["message"]


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({"from_": "2026-01-01", "to": "2026-01-01"}, "2026-01-01", "2026-01-01"),
        ({"from_": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "2026-01-01", "2026-01-01"),
        ({"from_": "2026-01-01T18:00:00Z", "to": "2026-01-02T06:00:00Z"}, "2026-01-01", "2026-01-02"),
        ({"to": "2026-03-31"}, "2026-03-02", "2026-03-31"),
        ({"from_": "2026-01-10"}, "2026-01-10", "2026-01-14"),
    ],
)
def test_days_are_whole_and_times_are_widened_to_their_days(
    hitl: Hitl, query: dict[str, str], first: str, last: str
) -> None:
    found = analytics(hitl, **query)
    assert (found["from"], found["to"]) == (first, last)


def test_only_who_manages_the_deployment_may_see_its_figures(hitl: Hitl) -> None:
    manage = current().manage_deployments
    other = manage.create(name="Other", creator_email="other@example.com", organization_id=1)
    keys = {
        permission: manage.issue_key(hitl.deployment_id, name="k", permissions=frozenset({permission})).text
        for permission in Permission
    }
    path = f"/v1/deployments/{hitl.deployment_id}/analytics"
    assert {name: hitl.api("GET", path, key=key).status for name, key in keys.items()} == {
        Permission.CREATE_REQUESTS: 403,
        Permission.MANAGE: 200,
        Permission.RESPOND: 403,
    }
    assert_problem(hitl.api("GET", f"/v1/deployments/{other.deployment_id}/analytics"), 404, "not-found")
    assert_problem(hitl.api("GET", path, key=None), 401, "unauthorized")


def test_a_year_of_a_million_requests_costs_the_same_as_a_day_of_ten(hitl: Hitl) -> None:
    for word in ("approved",) * 8 + ("rejected", "why?"):
        hitl.ask(emit=EMIT, assigned_to_email="anna@example.com")
        hitl.reply(word)
    measure_all(hitl)
    year_of = figures_of(requests_of(datetime(2025, 1, 1, tzinfo=UTC), days=364, count=500), times=2_000)
    store(hitl, {bucket: tally for bucket, tally in year_of.items() if is_month(bucket.period)})
    day, days_calls, days_items = cost_of(hitl, from_="2026-01-14", to="2026-01-14")
    year, years_calls, years_items = cost_of(hitl, from_="2025-01-01", to="2025-12-31")
    assert (day["totals"]["created"], day["totals"]["responded"]) == (10, 10)
    assert (year["totals"]["created"], year["totals"]["responded"]) == (1_000_000, 1_000_000)
    assert sum(each["created"] for each in year["volume_by_day"]) == 1_000_000
    assert years_calls == days_calls
    # Five of them look for what is not stored yet.
    assert len(years_calls) <= 17
    # Of the total, of each reviewer and method, and of their outcomes: one for a day, twelve for a year.
    assert days_items == 1 + 2 * (1 + 3)
    assert years_items <= 12 * (1 + (4 + 3) * (1 + 3))


def test_the_latest_events_are_read_and_those_that_are_stored_are_not_counted_twice(hitl: Hitl) -> None:
    for all_stored in (True, False, True):
        before = analytics(hitl)
        hitl.ask(emit=EMIT)
        hitl.reply("approved")
        now = analytics(hitl)
        assert now["totals"]["created"] == before["totals"]["created"] + 1
        assert now["totals"]["responded"] == before["totals"]["responded"] + 1
        assert now["pending_now"] == 0
        assert now["up_to_date"]
        if all_stored:
            measure_all(hitl)
            assert analytics(hitl)["totals"] == now["totals"]


def test_of_too_many_new_events_the_first_are_counted_and_the_answer_says_that_it_is_behind(
    hitl: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_analytics, "_MOST_FRESH", 12)
    for _ in range(20):
        hitl.ask(emit=EMIT)
    found = analytics(hitl)
    assert 0 < found["totals"]["created"] < 20
    assert not found["up_to_date"]
    manager = hitl.signed_in()
    assert "not all counted yet" in manager.get(f"/d/{hitl.deployment_id}/analytics").text
    measure_all(hitl)
    assert analytics(hitl)["totals"]["created"] == 20
    assert analytics(hitl)["up_to_date"]
    assert "not all counted yet" not in manager.get(f"/d/{hitl.deployment_id}/analytics").text


def test_figures_that_are_stored_while_they_are_read_do_not_count_twice(
    hitl: Hitl, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_all(hitl)
    hitl.ask(emit=EMIT)
    settle(hitl)
    measure_before(monkeypatch, hitl, "all_time")
    found = analytics(hitl)
    assert (found["totals"]["created"], found["pending_now"], found["up_to_date"]) == (1, 1, True)


def test_figures_that_never_rest_are_shown_as_they_are_stored(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    hitl.ask(emit=EMIT)
    measure_all(hitl)
    read = DynamoMetricStore.generations
    versions = iter(range(10, 100))

    def moving(*arguments: Any) -> Any:
        found = read(*arguments)
        progress = replace(found.live.progress, version=next(versions)) if found.live.progress else None
        return replace(found, live=replace(found.live, progress=progress))

    monkeypatch.setattr(DynamoMetricStore, "generations", moving)
    hitl.ask(emit=EMIT)
    found = analytics(hitl)
    assert (found["totals"]["created"], found["up_to_date"]) == (1, False)


def test_figures_of_an_earlier_version_are_shown_until_they_are_counted_anew(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    old = {bucket: Counter({name: 3 * n for name, n in tally.items()}) for bucket, tally in expected(hitl).items()}
    store(hitl, old, 0)
    found = analytics(hitl)
    assert (found["totals"]["created"], found["pending_now"], found["up_to_date"]) == (3, 3, False)
    measure_all(hitl)
    found = analytics(hitl)
    assert (found["totals"]["created"], found["pending_now"], found["up_to_date"]) == (1, 1, True)
    assert stored(hitl, 0) == {}


def test_a_year_that_begins_and_ends_within_months_takes_two_more_queries_for_each_dimension(hitl: Hitl) -> None:
    _, aligned, _ = cost_of(hitl, from_="2025-01-01", to="2025-12-31")
    _, shifted, _ = cost_of(hitl, from_="2025-01-15", to="2026-01-14")
    assert len(shifted) == len(aligned) + 3 * 2


def cost_of(hitl: Hitl, **query: str) -> tuple[Any, list[str], int]:
    """Return what analytics say, with the calls that this took and the number of buckets that were read."""
    analytics(hitl)
    items = []

    def look(_: AwsCall, make: Callable[[], Any]) -> Any:
        answer = make()
        items.append(len([one for one in answer.get("Items", []) if "value" in one]))
        return answer

    with around_calls(look, "dynamodb.Query"), watched(hitl) as calls:
        found = analytics(hitl, **query)
    return found, sorted(calls.operations), sum(items)
