"""The environment of the functions, and a deployment's settings: what is written is what is read."""

import json

import pytest

from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import rules_shown
from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings
from flow_hitl.deployments.deployment import DeploymentSettings, RoutingRule
from flow_hitl.platform.environment import Settings, SettingsMissing
from flow_hitl.platform.errors import MalformedJson, ValidationFailed

ENVIRONMENT = Settings(**{name: f"value of {name}" for name in Settings.names()}).to_environment()


def test_what_cdk_writes_the_function_reads() -> None:
    assert Settings.from_environment(ENVIRONMENT).to_environment() == ENVIRONMENT
    assert all(name.startswith("FLOW_HITL_") for name in ENVIRONMENT)


def test_other_variables_do_not_disturb() -> None:
    settings = Settings.from_environment({**ENVIRONMENT, "PATH": "/bin", "FLOW_HITL_NOT_OURS": "x"})
    assert settings.requests_table == "value of requests_table"


def test_everything_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsMissing) as raised:
        Settings.from_environment({"FLOW_HITL_AUDIT_TABLE": "audit"})
    assert {"audit_table", *raised.value.names} == set(Settings.required())
    assert "requests_table" in raised.value.names
    assert "audit_table" not in raised.value.names
    assert "requests_table" in str(raised.value)


@pytest.mark.parametrize(
    ("value", "allowed"), [("true", True), ("false", False), ("", False), ("True", False), ("1", False)]
)
def test_insecure_urls_are_allowed_by_one_word_only(value: str, allowed: bool) -> None:
    settings = Settings.from_environment({**ENVIRONMENT, "FLOW_HITL_ALLOW_INSECURE_URLS": value})
    assert settings.insecure_urls_allowed is allowed


def test_an_empty_document_is_the_default_settings() -> None:
    assert parse_settings("{}") == DeploymentSettings()


def test_deployment_settings_survive_a_round_trip() -> None:
    document = {
        **as_json(DeploymentSettings()),
        "email_notifications": False,
        "sla_target_minutes": 90,
        "auto_response": {"enabled": True, "timeout_minutes": 1, "default_outcome": "rejected"},
        "reply_token_days": 2,
        "free_text": "ask_again",
        "require_dmarc_pass": True,
    }
    assert as_json(parse_settings(json.dumps(document))) == document


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"emailNotifications": True}, "/emailNotifications"),
        ({"email_notifications": "yes"}, "/email_notifications"),
        ({"auto_response": {"enabled": True}}, "/auto_response/timeout_minutes"),
        ({"auto_response": {"timeout_minutes": 0}}, "/auto_response/timeout_minutes"),
        ({"auto_response": {"timeout_minutes": True}}, "/auto_response/timeout_minutes"),
        ({"auto_response": {"default_outcome": " "}}, "/auto_response/default_outcome"),
        ({"reply_token_days": 0}, "/reply_token_days"),
        ({"free_text": "ignore"}, "/free_text"),
        ({"sla_target_minutes": 0}, "/sla_target_minutes"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        parse_settings(json.dumps(change))
    assert field in [error.field for error in raised.value.errors]


def test_rules_survive_a_round_trip_in_their_order() -> None:
    document = {
        "rules": [
            {"name": "b", "match": {"method_name": "*"}, "assign_to_email": "b@example.com", "assign_from_input": None},
            {"name": "a", "match": {"method_name": "a_?"}, "assign_to_email": None, "assign_from_input": "lead.email"},
        ]
    }
    rules = parse_rules(json.dumps(document))
    assert rules == (RoutingRule("b", "*", "b@example.com"), RoutingRule("a", "a_?", None, "lead.email"))
    assert as_json(rules_shown(rules)) == document


@pytest.mark.parametrize("text", ["", "{", b"\xff", "{'a':1}"])
def test_what_is_no_json_is_said_to_be_none(text: str | bytes) -> None:
    with pytest.raises(MalformedJson):
        parse_rules(text)
