"""`flow-hitl test-request`: sends a test, and waits for what people answer."""

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl

TO = ("--to", "tester@example.com")


@pytest.fixture
def run(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))
    return lambda *words: CliRunner().invoke(main, ("test-request", str(hitl.deployment_id), *words))


def meanwhile(hitl: Hitl, monkeypatch: pytest.MonkeyPatch, *events: Callable[[], object]) -> None:
    """Let these happen one after the other, each while the command sleeps; AWS does its part in between."""
    coming: Iterator[Callable[[], object]] = iter(events)

    def sleep(seconds: float) -> None:
        hitl.advance(seconds=seconds)
        next(coming, lambda: None)()

    monkeypatch.setattr(hitl.clock, "sleep", sleep)


def test_it_is_sent_and_the_next_step_said(hitl: Hitl, run: Callable[..., Result]) -> None:
    result = run(*TO)
    hitl.advance(seconds=1)
    (mail,) = hitl.inbox
    assert (result.exit_code, mail.to) == (0, "tester@example.com")
    assert "is on its way to tester@example.com" in result.stdout
    assert "flow-hitl doctor " in result.stderr
    request_id = json.loads(run(*TO, "--json").stdout)["request"]["id"]
    assert hitl.api("GET", f"/v1/requests/{request_id}").json["request"]["test"] is True


def test_it_waits_for_the_answer_and_tells_what_happens(
    hitl: Hitl, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(
        hitl,
        monkeypatch,
        lambda: None,
        lambda: hitl.reply("it works", sender="stranger@example.com"),
        lambda: hitl.reply("it works", to=hitl.inbox[0]),
    )
    result = run(*TO, "--wait", "1")
    assert result.exit_code == 0
    # What stands before are the metrics of the function that took the reply.
    assert result.stdout.splitlines()[-1] == "The test worked: the email arrived, and the reply came back."
    told = [line.split("  ", 1)[1] for line in result.stderr.splitlines() if line.startswith("2026-")]
    assert told == [
        "the request is open and assigned to tester@example.com",
        "the mail service accepted the email to tester@example.com",
        "a reply was rejected: sender_mismatch",
        "it was answered via email: it works",
    ]


def test_the_answer_is_json_for_programs(
    hitl: Hitl, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"outcome": "Something is wrong", "comment": ""}
    meanwhile(hitl, monkeypatch, lambda: hitl.page("POST", hitl.review_url(), form))
    result = run(*TO, "--wait", "1", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["outcome"] == "Something is wrong"


@pytest.mark.parametrize("cancelled", [False, True])
def test_no_answer_is_a_failure_that_says_how_to_find_out_why(
    hitl: Hitl, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    def cancel() -> None:
        (request,) = hitl.api("GET", "/v1/requests").json["requests"]
        hitl.api("DELETE", f"/v1/requests/{request['id']}")

    meanwhile(hitl, monkeypatch, *([cancel] if cancelled else []))
    result = run(*TO, "--wait", "0.5")
    (request,) = hitl.api("GET", "/v1/requests").json["requests"]
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has no answer after 0.5 minutes" in result.stderr
    assert f"flow-hitl doctor {request['id']}" in result.stderr


@pytest.mark.parametrize("to", ["tester", "Tester <tester@example.com>", "group:", "group: "])
def test_an_address_that_is_none_is_refused(hitl: Hitl, run: Callable[..., Result], to: str) -> None:
    result = run("--to", to)
    assert result.exit_code == 2
    assert "plain email address" in result.stderr


def test_an_address_that_may_not_be_asked_is_refused(hitl: Hitl, run: Callable[..., Result]) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["company.example"]})
    result = run(*TO)
    assert result.exit_code == 1
    assert "example.com is not among the allowed assignee domains" in result.stderr
    hitl.advance(seconds=1)
    assert hitl.inbox == []


def test_that_mails_are_off_is_said(hitl: Hitl, run: Callable[..., Result]) -> None:
    hitl.configure(settings={"email_notifications": False})
    assert "Warning: Email notifications are off" in run(*TO).stderr
