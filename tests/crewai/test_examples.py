# mypy: disable-error-code="import-not-found"
"""Every example runs as its README says, with somebody who answers."""

import runpy
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flow_hitl_client import Client
from flow_hitl_client.crewai.resumer import Resumer
from tests.support.client_server import HitlServer

EXAMPLES = Path(__file__).parents[2] / "examples"
Answers = list[tuple[str, str]]


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", ["flow.py", *arguments])
    return runpy.run_path(str(EXAMPLES / name / "flow.py"), run_name="__main__")


def answering(server: HitlServer, answers: Answers) -> None:
    """Answer the requests in the order in which they come, each with (outcome, comment)."""
    left = iter(answers)

    def answer(request_id: str) -> None:
        outcome, comment = next(left)
        threading.Timer(0.05, server.answer, (request_id, outcome, outcome, comment)).start()

    server.on_create = answer


@pytest.mark.parametrize(
    ("name", "answers", "told"),
    [
        ("content_approval", [("approved", "Great!")], "Publishing approved content. Reviewer notes: Great!"),
        (
            "content_approval",
            [("needs_revision", "shorter"), ("rejected", "wrong price")],
            "Content rejected. Reason: wrong price",
        ),
        (
            "security_questionnaire",
            [("needs_changes", "Every quarter."), ("accurate", "")],
            "'How often are backups tested?': 'Every quarter.'}",
        ),
        ("finance_approval", [("rejected", "over budget")], "alice@example.com says: over budget"),
        ("account_owner", [("send", "")], "Quote sent to ACME."),
        ("output_qa", [("improve", "Say the date."), ("deliver", "")], "*Lessons applied: Say the date.*"),
    ],
)
def test_in_place(
    server: HitlServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    answers: Answers,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    answering(server, answers)
    run(name, monkeypatch)
    out = capsys.readouterr().out
    assert told in out
    assert out.count("Waiting for alice@example.com (rule Content to Alice)") == len(answers)


@pytest.mark.parametrize(
    ("amount", "approver"),
    [("900", "team.lead@example.com"), ("4800", "head.of.finance@example.com"), ("250000", "cfo@example.com")],
)
def test_the_amount_decides_who_approves(
    server: HitlServer, monkeypatch: pytest.MonkeyPatch, amount: str, approver: str
) -> None:
    answering(server, [("approved", "")])
    run("finance_approval", monkeypatch, amount)
    assert server.asked()[0]["state"]["approver_email"] == approver


def test_an_example_stored_and_resumed(
    server: HitlServer,
    client: Client,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FLOW_HITL_MODE", "durable")
    registry = run("content_approval", monkeypatch)["registry"]
    for outcome, comment in [("needs_revision", "shorter"), ("rejected", "wrong price")]:
        server.answer(server.asked()[-1]["id"], outcome, outcome, comment)
        assert Resumer(registry, client=client).run_once() == 1
    assert "Content rejected. Reason: wrong price" in capsys.readouterr().out
    assert [report["status"] for report in server.reports] == ["paused_again", "resumed"]
