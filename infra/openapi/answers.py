"""What the API answers, by the contract's names: shapes and descriptions, which the services' `to_dict` follow.

Nothing in Lambda imports this; the tests compare it with every answer that they get. A field that is `ABSENT` by
default is missing from an answer where it means nothing.
"""

from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from flow_hitl.deployments.deployment import SETTINGS, DeploymentSettings, Permission

Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", json_schema_extra={"format": "date-time"}, max_length=20)
]
RequestId = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]

ABSENT: Any = None


class Answer(BaseModel):
    """Base of every answer; the text below a field is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


# --- settings and routing rules


class AutoResponseSetting(Answer):
    """The answer that the clock gives to requests that say nothing of their own."""

    enabled: bool
    """Whether the clock answers at all."""
    timeout_minutes: int | None
    """Minutes from a request's creation. Needed when enabled."""
    default_outcome: str | None
    """The outcome that the flow then gets. Needed when enabled."""


class ReminderSetting(Answer):
    """When a responder is reminded; one of the two is there."""

    minutes_before_timeout: int = ABSENT
    """Minutes before the auto-response."""
    share_of_sla: float = ABSENT
    """Share of the SLA that has passed by then, for example 0.5."""


class GroupSetting(Answer):
    """People of whom any one may answer; it has a name, an address, or both."""

    name: str = ABSENT
    """Rules assign to it as `group:<name>`."""
    address: str = ABSENT
    """A shared mailbox that stands for these people; it gets no mail itself."""
    members: list[str]
    """The people's mail addresses. Each gets a mail of their own; the first answer counts."""


_SHAPES: dict[str, Any] = {
    "auto_response": AutoResponseSetting,
    "reminders": list[ReminderSetting],
    "allowed_assignee_domains": list[str],
    "groups": list[GroupSetting],
}
_SETTINGS: dict[str, Any] = {
    name: (_SHAPES.get(name, shape), Field(description=SETTINGS[name].description))
    for name, shape in get_type_hints(DeploymentSettings).items()
}
Settings = create_model("Settings", __base__=Answer, __doc__="A deployment's settings.", **_SETTINGS)
ChangedSettings = create_model(
    "ChangedSettings",
    __base__=Settings,
    __doc__="The settings as they are from now on.",
    warnings=(list[str], Field(description="What is allowed and may not be meant, in plain words.")),
)


class RuleMatch(Answer):
    """Which requests a rule is for."""

    method_name: str
    """A pattern of the method's name: `*` stands for any characters, `?` for one."""
    condition: dict[str, dict[str, JsonValue]] = ABSENT
    """Conditions on the state, by path; all must hold. Operators: eq, ne, gt, gte, lt, lte, in, exists."""


class RoutingRule(Answer):
    """Whom the requests that match are for, and their deadlines."""

    name: str
    """The rule's name, once in a deployment."""
    match: RuleMatch
    """Which requests the rule is for."""
    assign_to_email: str | None
    """Who is asked: a mail address, or `group:<name>`."""
    assign_from_input: str | None
    """A path of the state that holds the mail address of who is asked; it comes before `assign_to_email`."""
    sla_target_minutes: int = ABSENT
    """The SLA of these requests, in place of the deployment's."""
    auto_response: AutoResponseSetting = ABSENT
    """What the clock answers to these requests, in place of the deployment's; `{"enabled": false}` for never."""


class RoutingRules(Answer):
    """A deployment's routing rules."""

    rules: list[RoutingRule]
    """The rules in their order: the first that matches counts."""


class ChangedRoutingRules(RoutingRules):
    """The routing rules as they are from now on."""

    warnings: list[str]
    """What is allowed and may not be meant, in plain words."""


# --- members and API keys


class Member(Answer):
    """A person of the deployment."""

    email: str
    """The person's mail address."""
    permissions: list[Literal[Permission.MANAGE, Permission.RESPOND]]
    """What the person may do beyond answering what is assigned to them."""
    aliases: list[str]
    """Other addresses from which the person may answer."""


class Members(Answer):
    """The deployment's members."""

    members: list[Member]
    """The members."""


class ApiKey(Answer):
    """An API key, without its secret."""

    id: str
    """The key's id."""
    name: str
    """What the key is for."""
    permissions: list[Permission]
    """What its holder may do."""
    created_at: Time
    """When it was issued."""
    expires_at: Time | None
    """Until when it holds; null for ever."""
    last_used_at: Time | None
    """When it was used last, to the hour; null for never."""


class ApiKeys(Answer):
    """The deployment's API keys."""

    api_keys: list[ApiKey]
    """The keys, oldest first."""


class ApiKeyAnswer(Answer):
    """One API key."""

    api_key: ApiKey
    """The key."""


class IssuedApiKey(ApiKeyAnswer):
    """A new API key with its secret."""

    key: str
    """The whole key, as it goes into the `Authorization` header. It is shown this once."""


# --- analytics

Day = Annotated[str, Field(json_schema_extra={"format": "date"})]


class OutcomeFigures(Answer):
    """How often an outcome was chosen."""

    outcome: str | None
    """The outcome; null for free text that matched none."""
    count: int
    """How many answers had it."""
    share: float | None
    """Its share of the answers, from 0 to 1."""


class Figures(Answer):
    """What was counted in a range; each request and each answer on its own day. Tests are left out."""

    created: int
    """How many requests were opened."""
    responded: int
    """How many were answered, by people or by the clock."""
    cancelled: int
    """How many were cancelled."""
    average_response_seconds: float | None
    """The mean time that people took to answer; null where nobody answered."""
    median_response_seconds: float | None
    """The median of that time; `median_error` says how exact it is."""
    sla_met: int
    """How many were answered within their SLA."""
    sla_missed: int
    """How many were answered later, or by the clock."""
    sla_compliance: float | None
    """The share within the SLA, from 0 to 1; null where no request had one."""
    auto_responded: int
    """How many the clock answered."""
    auto_response_share: float | None
    """The clock's share of the answers, from 0 to 1."""
    outcomes: list[OutcomeFigures]
    """The outcomes, the most frequent first."""


class GroupFigures(Figures):
    """The figures of one group; which of the three names it has depends on `group_by`."""

    reviewer: str | None = ABSENT
    """Who answered, or was asked."""
    flow: str | None = ABSENT
    """The flow's name; null for flows without one."""
    method: str | None = ABSENT
    """The flow's method."""


class ReviewTypeFigures(Figures):
    """The figures of one kind of review."""

    method: str | None
    """The flow's method."""


class DayFigures(Answer):
    """One day."""

    day: Day
    """The day, in UTC."""
    created: int
    """How many requests were opened."""
    responded: int
    """How many were answered."""


class WaitingAlert(Answer):
    """Something that a manager should look at now."""

    kind: Literal["waiting"]
    """Always `waiting`: requests wait for too long."""
    requests: int
    """How many, counted up to 1,000."""
    minutes: int
    """The limit that they are beyond."""
    text: str
    """The same in words."""


class Analytics(Answer):
    """The figures of a range of days."""

    since: Annotated[Day, Field(alias="from")]
    """The first day, in UTC."""
    to: Day
    """The last day, in UTC."""
    group_by: Literal["reviewer", "flow", "method"]
    """By what the groups are told apart."""
    totals: Figures
    """The figures of the whole deployment."""
    groups: list[GroupFigures]
    """The groups with the most requests and answers, at most 100."""
    others: Figures | None
    """The figures of the groups that are not listed; null where all are."""
    review_types: list[ReviewTypeFigures]
    """The figures by method, whatever `group_by` says."""
    volume_by_day: list[DayFigures]
    """Each day of the range."""
    volume_by_hour_of_week: list[list[int]]
    """How many requests were opened in each hour of the week (UTC): seven days from Monday on, 24 hours each."""
    pending_now: int
    """How many requests are pending now, whatever the range is."""
    overdue: int
    """How many of them are past their SLA, counted up to 1,000."""
    alerts: list[WaitingAlert]
    """What a manager should look at now."""
    median_error: float
    """By how much a median may be wrong, as a share of it."""
