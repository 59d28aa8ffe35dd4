"""The settings and routing rules as JSON documents: what is taken, and what is refused with which words."""

import json
from typing import Any

import pytest

from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import rules_shown
from flow_hitl.deployments.conditions import Condition
from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings
from flow_hitl.deployments.deployment import (
    AutoResponseSetting,
    DeploymentSettings,
    FreeText,
    Group,
    Reminder,
    RoutingRule,
)
from flow_hitl.platform.errors import MalformedJson, ValidationFailed

CONTRACT_DEFAULTS: dict[str, Any] = {
    "email_notifications": True,
    "sla_target_minutes": None,
    "auto_response": {"enabled": False, "timeout_minutes": None, "default_outcome": None},
    "reply_token_days": 7,
    "free_text": "accept",
    "reminders": [],
    "require_dmarc_pass": False,
    "forbid_self_approval": False,
    "allowed_assignee_domains": [],
}
SPEC_RULE = {
    "name": "Approvals to Finance",
    "match": {"method_name": "approve_*"},
    "assign_to_email": "finance@company.com",
    "assign_from_input": "manager_email",
}


def refused(document: Any, parse: Any = parse_settings) -> dict[str, str]:
    with pytest.raises(ValidationFailed) as caught:
        parse(json.dumps(document))
    return {error.field: error.message for error in caught.value.errors}


def test_the_contracts_default_document_is_the_default_settings() -> None:
    assert parse_settings(json.dumps(CONTRACT_DEFAULTS)) == DeploymentSettings()
    beyond_the_contract = {
        "groups": [],
        "allow_delegation": False,
        "waiting_alert_minutes": None,
        "approval_ttl_minutes": None,
        "keep_content_days": None,
        "keep_emails_days": None,
    }
    assert as_json(DeploymentSettings()) == {**CONTRACT_DEFAULTS, **beyond_the_contract}


def test_a_field_that_is_left_out_has_its_default() -> None:
    assert parse_settings('{"reply_token_days": 3}') == DeploymentSettings(reply_token_days=3)


def test_settings_come_back_as_they_were_set() -> None:
    settings = DeploymentSettings(
        email_notifications=False,
        sla_target_minutes=60,
        auto_response=AutoResponseSetting(enabled=True, timeout_minutes=30, default_outcome="rejected"),
        reply_token_days=14,
        free_text=FreeText.ASK_AGAIN,
        reminders=(Reminder(minutes_before_timeout=15), Reminder(share_of_sla=0.5)),
        require_dmarc_pass=True,
        forbid_self_approval=True,
        allowed_assignee_domains=("company.com", "partner.example.org"),
        groups=(
            Group(members=("a@example.com", "b@example.com"), name="finance"),
            Group(members=("c@example.com",), name="legal", address="legal@example.com"),
        ),
        allow_delegation=True,
        waiting_alert_minutes=120,
        approval_ttl_minutes=480,
    )
    assert parse_settings(json.dumps(as_json(settings)).encode()) == settings


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        ({"sla": 1}, "/sla", "is not a known field"),
        ({"email_notifications": "yes"}, "/email_notifications", "must be true or false"),
        ({"email_notifications": None}, "/email_notifications", "must be true or false"),
        ({"sla_target_minutes": 0}, "/sla_target_minutes", "must be at least 1"),
        ({"sla_target_minutes": 1.5}, "/sla_target_minutes", "must be a whole number"),
        ({"sla_target_minutes": True}, "/sla_target_minutes", "must be a whole number"),
        ({"reply_token_days": 366}, "/reply_token_days", "must be at most 365"),
        ({"free_text": "maybe"}, "/free_text", "'accept' or 'ask_again'"),
        ({"auto_response": None}, "/auto_response", "must be a JSON object"),
        ({"auto_response": {"after": 1}}, "/auto_response/after", "is not a known field"),
        ({"auto_response": {"timeout_minutes": 0}}, "/auto_response/timeout_minutes", "must be at least 1"),
        ({"auto_response": {"default_outcome": " "}}, "/auto_response/default_outcome", "must not be blank"),
        ({"reminders": [60]}, "/reminders/0", "must be a JSON object"),
        ({"reminders": [{}]}, "/reminders/0", "one of minutes_before_timeout and share_of_sla"),
        ({"reminders": [{"minutes_before_timeout": 5, "share_of_sla": 0.5}]}, "/reminders/0", "one of minutes"),
        ({"reminders": [{"minutes_before_timeout": 0}]}, "/reminders/0/minutes_before_timeout", "must be at least 1"),
        ({"reminders": [{"share_of_sla": 0}]}, "/reminders/0/share_of_sla", "must be more than 0"),
        ({"reminders": [{"share_of_sla": 1.5}]}, "/reminders/0/share_of_sla", "must be at most 1"),
        ({"reminders": [{"share_of_sla": 0.5}] * 11}, "/reminders", "must have at most 10 entries"),
        ({"groups": [{"members": ["a@example.com"]}]}, "/groups/0", "must have a name"),
        ({"groups": [{"name": "finance", "members": []}]}, "/groups/0/members", "must have at least one entry"),
        ({"groups": [{"name": "finance", "members": ["finance"]}]}, "/groups/0/members/0", "one plain email address"),
        ({"groups": [{"name": "group:x", "members": ["a@example.com"]}]}, "/groups/0/name", "without group:"),
        ({"groups": [{"name": "x", "members": ["a@example.com"]}] * 2}, "/groups/1/name", "in /groups/0 already"),
        (
            {"groups": [{"name": "x", "members": ["a@example.com", "A@EXAMPLE.com"]}]},
            "/groups/0/members/1",
            "in the group already",
        ),
        (
            {"groups": [{"address": "a@example.com", "members": ["A@example.com"]}]},
            "/groups/0/members/0",
            "is the shared mailbox",
        ),
        ({"waiting_alert_minutes": 0}, "/waiting_alert_minutes", "must be at least 1"),
        ({"approval_ttl_minutes": 0}, "/approval_ttl_minutes", "must be at least 1"),
        ({"allow_delegation": "yes"}, "/allow_delegation", "must be true or false"),
        ({"forbid_self_approval": 0}, "/forbid_self_approval", "must be true or false"),
        ({"allowed_assignee_domains": ["a@company.com"]}, "/allowed_assignee_domains/0", "must be a domain"),
        ({"allowed_assignee_domains": ["*.company.com"]}, "/allowed_assignee_domains/0", "must be a domain"),
        ({"allowed_assignee_domains": ["company"]}, "/allowed_assignee_domains/0", "must be a domain"),
        ({"allowed_assignee_domains": "company.com"}, "/allowed_assignee_domains", "must be a list"),
        ([], "", "must be a JSON object"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_pointer(document: Any, field: str, words: str) -> None:
    errors = refused(document)
    assert list(errors) == [field]
    assert words in errors[field]


def test_an_enabled_auto_response_needs_both_of_its_fields() -> None:
    errors = refused({"auto_response": {"enabled": True}})
    assert list(errors) == ["/auto_response/timeout_minutes", "/auto_response/default_outcome"]


@pytest.mark.parametrize("text", ["", "{", b"\xff", "{} {}"])
def test_what_is_no_json_is_malformed(text: str | bytes) -> None:
    with pytest.raises(MalformedJson):
        parse_settings(text)
    with pytest.raises(MalformedJson):
        parse_rules(text)


def test_the_specs_rule_comes_back_as_it_was_set() -> None:
    from_input = {**SPEC_RULE, "name": "Sales", "assign_to_email": None}
    rules = parse_rules(json.dumps({"rules": [SPEC_RULE, from_input]}))
    assert rules == (
        RoutingRule("Approvals to Finance", "approve_*", "finance@company.com", "manager_email"),
        RoutingRule("Sales", "approve_*", None, "manager_email"),
    )
    assert as_json(rules_shown(rules)) == {"rules": [SPEC_RULE, from_input]}


def test_no_rules_are_valid_rules() -> None:
    assert parse_rules('{"rules": []}') == ()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": " "}, "/rules/0/name", "must not be blank"),
        ({"match": {"method_name": ""}}, "/rules/0/match/method_name", "must not be empty"),
        ({"match": {}}, "/rules/0/match/method_name", "is missing"),
        ({"match": {"method_name": "a", "flow": "b"}}, "/rules/0/match/flow", "is not a known field"),
        ({"assign_to_email": "Finance <finance@company.com>"}, "/rules/0/assign_to_email", "one plain email address"),
        ({"assign_to_email": ""}, "/rules/0/assign_to_email", "one plain email address"),
        ({"assign_to_email": "group: "}, "/rules/0/assign_to_email", "one plain email address"),
        ({"assign_from_input": " "}, "/rules/0/assign_from_input", "must not be blank"),
        ({"assign_to_email": None, "assign_from_input": None}, "/rules/0", "assign_to_email or assign_from_input"),
        ({"sla": 1}, "/rules/0/sla", "is not a known field"),
        ({"sla_target_minutes": 0}, "/rules/0/sla_target_minutes", "must be at least 1"),
        ({"approval_ttl_minutes": 0}, "/rules/0/approval_ttl_minutes", "must be at least 1"),
        ({"auto_response": {"enabled": True, "timeout_minutes": 5}}, "/rules/0/auto_response/default_outcome", "set"),
    ],
)
def test_a_wrong_rule_is_refused_by_its_pointer(change: dict[str, Any], field: str, words: str) -> None:
    errors = refused({"rules": [{**SPEC_RULE, **change}]}, parse_rules)
    assert list(errors) == [field]
    assert words in errors[field]


def test_every_wrong_rule_is_named() -> None:
    nobody = {"name": "Nobody", "match": {"method_name": "*"}}
    assert refused({"rules": [SPEC_RULE, nobody, SPEC_RULE]}, parse_rules) == {
        "/rules/1": "must have assign_to_email or assign_from_input, or both",
        "/rules/2/name": "is the name of /rules/0 already",
    }


@pytest.mark.parametrize("document", [{}, [SPEC_RULE], {"rules": None}, {"rules": [SPEC_RULE], "more": 1}])
def test_the_document_of_rules_is_an_object_with_rules_alone(document: Any) -> None:
    refused(document, parse_rules)


def condition(tests: Any, path: str = "state.amount") -> dict[str, Any]:
    return {"rules": [{**SPEC_RULE, "match": {"method_name": "approve_*", "condition": {path: tests}}}]}


def test_a_rule_with_a_condition_and_deadlines_comes_back_as_it_was_set() -> None:
    document = condition({"gt": 10000, "lte": 20000.5})
    document["rules"][0]["match"]["condition"]["state.team.0"] = {"in": ["eu", 7, None], "exists": True}
    document["rules"][0] |= {
        "sla_target_minutes": 30,
        "auto_response": {"enabled": False, "timeout_minutes": None, "default_outcome": None},
    }
    rules = parse_rules(json.dumps(document))
    assert rules[0].conditions[0] == Condition("amount", {"gt": 10000, "lte": 20000.5})
    assert as_json(rules_shown(rules)) == document
    assert parse_rules(json.dumps({**as_json(rules_shown(rules)), "warnings": ["said by PUT"]})) == rules


@pytest.mark.parametrize(
    ("tests", "path", "field", "words"),
    [
        ({"above": 1}, "state.amount", "/state.amount/above", "is not a known field"),
        ({}, "state.amount", "/state.amount", "must have an operator"),
        ({"gt": True}, "state.amount", "/state.amount/gt", "a number or a text"),
        ({"gt": None}, "state.amount", "/state.amount/gt", "a number or a text"),
        ({"eq": [1]}, "state.amount", "/state.amount/eq", "a number or a text"),
        ({"eq": "x" * 257}, "state.amount", "/state.amount/eq", "256 characters"),
        ({"in": []}, "state.amount", "/state.amount/in", "must have at least one entry"),
        ({"in": 5}, "state.amount", "/state.amount/in", "must be a list"),
        ({"exists": 1}, "state.amount", "/state.amount/exists", "must be true or false"),
        ({"gt": 1}, "amount", "/amount", "must be a path of the state"),
        ({"gt": 1}, "state.", "/state.", "must be a path of the state"),
        ({"gt": 1}, "a/b~c", "/a~1b~0c", "must be a path of the state"),
    ],
)
def test_a_wrong_condition_is_refused_by_its_pointer(tests: Any, path: str, field: str, words: str) -> None:
    errors = refused(condition(tests, path), parse_rules)
    assert list(errors) == [f"/rules/0/match/condition{field}"]
    assert words in errors[f"/rules/0/match/condition{field}"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_condition_on_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises((ValidationFailed, MalformedJson)):
        parse_rules(json.dumps(condition({"gt": 0.125})).replace("0.125", number))


def test_a_thousand_ordinary_rules_fit_and_a_thousand_huge_ones_do_not() -> None:
    ordinary = [{**SPEC_RULE, "name": f"Rule {number}"} for number in range(1000)]
    assert len(parse_rules(json.dumps({"rules": ordinary}))) == 1000
    huge = [{**SPEC_RULE, "name": f"{number} {'x' * 200}"} for number in range(1000)]
    errors = refused({"rules": huge}, parse_rules)
    assert list(errors) == ["/rules"]
    assert "180,000 can be kept" in errors["/rules"]
