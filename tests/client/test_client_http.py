"""The plain client against a real HTTP server."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow_hitl_client import (
    AlreadyResponded,
    AlreadyResumed,
    Client,
    IdempotencyMismatch,
    NotConfigured,
    NotFound,
    ProblemError,
    RateLimited,
    ServerUnreachable,
    StillPending,
    Unauthorized,
    ValidationFailed,
)
from tests.support.client_server import API_KEY, HitlServer, serving

ROOT = Path(__file__).parents[2]
REQUEST_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"


@pytest.fixture
def server() -> Iterator[HitlServer]:
    with serving() as hitl:
        yield hitl


@pytest.fixture
def client(server: HitlServer) -> Client:
    return Client(server.url, API_KEY)


def ask(client: Client, **changes: Any) -> str:
    question: dict[str, Any] = {
        "flow_id": "flow_1",
        "method_name": "review",
        "message": "Good?",
        "request_id": REQUEST_ID,
    } | changes
    return client.create_request(**question, emit_options=["approved", "rejected"])["request"]["id"]


def test_create_sends_only_what_was_given(client: Client, server: HitlServer) -> None:
    created = client.create_request(
        flow_id="flow_1",
        method_name="review",
        message="Good?",
        output={"title": "Draft"},
        emit_options=("approved", "rejected"),
        resume_url="https://flows.example.com/resume",
        auto_response={"timeout_minutes": 60, "default_outcome": "rejected"},
        free_text="ask_again",
    )
    body = server.calls[0][2]
    assert uuid.UUID(body.pop("id")).version == 4
    assert body == {
        "flow_id": "flow_1",
        "method_name": "review",
        "message": "Good?",
        "output": {"title": "Draft"},
        "emit_options": ["approved", "rejected"],
        "resume_url": "https://flows.example.com/resume",
        "auto_response": {"timeout_minutes": 60, "default_outcome": "rejected"},
        "free_text": "ask_again",
    }
    assert created["request"]["assigned_to_email"] == "alice@example.com"
    assert created["callback_url"].startswith("http")


def test_auto_response_can_be_refused_left_out_or_given(client: Client, server: HitlServer) -> None:
    client.create_request(flow_id="f", method_name="m", message="?", auto_response="never")
    client.create_request(flow_id="f", method_name="m", message="?")
    bodies = [body for _method, _path, body in server.calls]
    assert bodies[0]["auto_response"] is None
    assert "auto_response" not in bodies[1]


def test_the_same_id_is_the_same_request(client: Client) -> None:
    assert ask(client) == ask(client) == REQUEST_ID
    with pytest.raises(IdempotencyMismatch):
        ask(client, message="Something else?")


def test_wait_for_returns_as_soon_as_somebody_answers(client: Client, server: HitlServer) -> None:
    request_id = ask(client)
    threading.Timer(0.3, server.answer, (request_id, "rejected", "rejected", "wrong price")).start()
    request = client.wait_for(request_id)
    assert request["response"] is not None
    assert (request["response"]["outcome"], request["response"]["comment"]) == ("rejected", "wrong price")
    assert len(server.calls) == 2  # one to ask, one long poll


def test_wait_for_returns_with_the_receipt_that_was_asked_for(client: Client, server: HitlServer) -> None:
    server.signs = False
    request_id = ask(client, receipt=True)
    server.answer(request_id, "approved", "approved")
    threading.Timer(0.3, server.sign, (request_id,)).start()
    request = client.wait_for(request_id)
    assert request["response"] is not None
    assert request["response"]["receipt"] == f"receipt of {request_id}"
    assert len(server.calls) == 2


@pytest.mark.parametrize("timeout", [0, None])
def test_wait_for_does_not_wait_forever_for_a_receipt(
    client: Client, server: HitlServer, monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    monkeypatch.setattr("flow_hitl_client.waiting.RECEIPT_SECONDS", 1)
    monkeypatch.setattr("flow_hitl_client.waiting.LONGEST_WAIT_SECONDS", 0)
    server.signs = False
    request_id = ask(client, receipt=True)
    server.answer(request_id, "approved", "approved")
    response = client.wait_for(request_id, timeout=timeout)["response"]
    assert response is not None
    assert (response["outcome"], response["receipt"]) == ("approved", None)


def test_wait_for_gives_up_when_it_should(client: Client) -> None:
    with pytest.raises(StillPending, match=r"waiting for alice@example\.com") as raised:
        client.wait_for(ask(client), timeout=0)
    assert raised.value.request["status"] == "pending"


def test_wait_for_ends_when_the_request_is_cancelled(client: Client) -> None:
    request_id = ask(client)
    assert client.cancel(request_id)["status"] == "cancelled"
    assert client.wait_for(request_id)["response"] is None


def test_cancel_after_an_answer_carries_the_problem(client: Client, server: HitlServer) -> None:
    server.answer(ask(client), "approved", "approved")
    with pytest.raises(AlreadyResponded) as raised:
        client.cancel(REQUEST_ID)
    assert raised.value.status == 409
    assert raised.value.problem["outcome"] == "approved"
    assert raised.value.problem["responded_via"] == "email"


def test_decisions_go_on_from_the_cursor(client: Client, server: HitlServer) -> None:
    server.answer(ask(client), "approved", "approved")
    first = client.decisions(limit=10)
    assert [request["id"] for request in first["decisions"]] == [REQUEST_ID]
    assert client.decisions(first["cursor"], wait=1)["decisions"] == []


def test_questions_come_with_the_decisions_for_who_wants_them(client: Client, server: HitlServer) -> None:
    server.ask_back(ask(client), "Why?")
    assert "questions" not in client.decisions()
    page = client.decisions(questions=True)
    assert page["decisions"] == []
    assert [one["thread"][-1]["text"] for one in page["questions"]] == ["Why?"]
    assert client.decisions(page["cursor"], questions=True)["questions"] == []


def test_report_resume_status(client: Client, server: HitlServer) -> None:
    request_id = ask(client)
    client.report_resume_status(request_id, "resumed")
    client.report_resume_status(request_id, "resume_failed", detail="ValueError: no")
    assert server.reports == [
        {"id": request_id, "status": "resumed"},
        {"id": request_id, "status": "resume_failed", "detail": "ValueError: no"},
    ]


def test_of_two_readers_of_the_decisions_one_claims_the_resumption(client: Client, server: HitlServer) -> None:
    request_id = ask(client)
    server.answer(request_id, "approved", "approved")
    assert client.claim_resumption(request_id, "reader-1")["id"] == request_id
    client.claim_resumption(request_id, "reader-1")
    for claim in ("reader-2", None):
        with pytest.raises(AlreadyResumed):
            client.claim_resumption(request_id, claim)
    client.report_resume_status(request_id, "resume_failed")
    client.claim_resumption(request_id)


def test_refusals_are_exceptions_with_the_problem_document(client: Client, server: HitlServer) -> None:
    with pytest.raises(NotFound):
        client.get_request("../decisions?x=")
    with pytest.raises(Unauthorized):
        Client(server.url, "hitl_other").get_request(REQUEST_ID)
    with pytest.raises(ValidationFailed, match="422 validation") as raised:
        client.create_request(flow_id="f", method_name="m", message="?", emit_options=["yes"])
    assert raised.value.problem["errors"] == [{"field": "/emit_options", "message": "approved is missing"}]


def test_the_key_wins_over_netrc(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("NETRC", str(netrc))
    assert ask(client) == REQUEST_ID


def test_a_broken_gateway_is_tried_again(client: Client, server: HitlServer) -> None:
    server.trouble = [(503, "text/html", b"<h1>down</h1>"), (429, "text/plain", b"slow down")]
    assert ask(client) == REQUEST_ID


OURS = json.dumps(
    {
        "type": "urn:flow-hitl:problem:rate-limited",
        "title": "Too many requests",
        "status": 429,
        "detail": "This deployment may use 1,000 requests per hour, and has.",
        "quota": "requests_per_hour",
        "limit": 1000,
        "retry_after": 2400,
    }
).encode()
GATEWAYS = b'{"message":"Too Many Requests"}'


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every pause that the client makes, none of which is really waited for."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def test_a_short_pause_that_the_server_asks_for_is_made(
    client: Client, server: HitlServer, pauses: list[float]
) -> None:
    server.trouble = [(429, "application/problem+json", OURS, 60)]
    assert ask(client) == REQUEST_ID
    assert pauses == [60]


def test_a_quota_that_is_used_up_is_said_at_once(client: Client, server: HitlServer, pauses: list[float]) -> None:
    server.trouble = [(429, "application/problem+json", OURS, 2400)]
    with pytest.raises(RateLimited, match="1,000 requests per hour") as raised:
        ask(client)
    assert (raised.value.retry_after, raised.value.problem["quota"]) == (2400, "requests_per_hour")
    assert (pauses, server.calls) == ([], [])


def test_what_the_gateway_throttles_is_tried_again_and_then_is_rate_limited(
    client: Client, server: HitlServer, pauses: list[float]
) -> None:
    server.trouble = [(429, "application/json", GATEWAYS)] * 4
    assert ask(client) == REQUEST_ID
    assert pauses == sorted(pauses)
    assert sum(pauses) > 5
    server.trouble = [(429, "application/json", GATEWAYS)] * 5
    with pytest.raises(RateLimited, match="Too Many Requests") as raised:
        client.get_request(REQUEST_ID)
    assert raised.value.retry_after is None


def test_a_flow_that_waits_outlasts_a_throttle(server: HitlServer, pauses: list[float]) -> None:
    client = Client(server.url, API_KEY, retries=0)
    server.answer(ask(client), "approved", "approved")
    server.trouble = [(429, "application/json", GATEWAYS)] * 3
    assert client.wait_for(REQUEST_ID)["status"] == "responded"
    assert pauses == [20] * 3
    server.trouble = [(429, "application/json", GATEWAYS)]
    with pytest.raises(RateLimited):
        client.wait_for(REQUEST_ID, timeout=10)


def test_an_answer_that_is_not_ours_says_so(server: HitlServer) -> None:
    client = Client(server.url, API_KEY, retries=0)
    for status in (200, 302, 502):
        server.trouble = [(status, "text/html", b"<h1>Welcome</h1>")]
        with pytest.raises(ProblemError, match=r"not from Flow HITL.*Welcome") as raised:
            client.get_request(REQUEST_ID)
        assert (raised.value.status, raised.value.problem["type"]) == (status, "about:blank")


def test_no_answer_at_all() -> None:
    with pytest.raises(ServerUnreachable):
        Client("http://127.0.0.1:9", API_KEY, retries=0).get_request(REQUEST_ID)


def test_values_that_are_not_json_are_the_callers_mistake(client: Client, server: HitlServer) -> None:
    with pytest.raises(ValueError, match="JSON"):
        client.create_request(flow_id="f", method_name="m", message="?", output=float("nan"))
    assert server.calls == []


def test_the_environment_configures(server: HitlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_HITL_URL", server.url + "/")
    monkeypatch.setenv("FLOW_HITL_API_KEY", API_KEY)
    assert ask(Client()) == REQUEST_ID
    monkeypatch.delenv("FLOW_HITL_API_KEY")
    with pytest.raises(NotConfigured, match="FLOW_HITL_API_KEY"):
        Client()


@pytest.mark.parametrize(
    ("outcome", "comment", "expected"),
    [
        ("approved", "Great!", "Publishing. Note: Great!"),
        ("rejected", "", "Archiving. Reason: rejected"),
        ("needs_revision", "shorter", "Back to the author. Wanted: shorter"),
    ],
)
def test_the_plain_example(server: HitlServer, outcome: str, comment: str, expected: str) -> None:
    environment = {"FLOW_HITL_URL": server.url, "FLOW_HITL_API_KEY": API_KEY, "PYTHONPATH": str(ROOT / "client")}
    with subprocess.Popen(
        [sys.executable, str(ROOT / "examples/plain_http/flow.py")], env=environment, stdout=subprocess.PIPE, text=True
    ) as flow:
        assert flow.stdout
        asked = flow.stdout.readline()
        request_id = asked.split()[2].rstrip(":")
        server.answer(request_id, outcome, outcome, comment)
        told = flow.stdout.read()
    assert flow.returncode == 0
    assert "waiting for alice@example.com" in asked
    assert f"alice@example.com answered by email: {outcome}" in told
    assert expected in told
    assert server.reports == [{"id": request_id, "status": "resumed"}]
