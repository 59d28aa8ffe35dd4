"""What the settings pages show: plain data for `templates/pages/`."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import ClassVar, Literal

from flow_hitl.deployments.deployment import AUTO_RESPONSE, SETTINGS, Member
from flow_hitl.deployments.settings import Setting
from flow_hitl.pages.contexts import Shell
from flow_hitl.platform.records import dataclass
from flow_hitl.webhooks.webhook import Delivery, Webhook

SettingsPlace = Literal[
    "email",
    "rules",
    "sla",
    "auto-response",
    "answers",
    "groups",
    "retention",
    "webhooks",
    "members",
    "api-keys",
    "checks",
]

PLACES: Mapping[SettingsPlace, str] = {
    "email": "Email and reminders",
    "rules": "Routing rules",
    "sla": "SLA",
    "auto-response": "Auto-response",
    "answers": "Answers",
    "groups": "Groups",
    "retention": "Retention",
    "webhooks": "Webhooks",
    "members": "Members",
    "api-keys": "API keys",
    "checks": "Checks",
}
"""The spec's settings in its order, then the others."""


@dataclass(frozen=True, kw_only=True)
class OthersChange:
    """What someone else changed while a form was being filled in, a line for each thing."""

    at: datetime
    by: str
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class FilledForm:
    """A form as filled in, and what it was made from: the document's ETag, and the deployment's chain up to `seen`.

    `problems` has a sentence for each wrong field, under "" for the whole form. `conflict`: the document has changed
    since, as far as known by these `others`; the ETag is the new one.
    """

    fields: Mapping[str, str]
    etag: str
    seen: int
    problems: Mapping[str, str] = field(default_factory=dict)
    conflict: bool = False
    others: Sequence[OthersChange] = ()

    def text(self, name: str) -> str:
        """Return what a field holds, "" without one; browsers do not send unchecked boxes."""
        return self.fields.get(name, "")

    def problem(self, name: str) -> str | None:
        return self.problems.get(name)

    @property
    def status(self) -> int:
        """The HTTP status of its page."""
        return 409 if self.conflict else 422 if self.problems else 200


@dataclass(frozen=True, kw_only=True)
class SettingsPage:
    """A page of the settings, with links to all others."""

    places: ClassVar[Mapping[SettingsPlace, str]] = PLACES
    settings: ClassVar[Mapping[str, Setting]] = SETTINGS
    auto_response: ClassVar[Mapping[str, Setting]] = AUTO_RESPONSE
    template: ClassVar[str]
    place: ClassVar[SettingsPlace]
    shell: Shell


@dataclass(frozen=True, kw_only=True)
class SettingsFormPage(SettingsPage):
    """A page with the form of one part of the settings."""

    form: FilledForm
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class EmailPage(SettingsFormPage):
    """Whether the deployment sends emails, and when it reminds."""

    template = "pages/settings_email.html"
    place = "email"
    reminders: FilledForm
    reminder_rows: int


@dataclass(frozen=True, kw_only=True)
class SlaPage(SettingsFormPage):
    """How fast answers are expected, and when waiting raises an alert."""

    template = "pages/settings_sla.html"
    place = "sla"


@dataclass(frozen=True, kw_only=True)
class RetentionPage(SettingsFormPage):
    """For how long contents and emails are kept."""

    template = "pages/settings_retention.html"
    place = "retention"


@dataclass(frozen=True, kw_only=True)
class AutoResponsePage(SettingsFormPage):
    """The automatic answer; `outcomes` are suggestions from recent requests."""

    template = "pages/settings_auto_response.html"
    place = "auto-response"
    outcomes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """A group in the list; `number` is its position, from 1."""

    number: int
    title: str
    address: str | None
    members: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class AnsweringPage(SettingsFormPage):
    """How answers are read, and, in a form of its own, who may give them."""

    template = "pages/settings_answers.html"
    place = "answers"
    people: FilledForm


@dataclass(frozen=True, kw_only=True)
class GroupsPage(SettingsPage):
    """The groups; `form` is set if one could not be removed due to a conflict."""

    template = "pages/settings_groups.html"
    place = "groups"
    groups: Sequence[GroupRow]
    form: FilledForm | None = None


@dataclass(frozen=True, kw_only=True)
class GroupPage(SettingsPage):
    """One group, or a new one (`number` None)."""

    template = "pages/settings_group.html"
    place = "groups"
    number: int | None
    title: str
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """A routing rule in the list, in words; `number` is its position, from 1."""

    number: int
    name: str
    pattern: str
    conditions: Sequence[str]
    from_input: str | None
    to_email: str | None
    more: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class DryRunView:
    """Who would be asked, and why; which rules matched; and which deadlines would apply, in words."""

    assigned_to: str
    reasons: Sequence[str]
    considered: Sequence[tuple[str, bool, str]]
    deadlines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RulesPage(SettingsPage):
    """The routing rules in order, with a form that moves them, and the dry run."""

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
    """One routing rule, or a new one (`number` None); `groups` are suggested assignees."""

    template = "pages/settings_rule.html"
    place = "rules"
    number: int | None
    title: str
    form: FilledForm
    condition_rows: int
    tests: Sequence[tuple[str, str]]
    groups: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class MembersPage(SettingsPage):
    """The members, and the form that adds one."""

    template = "pages/settings_members.html"
    place = "members"
    creator: str
    members: Sequence[Member]
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
    """An API key in the list; its last use is known to the hour."""

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
class WebhooksPage(SettingsPage):
    """The webhooks, and the form that adds one."""

    template = "pages/settings_webhooks.html"
    place = "webhooks"
    webhooks: Sequence[Webhook]
    form: FilledForm


@dataclass(frozen=True, kw_only=True)
class WebhookPage(SettingsPage):
    """One webhook and its deliveries, newest first; `rotates`: its newest secret is not in use yet."""

    template = "pages/settings_webhook.html"
    place = "webhooks"
    webhook: Webhook
    form: FilledForm
    rotation: FilledForm
    rotates: bool
    deliveries: Sequence[Delivery]
    newest_address: str | None
    next_address: str | None


@dataclass(frozen=True, kw_only=True)
class SecretPage:
    """A secret that is shown only once."""

    template: ClassVar[str] = "pages/settings_secret.html"
    shell: Shell
    title: str
    secret: str
    explanation: Sequence[str]
    next_address: str
    next_text: str


@dataclass(frozen=True, kw_only=True)
class ConfirmPage:
    """A question before something irreversible: yes posts `hidden` and `sure` to `address`, no leads back."""

    template: ClassVar[str] = "pages/confirm.html"
    shell: Shell
    question: str
    consequences: Sequence[str]
    button: str
    address: str
    hidden: Mapping[str, str]
    back: str = ""


@dataclass(frozen=True, kw_only=True)
class ChecksPage(SettingsPage):
    """Where a test request is sent; after a refused form, with what was typed and its `problem`."""

    template = "pages/settings_checks.html"
    place = "checks"
    to: str
    problem: str | None = None
