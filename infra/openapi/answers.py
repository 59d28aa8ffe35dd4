"""What the API answers, by the contract's names: shapes and descriptions, which the services' `to_dict` follow.

Nothing in Lambda imports this; the tests compare it with every answer that they get. A field that is `ABSENT` by
default is missing from an answer where it means nothing.
"""

from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from flow_hitl.deployments.deployment import SETTINGS, DeploymentSettings, Permission, WebhookEvent
from flow_hitl.proof.export import ExportState
from flow_hitl.requests.request import (
    DecidedResponse,
)
from flow_hitl.webhooks.webhook import DeliveryStatus

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


# --- requests


# --- checks


# --- answers by other applications


class RequestContent(Answer):
    """What a webhook's payload was too small for."""

    message: str
    """What the reviewer is asked."""
    output: JsonValue
    """What is to be reviewed."""
    state: dict[str, JsonValue]
    """The flow's state."""
    metadata: dict[str, JsonValue]
    """What the flow sent along."""


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


# --- the audit log


class AuditLogEvent(Answer):
    """An event as it stands in the log, which `TimelineEvent` describes; a member is null where it cannot be read.

    We write none that is so: it was tampered with, and verification names it.
    """

    subject: str
    """What the chain is about."""
    seq: int
    """Its place in the chain, from 1."""
    event_id: str | None
    """Its own id."""
    kind: str | None
    """What happened."""
    at: str | None
    """When it happened."""
    actor: str | None
    """Who did it."""
    data: dict[str, JsonValue] | None
    """The facts, which depend on the kind."""
    prev_hash: str | None
    """The hash of the event before; zeros at the start of the chain."""
    hash: str | None
    """SHA-256 over the canonical JSON of all other members."""


class AuditLogPage(Answer):
    """Some events, and how to go on."""

    events: list[AuditLogEvent]
    """The events of the requests and of the deployment itself, oldest first."""
    next_cursor: str | None
    """Send it as `cursor` for those that follow; null at the end."""


class AuditFinding(Answer):
    """Something that is not as it was written."""

    kind: Literal[
        "edited",
        "replaced",
        "missing",
        "inserted",
        "out_of_order",
        "digest_missing",
        "digest_invalid",
    ]
    """What is wrong with the record."""
    record: str
    """The record, in words."""
    detail: str
    """What speaks against it."""
    subject: str | None
    """The chain of the event; null for a digest."""
    seq: int | None
    """The event's place in its chain."""
    doubtful_from: int | None
    """Where an event was replaced: those before it may be forged too, from this one on."""
    digest: str | None
    """The digest, by the end of its period; null for an event."""
    file: None
    """Always null: only an export has files."""


class Verification(Answer):
    """What was verified, and what came of it."""

    since: Annotated[Time, Field(alias="from")]
    """The beginning of the time that was asked for."""
    to: Time
    """Its end, which is not part of it."""
    verified: bool
    """Whether there are no findings; without a signed digest (`sealed_until`) that says little."""
    findings: list[AuditFinding]
    """What is wrong."""
    events: int
    """How many events this call looked at."""
    chains: int
    """How many chains this call looked at, each from its beginning."""
    digests: int
    """How many signed digests this call looked at."""
    sealed_until: Time | None
    """When the last digest that this call looked at ends; null for none."""
    next_cursor: str | None
    """Send it as `cursor` to verify the next part; null when all is done."""
    conclusion: str
    """What this shows, a sentence for people: without a digest only the chain could be checked."""


class AuditExportFile(Answer):
    """One file of an export."""

    name: str
    """The file's name."""
    kind: Literal["events", "heads", "seals", "script", "manifest"]
    """What is in it."""
    bytes: int
    """Its size."""
    sha256: Sha256
    """The SHA-256 of its content."""
    events: int = ABSENT
    """How many events it holds, where it holds events."""
    url: Url
    """Where to download it, for an hour; it needs no API key."""


class AuditExport(Answer):
    """An export of the audit log."""

    id: str
    """The export's id."""
    state: ExportState
    """How far it is; `done` and `failed` are final."""
    format: Literal["csv", "jsonl"]
    """The format of the events."""
    since: Annotated[Time, Field(alias="from")]
    """The beginning of the exported time."""
    to: Time
    """Its end, which is not part of it."""
    requested_by: str
    """Who asked for it."""
    requested_at: Time
    """When."""
    events: int
    """How many events are written so far."""
    digests: int
    """How many signed digests are written so far."""
    reason: str | None
    """Why it failed."""
    finished_at: Time | None
    """When it was done, or failed."""
    kept_until: Time
    """Until when the files are kept."""
    manifest_sha256: Sha256 | None
    """The SHA-256 of the manifest, which names those of all other files."""
    files: list[AuditExportFile]
    """The files, once it is done."""


class AuditExportAnswer(Answer):
    """One export."""

    export: AuditExport
    """The export."""


# --- webhooks


class Webhook(Answer):
    """Another application's endpoint, without its signing secret."""

    id: str
    """The webhook's id."""
    name: str
    """What the webhook is for."""
    url: Url
    """Where events are POSTed to."""
    events: list[WebhookEvent]
    """The events that it is told of."""
    active: bool
    """Whether it is told of events at all."""
    created_at: Time
    """When it was made."""
    secret_signs_from: Time
    """From when on its newest secret signs."""


class WebhookAnswer(Answer):
    """One webhook."""

    webhook: Webhook
    """The webhook."""


class CreatedWebhook(WebhookAnswer):
    """A new webhook with its secret."""

    secret: str
    """The signing secret, `whsec_…`. It is shown this once."""


class Webhooks(Answer):
    """The deployment's webhooks."""

    webhooks: list[Webhook]
    """The webhooks."""


class Delivery(Answer):
    """One POST of one event to one webhook."""

    id: str
    """The delivery's id."""
    webhook_id: str
    """The webhook that it is for."""
    event: Literal[WebhookEvent.NEW_REQUEST, WebhookEvent.RESPONSE_SUBMITTED, WebhookEvent.REQUEST_CANCELLED, "test"]
    """The event."""
    request_id: RequestId | None
    """The request that the event is about; null for a test ping."""
    status: DeliveryStatus
    """`delivered` after a 2xx, else `failed`; `stalled` if nobody has sent it for an hour. None is tried again."""
    http_status: int | None
    """The HTTP status of the answer, if one came."""
    reason: str | None
    """What came of it, in a few words; null while pending."""
    duration_ms: int | None
    """Milliseconds that the call took."""
    response: str | None
    """The first KB of the answer's body."""
    attempts: int
    """How often it was sent: more than once only where nobody saw the end of the first attempt."""
    at: Time
    """When the delivery was made."""
    finished_at: Time | None
    """When its end was seen."""
    redelivery_of: str | None
    """The delivery that this one repeats, with the same `X-Webhook-Id`."""


class DeliveryAnswer(Answer):
    """One delivery."""

    delivery: Delivery
    """The delivery."""


class DeliveryPage(Answer):
    """Some deliveries, and how to go on."""

    deliveries: list[Delivery]
    """The deliveries, newest first; they are kept for 90 days."""
    next_cursor: str | None
    """Send it as `cursor` for those that follow; null at the end."""


# --- what is sent to other applications


class ToldRequest(Answer):
    """The request, as webhooks are told of it."""

    id: RequestId
    """The request's id; zeros in a test ping."""
    flow_id: str
    """The flow's run, as the flow names it."""
    method_name: str
    """The flow's method that asks."""
    message: str
    """What the reviewer is asked."""
    emit_options: list[str]
    """The outcomes that may be chosen."""
    state: dict[str, JsonValue]
    """The flow's state."""
    metadata: dict[str, JsonValue]
    """What the flow sent along."""
    created_at: Time
    """When the request was opened."""
    output: JsonValue
    """What is to be reviewed."""
    response: DecidedResponse = ABSENT
    """With `response_submitted`: the answer."""
    content_url: Url = ABSENT
    """Above 256 KB: where message, output, state and metadata are to be had as JSON, without an API key."""
    content_url_expires_at: Time = ABSENT
    """Until when `content_url` works."""


class ToldDeployment(Answer):
    """A deployment, as webhooks are told of it."""

    id: int
    """The deployment's id."""
    name: str
    """The deployment's name."""
    organization_id: int
    """The organisation's id."""


class WebhookPayload(Answer):
    """What is POSTed to a webhook."""

    event: Literal[WebhookEvent.NEW_REQUEST, WebhookEvent.RESPONSE_SUBMITTED, WebhookEvent.REQUEST_CANCELLED, "test"]
    """What happened; `test` for a ping, in which there is nothing to decide."""
    request: ToldRequest
    """The request."""
    deployment: ToldDeployment
    """Whose request it is."""
    callback_url: Url
    """Whoever has this URL may answer the request: POST the answer to it. It dies with this webhook."""
    assigned_to_email: str
    """Who is asked."""
