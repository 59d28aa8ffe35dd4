# mypy: disable-error-code="import-not-found, misc, no-any-return"
"""`hitl.install(durable=True)`: the flow is stored, the person asked, and the flow goes on in any process."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from crewai.flow.async_feedback import HumanFeedbackPending
from crewai.flow.persistence import SQLiteFlowPersistence

import flow_hitl_client.crewai as hitl
from flow_hitl_client import Client, ProblemError, ValidationFailed, approved_output, typed_answer
from flow_hitl_client.crewai.resumer import Resumer
from flow_hitl_client.crewai.steps import restore, step
from flow_hitl_client.journal import Journal
from infra.local.patience import HANG_SECONDS
from tests.crewai import flows
from tests.crewai.flows import heard
from tests.support.client_server import HitlServer


def pause(flow_class: Any, client: Client, **options: Any) -> HumanFeedbackPending:
    hitl.install(durable=True, client=client, say=lambda _text: None, **options)
    paused = flow_class(suppress_flow_events=True).kickoff()
    assert isinstance(paused, HumanFeedbackPending)
    return paused


def request_of(paused: HumanFeedbackPending) -> dict[str, Any]:
    request: dict[str, Any] = paused.callback_info["request"]
    return request


def resume(request: Any, client: Client) -> Any:
    return hitl.resume(flows.registry, request, client=client)


def test_the_request_says_everything(client: Client, server: HitlServer, store: Path) -> None:
    request = request_of(pause(flows.ReviewFlow, client, resume_url="https://flows.example.com/hitl"))
    assert server.asked() == [
        {
            "id": request["id"],
            "flow_id": request["flow_id"],
            "flow_name": "ReviewFlow",
            "method_name": "review",
            "message": "Good?",
            "output": {"title": "Draft"},
            "emit_options": ["approved", "rejected"],
            "state": {"id": request["flow_id"], "customer": "ACME", "ratio": None, "rounds": 1},
            "metadata": {"team": "brand"},
            "free_text": "ask_again",
            "resume_url": "https://flows.example.com/hitl",
        }
    ]
    assert hitl.pending_request_id(request["flow_id"]) == request["id"]
    assert store.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("outcome", "listener"), [("approved", "publish"), ("rejected", "archive")])
@pytest.mark.parametrize(("comment", "feedback"), [("", "as the button says"), ("wrong price", "wrong price")])
def test_the_outcome_picks_the_listener_without_an_llm(
    client: Client, server: HitlServer, store: Path, outcome: str, listener: str, comment: str, feedback: str
) -> None:
    request = request_of(pause(flows.ReviewFlow, client))
    decided = server.answer(request["id"], outcome, "as the button says", comment)
    assert resume(decided, client) == {"publish": "published", "archive": "archived"}[listener]
    [(called, result)] = heard
    assert (called, result.outcome, result.feedback) == (listener, outcome, feedback)
    assert result.feedback.strip() == feedback
    assert result.output == {"title": "Draft"}
    assert result.metadata == {"team": "brand", "flow_hitl": {"request_id": request["id"]}}
    assert server.reports == [{"id": request["id"], "status": "resumed"}]


def test_a_free_text_answer_comes_whole(client: Client, server: HitlServer, store: Path) -> None:
    request = request_of(pause(flows.OpinionFlow, client))
    decided = server.answer(request["id"], None, "No, do not publish this.", "Call me if unclear.")
    assert resume(decided, client) == "noted: No, do not publish this.\nCall me if unclear."


def test_nobody_is_asked_before_the_flow_is_stored(client: Client, server: HitlServer, store: Path) -> None:
    stored: list[Any] = []

    def look(request_id: str) -> None:
        with sqlite3.connect(store) as database:
            stored.append(database.execute("SELECT flow_uuid FROM pending_feedback").fetchall())
        pause_of_ours = Journal(store).pause(request_id)
        assert pause_of_ours is not None

    server.on_create = look
    request = request_of(pause(flows.ReviewFlow, client))
    assert stored == [[(request["flow_id"],)]]


def test_an_answer_faster_than_kickoff_returns(client: Client, server: HitlServer, store: Path) -> None:
    results: list[Any] = []

    def answer_at_once(request_id: str) -> None:
        decided = server.answer(request_id, "approved", "approved")
        resuming.append(threading.Thread(target=lambda: results.append(resume(decided, client))))
        resuming[0].start()

    resuming: list[threading.Thread] = []
    server.on_create = answer_at_once
    pause(flows.ReviewFlow, client)
    resuming[0].join(timeout=HANG_SECONDS)
    assert results == ["published"]
    assert len(heard) == 1


def test_a_flow_is_stored_although_nobody_can_be_asked(client: Client, server: HitlServer, store: Path) -> None:
    server.trouble = [(503, "text/html", b"<h1>down</h1>")]
    said: list[str] = []
    hitl.install(durable=True, client=client, say=said.append)
    paused = flows.ReviewFlow(suppress_flow_events=True).kickoff()
    assert "request" not in paused.callback_info
    assert "is stored" in said[0]
    assert [one.request_id for one in Journal(store).unasked()] == [paused.callback_info["request_id"]]


def test_a_question_that_the_server_refuses_fails_at_once(
    client: Client, server: HitlServer, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = b'{"type":"urn:flow-hitl:problem:validation","title":"No","status":422,"detail":"method_name: too long"}'
    server.trouble = [(422, "application/problem+json", refusal)]
    with pytest.raises(ValidationFailed, match="too long"):
        pause(flows.ReviewFlow, client)
    assert Journal(store).unasked() == []


def test_a_second_resume_finds_nothing(client: Client, server: HitlServer, store: Path) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "approved", "approved")
    resume(decided, client)
    with pytest.raises(hitl.NotPaused):
        resume(decided, client)
    with pytest.raises(hitl.NotPaused):
        hitl.pending_request_id(decided["flow_id"])
    assert len(heard) == 1


def test_ten_resumes_at_once_run_the_listener_once(client: Client, server: HitlServer, store: Path) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "approved", "approved")
    ends: list[str] = []

    def go() -> None:
        try:
            ends.append(str(resume(decided, client)))
        except (hitl.NotPaused, hitl.Busy) as error:
            ends.append(type(error).__name__)

    threads = [threading.Thread(target=go) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count("published") == 1
    assert set(ends) <= {"published", "NotPaused", "Busy"}
    assert len(heard) == 1


def test_a_flow_whose_listener_failed_goes_on_again_from_its_pause(
    client: Client, server: HitlServer, store: Path
) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "rejected", "rejected", "no")
    flows.broken.append(RuntimeError("the archive is full"))
    with pytest.raises(RuntimeError, match="the archive is full"):
        resume(decided, client)
    failed = {"id": decided["id"], "status": "resume_failed", "detail": "RuntimeError: the archive is full"}
    assert server.reports == [failed]
    flows.broken.clear()
    assert resume(decided, client) == "archived"
    assert server.reports == [failed, {"id": decided["id"], "status": "resumed"}]
    assert [result.feedback for _listener, result in heard] == ["no", "no"]


def test_a_lost_report_is_made_good(client: Client, server: HitlServer, store: Path) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "approved", "approved")
    flows.when_published.append(lambda: server.trouble.append((500, "text/plain", b"down")))
    assert resume(decided, client) == "published"
    assert server.reports == []
    hitl.resumption.send_reports(Journal(store), client)
    assert server.reports == [{"id": decided["id"], "status": "resumed"}]
    assert Journal(store).reports() == []


def test_rounds_of_revision_carry_their_history(client: Client, server: HitlServer, store: Path) -> None:
    paused = pause(flows.RevisionFlow, client)
    for comment in ("shorter", "still shorter"):
        decided = server.answer(request_of(paused)["id"], "needs_revision", "needs_revision", comment)
        paused = resume(decided, client)
        assert isinstance(paused, HumanFeedbackPending)
    third = server.asked()[2]
    assert third["output"] == "Draft 3"
    assert [(entry["method"], entry["output"]) for entry in third["history"]] == [
        ("write", "Draft 0"),
        ("review", "Draft 1\n\n**needs_revision**: shorter"),
        ("review", "Draft 2\n\n**needs_revision**: still shorter"),
    ]
    decided = server.answer(third["id"], "approved", "approved")
    assert resume(decided, client) == "published after 3 rounds"
    assert [report["status"] for report in server.reports] == ["paused_again", "paused_again", "resumed"]


def test_parallel_reviews_are_all_asked_and_joined(client: Client, server: HitlServer, store: Path) -> None:
    pause(flows.ParallelFlow, client)
    asked = server.asked()
    assert sorted(body["method_name"] for body in asked) == ["brand", "legal"]
    assert all(body["state"]["worked"] for body in asked)  # the slower branch came to its end before
    first = server.answer(asked[0]["id"], None, "fine")
    with pytest.raises(hitl.NotDecided, match=f"also waits for {asked[1]['id']}"):
        resume(first, client)
    server.answer(asked[1]["id"], None, "fine too")
    assert resume(first, client) == "joined"
    assert len(heard) == 1
    assert sorted(report["status"] for report in server.reports) == ["resumed", "resumed"]


def test_parallel_choices_each_reach_their_listener(client: Client, server: HitlServer, store: Path) -> None:
    pause(flows.ParallelChoices, client)
    answers = {"legal": ("legal_ok", "fine by law"), "brand": ("brand_bad", "too loud")}
    for body in server.asked():
        outcome, comment = answers[body["method_name"]]
        decided = server.answer(body["id"], outcome, outcome, comment)
    resume(decided, client)
    assert {listener: (result.outcome, str(result.feedback)) for listener, result in heard} == {
        "after_legal": ("legal_ok", "fine by law"),
        "after_brand": ("brand_bad", "too loud"),
    }


def test_free_text_never_becomes_the_first_option(client: Client, server: HitlServer, store: Path) -> None:
    first = request_of(pause(flows.ReviewFlow, client, free_text="accept"))
    asked_again = resume(server.answer(first["id"], None, "hm, not sure", "Ask Bob."), client)
    assert isinstance(asked_again, HumanFeedbackPending)
    second = request_of(asked_again)
    assert heard == []
    assert [body["free_text"] for body in server.asked()] == ["accept", "ask_again"]
    assert "hm, not sure" in second["message"]
    assert hitl.pending_request_id(first["flow_id"]) == second["id"]
    assert server.reports[0]["status"] == "paused_again"
    assert second["id"] in server.reports[0]["detail"]
    # The first answer is of no more use, and the second one ends it.
    with pytest.raises(hitl.NotPaused):
        resume(client.get_request(first["id"]), client)
    assert resume(server.answer(second["id"], "rejected", "rejected"), client) == "archived"
    [(_, result)] = heard
    assert (result.outcome, result.feedback) == ("rejected", "hm, not sure\nAsk Bob.")
    assert result.metadata == {"team": "brand", "flow_hitl": {"request_id": second["id"]}}


def test_a_named_llm_interprets_free_text_when_the_flow_goes_on(
    client: Client, server: HitlServer, store: Path
) -> None:
    request = request_of(pause(flows.ModelFlow, client))
    assert "free_text" not in server.asked()[0]
    flows.model_says[:] = ['{"outcome": "rejected"}']
    assert resume(server.answer(request["id"], None, "No."), client) == "archived"
    assert heard[0][1].outcome == "rejected"


def test_the_person_is_asked_again_by_the_worker_where_the_llm_could_not_tell(
    client: Client, server: HitlServer, store: Path
) -> None:
    first = request_of(pause(flows.ModelFlow, client))
    client.reassign(first["id"], "bob@example.com")
    server.answer(first["id"], None, "hm")
    flows.model_says[:] = [RuntimeError("the quota is used up")]
    worker = Resumer(flows.registry, client=client)
    assert worker.run_once() == 1
    second = server.asked()[1]
    assert (second["assigned_to_email"], second["free_text"]) == ("bob@example.com", "ask_again")
    server.answer(second["id"], "approved", "approved", "after all")
    assert worker.run_once() == 1
    assert heard[0][1].feedback == "hm\nafter all"
    assert [report["status"] for report in server.reports] == ["paused_again", "resumed"]


def test_of_parallel_answers_only_the_unclear_one_is_asked_again(
    client: Client, server: HitlServer, store: Path
) -> None:
    pause(flows.ParallelChoices, client, free_text="accept")
    legal, brand = sorted(server.asked(), key=lambda body: str(body["method_name"]), reverse=True)
    server.answer(legal["id"], "legal_ok", "legal_ok", "fine by law")
    worker = Resumer(flows.registry, client=client)
    server.answer(brand["id"], None, "hm")
    assert worker.run_once() == 1
    assert heard == []
    [again] = server.asked()[2:]
    assert again["method_name"] == "brand"
    server.answer(again["id"], "brand_bad", "brand_bad")
    assert worker.run_once() == 1
    heard_of = {listener: (result.outcome, str(result.feedback)) for listener, result in heard}
    assert heard_of == {"after_legal": ("legal_ok", "fine by law"), "after_brand": ("brand_bad", "hm")}


def test_what_had_run_before_the_pause_is_told_after_it(client: Client, server: HitlServer, store: Path) -> None:
    request = request_of(pause(flows.PreparedFlow, client))
    before = server.asked()[0]["history"]
    assert [entry["method"] for entry in before] == ["fetch", "enrich", "enough", "enough"]
    assert before[0]["output"] == {"title": "Raw"}
    resume(server.answer(request["id"], "approved", "approved", "fine"), client)
    after = server.asked()[1]["history"]
    assert after[:4] == before
    assert [(entry["method"], entry["output"]) for entry in after[4:]] == [
        ("review", "Draft\n\n**approved**: fine"),
        ("polish", "[list_iterator]"),
    ]


def test_what_is_left_out_stays_counted_after_a_pause(client: Client, server: HitlServer, store: Path) -> None:
    pause(flows.LoudFlow, client)
    [body] = server.asked()
    [stored] = Journal(store).open()
    steps = restore(flows.LoudFlow(), body["history"], stored.snapshot["steps_left_out"])
    steps.add(step("next", "x"))
    assert (steps.left_out, len(steps.shown())) == (22, 100)


def test_a_flow_goes_on_where_an_event_loop_runs(client: Client, server: HitlServer, store: Path) -> None:
    first = server.answer(request_of(pause(flows.OpinionFlow, client))["id"], None, "one")
    second = server.answer(request_of(pause(flows.AsyncFlow, client))["id"], "rejected", "rejected", "two")

    async def web_app() -> tuple[Any, Any]:
        return resume(first, client), await hitl.resume_async(flows.AsyncFlow, second, client=client)

    assert asyncio.run(web_app()) == ("noted: one", "archived")


def test_a_persistence_of_your_own_stays(client: Client, server: HitlServer, store: Path, tmp_path: Path) -> None:
    own = SQLiteFlowPersistence(str(tmp_path / "own.db"))
    hitl.install(durable=True, client=client, say=lambda _text: None)
    paused = flows.ReviewFlow(persistence=own, suppress_flow_events=True).kickoff()
    assert own.load_pending_feedback(paused.context.flow_id) is not None
    decided = server.answer(request_of(paused)["id"], "approved", "approved")
    assert hitl.resume(flows.ReviewFlow, decided, client=client, store=own) == "published"
    assert own.load_pending_feedback(paused.context.flow_id) is None


def test_a_cancelled_request_resumes_nothing(client: Client, store: Path) -> None:
    request = client.cancel(request_of(pause(flows.ReviewFlow, client))["id"])
    with pytest.raises(hitl.NotDecided, match="cancelled"):
        resume(request, client)


def test_of_two_copies_of_the_store_one_goes_on(
    client: Client, server: HitlServer, store: Path, tmp_path: Path
) -> None:
    request = request_of(pause(flows.ReviewFlow, client))
    with sqlite3.connect(store) as original, sqlite3.connect(tmp_path / "copy.db") as copy:
        original.backup(copy)
    decided = server.answer(request["id"], "approved", "approved")
    assert resume(decided, client) == "published"
    for _ in range(2):
        with pytest.raises(hitl.NotPaused, match="elsewhere"):
            hitl.resume(flows.registry, decided, client=client, store=tmp_path / "copy.db")
    assert len(heard) == 1
    # If the other one came to nothing, somebody says so.
    client.report_resume_status(request["id"], "resume_failed", detail="that machine is gone")
    assert hitl.resume(flows.registry, decided, client=client, store=tmp_path / "copy.db") == "published"


def test_a_process_that_died_after_its_claim_is_followed_by_the_next_one(
    client: Client, server: HitlServer, store: Path
) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "approved", "approved")
    client.claim_resumption(decided["id"], Journal(store).resumption(decided["id"]))
    assert resume(decided, client) == "published"


def test_a_flow_goes_on_only_when_its_claim_is_known(client: Client, server: HitlServer, store: Path) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "approved", "approved")
    server.trouble = [(503, "text/html", b"<h1>down</h1>")]
    with pytest.raises(ProblemError):
        resume(decided, client)
    assert heard == []
    assert resume(decided, client) == "published"


def test_a_flow_of_another_app_is_not_guessed(client: Client, server: HitlServer, store: Path) -> None:
    decided = server.answer(request_of(pause(flows.ReviewFlow, client))["id"], "approved", "approved")
    with pytest.raises(hitl.UnknownFlow, match="OpinionFlow"):
        hitl.resume(flows.OpinionFlow, decided, client=client)


def test_the_store_is_where_it_was_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FLOW_HITL_FLOWS", raising=False)
    assert hitl.flow_store().db_path == str(tmp_path / ".flow-hitl" / "flows.db")
    monkeypatch.setenv("FLOW_HITL_FLOWS", str(tmp_path / "here.db"))
    assert hitl.flow_store().db_path == str(tmp_path / "here.db")


def test_a_receipt_comes_with_the_answer(client: Client, server: HitlServer, store: Path) -> None:
    request = request_of(pause(flows.PaymentFlow, client))
    body = server.asked()[0]
    assert (body["receipt"], body["approval_ttl_minutes"], body["metadata"]) == (True, 60, {"team": "finance"})
    assert resume(server.answer(request["id"], "approved", "approved"), client) == "paid"
    [(_, result)] = heard
    assert result.metadata["hitl"] == {
        "output": None,
        "data": None,
        "receipt": f"receipt of {request['id']}",
        "valid_until": "2026-01-14T13:00:00Z",
    }
    assert result.metadata["team"] == "finance"


def test_what_the_reviewer_changed_and_filled_in_comes_with_the_answer(
    client: Client, server: HitlServer, store: Path
) -> None:
    request = request_of(pause(flows.InvoiceFlow, client))
    body = server.asked()[0]
    assert (body["editable"], body["metadata"]) == (True, {"team": "finance"})
    assert list(body["response_schema"]["properties"]) == ["cost_center", "urgent"]
    more: dict[str, Any] = {"output": {"amount": 4700}, "data": {"cost_center": "A", "urgent": True}}
    assert resume(server.answer(request["id"], "approved", "approved", **more), client) == "paid"
    [(_, result)] = heard
    assert {name: result.metadata["hitl"][name] for name in more} == more
    assert approved_output(result.feedback.request) == {"amount": 4700}
    assert typed_answer(result.feedback.request, flows.Payment) == flows.Payment(cost_center="A", urgent=True)


def test_a_stored_flow_does_not_go_on_without_the_receipt_that_it_asked_for(
    client: Client, server: HitlServer, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_hitl_client.crewai.resumption._RECEIPT_SECONDS", 0)
    request = request_of(pause(flows.PaymentFlow, client))
    server.signs = False
    decided = {**server.answer(request["id"], "approved", "approved")}
    for _ in range(2):
        with pytest.raises(hitl.NotDecided, match="is not signed yet"):
            resume(decided, client)
    assert heard == []
    server.sign(request["id"])
    assert resume(decided, client) == "paid"
    assert heard[0][1].metadata["hitl"]["receipt"] == f"receipt of {request['id']}"


def test_a_wish_that_does_not_exist_is_refused_before_anything_is_stored(
    client: Client, server: HitlServer, store: Path
) -> None:
    with pytest.raises(ValueError, match="not reciept"):
        pause(flows.MistakenFlow, client)
    assert server.asked() == []
    assert Journal(store).open() == []
