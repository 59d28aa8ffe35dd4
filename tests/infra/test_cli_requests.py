"""`flow-hitl request`: what an operator sees of requests, and may do with them."""

import json
import tomllib
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flow_hitl.bootstrap import current
from infra.cli.main import main
from infra.cli.target import CommandTarget
from infra.local.hitl_fixture import Hitl
from infra.local.state import ROOT
from tests.support.asserts import EMIT


@pytest.fixture(autouse=True)
def _on_the_fixture(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommandTarget, "application", property(lambda _target: current()))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["request", *map(str, words)], terminal_width=120)


def document(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_list_shows_the_newest_first_and_can_be_narrowed(hitl: Hitl) -> None:
    first = hitl.ask("Publish the report?", emit=EMIT)
    second = hitl.ask("Pay the invoice?", emit=EMIT)
    hitl.reply("approved")
    shown = run("list", hitl.deployment_id)
    assert shown.exit_code == 0
    assert shown.output.index(second.id) < shown.output.index(first.id)
    assert "approved" in shown.output
    assert [one["request_id"] for one in document("list", hitl.deployment_id, "--status", "pending")["requests"]] == [
        first.id
    ]
    assert [one["request_id"] for one in document("list", hitl.deployment_id, "--search", "invoice")["requests"]] == [
        second.id
    ]
    none = run("list", hitl.deployment_id, "--search", "xyzzy").output
    assert ("There are none" in none, f"Next: flow-hitl test-request {hitl.deployment_id}" in none) == (True, True)


def test_the_group_is_found_by_its_plural_too(hitl: Hitl) -> None:
    request = hitl.ask("Publish the report?", emit=EMIT)
    listed = CliRunner().invoke(main, ["requests", "list", str(hitl.deployment_id)])
    assert (listed.exit_code, request.id in listed.output) == (0, True)
    assert CliRunner().invoke(main, ["statuss"]).exit_code == 2, "status is no group"
    assert CliRunner().invoke(main, ["nonsenses"]).exit_code == 2


@pytest.mark.parametrize("words", ["ü", "my team", "1.5"])
def test_a_text_in_place_of_a_deployments_number_is_told_where_the_numbers_are(words: str) -> None:
    refused = run("list", words)
    assert (refused.exit_code, "flow-hitl deployment list" in refused.output) == (2, True)


def test_a_request_is_shown_with_its_answer_and_what_to_do_next(hitl: Hitl) -> None:
    request = hitl.ask("Publish?", emit=EMIT)
    pending = run("show", request.id)
    assert ("pending" in pending.output, f"request answer {request.id} TEXT" in pending.output) == (True, True)
    hitl.reply("approved")
    answered = run("show", request.id).output
    assert "approved, by email, creator@example.com" in answered
    assert document("show", request.id)["request"]["response"]["outcome"] == "approved"


def test_cancelling_says_who_did_it_and_is_refused_after_an_answer(hitl: Hitl) -> None:
    request, other = hitl.ask("Publish?", emit=EMIT), hitl.ask("Publish?", emit=EMIT)
    assert run("cancel", request.id).exit_code == 0
    (event,) = [one for one in request.timeline if one["kind"] == "request_cancelled"]
    assert (request.status, event["actor"]) == ("cancelled", "operator")
    hitl.reply("approved")
    refused = run("cancel", other.id)
    assert (refused.exit_code, "answered already" in refused.output) == (1, True)
    assert other.outcome == "approved"


def test_an_answer_is_recorded_as_what_it_is_a_claim_by_api(hitl: Hitl) -> None:
    request = hitl.ask("Publish?", emit=EMIT)
    answered = run("answer", request.id, "approved", "--responder", "ann@example.com")
    assert f"Request {request.id} is answered: approved.\n" in answered.output
    response = request.response
    assert (response["outcome"], response["responded_via"], response["responder"]) == (
        "approved",
        "api",
        "ann@example.com",
    )
    assert response["responder_verified"] is False
    assert response["source"] == "flow-hitl command"
    again = run("answer", request.id, "rejected")
    assert (again.exit_code, request.outcome) == (1, "approved")
    assert "The answer was not taken" in again.output


def test_an_answer_that_is_no_option_is_said_to_be_free_text(hitl: Hitl) -> None:
    request = hitl.ask("Publish?", emit=EMIT)
    assert f"Request {request.id} is answered, as free text.\n" in run("answer", request.id, "äöü 😀").output
    assert request.response["feedback"] == "äöü 😀"


def test_where_the_requester_must_not_decide_the_command_decides_nothing(hitl: Hitl) -> None:
    hitl.configure(settings={"forbid_self_approval": True})
    asked = {"requested_by": "eve@example.com"}
    request = hitl.ask("Publish?", emit=EMIT, metadata=asked, assigned_to_email="ann@example.com")
    assert run("answer", request.id, "approved", "--responder", "ann@example.com").exit_code == 1
    assert request.status == "pending"


@pytest.mark.parametrize("words", [("show",), ("cancel",), ("answer",)])
def test_an_unknown_request_is_one_sentence_and_a_hint(hitl: Hitl, words: tuple[str]) -> None:
    more = ("approved",) if words == ("answer",) else ()
    result = run(*words, "0192f0c1-7e11-7abc-8def-0123456789ab", *more)
    assert (result.exit_code, result.output) == (
        1,
        "Error: There is no such request.\nHint: flow-hitl request list ID\n",
    )


def test_the_version_is_that_of_the_package() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output == f"flow-hitl, version {package['version']}\n"
