# mypy: disable-error-code="import-not-found, misc, no-any-return"
"""`hitl.install()`: the flow waits in place, says for whom, and goes on with what the person decided."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from crewai.flow.human_feedback import human_feedback

import flow_hitl_client.crewai as hitl
from flow_hitl_client import Client
from infra.local.patience import HANG_SECONDS
from tests.crewai import flows
from tests.crewai.flows import heard
from tests.unit.client_server import HitlServer

ROOT = Path(__file__).parents[2]


def install(client: Client, **options: Any) -> list[str]:
    said: list[str] = []
    hitl.install(client=client, say=said.append, **options)
    return said


def kickoff(flow_class: Any) -> Any:
    return flow_class(suppress_flow_events=True).kickoff()


def answering(server: HitlServer, **answers: tuple[str | None, str, str]) -> None:
    """Answer each new request, by its method's name, as soon as it is there."""

    def answer(request_id: str) -> None:
        method = next(body["method_name"] for body in server.asked() if body["id"] == request_id)
        outcome, feedback, comment = answers[method]
        threading.Timer(0.05, server.answer, (request_id, outcome, feedback, comment)).start()

    server.on_create = answer


@pytest.mark.parametrize(("outcome", "listener"), [("approved", "publish"), ("rejected", "archive")])
@pytest.mark.parametrize(("comment", "feedback"), [("", "as the button says"), ("wrong price", "wrong price")])
def test_the_outcome_picks_the_listener_without_an_llm(
    client: Client, server: HitlServer, outcome: str, listener: str, comment: str, feedback: str
) -> None:
    said = install(client)
    answering(server, review=(outcome, "as the button says", comment))
    assert kickoff(flows.ReviewFlow) == {"publish": "published", "archive": "archived"}[listener]
    [(called, result)] = heard
    assert (called, result.outcome, result.feedback) == (listener, outcome, feedback)
    assert result.feedback.strip() == feedback
    assert result.feedback.request["response"]["responder"] == "alice@example.com"
    page = f"{server.url}/d/1/requests/{server.asked()[0]['id']}"
    assert said == [
        f"Waiting for alice@example.com (rule Content to Alice): ReviewFlow.review\n  {page}",
        f"alice@example.com answered: {outcome}",
    ]
    assert server.reports == [{"id": server.asked()[0]["id"], "status": "resumed"}]


def test_two_lines_of_setup_from_the_environment(
    client: Client, server: HitlServer, capsys: pytest.CaptureFixture[str]
) -> None:
    hitl.install()
    answering(server, opinion=(None, "Too long.", ""))
    assert kickoff(flows.OpinionFlow) == "noted: Too long."
    assert "Waiting for alice@example.com (rule Content to Alice)" in capsys.readouterr().out
    assert "free_text" not in server.asked()[0]


def test_a_free_text_answer_comes_whole(client: Client, server: HitlServer) -> None:
    install(client)
    answering(server, opinion=(None, "No, do not publish this. The price is wrong.", "Call me if unclear."))
    kickoff(flows.OpinionFlow)
    [(_, result)] = heard
    assert result.feedback == "No, do not publish this. The price is wrong.\nCall me if unclear."


def test_earlier_rounds_travel_along(client: Client, server: HitlServer) -> None:
    install(client)
    answers = iter([("needs_revision", "needs_revision", "shorter"), ("approved", "approved", "")])
    server.on_create = lambda request_id: threading.Timer(0.05, server.answer, (request_id, *next(answers))).start()
    assert kickoff(flows.RevisionFlow) == "published after 2 rounds"
    first, second = server.asked()
    assert "history" not in first
    [round_one] = second["history"]
    assert (round_one["method"], round_one["output"]) == ("review", "Draft 1\n\n**needs_revision**: shorter")
    assert second["output"] == "Draft 2"
    assert second["state"]["rounds"] == 2


def test_parallel_reviews_each_get_their_own_answer(client: Client, server: HitlServer) -> None:
    install(client)
    answering(server, legal=("legal_ok", "legal_ok", "fine by law"), brand=("brand_bad", "brand_bad", "too loud"))
    kickoff(flows.ParallelChoices)
    results = {listener: (result.outcome, str(result.feedback), result.method_name) for listener, result in heard}
    assert results == {
        "after_legal": ("legal_ok", "fine by law", "legal"),
        "after_brand": ("brand_bad", "too loud", "brand"),
    }


def test_coroutines_may_ask_too(client: Client, server: HitlServer) -> None:
    install(client)
    answering(server, review=("rejected", "rejected", "no"))
    assert kickoff(flows.AsyncFlow) == "archived"


def test_the_wait_survives_an_outage_and_follows_a_reassignment(
    client: Client, server: HitlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = install(client)

    def later(request_id: str) -> None:
        server.trouble = [(503, "text/html", b"<h1>down</h1>")]
        threading.Timer(0.2, client.reassign, (request_id, "bob@example.com")).start()
        threading.Timer(1.6, server.answer, (request_id, "approved", "approved")).start()

    server.on_create = later
    # The first poll meets the outage, the reassignment wakes no poll of this server: the next one sees it.
    monkeypatch.setattr(hitl.providers, "LONGEST_WAIT_SECONDS", 1)
    assert kickoff(flows.ReviewFlow) == "published"
    assert "Waiting for bob@example.com (passed on)" in said


def test_a_cancelled_request_ends_the_flow(client: Client, server: HitlServer) -> None:
    install(client)
    server.on_create = lambda request_id: threading.Timer(0.05, client.cancel, (request_id,)).start()
    with pytest.raises(hitl.ReviewCancelled, match="was cancelled"):
        kickoff(flows.ReviewFlow)
    assert heard == []


@pytest.mark.parametrize("model", [None, "no-such-vendor/no-such-model"])
def test_free_text_never_becomes_the_first_option(
    client: Client, server: HitlServer, monkeypatch: pytest.MonkeyPatch, model: str | None
) -> None:
    if model is not None:
        monkeypatch.setenv("MODEL", model)
    install(client, free_text="accept")
    answering(server, review=(None, "hm, I am not so sure", ""))
    with pytest.raises(Exception, match=r"none of|classify|API|resolve"):
        kickoff(flows.ReviewFlow)
    assert server.asked()[0]["free_text"] == "accept"
    assert heard == []


def test_a_model_that_nobody_knows_stops_no_flow(
    client: Client, server: HitlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL", "no-such-vendor/no-such-model")
    install(client)
    answering(server, review=("approved", "approved", ""))
    assert kickoff(flows.ReviewFlow) == "published"


def test_the_specifications_decorator_can_be_written_on_every_version(client: Client) -> None:
    install(client)
    human_feedback(message="Please review this content for brand compliance:", emit=["approved", "rejected"])


def test_ctrl_c_ends_the_script_and_withdraws_the_question(client: Client, server: HitlServer, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    # Where the tests themselves run in the background, Ctrl-C is ignored unless somebody asks for it.
    script.write_text(
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.crewai import flows\nimport flow_hitl_client.crewai as hitl\nhitl.install()\n"
        "flows.ReviewFlow(suppress_flow_events=True).kickoff()\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"}
    with subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.PIPE, text=True) as flow:
        try:
            server.wait_until(lambda: [path for method, path, _ in server.calls if method == "GET"], "the flow waits")
            flow.send_signal(signal.SIGINT)
            _, errors = flow.communicate(timeout=HANG_SECONDS)
        finally:
            flow.kill()
    assert "KeyboardInterrupt" in errors or "Stopped" in errors
    assert client.get_request(server.asked()[0]["id"])["status"] == "cancelled"


def test_an_answer_may_be_kept_and_copied(client: Client, server: HitlServer) -> None:
    install(client)
    answering(server, review=("rejected", "rejected", "wrong price"))
    kickoff(flows.ReviewFlow)
    feedback = heard[0][1].feedback
    for copied in (copy.deepcopy(feedback), pickle.loads(pickle.dumps(feedback))):  # noqa: S301 - our own bytes
        assert (copied, copied.outcome, copied.request["id"]) == ("wrong price", "rejected", server.asked()[0]["id"])
    assert json.dumps({"said": feedback}) == '{"said": "wrong price"}'
