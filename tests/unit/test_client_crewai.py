# The main environment, where mypy runs, has no crewai, so that its decorators and base classes are unknown there.
# mypy: disable-error-code="import-not-found, misc, untyped-decorator, no-any-return"
"""The CrewAI side on real crewai, which has an environment of its own (requirements/crewai.txt):

.venv-crewai/bin/python -m pytest --noconftest tests/unit/test_client_crewai.py
"""

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("crewai", reason="crewai has an environment of its own: see the top of this file")

from crewai.flow.async_feedback import HumanFeedbackPending
from crewai.flow.flow import Flow, listen, start
from crewai.flow.flow_config import flow_config
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import BaseModel

import flow_hitl_client.crewai as hitl
from flow_hitl_client import Client
from tests.unit.client_server import API_KEY, HitlServer, serving

ROOT = Path(__file__).parents[2]
heard: list[Any] = []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HitlServer]:
    # Without a key and with nobody at its address, any use of an LLM fails at once.
    for name in ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    heard.clear()
    with serving() as hitl_server:
        yield hitl_server
    flow_config.hitl_provider = None


@pytest.fixture
def client(server: HitlServer) -> Client:
    return Client(server.url, API_KEY, retries=0)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    return hitl.flow_store(tmp_path / "sub" / "flows.db")


class State(BaseModel):
    id: str = ""
    customer: str = "ACME"
    ratio: float = float("nan")


class Article(BaseModel):
    title: str


class ReviewFlow(Flow[State]):
    @start()
    @human_feedback(message="Good?", emit=["approved", "rejected"], metadata={"team": "brand"})
    def review(self) -> Any:
        return Article(title="Draft")

    @listen("approved")
    def publish(self, result: HumanFeedbackResult) -> str:
        heard.append(("publish", result))
        return "published"

    @listen("rejected")
    def archive(self, result: HumanFeedbackResult) -> str:
        heard.append(("archive", result))
        if result.feedback.strip() == "break":
            raise RuntimeError("the archive is full")
        return "archived"


class OpinionFlow(Flow):
    @start()
    @human_feedback(message="What do you think?")
    def opinion(self) -> str:
        return "Draft"

    @listen(opinion)
    def note(self, result: HumanFeedbackResult) -> str:
        return result.feedback


def pause(flow_class: Any, client: Client, store: Any) -> dict[str, Any]:
    hitl.install(hitl.DurableProvider(client))
    paused = flow_class(persistence=store, suppress_flow_events=True).kickoff()
    assert isinstance(paused, HumanFeedbackPending)
    request: dict[str, Any] = paused.callback_info["request"]
    return request


def test_the_request_says_everything(client: Client, server: HitlServer, store: Any) -> None:
    request = pause(ReviewFlow, client, store)
    body = server.calls[0][2]
    assert body == {
        "id": request["id"],
        "flow_id": request["flow_id"],
        "flow_name": "ReviewFlow",
        "method_name": "review",
        "message": "Good?",
        "output": {"title": "Draft"},
        "emit_options": ["approved", "rejected"],
        "state": {"id": request["flow_id"], "customer": "ACME", "ratio": None},
        "metadata": {"team": "brand"},
        "free_text": "ask_again",
    }
    assert hitl.pending_request_id(request["flow_id"], store) == request["id"]


@pytest.mark.parametrize(("outcome", "listener"), [("approved", "publish"), ("rejected", "archive")])
@pytest.mark.parametrize(("comment", "feedback"), [("", "as the button says"), ("wrong price", "wrong price")])
def test_the_outcome_picks_the_listener_without_an_llm(
    client: Client, server: HitlServer, store: Any, outcome: str, listener: str, comment: str, feedback: str
) -> None:
    request = pause(ReviewFlow, client, store)
    decided = server.answer(request["id"], outcome, "as the button says", comment)
    result = hitl.resume(ReviewFlow, decided, client=client, store=store)
    assert result == outcome_of(listener)
    [(called, feedback_result)] = heard
    assert called == listener
    assert (feedback_result.outcome, feedback_result.feedback) == (outcome, feedback)
    assert feedback_result.feedback.strip() == feedback
    assert feedback_result.metadata == {"team": "brand", "flow_hitl": {"request_id": request["id"]}}
    assert server.reports == [{"id": request["id"], "status": "resumed"}]


def outcome_of(listener: str) -> str:
    return {"publish": "published", "archive": "archived"}[listener]


def test_a_flow_without_options_gets_the_text(client: Client, server: HitlServer, store: Any) -> None:
    request = pause(OpinionFlow, client, store)
    assert "free_text" not in server.calls[0][2]
    decided = server.answer(request["id"], None, "Too long.")
    assert hitl.resume(OpinionFlow, decided, client=client, store=store) == "Too long."


def test_free_text_never_becomes_the_first_option(client: Client, server: HitlServer, store: Any) -> None:
    request = pause(ReviewFlow, client, store)
    decided = server.answer(request["id"], None, "hm, I am not so sure")
    with pytest.raises(Exception, match=r"OPENAI_API_KEY"):
        hitl.resume(ReviewFlow, decided, client=client, store=store)
    assert heard == []
    assert server.reports[0]["status"] == "resume_failed"
    assert hitl.pending_request_id(request["flow_id"], store) == request["id"]


def test_a_failing_listener_is_reported_and_raised(client: Client, server: HitlServer, store: Any) -> None:
    request = pause(ReviewFlow, client, store)
    decided = server.answer(request["id"], "rejected", "rejected", "break")
    with pytest.raises(RuntimeError, match="the archive is full"):
        hitl.resume(ReviewFlow, decided, client=client, store=store)
    assert server.reports == [
        {"id": request["id"], "status": "resume_failed", "detail": "RuntimeError: the archive is full"}
    ]


def test_a_lost_report_does_not_lose_the_result(client: Client, server: HitlServer, store: Any) -> None:
    request = pause(ReviewFlow, client, store)
    decided = server.answer(request["id"], "approved", "approved")
    server.trouble = [(500, "text/plain", b"down")]
    assert hitl.resume(ReviewFlow, decided, client=client, store=store) == "published"


def test_an_answer_faster_than_the_stored_pause(client: Client, server: HitlServer, store: Any) -> None:
    results: list[Any] = []

    class FastReviewer(hitl.DurableProvider):
        def request_feedback(self, context: Any, flow: Any) -> str:
            try:
                return super().request_feedback(context, flow)
            except HumanFeedbackPending as pending:
                decided = server.answer(pending.callback_info["request"]["id"], "approved", "approved")
                resuming.append(threading.Thread(target=go_on, args=(decided,)))
                resuming[0].start()
                time.sleep(1)
                raise

    def go_on(decided: Any) -> None:
        results.append(hitl.resume(ReviewFlow, decided, client=client, store=store))

    resuming: list[threading.Thread] = []
    hitl.install(FastReviewer(client))
    ReviewFlow(persistence=store, suppress_flow_events=True).kickoff()
    resuming[0].join(timeout=30)
    assert results == ["published"]


def test_a_second_resume_finds_nothing(client: Client, server: HitlServer, store: Any) -> None:
    request = pause(ReviewFlow, client, store)
    decided = server.answer(request["id"], "approved", "approved")
    hitl.resume(ReviewFlow, decided, client=client, store=store)
    with pytest.raises(hitl.NotPaused):
        hitl.resume(ReviewFlow, decided, client=client, store=store, wait_for_pause=0.5)
    with pytest.raises(hitl.NotPaused):
        hitl.pending_request_id(request["flow_id"], store)
    assert len(heard) == 1


def test_a_cancelled_request_resumes_nothing(client: Client, store: Any) -> None:
    request = client.cancel(pause(ReviewFlow, client, store)["id"])
    with pytest.raises(hitl.NotDecided, match="cancelled"):
        hitl.resume(ReviewFlow, request, client=client, store=store)


def test_the_store_is_where_it_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FLOW_HITL_FLOWS", raising=False)
    assert hitl.flow_store().db_path == str(tmp_path / ".flow-hitl" / "flows.db")
    monkeypatch.setenv("FLOW_HITL_FLOWS", str(tmp_path / "here.db"))
    assert hitl.flow_store().db_path == str(tmp_path / "here.db")


def example(server: HitlServer, store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the example in a process of its own."""
    environment = {
        **os.environ,
        "FLOW_HITL_URL": server.url,
        "FLOW_HITL_API_KEY": API_KEY,
        "FLOW_HITL_FLOWS": str(store),
        "PYTHONPATH": str(ROOT / "client"),
    }
    command = [sys.executable, str(ROOT / "examples/content_approval/flow.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=store.parent)


def test_the_example_over_three_processes(server: HitlServer, tmp_path: Path) -> None:
    store = tmp_path / f"{uuid.uuid4()}.db"
    started = example(server, store, "start")
    assert started.returncode == 0, started.stderr
    first, flow_id = server.calls[0][2]["id"], server.calls[0][2]["flow_id"]
    assert f"Request {first} waits for alice@example.com (assign_to_email)." in started.stdout

    server.answer(first, "needs_revision", "needs_revision", "shorter, please")
    again = example(server, store, "resume", flow_id)
    second = next(body["id"] for _method, path, body in reversed(server.calls) if path == "/v1/requests")
    assert second != first
    assert f"Request {second} waits for alice@example.com" in again.stdout, again.stderr

    server.answer(second, "rejected", "rejected", "wrong price")
    ended = example(server, store, "resume", flow_id)
    assert "Content rejected. Reason: wrong price" in ended.stdout, ended.stderr
    assert "Publishing" not in ended.stdout
    assert [(report["id"], report["status"]) for report in server.reports] == [
        (first, "paused_again"),
        (second, "resumed"),
    ]
