"""The routing rules' pages: an ordered list that is edited without script, and a dry run that says why."""

from typing import Any

import pytest

from infra.local.hitl_fixture import Browser, Hitl
from tests.support.asserts import everything_written
from tests.support.forms import configuration_events, documents, followed, form_of, send, submit

RULES = "/d/1/settings/rules"
FINANCE = {
    "name": "Approvals to Finance",
    "match": {"method_name": "approve_*"},
    "assign_to_email": "finance@company.com",
    "assign_from_input": "manager_email",
}
SALES = {
    "name": "Route to Sales Rep",
    "match": {"method_name": "review_*"},
    "assign_to_email": None,
    "assign_from_input": "sales_rep_email",
}
BRAND = {
    "name": "The rest",
    "match": {"method_name": "*"},
    "assign_to_email": "b@example.com",
    "assign_from_input": None,
}


def rules(hitl: Hitl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = documents(hitl, "routing-rules")["rules"]
    return found


def names(hitl: Hitl) -> list[str]:
    return [rule["name"] for rule in rules(hitl)]


def new_rule(browser: Browser, **changes: str) -> Any:
    fields = {"name": "New", "method_name": "approve_*", "assign_to_email": "a@example.com", **changes}
    return submit(browser, f"{RULES}/new", "method_name", fields)


def test_the_specs_rule_can_be_typed(hitl: Hitl, manager: Browser) -> None:
    typed = {
        "name": "Approvals to Finance",
        "method_name": "approve_*",
        "assign_to_email": "finance@company.com",
        "assign_from_input": "manager_email",
    }
    page = followed(manager, submit(manager, f"{RULES}/new", "method_name", typed))
    assert "Added." in page.text
    assert rules(hitl) == [FINANCE]
    event = configuration_events(hitl)[-1]
    assert (event["kind"], event["actor"]) == ("routing_rules_changed", "member/creator@example.com")
    request = hitl.ask(method_name="approve_payment", state={"manager_email": "boss@example.com"})
    assert request.now()["assigned_to_email"] == "boss@example.com"


def test_the_list_says_what_each_rule_does(hitl: Hitl, manager: Browser) -> None:
    match = {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}, "state.vip": {"exists": False}}}
    never = {"enabled": False, "timeout_minutes": None, "default_outcome": None}
    hitl.configure(rules=[{**FINANCE, "match": match, "sla_target_minutes": 60, "auto_response": never}, SALES])
    text = " ".join(manager.get(RULES).text.split())
    for told in (
        "state.amount is greater than 10000",
        "state.vip does not exist",
        "<strong>finance@company.com</strong>",
        "SLA target 60 min; never answered automatically",
        "<code>state.sales_rep_email</code>",
        "creator@example.com",
    ):
        assert told in text


CONDITIONS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("amount", "gt", "10000", {"state.amount": {"gt": 10000}}),
    ("state.amount", "gte", "1.5", {"state.amount": {"gte": 1.5}}),
    ("order.total", "lt", "-3", {"state.order.total": {"lt": -3}}),
    ("day", "lte", "2026-01-14", {"state.day": {"lte": "2026-01-14"}}),
    ("vip", "eq", "true", {"state.vip": {"eq": True}}),
    ("note", "eq", "null", {"state.note": {"eq": None}}),
    ("number", "eq", '"12"', {"state.number": {"eq": "12"}}),
    ("name", "ne", "Ann Smith", {"state.name": {"ne": "Ann Smith"}}),
    ("currency", "in", "EUR, USD,12", {"state.currency": {"in": ["EUR", "USD", 12]}}),
    ("place", "in", '["Berlin, Germany", "Rome"]', {"state.place": {"in": ["Berlin, Germany", "Rome"]}}),
    ("email", "exists", "", {"state.email": {"exists": True}}),
    ("email", "missing", "", {"state.email": {"exists": False}}),
]


@pytest.mark.parametrize(("path", "test", "value", "condition"), CONDITIONS)
def test_conditions_are_typed_as_people_write_and_shown_again(
    hitl: Hitl, manager: Browser, path: str, test: str, value: str, condition: dict[str, Any]
) -> None:
    row = {"condition_0_path": path, "condition_0_test": test, "condition_0_value": value}
    followed(manager, new_rule(manager, **row))
    assert rules(hitl)[0]["match"]["condition"] == condition
    followed(manager, submit(manager, f"{RULES}/1", "method_name"))
    assert rules(hitl)[0]["match"]["condition"] == condition, "sent as it was opened, it stays as it is"


def test_several_tests_of_one_value_are_one_condition_and_rows_go_by_being_emptied(
    hitl: Hitl, manager: Browser
) -> None:
    rows = {
        "condition_0_path": "amount",
        "condition_0_test": "gte",
        "condition_0_value": "100",
        "condition_1_path": "amount",
        "condition_1_test": "lt",
        "condition_1_value": "200",
    }
    new_rule(manager, **rows)
    assert rules(hitl)[0]["match"]["condition"] == {"state.amount": {"gte": 100, "lt": 200}}
    submit(manager, f"{RULES}/1", "method_name", {"condition_0_path": "", "condition_0_value": ""})
    assert rules(hitl)[0]["match"]["condition"] == {"state.amount": {"lt": 200}}
    submit(manager, f"{RULES}/1", "method_name", {"condition_0_path": "", "condition_0_value": ""})
    assert "condition" not in rules(hitl)[0]["match"]


def test_a_rule_has_its_own_deadlines_or_none(hitl: Hitl, manager: Browser) -> None:
    own = {"auto_response": "own", "timeout_minutes": "30", "default_outcome": "approved", "sla_target_minutes": "10"}
    new_rule(manager, **own)
    auto = {"enabled": True, "timeout_minutes": 30, "default_outcome": "approved"}
    assert (rules(hitl)[0]["auto_response"], rules(hitl)[0]["sla_target_minutes"]) == (auto, 10)
    submit(manager, f"{RULES}/1", "method_name", {"auto_response": "never"})
    assert rules(hitl)[0]["auto_response"]["enabled"] is False
    submit(manager, f"{RULES}/1", "method_name", {"auto_response": "deployment", "sla_target_minutes": ""})
    assert "auto_response" not in rules(hitl)[0]
    assert "sla_target_minutes" not in rules(hitl)[0]


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"name": " "}, "name", "no other rule has"),
    ({"name": "Route to Sales Rep"}, "name", "no other rule has"),
    ({"method_name": ""}, "method_name", "a pattern such as approve_*"),
    ({"assign_to_email": ""}, "assign_to_email", "Enter an address"),
    ({"assign_to_email": "nobody"}, "assign_to_email", "must be one plain email address"),
    ({"sla_target_minutes": "soon"}, "sla_target_minutes", "must be a whole number"),
    ({"auto_response": "own", "timeout_minutes": "5"}, "default_outcome", "must be set"),
    ({"condition_0_value": "5"}, "condition_0_path", "must be a path of the state"),
    ({"condition_1_path": "a", "condition_1_test": "gt", "condition_1_value": "true"}, "condition_1_value", "number"),
    ({"condition_0_path": "a", "condition_0_test": "in"}, "condition_0_value", "at least one entry"),
    ({"condition_0_path": "a", "condition_1_path": "state.a"}, "condition_1_path", "repeats a row above"),
]


@pytest.mark.parametrize(("changes", "name", "problem"), WRONG)
def test_an_error_stands_at_its_field_and_what_was_typed_is_kept(
    hitl: Hitl, manager: Browser, changes: dict[str, str], name: str, problem: str
) -> None:
    hitl.configure(rules=[SALES])
    before = everything_written(hitl)
    page = new_rule(manager, **changes)
    assert page.status == 422
    assert problem in page.text.partition(f'id="{name}-error">')[2].partition("</p>")[0]
    form = form_of(page, "method_name")
    assert {one: form.fields[one] for one in changes} == changes
    assert everything_written(hitl) == before


def test_rules_move_up_and_down(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(rules=[FINANCE, SALES, BRAND])
    page = followed(manager, submit(manager, RULES, "down", press="down=1"))
    assert "Moved." in page.text
    assert names(hitl) == ["Route to Sales Rep", "Approvals to Finance", "The rest"]
    submit(manager, RULES, "up", press="up=3")
    assert names(hitl) == ["Route to Sales Rep", "The rest", "Approvals to Finance"]
    buttons = form_of(manager.get(RULES), "up").buttons
    assert buttons == [("down", "1"), ("up", "2"), ("down", "2"), ("up", "3")], "none leads out of the list"


def test_a_rule_is_removed_after_a_question(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(rules=[FINANCE, SALES])
    question = submit(manager, f"{RULES}/1", "method_name", press="do=remove")
    assert question.status == 200
    assert "Approvals to Finance" in question.text
    assert len(rules(hitl)) == 2
    followed(manager, send(manager, form_of(question, "sure"), press="sure=yes"))
    assert names(hitl) == ["Route to Sales Rep"]


def test_rules_are_changed_by_one_manager_at_a_time(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(rules=[FINANCE, SALES])
    moving, editing = form_of(manager.get(RULES), "down"), form_of(manager.get(f"{RULES}/1"), "method_name")
    question = send(manager, editing, press="do=remove")
    hitl.configure(rules=[SALES, {**FINANCE, "assign_to_email": "cfo@company.com"}, BRAND])
    page = send(manager, editing, {"assign_to_email": "me@example.com"})
    assert page.status == 409
    for told in ("Rule &#34;The rest&#34; added", "Rule &#34;Approvals to Finance&#34; changed", "reordered"):
        assert told in page.text
    assert form_of(page, "method_name").fields["assign_to_email"] == "me@example.com"
    for answer in (send(manager, moving, press="down=1"), send(manager, form_of(question, "sure"), press="sure=yes")):
        assert answer.status == 409
        assert "The current values are shown below" in answer.text
    assert names(hitl) == ["Route to Sales Rep", "Approvals to Finance", "The rest"]
    assert rules(hitl)[1]["assign_to_email"] == "cfo@company.com"


@pytest.mark.parametrize("place", ["0", "2", "01", "x", "99999999", "%D9%A1"])
def test_there_is_no_rule_at_another_place(hitl: Hitl, manager: Browser, place: str) -> None:
    hitl.configure(rules=[FINANCE])
    assert manager.get(f"{RULES}/{place}").status == 404
    if place.isascii() and place.isalnum():
        form = form_of(manager.get(f"{RULES}/1"), "method_name")
        assert manager.post(f"{RULES}/{place}", form.fields).status == 404
    assert rules(hitl) == [FINANCE]


# --- the dry run


def try_out(browser: Browser, method_name: str, state: str = "") -> Any:
    return submit(browser, RULES, "state", {"method_name": method_name, "state": state})


def test_a_dry_run_says_who_would_be_asked_and_why_rule_by_rule(hitl: Hitl, manager: Browser) -> None:
    match = {"method_name": "approve_*", "condition": {"state.amount": {"gt": 10000}}}
    hitl.configure(settings={"sla_target_minutes": 30}, rules=[{**FINANCE, "match": match}, SALES, BRAND])
    before = everything_written(hitl)
    page = try_out(manager, "approve_payment", '{"amount": 12000, "manager_email": "boss@example.com"}')
    assert page.status == 200
    told = page.text.partition('class="result"')[2].partition("</div>")[0]
    assert "<strong>boss@example.com</strong>" in told
    assert "assign_from_input: manager_email in the state" in told
    assert "SLA target 30 min" in told
    assert told.count("not reached: the rule &#34;Approvals to Finance&#34; before it matches") == 2
    assert everything_written(hitl) == before
    assert form_of(page, "state").fields["method_name"] == "approve_payment", "to be tried again"
    page = try_out(manager, "approve_payment", '{"amount": 12}')
    assert "<strong>b@example.com</strong>" in page.text
    assert "amount in the state does not pass gt 10000" in page.text


def test_without_rules_the_creator_is_asked(manager: Browser) -> None:
    page = try_out(manager, "review")
    assert "<strong>creator@example.com</strong>" in page.text.partition('class="result"')[2]
    assert "no routing rule matches review" in page.text


@pytest.mark.parametrize(
    ("method_name", "state", "name", "problem"),
    [
        ("review", '{"amount": 12,', "state", "in line 1"),
        ("review", "[1]", "state", "must be a JSON object"),
        ("review", "NaN", "state", "must be a JSON object"),
        ("review", "[" * 100_000, "state", "must be a JSON object"),
        (" ", "{}", "method_name", "must not be empty"),
    ],
)
def test_what_is_wrong_with_a_dry_run_stands_at_its_field(
    manager: Browser, method_name: str, state: str, name: str, problem: str
) -> None:
    page = try_out(manager, method_name, state)
    assert page.status == 422
    assert problem in page.text.partition(f'id="{name}-error">')[2].partition("</p>")[0]
    assert form_of(page, "state").fields["state"] == state
