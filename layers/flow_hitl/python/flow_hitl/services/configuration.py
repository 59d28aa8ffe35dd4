"""Settings and routing rules as JSON documents, by the contract's names: read whole, or refused field by field."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from flow_hitl.domain.deployment import AutoResponseSetting, DeploymentSettings, FreeText, RoutingRule
from flow_hitl.domain.errors import FieldError
from flow_hitl.services.documents import Document, MailAddress, Minutes, Name, parse_document, refuse

_DEFAULTS = DeploymentSettings()
# The contract has these already; until they do something, nobody may believe that they are switched on.
_LATER: dict[str, JsonValue] = {"reminders": [], "forbid_self_approval": False, "allowed_assignee_domains": []}
_MAX_RULES = 1000


def _later(name: str) -> AfterValidator:
    default = _LATER[name]

    def check(value: JsonValue) -> JsonValue:
        if type(value) is not type(default) or value != default:
            raise ValueError(f"does not work yet in this version; leave it out or at {json.dumps(default)}")
        return value

    return AfterValidator(check)


class _AutoResponse(Document):
    enabled: bool = _DEFAULTS.auto_response.enabled
    timeout_minutes: Minutes | None = _DEFAULTS.auto_response.timeout_minutes
    default_outcome: Name | None = _DEFAULTS.auto_response.default_outcome


class _Settings(Document):
    email_notifications: bool = _DEFAULTS.email_notifications
    sla_target_minutes: Minutes | None = _DEFAULTS.sla_target_minutes
    auto_response: _AutoResponse = _AutoResponse()
    reply_token_days: Annotated[int, Field(ge=1, le=365)] = _DEFAULTS.reply_token_days
    free_text: FreeText = _DEFAULTS.free_text
    reminders: Annotated[JsonValue, _later("reminders")] = []
    require_dmarc_pass: bool = _DEFAULTS.require_dmarc_pass
    forbid_self_approval: Annotated[JsonValue, _later("forbid_self_approval")] = False
    allowed_assignee_domains: Annotated[JsonValue, _later("allowed_assignee_domains")] = []


class _Match(Document):
    method_name: Name


class _Rule(Document):
    name: Name
    match: _Match
    assign_to_email: MailAddress | None = None
    assign_from_input: Name | None = None


class _Rules(Document):
    rules: Annotated[list[_Rule], Field(max_length=_MAX_RULES)]


def parse_settings(text: str | bytes) -> DeploymentSettings:
    """Return the settings that a JSON text holds; a field that it leaves out has the contract's default.

    Raises MalformedJson, or ValidationFailed that names each wrong field.
    """
    document = parse_document(_Settings, text)
    auto = document.auto_response
    if auto.enabled:
        refuse(
            FieldError(f"/auto_response/{name}", "must be set when auto_response is enabled")
            for name in ("timeout_minutes", "default_outcome")
            if getattr(auto, name) is None
        )
    return DeploymentSettings(
        email_notifications=document.email_notifications,
        sla_target_minutes=document.sla_target_minutes,
        auto_response=AutoResponseSetting(auto.enabled, auto.timeout_minutes, auto.default_outcome),
        reply_token_days=document.reply_token_days,
        free_text=document.free_text,
        require_dmarc_pass=document.require_dmarc_pass,
    )


def settings_to_dict(settings: DeploymentSettings) -> dict[str, Any]:
    """Return the contract's whole settings document, which `parse_settings` reads back."""
    auto = settings.auto_response
    return {
        "email_notifications": settings.email_notifications,
        "sla_target_minutes": settings.sla_target_minutes,
        "auto_response": {
            "enabled": auto.enabled,
            "timeout_minutes": auto.timeout_minutes,
            "default_outcome": auto.default_outcome,
        },
        "reply_token_days": settings.reply_token_days,
        "free_text": settings.free_text.value,
        "reminders": _LATER["reminders"],
        "require_dmarc_pass": settings.require_dmarc_pass,
        "forbid_self_approval": _LATER["forbid_self_approval"],
        "allowed_assignee_domains": _LATER["allowed_assignee_domains"],
    }


def parse_rules(text: str | bytes) -> tuple[RoutingRule, ...]:
    """Return the routing rules that a JSON text holds, in their order; the first match wins.

    Raises MalformedJson, or ValidationFailed that names each wrong field.
    """
    rules = parse_document(_Rules, text).rules
    refuse(_rule_errors(rules))
    return tuple(
        RoutingRule(rule.name, rule.match.method_name, rule.assign_to_email, rule.assign_from_input) for rule in rules
    )


def rules_to_dict(rules: Sequence[RoutingRule]) -> dict[str, Any]:
    """Return the contract's document of routing rules, which `parse_rules` reads back."""
    return {
        "rules": [
            {
                "name": rule.name,
                "match": {"method_name": rule.method_pattern},
                "assign_to_email": rule.assign_to_email,
                "assign_from_input": rule.assign_from_input,
            }
            for rule in rules
        ]
    }


def _rule_errors(rules: Sequence[_Rule]) -> Iterator[FieldError]:
    first_with: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if rule.assign_to_email is None and rule.assign_from_input is None:
            yield FieldError(f"/rules/{number}", "must have assign_to_email or assign_from_input, or both")
        first = first_with.setdefault(rule.name, number)
        if first != number:
            yield FieldError(f"/rules/{number}/name", f"is the name of /rules/{first} already")
