"""What the pages of a deployment's settings show: plain data, made by the services and rendered from `templates/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from flow_hitl.deployments.deployment import AUTO_RESPONSE, SETTINGS, Permission, WebhookEvent
from flow_hitl.deployments.settings import Setting
from flow_hitl.pages.contexts import Shell
from flow_hitl.webhooks.webhook import Delivery

SettingsPlace = Literal[
    "email", "rules", "sla", "auto-response", "webhooks", "members", "api-keys", "advanced", "checks"
]

PLACES: Mapping[SettingsPlace, str] = {
    "email": "Email",
    "rules": "Routing rules",
    "sla": "SLA",
    "auto-response": "Auto-response",
    "webhooks": "Webhooks",
    "members": "Members",
    "api-keys": "API keys",
    "advanced": "Advanced",
    "checks": "Checks",
}
"""The settings in the spec's order, then what goes beyond it."""


@dataclass(frozen=True, kw_only=True)
class OthersChange:
    """What someone else has changed while a form was filled in: who, when, and a line for each thing."""

    at: datetime
    by: str
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class FilledForm:
    """A form as it is filled in, and what it was made from: that document's ETag, the deployment's chain up to `seen`.

    `problems` has a sentence for each wrong field, under "" for the form as a whole. `conflict`: what it was made from
    has changed, as far as is known by these `others`; its ETag is the new one.
    """

    fields: Mapping[str, str]
    etag: str
    seen: int
    problems: Mapping[str, str] = field(default_factory=dict)
    conflict: bool = False
    others: Sequence[OthersChange] = ()

    def text(self, name: str) -> str:
        """Return what a field holds, "" for one that is empty or not there, as boxes that are not ticked are not."""
        return self.fields.get(name, "")

    def problem(self, name: str) -> str | None:
        """Return what is wrong with a field."""
        return self.problems.get(name)

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows it."""
        return 409 if self.conflict else 422 if self.problems else 200


@dataclass(frozen=True, kw_only=True)
class SettingsPage:
    """A page among the settings, which all lead to each other."""

    places: ClassVar[Mapping[SettingsPlace, str]] = PLACES
    settings: ClassVar[Mapping[str, Setting]] = SETTINGS
    auto_response: ClassVar[Mapping[str, Setting]] = AUTO_RESPONSE
    template: ClassVar[str]
    place: ClassVar[SettingsPlace]
    shell: Shell


@dataclass(frozen=True, kw_only=True)
class SettingsFormPage(SettingsPage):
    """A page with one form for a part of the settings."""

    form: FilledForm
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class EmailPage(SettingsFormPage):
    """Whether the deployment sends mails."""

    template = "pages/settings_email.html"
    place = "email"


@dataclass(frozen=True, kw_only=True)
class SlaPage(SettingsFormPage):
    """How fast answers are expected, and when a wait raises an alert."""

    template = "pages/settings_sla.html"
    place = "sla"


@dataclass(frozen=True, kw_only=True)
class AutoResponsePage(SettingsFormPage):
    """The clock's answer; `outcomes` are emit options of late requests, to choose from."""

    template = "pages/settings_auto_response.html"
    place = "auto-response"
    outcomes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """A group in the list; `number` is its place, from 1."""

    number: int
    title: str
    address: str | None
    members: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class AdvancedPage(SettingsPage):
    """What goes beyond the spec's settings: three forms, and the list of groups.

    `groups_form` is there if a group could not be removed, because the groups have changed meanwhile.
    """

    template = "pages/settings_advanced.html"
    place = "advanced"
    answers: FilledForm
    people: FilledForm
    reminders: FilledForm
    reminder_rows: int
    groups: Sequence[GroupRow]
    groups_form: FilledForm | None = None


@dataclass(frozen=True, kw_only=True)
class GroupPage(SettingsPage):
    """One group, or a new one (`number` None)."""

    template = "pages/settings_group.html"
    place = "advanced"
    number: int | None
    title: str
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """A routing rule in the list; `conditions` and `more` are what it says, in words; `number` is its place, from 1."""

    number: int
    name: str
    pattern: str
    conditions: Sequence[str]
    from_input: str | None
    to_email: str | None
    more: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class DryRunView:
    """Who would be asked, and why; what became of each rule; and which deadlines would hold, in words."""

    assigned_to: str
    reasons: Sequence[str]
    considered: Sequence[tuple[str, bool, str]]
    deadlines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RulesPage(SettingsPage):
    """The routing rules in their order, and the dry run below them.

    `form` is what they may be moved by; it has nothing to fill in.
    """

    template = "pages/settings_rules.html"
    place = "rules"
    rules: Sequence[RuleRow]
    creator: str
    form: FilledForm
    trial: FilledForm
    result: DryRunView | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class RulePage(SettingsPage):
    """One routing rule, or a new one (`number` None).

    `condition_rows` is how many rows of conditions there are to fill in, `tests` what each may test, `groups` the
    groups that it can name as `group:<name>`.
    """

    template = "pages/settings_rule.html"
    place = "rules"
    number: int | None
    title: str
    form: FilledForm
    condition_rows: int
    tests: Sequence[tuple[str, str]]
    groups: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class MemberRow:
    """A person of the deployment as the list shows them."""

    email: str
    permissions: frozenset[Permission]
    aliases: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class MembersPage(SettingsPage):
    """The members, and the form that adds one."""

    template = "pages/settings_members.html"
    place = "members"
    creator: str
    members: Sequence[MemberRow]
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class MemberPage(SettingsPage):
    """One member."""

    template = "pages/settings_member.html"
    place = "members"
    email: str
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class ApiKeyRow:
    """An API key as the list shows it; its last use is known to the hour."""

    key_id: str
    name: str
    permissions: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    expired: bool
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ApiKeysPage(SettingsPage):
    """The API keys, and the form that issues one."""

    template = "pages/settings_api_keys.html"
    place = "api-keys"
    keys: Sequence[ApiKeyRow]
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class WebhookRow:
    """A webhook as the list shows it."""

    webhook_id: str
    name: str
    url: str
    active: bool
    events: Sequence[WebhookEvent]


@dataclass(frozen=True, kw_only=True)
class WebhooksPage(SettingsPage):
    """The webhooks, and the form that adds one."""

    template = "pages/settings_webhooks.html"
    place = "webhooks"
    webhooks: Sequence[WebhookRow]
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class WebhookPage(SettingsPage):
    """One webhook: what it is, its secrets' moments, and what was delivered to it, newest first.

    `signs_from` is the moment of the newest secret; `rotates`: that moment is still to come.
    """

    template = "pages/settings_webhook.html"
    place = "webhooks"
    webhook_id: str
    title: str
    active: bool
    form: FilledForm
    rotation: FilledForm
    signs_from: datetime
    rotates: bool
    deliveries: Sequence[Delivery]
    newest_address: str | None
    next_address: str | None


@dataclass(frozen=True, kw_only=True)
class SecretPage:
    """A secret that is shown this once: what it is, what to do with it, and where to go on."""

    template: ClassVar[str] = "pages/settings_secret.html"
    shell: Shell
    title: str
    secret: str
    explanation: Sequence[str]
    next_address: str
    next_text: str


@dataclass(frozen=True, kw_only=True)
class ConfirmPage:
    """A question before something that cannot be undone; `hidden` goes on with the answer, to `address`."""

    template: ClassVar[str] = "pages/confirm.html"
    shell: Shell
    question: str
    consequences: Sequence[str]
    button: str
    address: str
    back: str
    hidden: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ChecksPage(SettingsPage):
    """Where a test request is sent to somebody; after a refused form there are what was typed and its `problem`."""

    template = "pages/settings_checks.html"
    place = "checks"
    to: str
    problem: str | None = None
