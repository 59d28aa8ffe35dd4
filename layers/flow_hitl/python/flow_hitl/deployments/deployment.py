"""A deployment: whose flows these are, and how their requests are routed and answered."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from flow_hitl.audit.bound import bound_digest
from flow_hitl.audit.chain import CHAIN_START
from flow_hitl.contract.shapes import LEFT_OUT, Schema
from flow_hitl.deployments.conditions import Condition
from flow_hitl.deployments.quotas import Quotas
from flow_hitl.deployments.settings import MINUTES, Setting, SettingsPart, settings_of
from flow_hitl.platform.address import GROUP_PREFIX, address_key, domain_of, may_be_same_person, same_address
from flow_hitl.platform.records import dataclass

OPERATOR = "operator"
"""The actor of what is done with the stack's own rights, by the operator's commands."""

CONTENT_DAYS = (15, 36_500)
"""For how long the content of decided requests may be kept. Before that, an answer may still go to its flow again."""
EMAIL_DAYS = (1, 30)

# The people whom a request asks stand in its head, which is to stay small.
MOST_PEOPLE = 50


class Permission(StrEnum):
    """What an API key or a member may be allowed to do; the last two are the members'."""

    CREATE_REQUESTS = "create_requests"
    MANAGE = "manage_human_feedback"
    RESPOND = "respond_to_human_feedback"


class WebhookEvent(StrEnum):
    """What a webhook may be told of: the spec's `new_request`, and what it has to ask for."""

    NEW_REQUEST = "new_request"
    RESPONSE_SUBMITTED = "response_submitted"
    REQUEST_CANCELLED = "request_cancelled"
    QUESTION_ASKED = "question_asked"


class FreeText(StrEnum):
    """What happens to an answer that matches no emit option."""

    ACCEPT = "accept"
    ASK_AGAIN = "ask_again"


@dataclass(frozen=True)
class AutoResponseSetting:
    """The answer that the clock gives to requests that say nothing of their own."""

    enabled: Annotated[
        bool,
        Setting(
            label="Auto-response",
            part=SettingsPart.AUTO_RESPONSE,
            widget="toggle",
            hint="Applies unless the request or its routing rule sets its own.",
        ),
    ] = False
    """Whether the clock answers at all."""
    timeout_minutes: Annotated[
        int | None,
        Setting(
            label="Timeout (minutes)",
            part=SettingsPart.AUTO_RESPONSE,
            widget="number",
            hint="Time to wait before auto-responding",
        ),
    ] = None
    """Minutes from a request's creation. Needed when enabled."""
    default_outcome: Annotated[
        str | None,
        Setting(
            label="Default outcome",
            part=SettingsPart.AUTO_RESPONSE,
            widget="text",
            hint="The response value. It must match an emit option of the request.",
        ),
    ] = None
    """The outcome that the flow then gets. Needed when enabled."""


@dataclass(frozen=True)
class Reminder:
    """When a responder is reminded; one of the two is there."""

    minutes_before_timeout: int | None = field(default=None, metadata=LEFT_OUT)
    """Minutes before the auto-response."""
    share_of_sla: float | None = field(default=None, metadata=LEFT_OUT)
    """Share of the SLA that has passed by then, for example 0.5."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """People of whom any one may answer; it has a name, an address, or both."""

    name: str | None = field(default=None, metadata=LEFT_OUT)
    """Rules assign to it as `group:<name>`."""
    address: str | None = field(default=None, metadata=LEFT_OUT)
    """A shared mailbox that stands for these people; it gets no email itself."""
    members: tuple[str, ...]
    """The people's email addresses. Each gets an email of their own; the first answer counts."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a request may name this group by."""
        return tuple(name for name in (self.name and GROUP_PREFIX + self.name, self.address) if name)

    def is_meant_by(self, assignee: str) -> bool:
        """Tell whether an assignee, an email address or `group:<name>`, is this group."""
        if assignee.startswith(GROUP_PREFIX):
            return self.name is not None and assignee.removeprefix(GROUP_PREFIX) == self.name
        return self.address is not None and same_address(self.address, assignee)


@dataclass(frozen=True)
class DeploymentSettings:
    """A deployment's settings."""

    email_notifications: Annotated[
        bool,
        Setting(
            label="Send emails when feedback is requested",
            part=SettingsPart.EMAIL,
            widget="toggle",
            hint="When off, responders use the dashboard, or webhooks notify another system. "
            "Sign-in and confirmation emails are still sent.",
        ),
    ] = True
    """Whether responders get emails. Without them, requests show on the dashboard and at webhooks."""
    sla_target_minutes: Annotated[
        int | None,
        Setting(
            label="SLA target (minutes)",
            part=SettingsPart.SLA,
            widget="number",
            hint="Leave empty to disable SLA tracking. A routing rule or a request can set its own.",
            limits=MINUTES,
            optional=True,
        ),
    ] = None
    """Minutes within which an answer is on time; null for no SLA."""
    auto_response: Annotated[
        AutoResponseSetting,
        Setting(
            label="Auto-response",
            part=SettingsPart.AUTO_RESPONSE,
            widget="own",
        ),
    ] = field(default_factory=AutoResponseSetting)
    """What the clock answers to requests that say nothing of their own."""
    reply_token_days: Annotated[
        int,
        Setting(
            label="Reply tokens expire after (days)",
            part=SettingsPart.ANSWERS,
            widget="number",
            hint="How long the reply address and the review link in an email work, from 1 to 365 days. "
            "A change applies to new emails.",
            limits=(1, 365),
        ),
    ] = 7
    """Days for which people can reply to an email."""
    free_text: Annotated[
        FreeText,
        Setting(
            label="Answers that match no emit option",
            part=SettingsPart.ANSWERS,
            widget="choice",
            choices=(
                (FreeText.ACCEPT.value, "Send them to the flow as feedback"),
                (FreeText.ASK_AGAIN.value, "Reject them and ask the person again"),
            ),
        ),
    ] = FreeText.ACCEPT
    """What happens to an answer that is none of the emit options: it goes to the flow, or the person is asked again."""
    approval_ttl_minutes: Annotated[
        int | None,
        Setting(
            label="Answers are valid for (minutes)",
            part=SettingsPart.ANSWERS,
            widget="number",
            hint="The flow is told until when it may act on an answer. Leave empty for no limit. "
            "A routing rule or a request can set its own.",
            limits=MINUTES,
            optional=True,
        ),
    ] = None
    """Minutes for which a flow may act on an answer, from the answer on; null for no limit."""
    reminders: Annotated[
        tuple[Reminder, ...],
        Setting(
            label="Reminders",
            part=SettingsPart.REMINDERS,
            widget="own",
        ),
    ] = ()
    """When a responder is reminded of a request that nobody has answered."""
    require_dmarc_pass: Annotated[
        bool,
        Setting(
            label="Accept replies only from domains that pass DMARC",
            part=SettingsPart.ANSWERS,
            widget="toggle",
            hint="When off, replies from domains without a DMARC policy are accepted too.",
        ),
    ] = False
    """Whether a reply counts only if the sender's domain publishes DMARC and the email passes it."""
    forbid_self_approval: Annotated[
        bool,
        Setting(
            label="Requesters cannot approve their own requests",
            part=SettingsPart.PEOPLE,
            widget="toggle",
            hint="The requester is named in the request's metadata, as requested_by.",
        ),
    ] = False
    """Whether whoever asked for a request (`metadata.requested_by`) is barred from answering it."""
    allowed_assignee_domains: Annotated[
        tuple[str, ...],
        Setting(
            label="Allowed assignee domains",
            part=SettingsPart.PEOPLE,
            widget="lines",
            hint="One per line, for example company.com. Subdomains are not included. Leave empty to allow all. "
            "The deployment's creator is always allowed.",
            optional=True,
        ),
    ] = ()
    """The email domains that requests may be assigned to; empty for all. The deployment creator is always allowed."""
    groups: Annotated[
        tuple[Group, ...],
        Setting(
            label="Groups",
            part=SettingsPart.GROUPS,
            widget="own",
        ),
    ] = ()
    """The groups that requests may be assigned to."""
    allow_delegation: Annotated[
        bool,
        Setting(
            label="Responders can delegate requests",
            part=SettingsPart.PEOPLE,
            widget="toggle",
            hint="On the review page, or with a reply whose first line is delegate: and an address.",
        ),
    ] = False
    """Whether a responder may pass a request on."""
    waiting_alert_minutes: Annotated[
        int | None,
        Setting(
            label="Alert when a request waits longer than (minutes)",
            part=SettingsPart.SLA,
            widget="number",
            hint="Analytics then shows how many requests have waited longer. Leave empty to use the SLA target.",
            limits=MINUTES,
            optional=True,
        ),
    ] = None
    """Minutes after which analytics warn of a request that waits; null for as long as the SLA."""
    keep_content_days: Annotated[
        int | None,
        Setting(
            label="Keep the content of decided requests for (days)",
            part=SettingsPart.RETENTION,
            widget="number",
            hint="From the decision on, at least 15 days, as answers may be sent again until then. After that, the "
            "message, the output, the state, and all that came with them are erased. Leave empty to keep them.",
            limits=CONTENT_DAYS,
            optional=True,
        ),
    ] = None
    """Days for which the content of a decided request is kept, from the decision on; null for ever. The decision, its
    feedback, and the questions stay. Pending requests are never touched."""
    keep_emails_days: Annotated[
        int | None,
        Setting(
            label="Keep received emails for (days)",
            part=SettingsPart.RETENTION,
            widget="number",
            hint="From 1 to 30 days. Leave empty for 30 days.",
            limits=EMAIL_DAYS,
            optional=True,
        ),
    ] = None
    """Days for which emails are kept as they were received; null for 30, after which every email goes."""

    def people_of(self, assignee: str) -> tuple[str, ...]:
        """Return the members of the group that an assignee is, or () for a single person."""
        return next((group.members for group in self.groups if group.is_meant_by(assignee)), ())


@dataclass(frozen=True)
class RoutingRule:
    """One routing rule of the spec: which requests it is for, to whom they go, and its own deadlines.

    It is for the method names that fit the pattern, where the state meets every condition. An SLA, auto-response, or
    validity of answers that is None is the deployment's.
    """

    name: str
    method_pattern: str
    assign_to_email: str | None = None
    assign_from_input: str | None = None
    conditions: tuple[Condition, ...] = ()
    sla_target_minutes: int | None = None
    auto_response: AutoResponseSetting | None = None
    approval_ttl_minutes: int | None = None


@dataclass(frozen=True)
class ApiKey:
    """An API key as it is kept: the hash of its secret, never the secret."""

    key_id: str
    name: str
    secret_sha256: str
    permissions: frozenset[Permission]
    created_at: datetime
    expires_at: datetime | None = None

    @property
    def id(self) -> str:
        return self.key_id


@dataclass(frozen=True)
class Member:
    """A person of the deployment."""

    email: str
    """The person's email address."""
    permissions: Annotated[
        frozenset[Permission], Schema(items={"type": "string", "enum": [Permission.MANAGE, Permission.RESPOND]})
    ] = frozenset()
    """What the person may do beyond answering what is assigned to them."""
    aliases: tuple[str, ...] = ()
    """Other addresses from which the person may answer."""
    timezone: str | None = None
    """The time zone of the times in their emails, by its IANA name, such as `Europe/Berlin`; null for UTC."""


@dataclass(frozen=True)
class ResumeSecret:
    """Which secret signs resumptions: the signing key that it derives from, and the name of its rotation.

    It signs from `signs_from` on. The first one of a deployment has neither name nor moment.
    """

    key_id: str
    rotation: str = ""
    signs_from: datetime | None = None


@dataclass(frozen=True)
class DeploymentName:
    """A deployment as people choose it from a list."""

    deployment_id: int
    name: str


@dataclass(frozen=True)
class Deployment:
    """One deployment with all of its configuration; `version` counts the changes.

    `resume_key_id` is the key of its first resume secret, `resume_secrets` are those that came after it: the one that
    signs, and the one that is to. `audit_seq` and `audit_hash` are the end of its audit chain, to which each change
    adds an event.
    """

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
    webhook_events: tuple[WebhookEvent, ...] = ()
    quotas: Quotas = field(default_factory=Quotas)
    resume_secrets: tuple[ResumeSecret, ...] = ()
    audit_seq: int = 0
    audit_hash: str = CHAIN_START
    audit_at: datetime | None = None

    def resume_secret_at(self, now: datetime) -> ResumeSecret:
        """Return the newest resume secret whose moment has come."""
        secrets = self._resume_secrets
        return next((one for one in reversed(secrets) if one.signs_from is None or one.signs_from <= now), secrets[0])

    def next_resume_secret(self, now: datetime) -> ResumeSecret | None:
        """Return the resume secret whose moment is still to come."""
        newest = self._resume_secrets[-1]
        return newest if newest.signs_from is not None and newest.signs_from > now else None

    def resume_keys(self, now: datetime) -> frozenset[str]:
        """Return the ids of the signing keys without which resumptions could not be signed, now or later."""
        needed = (self.resume_secret_at(now), self.next_resume_secret(now))
        return frozenset(one.key_id for one in needed if one is not None)

    def with_resume_secret(self, new: ResumeSecret, now: datetime) -> Self:
        """Return it with a new resume secret beside the one that signs until then; any other is forgotten."""
        signs_now = new.signs_from is None or new.signs_from <= now
        return replace(self, resume_secrets=(new,) if signs_now else (self.resume_secret_at(now), new))

    @property
    def keys_by_age(self) -> list[ApiKey]:
        """The API keys, oldest first."""
        return sorted(self.api_keys.values(), key=lambda key: (key.created_at, key.key_id))

    @property
    def _resume_secrets(self) -> tuple[ResumeSecret, ...]:
        return self.resume_secrets or (ResumeSecret(self.resume_key_id),)

    @property
    def zones(self) -> Mapping[str, str]:
        """The time zones that members have chosen, by `address_key` of each of their addresses."""
        chosen = [one for one in self.members if one.timezone is not None]
        # Whose address it is counts more than whose alias.
        named = [(alias, one.timezone) for one in chosen for alias in one.aliases]
        named += [(one.email, one.timezone) for one in chosen]
        return {address_key(address): zone for address, zone in named if zone is not None}

    @property
    def people(self) -> frozenset[str]:
        """The lower-case addresses, aliases among them, for which `permissions_of` says that they have any."""
        allowed = [one for one in self.members if one.permissions or same_address(one.email, self.creator_email)]
        addresses = {self.creator_email, *(name for one in allowed for name in (one.email, *one.aliases))}
        return frozenset(address.lower() for address in addresses)

    def refusal_of(self, assignee: str, asked_by: Sequence[str] = ()) -> str | None:
        """Return why a request may not be assigned to an email address or `group:<name>`, or None if it may.

        The reason does not name the assignee: whoever tells it does. Refused are a group that there is not, whoever
        asked for the request (`asked_by`, their addresses), and a person outside of the allowed domains: but the
        creator may always be asked, also by an alias.
        """
        people = self.settings.people_of(assignee)
        if assignee.startswith(GROUP_PREFIX) and not people:
            return "is no group of this deployment"
        if self.only_askers(assignee, asked_by):
            return "asked for this request, and this deployment forbids self-approval"
        allowed = self.settings.allowed_assignee_domains
        for address in people or (assignee,):
            is_creator = any(same_address(one, self.creator_email) for one in (address, *self.known_as(address)))
            if allowed and not is_creator and domain_of(address) not in allowed:
                return f"{domain_of(address)} is not among the allowed assignee domains"
        return None

    def only_askers(self, assignee: str, asked_by: Sequence[str]) -> bool:
        """Tell whether nobody is behind an assignee but those who asked."""
        return self.are_askers(self.settings.people_of(assignee) or (assignee,), asked_by)

    def are_askers(self, people: Sequence[str], asked_by: Sequence[str]) -> bool:
        """Tell whether each of these people may be one of those who asked."""
        return all(
            any(may_be_same_person(own, asker) for own in self.may_be_addresses_of(person) for asker in asked_by)
            for person in people
        )

    def names_of(self, *assignees: str) -> tuple[str, ...]:
        """Return every name under which requests go to any of these email addresses and `group:<name>`s."""
        groups = [group for group in self.settings.groups if any(map(group.is_meant_by, assignees))]
        addresses = [address for assignee in assignees for address in self.addresses_of(assignee)]
        return tuple(dict.fromkeys([*addresses, *(name for group in groups for name in group.names)]))

    def addresses_of(self, address: str) -> tuple[str, ...]:
        """Return an address with every other that is known to be the same person's."""
        people = [one for one in self.members if any(same_address(address, own) for own in (one.email, *one.aliases))]
        return tuple(dict.fromkeys([address, *(own for one in people for own in (one.email, *one.aliases))]))

    def may_be_addresses_of(self, address: str) -> tuple[str, ...]:
        """Return an address with every other that may be the same person's: to deny by, never to grant by."""
        found = [address]
        people = list(self.members)
        while of_them := [one for one in people if _may_be_of(one, found)]:
            people = [one for one in people if one not in of_them]
            found += [own for one in of_them for own in (one.email, *one.aliases)]
        return tuple(dict.fromkeys(found))

    def permissions_of(self, address: str) -> frozenset[Permission]:
        """Return what the person behind an address may do here, also by an alias; the creator manages and responds."""
        own = (address, *self.known_as(address))
        granted = [one.permissions for one in self.members if any(same_address(one.email, name) for name in own)]
        if any(same_address(self.creator_email, name) for name in own):
            granted.append(frozenset({Permission.MANAGE, Permission.RESPOND}))
        return frozenset[Permission]().union(*granted)

    def known_as(self, address: str) -> tuple[str, ...]:
        """Return the addresses of the members who named this one as an alias of theirs."""
        return tuple(
            member.email for member in self.members if any(same_address(alias, address) for alias in member.aliases)
        )


def configuration_digest(deployment: Deployment) -> str:
    """Return what an event says of the configuration that it leaves or goes by: all of it but where its chain ends."""
    return bound_digest(deployment, "audit_seq", "audit_hash", "audit_at")


def _may_be_of(member: Member, addresses: Sequence[str]) -> bool:
    own = (member.email, *member.aliases)
    return any(may_be_same_person(one, address) for one in own for address in addresses)


SETTINGS = settings_of(DeploymentSettings)
"""The entry of each setting, by its name in the contract's document."""
AUTO_RESPONSE = settings_of(AutoResponseSetting)

KEYS_MAY = frozenset({Permission.CREATE_REQUESTS, Permission.MANAGE})
"""What new API keys may be allowed. To respond is not among it: a key proves a program, and requests ask people."""
