# mypy: disable-error-code="import-not-found, misc, no-any-return"
"""`hitl.install()`: the flow waits in place, says for whom, and goes on with what the person decided."""

import copy
import json
import os
import pickle
import re
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
from flow_hitl_client.crewai.steps import Steps, shortened, step
from infra.local.patience import HANG_SECONDS
from tests.crewai import flows
from tests.crewai.flows import heard
from tests.support.client_server import HitlServer

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ROOT = Path(__file__).parents[2]


def install(client: Client, **options: Any) -> list[str]:
    said: list[str] = []
    hitl.install(client=client, say=said.append, **options)
    return said


def kickoff(flow_class: Any) -> Any:
    return flow_class(suppress_flow_events=True).kickoff()


def told(body: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what a request tells of what has run before."""
    return [(entry["method"], entry["output"]) for entry in body.get("history", [])]


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
    assert told(first) == [("write", "Draft 0")]
    assert told(second) == [("write", "Draft 0"), ("review", "Draft 1\n\n**needs_revision**: shorter")]
    assert second["output"] == "Draft 2"
    assert second["state"]["rounds"] == 2


def test_everything_that_has_run_is_told(client: Client, server: HitlServer) -> None:
    install(client)
    answering(server, review=("approved", "approved", "fine"), last_look=(None, "Good.", ""))
    kickoff(flows.PreparedFlow)
    first, second = server.asked()
    prepared = [
        ("fetch", {"title": "Raw"}),
        ("enrich", {"words": 120, "by": ["crew"]}),
        ("enough", "once_more"),
        ("enough", "ready"),
    ]
    assert told(first) == prepared
    assert all(RFC_3339.fullmatch(entry["at"]) for entry in first["history"])
    reviewed = ("review", "Draft\n\n**approved**: fine")
    # What can be read but once is the flow's to read.
    assert told(second) == [*prepared, reviewed, ("polish", "[list_iterator]")]
    assert second["output"] == "one two"


def test_each_run_of_a_flow_has_a_history_of_its_own(client: Client, server: HitlServer) -> None:
    install(client)
    server.on_create = lambda request_id: threading.Timer(0.05, server.answer, (request_id, "approved", "yes")).start()
    flow = flows.RevisionFlow(suppress_flow_events=True)
    for _ in range(2):
        flow.kickoff()
    assert [told(body) for body in server.asked()] == [[("write", "Draft 0")]] * 2


def test_long_outputs_are_cut_and_many_are_left_out(client: Client, server: HitlServer) -> None:
    install(client)
    answering(server, review=(None, "Good.", ""))
    kickoff(flows.LoudFlow)
    [body] = server.asked()
    history = told(body)
    assert len(history) == 100
    assert history[0] == ("earlier_steps", "[21 earlier steps are left out.]")
    assert history[-2:] == [("back", "again"), ("on", "done")]
    assert shortened(flows.Unwilling()) == "[Unwilling, which cannot be shown.]"
    assert shortened("ä" * 53_211) == "ä" * 10_000 + "\n\n[The first 10,000 of 53,211 characters.]"
    assert "of 73,890 characters.]" in shortened([{"row": number} for number in range(5_000)])


def test_a_history_that_is_too_long_altogether_keeps_what_is_newest() -> None:
    steps = Steps(step("write", f"{number} " + "x" * 9_000) for number in range(20))
    outputs = [str(entry["output"]) for entry in steps.shown()]
    assert outputs[0].startswith("[9,004 characters, left out")
    assert outputs[-1].startswith("19 xxx")
    assert len(json.dumps(steps.shown())) < 160_000


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
    monkeypatch.setattr("flow_hitl_client.waiting.LONGEST_WAIT_SECONDS", 1)
    assert kickoff(flows.ReviewFlow) == "published"
    assert "Waiting for bob@example.com (reassigned)" in said


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
    said = install(client, free_text="accept")
    answers = iter([(None, "hm, I am not so sure", "Ask Bob."), ("rejected", "rejected", "")])
    server.on_create = lambda request_id: threading.Timer(0.05, server.answer, (request_id, *next(answers))).start()
    assert kickoff(flows.ReviewFlow) == "archived"
    first, second = server.asked()
    assert (first["free_text"], second["free_text"]) == ("accept", "ask_again")
    assert second["message"].startswith("alice@example.com answered, but it is not clear which")
    assert "hm, I am not so sure" in second["message"]
    assert second["message"].endswith("\n\nGood?")
    assert second["metadata"] == {"team": "brand", "flow_hitl": {"follows": first["id"]}}
    assert told(second)[-1][0] == "review"
    [(_, result)] = heard
    assert (result.feedback, result.outcome) == ("hm, I am not so sure\nAsk Bob.", "rejected")
    assert [report["status"] for report in server.reports] == ["paused_again", "resumed"]
    assert second["id"] in server.reports[0]["detail"]
    assert len(said) == 4


@pytest.mark.parametrize("installed", [None, "accept", "ask_again"])
@pytest.mark.parametrize("key", [None, "sk-nobodys"])
def test_free_text_is_asked_again_only_where_nothing_could_interpret_it(
    client: Client, server: HitlServer, monkeypatch: pytest.MonkeyPatch, key: str | None, installed: Any
) -> None:
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    install(client, free_text=installed)
    answering(server, review=("approved", "approved", ""))
    kickoff(flows.ReviewFlow)
    # Nothing is sent where the deployment's setting is to hold.
    assert server.asked()[0].get("free_text") == (installed or (None if key else "ask_again"))


def test_a_named_llm_interprets_free_text(client: Client, server: HitlServer) -> None:
    install(client)
    flows.model_says[:] = ['{"outcome": "rejected"}']
    answering(server, review=(None, "No, do not publish this.", "The price is wrong."))
    assert kickoff(flows.ModelFlow) == "archived"
    [body] = server.asked()
    assert "free_text" not in body
    [(_, result)] = heard
    assert (result.outcome, result.feedback) == ("rejected", "No, do not publish this.\nThe price is wrong.")
    assert result.feedback.outcome == "rejected"


@pytest.mark.parametrize("says", [RuntimeError("the quota is used up"), "perhaps", '{"outcome": "cannot_tell"}'])
def test_the_person_is_asked_again_where_the_llm_could_not_tell(
    client: Client, server: HitlServer, says: str | Exception
) -> None:
    install(client)
    flows.model_says[:] = [says, says]
    answers = iter([(None, "hm", ""), ("approved", "approved", "after all")])
    server.on_create = lambda request_id: threading.Timer(0.05, server.answer, (request_id, *next(answers))).start()
    assert kickoff(flows.ModelFlow) == "published"
    assert [body.get("free_text") for body in server.asked()] == [None, "ask_again"]
    assert heard[0][1].feedback == "hm\nafter all"
    # What a library says may hold part of a key: it is for the flow's own log.
    assert "quota" not in json.dumps([server.asked(), server.reports])


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


def test_a_receipt_comes_with_the_answer(client: Client, server: HitlServer) -> None:
    install(client)
    server.signs = False
    server.on_create = lambda request_id: threading.Timer(0.05, answer_and_sign_later, (request_id,)).start()

    def answer_and_sign_later(request_id: str) -> None:
        server.answer(request_id, "approved", "approved")
        threading.Timer(0.2, server.sign, (request_id,)).start()

    for _ in range(2):
        assert kickoff(flows.PaymentFlow) == "paid"
    for body, (_, result) in zip(server.asked(), heard, strict=True):
        assert (body["receipt"], body["approval_ttl_minutes"], body["metadata"]) == (True, 60, {"team": "finance"})
        receipt = {"receipt": f"receipt of {body['id']}", "valid_until": "2026-01-14T13:00:00Z"}
        came = {"output": None, "data": None, **receipt}
        assert result.metadata == {"team": "finance", "hitl": came}


def test_a_flow_that_waits_in_place_goes_on_without_a_receipt_that_is_never_signed(
    client: Client, server: HitlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_hitl_client.waiting.RECEIPT_SECONDS", 0)
    install(client)
    server.signs = False
    answering(server, review=("approved", "approved", ""))
    assert kickoff(flows.PaymentFlow) == "paid"
    [(_, result)] = heard
    assert result.metadata["hitl"]["receipt"] is None


def test_a_wish_that_does_not_exist_is_refused_before_anybody_is_asked(client: Client, server: HitlServer) -> None:
    install(client)
    with pytest.raises(ValueError, match=r"receipt, approval_ttl_minutes, .*, not reciept"):
        kickoff(flows.MistakenFlow)
    assert server.asked() == []
