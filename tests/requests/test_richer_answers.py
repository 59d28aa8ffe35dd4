"""Edit and approve, and typed answers: what may be asked, what an answer may bring, and what the flow gets."""

import base64
import json
from typing import Any

import pytest

from flow_hitl.platform.digests import digest
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, NEW, assert_invalid, assert_problem, callback
from tests.support.receiver import receiving

SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0, "title": "Amount paid"},
        "cost_center": {"type": "string", "enum": ["A 1", "B 2"]},
        "urgent": {"type": "boolean", "default": False},
        "pay_on": {"type": "string", "format": "date"},
        "note": {"type": "string", "maxLength": 500},
    },
    "required": ["amount", "cost_center"],
}
DATA = {"amount": 12.5, "cost_center": "A 1", "urgent": True}
INVOICE = {"invoice": "INV-20931", "lines": [{"text": "Paper", "price": 12, "taxed": True}], "paid_at": None}


def changed(**more: Any) -> dict[str, Any]:
    return {**INVOICE, "lines": [{"text": "Paper", "price": 11.5, "taxed": True}], **more}


def claims(request: AskedRequest) -> Any:
    """Return what the receipt says; its signature is tested elsewhere."""
    payload = request.response["receipt"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


# --- edit and approve


def test_an_edited_output_reaches_the_flow_and_both_versions_are_on_record(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, output=INVOICE, editable=True, receipt=True, resume_url=flow.url)
        assert callback(hitl, request, outcome="approved", output=changed()).status == 200
        assert request.response["output"] == changed()
        assert json.loads(flow.received[0].body)["request"]["response"]["output"] == changed()
    decision = next(event for event in request.timeline if event["kind"] == "response_submitted")
    assert decision["data"]["output_sha256"] == digest(changed())
    assert decision["data"]["output_before_sha256"] == digest(INVOICE)
    assert request.now()["output"] == INVOICE
    assert claims(request)["output_sha256"] == digest(changed())


@pytest.mark.parametrize("fields", [{}, {"output": INVOICE}])
def test_an_output_that_is_not_changed_is_null(hitl: Hitl, fields: dict[str, Any]) -> None:
    request = hitl.ask(emit=EMIT, output=INVOICE, editable=True)
    assert callback(hitl, request, **fields).status == 200
    assert request.response["output"] is None
    decision = next(event for event in request.timeline if event["kind"] == "response_submitted")
    assert "output_sha256" not in decision["data"]


@pytest.mark.parametrize(
    ("output", "field"),
    [
        ("a text", "/output"),
        (None, "/output"),
        ([], "/output"),
        ({**INVOICE, "new": 1}, "/output/new"),
        ({"invoice": "INV-20931"}, "/output/lines"),
        ({**INVOICE, "invoice": 20931}, "/output/invoice"),
        ({**INVOICE, "paid_at": "2026-01-14"}, "/output/paid_at"),
        ({**INVOICE, "lines": []}, "/output/lines"),
        (changed(lines=[{"text": "Paper", "price": "12", "taxed": True}]), "/output/lines/0/price"),
        (changed(lines=[{"text": "Paper", "price": 12, "taxed": 1}]), "/output/lines/0/taxed"),
        (changed(invoice="x" * 200_001), "/output"),
    ],
)
def test_keys_and_types_cannot_be_changed(hitl: Hitl, output: Any, field: str) -> None:
    request = hitl.ask(emit=EMIT, output=INVOICE, editable=True)
    assert_invalid(callback(hitl, request, output=output), field)
    assert request.status == "pending"


def test_only_a_request_that_allows_it_can_be_edited(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, output="# Draft")
    assert_invalid(callback(hitl, request, output="# Better"), "/output")
    assert request.status == "pending"


@pytest.mark.parametrize("output", [None, {}, [None], {"list": list(range(501))}, "x" * 200_001])
def test_what_cannot_be_edited_is_refused_when_it_is_asked(hitl: Hitl, output: Any) -> None:
    assert_invalid(hitl.api("POST", "/v1/requests", {**NEW, "output": output, "editable": True}), "/editable")


def test_the_same_edit_again_is_the_same_answer_and_another_is_too_late(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, output="# Draft", editable=True)
    for _ in range(2):
        assert callback(hitl, request, output="# Better").status == 200
    assert_problem(callback(hitl, request, output="# Worse"), 409, "already-responded")
    assert_problem(callback(hitl, request), 409, "already-responded")


# --- typed answers


def test_a_typed_answer_reaches_the_flow_with_its_defaults(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, response_schema=SCHEMA, receipt=True)
    assert request.now()["response_schema"] == SCHEMA
    assert callback(hitl, request, data={"amount": 12.5, "cost_center": "A 1"}).status == 200
    expected = {"amount": 12.5, "cost_center": "A 1", "urgent": False}
    assert request.response["data"] == expected
    assert claims(request)["data_sha256"] == digest(expected)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (None, ("/data/amount", "/data/cost_center")),
        ({**DATA, "amount": "12"}, ("/data/amount",)),
        ({**DATA, "amount": True}, ("/data/amount",)),
        ({**DATA, "amount": -1}, ("/data/amount",)),
        ({**DATA, "cost_center": "a 1"}, ("/data/cost_center",)),
        ({**DATA, "urgent": "yes"}, ("/data/urgent",)),
        ({**DATA, "pay_on": "tomorrow"}, ("/data/pay_on",)),
        ({**DATA, "pay_on": "2026-02-30"}, ("/data/pay_on",)),
        ({**DATA, "note": "x" * 501}, ("/data/note",)),
        ({**DATA, "note": {"a": 1}}, ("/data/note",)),
        ({**DATA, "else": 1}, ("/data/else",)),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_decided(hitl: Hitl, data: Any, fields: tuple[str, ...]) -> None:
    request = hitl.ask(emit=EMIT, response_schema=SCHEMA)
    assert_invalid(callback(hitl, request, **({} if data is None else {"data": data})), *fields)
    assert request.status == "pending"


def test_data_is_refused_where_none_is_asked_for(hitl: Hitl) -> None:
    assert_invalid(callback(hitl, hitl.ask(emit=EMIT), data={"a": 1}), "/data")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"type": "array"}, "/type"),
        ({"$defs": {}}, "/$defs"),
        ({"properties": {}}, "/properties"),
        ({"required": ["nothing"]}, "/required/0"),
        ({"required": "amount"}, "/required"),
        ({"properties": {"a": {"type": "object", "properties": {}}}}, "/properties/a/type"),
        ({"properties": {"a": {"type": ["string", "null"]}}}, "/properties/a/type"),
        ({"properties": {"a": {"anyOf": []}}}, "/properties/a/type"),
        ({"properties": {"a": {"type": "string", "pattern": ".*"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"type": "string", "format": "password"}}}, "/properties/a/format"),
        ({"properties": {"a": {"type": "string", "enum": ["x", "X"]}}}, "/properties/a/enum"),
        ({"properties": {"a": {"type": "string", "default": 1}}}, "/properties/a/default"),
        ({"properties": {"a": {"type": "number", "enum": [1]}}}, "/properties/a/enum"),
        (
            {"properties": {"a": {"type": "number", "minimum": 2, "maximum": 1}}, "required": []},
            "/properties/a/maximum",
        ),
        ({"properties": {"a: b": {"type": "string"}}}, "/properties/a: b"),
        ({"properties": {"a/b": 7}}, "/properties/a~1b"),
        ({"properties": {"a b": {"type": "string"}, "a_b": {"type": "string"}}}, None),
    ],
)
def test_a_schema_that_is_not_flat_is_refused_with_the_place(
    hitl: Hitl, changes: dict[str, Any], place: str | None
) -> None:
    answer = hitl.api("POST", "/v1/requests", {**NEW, "response_schema": {**SCHEMA, "required": [], **changes}})
    places = [place] if place else ["/properties/a b", "/properties/a_b"]
    assert_invalid(answer, *(f"/response_schema{one}" for one in places))


def test_the_clock_answers_with_the_defaults_or_says_before_that_it_cannot(hitl: Hitl) -> None:
    never = {"timeout_minutes": 5, "default_outcome": "rejected"}
    all_default = {"type": "object", "properties": {"urgent": {"type": "boolean", "default": True}}}
    can = hitl.ask(emit=EMIT, response_schema=all_default, auto_response=never)
    cannot = hitl.ask(emit=EMIT, response_schema=SCHEMA, auto_response=never)
    hitl.advance(minutes=6)
    assert can.response["data"] == {"urgent": True}
    assert cannot.response["data"] is None
    assert can.now()["warnings"] == []
    assert "response_schema has no default" in cannot.now()["warnings"][0]


# --- by email


def test_values_are_read_from_the_lines_below_the_first(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, response_schema=SCHEMA)
    assert "cost_center" in hitl.inbox[-1].text
    assert "cost_center" in hitl.inbox[-1].html
    hitl.reply("Approved\nAmount paid: 12.5\n* cost-center: a 1\nurgent: Yes\n\nThanks, Ann")
    assert request.response["data"] == DATA
    assert (request.outcome, request.response["comment"]) == ("approved", "Thanks, Ann")
    confirmation = hitl.inbox[-1]
    assert "Amount paid: 12.5" in confirmation.text
    assert "Amount paid" in confirmation.html


def test_missing_and_wrong_values_are_listed_and_asked_again(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, response_schema=SCHEMA)
    hitl.reply("approved\nurgent: perhaps\ncost_center: C 3")
    assert request.status == "pending"
    asked = hitl.inbox[-1]
    for text in (asked.text, asked.html):
        assert "Some values are missing or wrong" in text
        assert "must be yes or no" in text
        assert "must be one of: A 1, B 2" in text
    assert "amount: is missing" in asked.text
    hitl.reply("approved\namount: 3\ncost_center: B 2")
    assert request.response["data"] == {"amount": 3, "cost_center": "B 2", "urgent": False}


def test_a_value_that_is_given_twice_is_asked_again(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, response_schema=SCHEMA)
    hitl.reply("approved\namount: 3\namount: 4\ncost_center: B 2")
    assert request.status == "pending"
    assert "given twice" in hitl.inbox[-1].text


def test_another_value_after_the_answer_is_not_the_same_answer(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT, response_schema=SCHEMA)
    notification = hitl.inbox[-1]
    hitl.reply("approved\namount: 3\ncost_center: B 2", to=notification)
    hitl.reply("approved\namount: 3\ncost_center: B 2\nThanks", to=notification)
    assert "Your answer counts" in hitl.inbox[-1].text
    hitl.reply("approved\namount: 4\ncost_center: B 2", to=notification)
    assert "The first answer counts" in hitl.inbox[-1].text


def test_without_options_the_first_line_may_be_a_value(hitl: Hitl) -> None:
    request = hitl.ask(response_schema=SCHEMA)
    hitl.reply("amount: 3\ncost_center: B 2")
    assert request.response["data"] == {"amount": 3, "cost_center": "B 2", "urgent": False}


def test_an_email_leads_to_the_page_where_the_output_is_edited(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT, output="# Draft", editable=True)
    assert "To edit the output" in hitl.inbox[-1].text
    assert "Edit the output" in hitl.inbox[-1].html
