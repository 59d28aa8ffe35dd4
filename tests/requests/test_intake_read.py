"""Reading, cancelling and reporting by the contract: get with `wait`, list, the decisions feed, the timeline."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import (
    EMIT,
    api_key,
    assert_invalid,
    assert_problem,
    callback,
    everything_written,
    key_of_another_deployment,
)
from tests.support.outages import kms_away

NOBODYS = "0192f0c1-7e11-7abc-8def-0123456789ab"


def during_wait(hitl: Hitl, monkeypatch: pytest.MonkeyPatch, after_seconds: float, act: Callable[[], object]) -> None:
    """Let something happen once the handler has waited for so long."""
    due = hitl.clock.now() + timedelta(seconds=after_seconds)
    turn = hitl.clock.sleep
    acted: list[bool] = []

    def sleep(seconds: float) -> None:
        turn(seconds)
        if hitl.clock.now() >= due and not acted:
            acted.append(True)
            act()

    monkeypatch.setattr(hitl.clock, "sleep", sleep)


# --- one request


def test_get_does_not_wait_unless_it_is_asked_to(hitl: Hitl) -> None:
    request = hitl.ask()
    began = hitl.clock.now()
    assert hitl.api("GET", f"/v1/requests/{request.id}").json["request"]["status"] == "pending"
    assert hitl.clock.now() == began


@pytest.mark.parametrize("wait", [1, 20])
def test_get_waits_no_longer_than_it_is_asked_to(hitl: Hitl, wait: int) -> None:
    request = hitl.ask()
    began = hitl.clock.now()
    answer = hitl.api("GET", f"/v1/requests/{request.id}?wait={wait}")
    assert (answer.status, answer.json["request"]["status"]) == (200, "pending")
    assert hitl.clock.now() - began == timedelta(seconds=wait)


@pytest.mark.parametrize(("how", "status"), [("answer", "responded"), ("cancel", "cancelled")])
def test_get_returns_as_soon_as_something_happens(
    hitl: Hitl, monkeypatch: pytest.MonkeyPatch, how: str, status: str
) -> None:
    request = hitl.ask(emit=EMIT)
    began = hitl.clock.now()
    acts: dict[str, Callable[[], object]] = {
        "answer": lambda: callback(hitl, request),
        "cancel": lambda: hitl.api("DELETE", f"/v1/requests/{request.id}"),
    }
    during_wait(hitl, monkeypatch, 3, acts[how])
    answer = hitl.api("GET", f"/v1/requests/{request.id}?wait=20")
    assert answer.json["request"]["status"] == status
    assert timedelta(seconds=3) <= hitl.clock.now() - began <= timedelta(seconds=5)


def test_get_waits_for_a_receipt_that_was_asked_for(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    with kms_away(hitl):
        callback(hitl, request)
        answer = hitl.api("GET", f"/v1/requests/{request.id}?wait=2").json["request"]
        assert (answer["receipt"], answer["response"]["receipt"]) == (True, None)
    began = hitl.clock.now()
    during_wait(hitl, monkeypatch, 3, lambda: hitl.advance(minutes=10))
    answer = hitl.api("GET", f"/v1/requests/{request.id}?wait=20").json["request"]
    assert answer["response"]["receipt"]
    assert hitl.clock.now() - began >= timedelta(seconds=3)


@pytest.mark.parametrize("wait", ["21", "-1", "1.5", "x", "\u0663", "1e1", "9" * 30])
def test_another_wait_is_refused(hitl: Hitl, wait: str) -> None:
    request = hitl.ask()
    assert_invalid(hitl.api("GET", f"/v1/requests/{request.id}?wait={wait}"), "/wait")
    assert_invalid(hitl.api("GET", f"/v1/decisions?wait={wait}"), "/wait")


@pytest.mark.parametrize("request_id", [NOBODYS, "x", "0", NOBODYS.replace("-", ""), "..", "idempotency"])
def test_a_request_that_is_not_there(hitl: Hitl, request_id: str) -> None:
    for method, suffix in (
        ("GET", ""),
        ("GET", "?wait=20"),
        ("DELETE", ""),
        ("GET", "/timeline"),
        ("POST", "/resume-status"),
    ):
        body = {"status": "resumed"} if method == "POST" else None
        assert_problem(hitl.api(method, f"/v1/requests/{request_id}{suffix}", body), 404, "not-found")


def test_another_deployments_request_is_not_there(hitl: Hitl) -> None:
    request = hitl.ask("private words", emit=EMIT)
    key, began = key_of_another_deployment(), hitl.clock.now()
    before = everything_written(hitl)
    for method, suffix, body in (
        ("GET", "", None),
        ("GET", "?wait=20", None),
        ("DELETE", "", None),
        ("GET", "/timeline", None),
        ("POST", "/resume-status", {"status": "resumed"}),
    ):
        answer = hitl.api(method, f"/v1/requests/{request.id}{suffix}", body, key=key)
        assert_problem(answer, 404, "not-found")
        assert "private" not in answer.text
    assert hitl.api("GET", "/v1/requests", key=key).json == {"requests": [], "next_cursor": None}
    assert hitl.api("GET", "/v1/decisions", key=key).json["decisions"] == []
    assert everything_written(hitl) == before
    assert hitl.clock.now() == began, "to wait would tell that it exists"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v1/requests/{NOBODYS}"),
        ("DELETE", f"/v1/requests/{NOBODYS}"),
        ("GET", f"/v1/requests/{NOBODYS}/timeline"),
        ("POST", f"/v1/requests/{NOBODYS}/resume-status"),
        ("GET", "/v1/requests"),
        ("GET", "/v1/decisions"),
        ("POST", "/v1/requests"),
    ],
)
def test_everything_needs_a_key(hitl: Hitl, method: str, path: str) -> None:
    assert_problem(hitl.api(method, path, {} if method == "POST" else None, key=None), 401, "unauthorized")


def test_what_each_permission_opens(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    for permission, viewing in ((Permission.MANAGE, 200), (Permission.CREATE_REQUESTS, 200), (Permission.RESPOND, 403)):
        key = api_key(hitl, permission)
        for path in (f"/v1/requests/{request.id}", "/v1/requests", "/v1/decisions"):
            assert hitl.api("GET", path, key=key).status == viewing


# --- cancelling


def test_a_cancelled_request_stays_cancelled(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    for _ in range(2):
        answer = hitl.api("DELETE", f"/v1/requests/{request.id}")
        assert (answer.status, answer.json["request"]["status"]) == (200, "cancelled")
    assert request.kinds.count("request_cancelled") == 1
    assert request.now()["response"] is None
    problem = assert_problem(callback(hitl, request), 409, "not-pending")
    assert problem["request_status"] == "cancelled"


def test_an_answered_request_cannot_be_cancelled(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request, "rejected")
    problem = assert_problem(hitl.api("DELETE", f"/v1/requests/{request.id}"), 409, "already-responded")
    assert (problem["responded_via"], problem["outcome"]) == ("api", "rejected")
    assert problem["responded_at"] == "2026-01-14T12:00:00Z"
    assert request.status == "responded"


# --- how the flow went on


def report(hitl: Hitl, request: AskedRequest, **body: Any) -> Any:
    return hitl.api("POST", f"/v1/requests/{request.id}/resume-status", body)


@pytest.mark.parametrize("status", ["resumed", "resume_failed", "paused_again"])
def test_the_flows_report_is_shown_and_audited(hitl: Hitl, status: str) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    answer = report(hitl, request, status=status, detail="by worker 3")
    assert (answer.status, answer.json["request"]["resume"]["status"]) == (200, status)
    assert request.now()["resume"]["status"] == status
    last = request.timeline[-1]
    data = {"deployment_id": hitl.deployment_id, "status": status, "detail": "by worker 3"}
    assert last["kind"] == "resume_reported"
    assert last["data"].items() >= data.items()


def test_what_has_no_answer_cannot_have_resumed(hitl: Hitl) -> None:
    request = hitl.ask()
    answer = report(hitl, request, status="resumed")
    assert answer.status == 409
    assert request.kinds == ["request_created", "notification_sent"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "delivered"}, "/status"),
        ({"status": "waiting"}, "/status"),
        ({"status": 1}, "/status"),
        ({}, "/status"),
        ({"status": "resumed", "who": "x"}, "/who"),
        ({"status": "resumed", "detail": "x" * 2001}, "/detail"),
        ({"status": "resume_failed", "once": True}, "/once"),
        ({"status": "paused_again", "once": True}, "/once"),
        ({"status": "resumed", "once": "perhaps"}, "/once"),
    ],
)
def test_a_wrong_report_is_refused(hitl: Hitl, body: dict[str, Any], field: str) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    assert_invalid(hitl.api("POST", f"/v1/requests/{request.id}/resume-status", body), field)


def claim(hitl: Hitl, request: AskedRequest, key: str | None = None) -> Any:
    """Claim the resumption as one of several readers of the decisions feed."""
    body, headers = {"status": "resumed", "once": True}, {"Idempotency-Key": key} if key else {}
    return hitl.api("POST", f"/v1/requests/{request.id}/resume-status", body, headers=headers)


@pytest.fixture
def decided(hitl: Hitl) -> AskedRequest:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    return request


@pytest.mark.parametrize("keys", [("one", "another"), ("one", None), (None, "another"), (None, None)])
def test_of_two_readers_of_the_feed_one_resumes_the_flow(
    hitl: Hitl, decided: AskedRequest, keys: tuple[str | None, str | None]
) -> None:
    first, second = (claim(hitl, decided, key) for key in keys)
    assert (first.status, first.json["request"]["resume"]["status"]) == (200, "resumed")
    problem = assert_problem(second, 409, "already-resumed")
    assert "report resume_failed" in problem["detail"]
    assert decided.kinds.count("resume_reported") == 1
    assert decided.timeline[-1]["data"]["once"] is True


def test_a_reader_whose_claim_got_no_answer_may_repeat_it(hitl: Hitl, decided: AskedRequest) -> None:
    assert [claim(hitl, decided, "mine").status for _ in range(3)] == [200, 200, 200]
    assert claim(hitl, decided, "another").status == 409
    assert decided.kinds.count("resume_reported") == 1


def test_a_claim_holds_while_the_flow_goes_on_and_pauses_again(hitl: Hitl, decided: AskedRequest) -> None:
    claim(hitl, decided, "mine")
    report(hitl, decided, status="paused_again")
    assert claim(hitl, decided, "another").status == 409
    assert claim(hitl, decided, "mine").status == 200
    assert decided.now()["resume"]["status"] == "paused_again"


@pytest.mark.parametrize("status", ["resumed", "paused_again"])
def test_what_has_resumed_without_a_claim_cannot_be_claimed(hitl: Hitl, decided: AskedRequest, status: str) -> None:
    report(hitl, decided, status=status)
    assert claim(hitl, decided, "mine").status == 409


def test_a_failure_gives_the_claim_back(hitl: Hitl, decided: AskedRequest) -> None:
    claim(hitl, decided, "mine")
    report(hitl, decided, status="resume_failed", detail="the worker died")
    assert claim(hitl, decided, "another").status == 200
    assert claim(hitl, decided, "third").status == 409


def test_what_has_no_answer_cannot_be_claimed(hitl: Hitl) -> None:
    assert_problem(claim(hitl, hitl.ask()), 409, "not-pending")


# --- the timeline


def test_the_timeline_is_an_unbroken_chain(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved")
    report(hitl, request, status="resumed")
    events = request.timeline
    assert [event["kind"] for event in events] == [
        "request_created",
        "notification_sent",
        "response_submitted",
        "confirmation_sent",
        "resume_reported",
    ]
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
    assert [event["prev_hash"] for event in events] == ["0" * 64, *[event["hash"] for event in events[:-1]]]
    assert all(event["at"].endswith("Z") for event in events)


# --- lists


@pytest.fixture
def seven(hitl: Hitl) -> list[str]:
    """Seven requests, a minute apart, newest first."""
    hitl.configure(settings={"email_notifications": False})
    made = []
    for number in range(7):
        fields = {"flow_name": "Even" if number % 2 == 0 else "Odd", "assigned_to_email": f"{number % 3}@example.com"}
        request = hitl.ask(emit=EMIT, method_name=f"review_{number}", **fields)
        made.append(request.id)
        if number in (1, 2):
            callback(hitl, request, EMIT[number - 1])
        if number == 3:
            hitl.api("DELETE", f"/v1/requests/{request.id}")
        hitl.advance(minutes=1)
    return made[::-1]


def listed(hitl: Hitl, query: str = "") -> list[str]:
    answer = hitl.api("GET", f"/v1/requests?{query}")
    assert answer.status == 200, answer.text
    return [request["id"] for request in answer.json["requests"]]


def test_the_newest_come_first(hitl: Hitl, seven: list[str]) -> None:
    assert listed(hitl) == seven


def test_pages_show_everything_once(hitl: Hitl, seven: list[str]) -> None:
    for limit in (1, 2, 3, 7, 100):
        seen: list[str] = []
        cursor = ""
        for _ in range(20):
            page = hitl.api("GET", f"/v1/requests?limit={limit}{cursor}").json
            assert len(page["requests"]) <= limit
            seen += [request["id"] for request in page["requests"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == seven, f"limit {limit}"


def test_what_comes_in_between_pages_disturbs_nothing(hitl: Hitl, seven: list[str]) -> None:
    page = hitl.api("GET", "/v1/requests?limit=3").json
    hitl.ask("newer")
    rest = listed(hitl, f"limit=100&cursor={page['next_cursor']}")
    assert [request["id"] for request in page["requests"]] + rest == seven


FILTERS = {
    "status=pending": [6, 5, 4, 0],
    "status=responded": [2, 1],
    "status=cancelled": [3],
    "outcome=approved": [1],
    "outcome=rejected&status=responded": [2],
    "outcome=rejected&status=pending": [],
    "assigned_to=0@example.com": [6, 3, 0],
    "flow_name=Odd": [5, 3, 1],
    "flow_name=odd": [],
    "method_name=review_4": [4],
    "method_name=review_*": [],
    "from=2026-01-14T12:05:00Z": [6, 5],
    "to=2026-01-14T12:01:00Z": [1, 0],
    "from=2026-01-14T12:02:00Z&to=2026-01-14T12:04:00Z": [4, 3, 2],
    "from=2026-01-14T13:02:00%2B01:00&to=2026-01-14T12:02:00Z": [2],
    "from=2026-01-14T12:04:00Z&to=2026-01-14T12:02:00Z": [],
    "flow_name=Even&assigned_to=0@example.com&status=pending": [6, 0],
}


def test_filters(hitl: Hitl, seven: list[str]) -> None:
    for query, numbers in FILTERS.items():
        assert listed(hitl, query) == [seven[6 - number] for number in numbers], query


def test_filters_hold_from_page_to_page(hitl: Hitl, seven: list[str]) -> None:
    first = hitl.api("GET", "/v1/requests?status=pending&limit=2").json
    rest = listed(hitl, f"status=pending&limit=2&cursor={first['next_cursor']}")
    assert [request["id"] for request in first["requests"]] + rest == [seven[6 - number] for number in (6, 5, 4, 0)]


def test_a_time_as_we_show_it_finds_what_we_showed_it_for(hitl: Hitl) -> None:
    hitl.advance(seconds=0.5)
    request = hitl.ask()
    shown = request.now()["created_at"]
    assert listed(hitl, f"from={shown}&to={shown}") == [request.id]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=open", "/status"),
        ("status=Pending", "/status"),
        ("from=yesterday", "/from"),
        ("to=2026-01-14T12:00:00", "/to"),
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=many", "/limit"),
    ],
)
def test_a_wrong_filter_is_named(hitl: Hitl, query: str, field: str) -> None:
    assert_invalid(hitl.api("GET", f"/v1/requests?{query}"), field)


def cursor_of(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD_CURSORS = [
    "x",
    "!!!!",
    "%C3%A9",
    "%00",
    base64.urlsafe_b64encode(b"\xff\xff").decode(),
    base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("="),
    cursor_of({}),
    cursor_of([]),
    cursor_of(None),
    cursor_of(7),
    cursor_of({"after": 1, "shown": {}}),
    cursor_of({"after": ["2026"], "shown": [1]}),
    cursor_of("x" * 3000),
    cursor_of(""),
    cursor_of({"after": "x" * 3000, "shown": []}),
    cursor_of({"after": "", "shown": []}),
]


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/decisions"])
def test_a_cursor_that_is_not_ours_is_refused(hitl: Hitl, path: str) -> None:
    for cursor in BAD_CURSORS:
        assert_invalid(hitl.api("GET", f"{path}?cursor={cursor}"), "/cursor")


def test_the_cursor_of_one_list_is_none_of_the_other(hitl: Hitl) -> None:
    for _ in range(3):
        callback(hitl, hitl.ask(emit=EMIT))
    requests = hitl.api("GET", "/v1/requests?limit=1").json["next_cursor"]
    decisions = hitl.api("GET", "/v1/decisions?limit=1").json["cursor"]
    assert_invalid(hitl.api("GET", f"/v1/decisions?cursor={requests}"), "/cursor")
    assert_invalid(hitl.api("GET", f"/v1/requests?cursor={decisions}"), "/cursor")


# --- the decisions feed


def feed(hitl: Hitl, cursor: str | None = None, **query: Any) -> tuple[list[dict[str, Any]], str]:
    parts = {**query, **({"cursor": cursor} if cursor else {})}
    answer = hitl.api("GET", "/v1/decisions?" + "&".join(f"{name}={value}" for name, value in parts.items()))
    assert answer.status == 200, answer.text
    return answer.json["decisions"], answer.json["cursor"]


def test_every_decision_is_shown_oldest_first(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    requests = [hitl.ask(str(number), emit=EMIT) for number in range(11)]
    order = [7, 2, 9, 0, 4, 10, 1, 3]
    seen: dict[int, list[str]] = {1: [], 4: [], 100: []}
    cursors: dict[int, str | None] = dict.fromkeys(seen)

    def read(limit: int) -> bool:
        decisions, cursors[limit] = feed(hitl, cursors[limit], limit=limit)
        assert len(decisions) <= limit
        seen[limit] += [decision["id"] for decision in decisions]
        return bool(decisions)

    for number in order:
        callback(hitl, requests[number])
        hitl.advance(seconds=7)
        if number == 0:
            assert all(map(read, seen))
    for limit in seen:
        for _ in range(30):
            if not read(limit):
                break
        else:
            pytest.fail("the feed never came to its end")
        assert list(dict.fromkeys(seen[limit])) == [requests[number].id for number in order]


def test_many_decisions_in_one_second_are_all_shown(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    requests = [hitl.ask(str(number), emit=EMIT) for number in range(12)]
    for request in requests:
        callback(hitl, request)
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(6):
        decisions, cursor = feed(hitl, cursor, limit=3)
        seen |= {decision["id"] for decision in decisions}
    assert seen == {request.id for request in requests}


def test_a_decision_that_becomes_visible_late_is_not_skipped(hitl: Hitl) -> None:
    early, late = hitl.ask("early", emit=EMIT), hitl.ask("late", emit=EMIT)
    hitl.advance(seconds=60)
    callback(hitl, late)
    decisions, cursor = feed(hitl)
    assert [decision["id"] for decision in decisions] == [late.id]
    hitl.clock._now -= timedelta(seconds=10)
    callback(hitl, early)
    hitl.advance(seconds=15)
    decisions, cursor = feed(hitl, cursor)
    assert early.id in [decision["id"] for decision in decisions]


def test_the_end_of_the_feed_is_a_cursor_to_come_back_with(hitl: Hitl) -> None:
    decisions, cursor = feed(hitl)
    assert decisions == []
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    decisions, cursor = feed(hitl, cursor)
    assert [decision["id"] for decision in decisions] == [request.id]
    assert decisions[0] == request.now()
    hitl.advance(days=400)
    assert feed(hitl, cursor)[0] == []


def test_what_is_pending_or_cancelled_is_no_decision(hitl: Hitl) -> None:
    hitl.ask()
    hitl.api("DELETE", f"/v1/requests/{hitl.ask().id}")
    assert feed(hitl)[0] == []


def test_what_is_said_later_of_a_decision_does_not_show_it_again(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    _, cursor = feed(hitl)
    hitl.advance(minutes=5)
    report(hitl, request, status="resumed")
    assert feed(hitl, cursor)[0] == []


def test_the_feed_waits_for_the_first_decision(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    request = hitl.ask(emit=EMIT)
    began = hitl.clock.now()
    during_wait(hitl, monkeypatch, 4, lambda: callback(hitl, request))
    decisions, _ = feed(hitl, wait=20)
    assert [decision["id"] for decision in decisions] == [request.id]
    assert timedelta(seconds=4) <= hitl.clock.now() - began <= timedelta(seconds=6)


def test_the_feed_waits_no_longer_than_it_is_asked_to(hitl: Hitl) -> None:
    began = hitl.clock.now()
    assert feed(hitl, wait=2)[0] == []
    assert hitl.clock.now() - began == timedelta(seconds=2)
