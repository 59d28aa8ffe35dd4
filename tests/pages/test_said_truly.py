"""What mails, pages and warnings say of a request is so."""

from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT
from tests.support.receiver import receiving

RULE = {"name": "To the manager", "match": {"method_name": "r*"}, "assign_from_input": "mgr"}
FALLBACK = "fallback@example.com"


def ask(hitl: Hitl, mgr: Any, **rule: Any) -> AskedRequest:
    hitl.configure(rules=[{**RULE, **rule}])
    return hitl.ask("Pay?", emit=EMIT, method_name="review_payment", state={"mgr": mgr})


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("alice@example.com\n", "alice@example.com"),
        (" alice@example.com", "alice@example.com"),
        ("Alice <alice@example.com>", "alice@example.com"),
        ("mailto:alice@example.com", "alice@example.com"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
    ],
)
def test_an_address_in_the_state_is_understood_as_it_is_written(hitl: Hitl, written: str, asked: str) -> None:
    request = ask(hitl, written, assign_to_email=FALLBACK).now()
    assert (request["assigned_to_email"], request["assigned_by"]) == (asked, "assign_from_input")
    assert request["warnings"] == []
    assert hitl.inbox[-1].to == asked


@pytest.mark.parametrize("written", ["alice", "", 7, None, "a@example.com, b@example.com", "jürgen@example.com"])
def test_one_that_cannot_be_used_is_warned_of_and_given_as_the_reason(hitl: Hitl, written: Any) -> None:
    request = ask(hitl, written, assign_to_email=FALLBACK).now()
    assert (request["assigned_to_email"], request["assigned_by"]) == (FALLBACK, "assign_to_email")
    (warning,) = request["warnings"]
    assert warning.startswith(
        'The rule "To the manager" should have assigned this request, but mgr in the state was not a usable address'
    )
    assert warning.endswith(f"It went to {FALLBACK} instead.")
    why = 'because the routing rule "To the manager" should have assigned the request, but mgr in the state was not'
    assert why in hitl.inbox[-1].text
    assert why.replace('"', "&#34;") in hitl.page("GET", hitl.review_url()).text


def test_the_creator_learns_which_rule_should_have_asked_somebody_else(hitl: Hitl) -> None:
    request = ask(hitl, "nobody").now()
    assert (request["assigned_to_email"], len(request["warnings"])) == ("creator@example.com", 1)
    text = hitl.inbox[-1].text
    assert 'the routing rule "To the manager" should have assigned the request' in text
    assert "no routing rule chose anyone else" not in text


def test_who_may_not_be_asked_is_warned_of_too(hitl: Hitl) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["example.com"]})
    (warning,) = ask(hitl, "alice@elsewhere.org").now()["warnings"]
    assert "mgr in the state may not be asked: elsewhere.org is not among the allowed assignee domains" in warning


def test_a_missing_variable_is_no_fault_of_a_rule_that_has_an_address_too(hitl: Hitl) -> None:
    hitl.configure(rules=[{**RULE, "assign_to_email": FALLBACK}])
    assert hitl.ask(emit=EMIT, method_name="review").now()["warnings"] == []


def test_the_dry_run_shows_it(hitl: Hitl) -> None:
    hitl.configure(rules=[{**RULE, "assign_to_email": FALLBACK}])
    path = f"/v1/deployments/{hitl.deployment_id}/routing-rules/dry-run"

    def reasons(mgr: str) -> str:
        found = hitl.api("POST", path, {"method_name": "review", "state": {"mgr": mgr}}).json
        return f"{found['assigned_to_email']}: {found['reasons']}"

    assert reasons("nobody").startswith(FALLBACK)
    assert "mgr in the state is not an email address" in reasons("nobody")
    assert reasons("Alice <alice@example.com>").startswith("alice@example.com")


def test_rules_behind_the_one_that_matches_are_not_reached(hitl: Hitl) -> None:
    rules = [RULE, {"name": "Never", "match": {"method_name": "a*"}, "assign_to_email": FALLBACK}]
    hitl.configure(rules=[*rules])
    path = f"/v1/deployments/{hitl.deployment_id}/routing-rules/dry-run"
    _, never = hitl.api("POST", path, {"method_name": "review"}).json["considered"]
    assert never == {
        "name": "Never",
        "matched": False,
        "reason": 'not reached: the rule "To the manager" before it matches',
    }


# --- what becomes of an answer


def test_a_flow_that_fetches_its_answer_is_not_said_to_go_on(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    confirmation = hitl.inbox[-1]
    assert "Your answer was recorded, and the flow fetches it." in confirmation.text
    assert "The flow fetches it." in confirmation.html
    assert "resumes" not in confirmation.text + confirmation.html


def test_a_flow_that_has_its_answer_is_said_to_go_on(hitl: Hitl) -> None:
    with receiving() as flow:
        hitl.ask(emit=EMIT, resume_url=flow.url)
        hitl.reply("approved")
    assert "the flow resumes with it" in hitl.inbox[-1].text


def test_a_flow_that_cannot_be_reached_is_not_said_to_go_on(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT, resume_url="http://127.0.0.1:9/")
    hitl.reply("approved")
    assert "as soon as it arrives" in hitl.inbox[-1].text
