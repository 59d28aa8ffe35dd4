"""What the routes to a deployment's settings, routing rules, members and API keys answer."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from flow_hitl.contract.shapes import LEFT_OUT, as_json
from flow_hitl.deployments.deployment import (
    ApiKey,
    AutoResponseSetting,
    Deployment,
    DeploymentSettings,
    Member,
    Permission,
    RoutingRule,
)
from flow_hitl.platform.records import dataclass

STATE_PREFIX = "state."


@dataclass(frozen=True, kw_only=True)
class ChangedSettings(DeploymentSettings):
    """The settings as they are from now on."""

    warnings: Sequence[str]
    """What is allowed and may not be meant, in plain words."""


@dataclass(frozen=True)
class RuleMatch:
    """Which requests a rule is for."""

    method_name: str
    """A pattern of the method's name: `*` stands for any characters, `?` for one."""
    condition: Mapping[str, Mapping[str, Any]] | None = field(default=None, metadata=LEFT_OUT)
    """Conditions on the state, by path; all must hold. Operators: eq, ne, gt, gte, lt, lte, in, exists."""


@dataclass(frozen=True)
class RoutingRuleShown:
    """Whom the requests that match are for, and their deadlines."""

    name: str
    """The rule's name, once in a deployment."""
    match: RuleMatch
    """Which requests the rule is for."""
    assign_to_email: str | None
    """Who is asked: an email address, or `group:<name>`."""
    assign_from_input: str | None
    """A path of the state that holds the email address of who is asked; it comes before `assign_to_email`."""
    sla_target_minutes: int | None = field(default=None, metadata=LEFT_OUT)
    """The SLA of these requests, in place of the deployment's."""
    auto_response: AutoResponseSetting | None = field(default=None, metadata=LEFT_OUT)
    """What the clock answers to these requests, in place of the deployment's; `{"enabled": false}` for never."""
    approval_ttl_minutes: int | None = field(default=None, metadata=LEFT_OUT)
    """Minutes for which a flow may act on an answer to these requests, in place of the deployment's."""


@dataclass(frozen=True)
class RoutingRules:
    """A deployment's routing rules."""

    rules: Sequence[RoutingRuleShown]
    """The rules in their order: the first that matches counts."""


@dataclass(frozen=True)
class ChangedRoutingRules(RoutingRules):
    """The routing rules as they are from now on."""

    warnings: Sequence[str]
    """What is allowed and may not be meant, in plain words."""


@dataclass(frozen=True)
class Members:
    """The deployment's members."""

    members: Sequence[Member]
    """The members."""


@dataclass(frozen=True)
class KeyShown:
    """An API key, without its secret and its last use."""

    id: str
    """The key's id."""
    name: str
    """What the key is for."""
    permissions: Sequence[Permission]
    """What its holder may do."""
    created_at: datetime
    """When it was issued."""
    expires_at: datetime | None
    """Until when it holds; null for ever."""


@dataclass(frozen=True)
class ApiKeyShown(KeyShown):
    """An API key, without its secret."""

    last_used_at: datetime | None
    """When it was used last, to the hour; null for never."""


@dataclass(frozen=True)
class ApiKeys:
    """The deployment's API keys."""

    api_keys: Sequence[ApiKeyShown]
    """The keys, oldest first."""


@dataclass(frozen=True)
class ApiKeyAnswer:
    """One API key."""

    api_key: ApiKeyShown
    """The key."""


@dataclass(frozen=True)
class IssuedApiKey(ApiKeyAnswer):
    """A new API key with its secret."""

    key: str
    """The whole key, as it goes into the `Authorization` header. It is shown this once."""


def rules_shown(rules: Sequence[RoutingRule]) -> RoutingRules:
    """Return the contract's document of routing rules, which `parse_rules` reads back."""
    return RoutingRules(
        [
            RoutingRuleShown(
                name=rule.name,
                match=RuleMatch(
                    rule.method_pattern, {f"{STATE_PREFIX}{one.path}": one.tests for one in rule.conditions} or None
                ),
                assign_to_email=rule.assign_to_email,
                assign_from_input=rule.assign_from_input,
                sla_target_minutes=rule.sla_target_minutes,
                auto_response=rule.auto_response,
                approval_ttl_minutes=rule.approval_ttl_minutes,
            )
            for rule in rules
        ]
    )


def key_shown(key: ApiKey, last_used_at: datetime | None = None) -> ApiKeyShown:
    """Return an API key with its last use, which is known to the hour."""
    return ApiKeyShown(key.key_id, key.name, sorted(key.permissions), key.created_at, key.expires_at, last_used_at)


def key_facts(deployment: Deployment) -> list[dict[str, Any]]:
    """Return what is set of a deployment's API keys."""
    return [as_json(key, KeyShown) for key in deployment.keys_by_age]
