"""`POST {callback_url}` by the contract."""

import string
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, assert_invalid, assert_problem, callback, everything_written


def test_an_answer_needs_no_other_credential(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.advance(seconds=90)
    answer = callback(
        hitl, request, "Approved.\n\nGreat article!\n", source="my_custom_app", responder="bob@example.com"
    )
    assert answer.status == 200
    assert answer.json["status"] == "accepted"
    assert answer.json["request"] == request.now()
    assert request.response == {
        "outcome": "approved",
        "feedback": "Approved.",
        "comment": "Great article!",
        "responded_via": "api",
        "responder": "bob@example.com",
        "responder_verified": False,
        "source": "my_custom_app",
        "responded_at": "2026-01-14T12:01:30Z",
        "response_seconds": 90,
        "valid_until": None,
        "output": None,
        "data": None,
        "receipt": None,
    }


@pytest.mark.parametrize(
    ("feedback", "outcome"),
    [
        ("approved", "approved"),
        ("  APPROVED!  ", "approved"),
        ("\n\n> needs revision <\nmore", "needs_revision"),
        ("Needs-Revision", "needs_revision"),
        ("Approved. Great article!", None),
        ("not approved", None),
        ("approved or rejected", None),
        ("Looks good\nI approved it", None),
        ("One of these:\napproved\nrejected", None),
    ],
)
def test_without_outcome_the_first_line_decides_by_the_matching_rule(
    hitl: Hitl, feedback: str, outcome: str | None
) -> None:
    request = hitl.ask(emit=["approved", "rejected", "needs_revision"])
    assert callback(hitl, request, feedback).status == 200
    assert request.outcome == outcome
    assert request.status == "responded"


@pytest.mark.parametrize("free_text", ["accept", "ask_again"])
def test_an_option_further_down_decides_nothing_and_is_named(hitl: Hitl, free_text: str) -> None:
    request = hitl.ask(emit=["approved", "rejected", "needs_revision"], free_text=free_text)
    before = everything_written(hitl)
    problem = assert_invalid(callback(hitl, request, "Looks good.\n\nNeeds revision\nBob"), "/feedback")
    assert 'did you mean "needs_revision"' in problem["errors"][0]["message"]
    assert everything_written(hitl) == before
    assert callback(hitl, request, "needs revision").status == 200
    assert request.outcome == "needs_revision"


def test_an_outcome_decides_whatever_stands_in_the_feedback(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    assert callback(hitl, request, "Looks good.\nrejected", outcome="approved").status == 200
    assert (request.outcome, request.response["comment"]) == ("approved", "rejected")


def test_an_outcome_goes_with_any_feedback(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request, "approved? No.", outcome="rejected")
    assert (request.outcome, request.response["feedback"]) == ("rejected", "approved? No.")


@pytest.mark.parametrize("via", ["api", "email", "auto_response"])
def test_the_same_again_is_no_error_whoever_said_it_first(hitl: Hitl, via: str) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 1, "default_outcome": "approved"})
    answers: dict[str, Callable[[], object]] = {
        "api": lambda: callback(hitl, request),
        "email": lambda: hitl.reply("approved"),
        "auto_response": lambda: hitl.advance(minutes=1),
    }
    answers[via]()
    before = everything_written(hitl)
    again = callback(hitl, request, "approved")
    assert (again.status, again.json["request"]["response"]["responded_via"]) == (200, via)
    assert callback(hitl, request, "approved", outcome="approved").status == 200
    assert everything_written(hitl) == before


@pytest.mark.parametrize(
    ("feedback", "fields"),
    [
        ("rejected", {}),
        ("approved!", {}),
        ("approved\nwith a comment", {}),
        ("approved", {"outcome": "rejected"}),
        ("something", {"outcome": "approved"}),
        ("something", {}),
        ("something", {"outcome": "no option at all"}),
    ],
)
def test_anything_else_after_a_decision_says_what_was_decided(
    hitl: Hitl, feedback: str, fields: dict[str, Any]
) -> None:
    request = hitl.ask(emit=EMIT, free_text="ask_again")
    callback(hitl, request, "approved")
    before = everything_written(hitl)
    problem = assert_problem(callback(hitl, request, feedback, **fields), 409, "already-responded")
    assert problem["responded_via"] == "api"
    assert problem["responded_at"] == "2026-01-14T12:00:00Z"
    assert problem["outcome"] == "approved"
    assert everything_written(hitl) == before


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"feedback": ""}, "/feedback"),
    ({"feedback": " \n\t\u200b"}, "/feedback"),
    ({"feedback": None}, "/feedback"),
    ({"feedback": ["approved"]}, "/feedback"),
    ({"feedback": "x" * 50_001}, "/feedback"),
    ({}, "/feedback"),
    ({"feedback": "x", "outcome": "maybe"}, "/outcome"),
    ({"feedback": "x", "outcome": "Approved"}, "/outcome"),
    ({"feedback": "x", "outcome": ""}, "/outcome"),
    ({"feedback": "x", "answer": "y"}, "/answer"),
    ({"feedback": "x", "source": 7}, "/source"),
    ({"feedback": "x", "responder": "r" * 321}, "/responder"),
]


def test_a_wrong_answer_is_refused_and_decides_nothing(hitl: Hitl, subtests: pytest.Subtests) -> None:
    request = hitl.ask(emit=EMIT)
    before = everything_written(hitl)
    for body, field in WRONG:
        with subtests.test(str(body)[:60]):
            assert_invalid(hitl.api("POST", urlsplit(request.callback_url).path, body, key=None), field)
    assert everything_written(hitl) == before
    assert request.status == "pending"


def test_an_outcome_needs_emit_options(hitl: Hitl) -> None:
    assert_invalid(callback(hitl, hitl.ask(), "fine", outcome="approved"), "/outcome")


def test_the_body_must_be_json_of_at_most_one_mebibyte(hitl: Hitl) -> None:
    path = urlsplit(hitl.ask().callback_url).path
    assert_problem(hitl.api("POST", path, raw="feedback=approved", key=None), 400, "malformed-json")
    assert_problem(hitl.api("POST", path, raw='"' + "x" * 1024 * 1024, key=None), 413, "too-large")


def test_who_asks_again_wants_one_of_the_options(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, free_text="ask_again")
    problem = assert_problem(callback(hitl, request, "perhaps"), 422, "validation")
    assert "approved" in problem["errors"][0]["message"]
    assert request.status == "pending"
    assert callback(hitl, request, "perhaps", outcome="approved").status == 200


def test_without_options_there_is_nothing_to_ask_again(hitl: Hitl) -> None:
    request = hitl.ask(free_text="ask_again")
    assert callback(hitl, request, "perhaps").status == 200


def test_an_altered_token_is_unauthorized(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    folder, _, token = urlsplit(request.callback_url).path.rpartition("/")
    for other in set(string.ascii_letters + string.digits + "-_") - {token[-1]}:
        answer = hitl.api("POST", f"{folder}/{token[:-1]}{other}", {"feedback": "x"}, key=None)
        assert_problem(answer, 401, "unauthorized")
    for altered in (token[:-1], token + "A", "x", token.lower(), "%20" + token):
        assert_problem(hitl.api("POST", f"{folder}/{altered}", {"feedback": "x"}, key=None), 401, "unauthorized")
    assert request.status == "pending"


def test_an_api_key_is_no_callback(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    assert_problem(hitl.api("POST", "/v1/callbacks/" + hitl.api_key, {"feedback": "x"}), 401, "unauthorized")


def test_a_callback_answers_its_own_request_alone(hitl: Hitl) -> None:
    one, other = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
    callback(hitl, one)
    assert (one.status, other.status) == ("responded", "pending")


def test_it_lives_as_long_as_the_request_is_open(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.advance(days=365)
    assert callback(hitl, request).status == 200
