"""A deployment: whose flows these are, and how their requests are routed and answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flow_hitl.domain.address import same_address


class Permission(StrEnum):
    """What an API key, or later a member, may be allowed to do."""

    CREATE_REQUESTS = "create_requests"
    MANAGE = "manage_human_feedback"
    RESPOND = "respond_to_human_feedback"


class FreeText(StrEnum):
    """What happens to an answer that matches no emit option."""

    ACCEPT = "accept"
    ASK_AGAIN = "ask_again"


@dataclass(frozen=True)
class AutoResponseSetting:
    """The answer that the clock gives to requests that say nothing of their own; minutes are at least 1."""

    enabled: bool = False
    timeout_minutes: int | None = None
    default_outcome: str | None = None


@dataclass(frozen=True)
class DeploymentSettings:
    """The deployment's settings, by the contract's names and defaults."""

    email_notifications: bool = True
    sla_target_minutes: int | None = None
    auto_response: AutoResponseSetting = field(default_factory=AutoResponseSetting)
    reply_token_days: int = 7
    free_text: FreeText = FreeText.ACCEPT
    require_dmarc_pass: bool = False


@dataclass(frozen=True)
class RoutingRule:
    """One routing rule of the spec: which method names it is for and to whom those requests go."""

    name: str
    method_pattern: str
    assign_to_email: str | None = None
    assign_from_input: str | None = None


@dataclass(frozen=True)
class ApiKey:
    """An API key as it is kept: the hash of its secret, never the secret."""

    key_id: str
    name: str
    secret_sha256: str
    permissions: frozenset[Permission]
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Member:
    """A person of the deployment; from their aliases they may answer what is assigned to their address."""

    email: str
    permissions: frozenset[Permission] = frozenset()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """One deployment with all of its configuration; `version` counts the changes."""

    deployment_id: int
    name: str
    organization_id: int
    creator_email: str
    settings: DeploymentSettings
    rules: tuple[RoutingRule, ...]
    api_keys: Mapping[str, ApiKey]
    resume_key_id: str
    version: int
    members: tuple[Member, ...] = ()

    def known_as(self, address: str) -> tuple[str, ...]:
        """Return the addresses of the members who named this one as an alias of theirs."""
        return tuple(
            member.email for member in self.members if any(same_address(alias, address) for alias in member.aliases)
        )
