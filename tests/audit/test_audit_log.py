"""The audit log of a deployment by API: page by page, for those who manage it."""

import zlib
from typing import Any
from unittest.mock import patch

import pytest

from flow_hitl.audit.audit_log import data_text
from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import Answer, Hitl, made_once
from tests.requests.test_intake_read import cursor_of
from tests.support.asserts import EMIT, api_key, assert_invalid, assert_problem, key_of_another_deployment
from tests.support.aws_calls import unsettled, watched


def audit_path(hitl: Hitl, rest: str = "") -> str:
    return f"/v1/deployments/{hitl.deployment_id}/audit{rest}"


def page(hitl: Hitl, query: str = "", **options: Any) -> Answer:
    return hitl.api("GET", audit_path(hitl, query), **options)


def all_events(hitl: Hitl, query: str) -> list[dict[str, Any]]:
    """Return all events, by following the cursor, and check that no page is longer than asked for."""
    events: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = page(hitl, f"?{query}{cursor}").json
        events += answer["events"]
        if answer["next_cursor"] is None:
            return events
        cursor = f"&cursor={answer['next_cursor']}"


def three_days(hitl: Hitl) -> None:
    """Let things happen on three days."""
    for number in range(3):
        hitl.ask(f"Number {number}", emit=EMIT)
        hitl.reply("approved")
        hitl.advance(days=1)


some_days = made_once(three_days)


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_every_event_comes_once_in_the_order_of_time(hitl: Hitl, limit: int) -> None:
    some_days(hitl)
    events = all_events(hitl, f"limit={limit}")
    stored = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    assert len(events) == len(stored)
    places = [(event["at"], event["subject"], event["seq"]) for event in events]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert {event["subject"].partition("#")[0] for event in events} == {"request", "deployment"}


def test_an_event_is_shown_as_on_its_requests_timeline(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved")
    shown = [event for event in page(hitl).json["events"] if event["subject"] == f"request#{request.id}"]
    assert shown == request.timeline


def test_a_time_is_asked_for_from_its_beginning_to_before_its_end(hitl: Hitl) -> None:
    some_days(hitl)
    day = page(hitl, "?from=2026-01-15T12:00:00Z&to=2026-01-16T12:00:00Z&limit=200").json["events"]
    assert {event["at"] for event in day} == {"2026-01-15T12:00:00Z"}
    assert [event["kind"] for event in day][:2] == ["request_created", "notification_sent"]
    assert page(hitl, "?from=2026-01-15T12:00:01Z&to=2026-01-16T12:00:00Z").json["events"] == []


def test_another_deployments_events_are_never_among_them(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    key = key_of_another_deployment()
    assert_problem(page(hitl, key=key), 404, "not-found")
    other = current().manage_deployments.list()[-1]
    theirs = hitl.api("GET", f"/v1/deployments/{other.deployment_id}/audit", key=key).json["events"]
    assert {event["subject"] for event in theirs} == {f"deployment#{other.deployment_id}"}
    mine = all_events(hitl, "limit=200")
    assert f"deployment#{other.deployment_id}" not in {event["subject"] for event in mine}


@pytest.mark.parametrize("rest", ["", "/verify", "/export/exp_1"])
def test_only_who_manages_sees_it(hitl: Hitl, rest: str) -> None:
    key = api_key(hitl, Permission.CREATE_REQUESTS)
    assert_problem(hitl.api("GET", audit_path(hitl, rest), key=key), 403, "forbidden")
    assert_problem(hitl.api("GET", audit_path(hitl, rest), key=None), 401, "unauthorized")


@pytest.mark.parametrize("rest", ["", "/verify"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "/from"),
        ("to=2026-01-14", "/to"),
        ("from=2026-01-15T00:00:00Z&to=2026-01-14T00:00:00Z", "/to"),
        ("cursor=!", "/cursor"),
        ("cursor=bnVsbA", "/cursor"),
        ("cursor=WyJ4Il0", "/cursor"),
        ("cursor=W1siYSJdXQ", "/cursor"),
    ],
)
def test_what_cannot_be_meant_is_said(hitl: Hitl, rest: str, query: str, field: str) -> None:
    assert_invalid(hitl.api("GET", audit_path(hitl, f"{rest}?{query}")), field)


AT, NAME = "2026-01-14T12:00:00Z", "deployment#1"


@pytest.mark.parametrize(
    ("rest", "place"),
    [
        ("", [AT, NAME, 10**19]),
        ("", [AT, NAME, 10**4000]),
        ("", [AT, NAME, -1]),
        ("", [AT, NAME, 1.5]),
        ("", [AT, "request#" + "0" * 3000, 1]),
        ("", [AT, "request#\ud800", 1]),
        ("/verify", ["digests", "0001-01-01T00:00:00Z", 0, None, None]),
        ("/verify", ["events", "", 0, [AT, NAME, 10**4000], None]),
        ("/verify", ["events", "", 0, [AT, NAME, float("inf")], None]),
        ("/verify", ["events", "", 0, [AT, "request#" + "0" * 3000, 1], None]),
        ("/verify", ["events", "", 0, [AT, "request#\ud800", 1], None]),
        ("/verify", ["requests", "", 0, None, "\ud800"]),
    ],
)
def test_a_forged_cursor_is_refused_before_the_table_sees_it(hitl: Hitl, rest: str, place: list[Any]) -> None:
    answer = hitl.api("GET", audit_path(hitl, f"{rest}?cursor={cursor_of(place)}"))
    assert_invalid(answer, "/cursor")


@pytest.mark.parametrize("rest", ["", "/verify"])
@pytest.mark.parametrize(
    "query",
    [
        "from=0001-01-01T00:00:00Z",
        "from=9999-12-31T23:59:59.5Z",
        "to=9999-12-31T23:59:59.5Z",
        "from=9999-12-31T00:00:00Z&to=9999-12-31T12:00:00Z",
    ],
)
def test_a_time_may_reach_to_the_ends_of_the_calendar(hitl: Hitl, rest: str, query: str) -> None:
    answer = hitl.api("GET", audit_path(hitl, f"{rest}?{query}"))
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("limit", ["0", "201", "x"])
def test_a_page_has_bounds(hitl: Hitl, limit: str) -> None:
    assert_invalid(page(hitl, f"?limit={limit}"), "/limit")


def test_a_long_time_without_events_is_passed_in_several_calls(hitl: Hitl) -> None:
    hitl.advance(days=300)
    hitl.ask(emit=EMIT)
    first = page(hitl, "?from=2026-01-14T12:00:01Z").json
    assert first["events"] == []
    assert first["next_cursor"] is not None
    assert len(all_events(hitl, "from=2026-01-14T12:00:01Z")) == 2


def test_a_page_costs_the_same_however_much_there_is(hitl: Hitl) -> None:
    for _ in range(30):
        hitl.ask(emit=EMIT)
    counts = []
    for query in ("?limit=2", "?limit=20"):
        with unsettled(hitl), watched(hitl) as calls:
            page(hitl, query)
        counts.append(len(calls.begun))
    # The deployment, its first event, four shards of the day's index, and the events themselves.
    assert counts == [7, 7]


def test_large_events_make_a_page_short(hitl: Hitl) -> None:
    some_days(hitl)
    whole = all_events(hitl, "limit=200")
    with patch("flow_hitl.audit.read_audit._PAGE_BYTES", 3000):
        assert 0 < len(page(hitl, "?limit=200").json["events"]) < len(whole)
        assert all_events(hitl, "limit=200") == whole


def deflated(text: bytes) -> bytes:
    return zlib.compress(text, wbits=-zlib.MAX_WBITS)


def test_an_event_of_more_than_a_kilobyte_is_deflated_and_reads_as_any_other(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, message="Publish?")
    items = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    stored = {item["kind"]["S"]: item["data"] for item in items}
    assert set(stored["request_created"]) == {"B"}
    assert set(stored["notification_sent"]) == {"S"}, "what is small stays readable in the table"
    assert request.timeline[0]["data"]["emit_options"] == list(EMIT)
    hitl.advance(minutes=1)
    hitl.seal()
    assert page(hitl, "/verify").json["findings"] == []


@pytest.mark.parametrize(
    "stored",
    [b"{}", deflated(b'{"a":1}')[:-1], deflated(b"{}") + b"x", deflated(b" " * 5_000_000), deflated(b"\xff")],
    ids=["not_deflated", "cut", "more_behind", "bomb", "no_text"],
)
def test_bytes_that_we_never_wrote_are_a_finding(hitl: Hitl, stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        data_text(stored)
    request = hitl.ask(emit=EMIT)
    dynamodb, key = hitl._clients["dynamodb"], {"subject": {"S": f"request#{request.id}"}, "seq": {"N": "1"}}
    there = dynamodb.get_item(TableName="audit", Key=key)["Item"]
    dynamodb.put_item(TableName="audit", Item={**there, "data": {"B": stored}})
    found = page(hitl, "/verify").json["findings"]
    assert (f"request#{request.id} event 1", "edited") in {(one["record"], one["kind"]) for one in found}
