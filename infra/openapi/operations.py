"""What each route is for, what it takes and what it answers: one entry per route, by `METHOD /path`.

What follows from the route is not said here: the names in its path, the errors of its body, and that an API key is
needed. `errors` are those that come on top.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flow_hitl.audit.answers import AuditLogPage
from flow_hitl.contract.rotation import RotatedSecret, Rotation
from flow_hitl.contract.validation import LONGEST_NAME
from flow_hitl.deployments.access_documents import MemberDocument, NewApiKey
from flow_hitl.deployments.answers import (
    ApiKeyAnswer,
    ApiKeys,
    ChangedRoutingRules,
    ChangedSettings,
    IssuedApiKey,
    Members,
    RoutingRules,
)
from flow_hitl.deployments.configuration_documents import RulesDocument, SettingsDocument
from flow_hitl.deployments.deployment import DeploymentSettings, Member
from flow_hitl.diagnosis.findings import Diagnosis
from flow_hitl.metrics.answers import Analytics
from flow_hitl.metrics.metrics import GROUPINGS
from flow_hitl.people.access import Action
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AlreadyResumed,
    Expired,
    FlowHitlError,
    Forbidden,
    NoQuestion,
    NotFound,
    NotPending,
    QuestionsOff,
    RateLimited,
    TooLarge,
    Unauthorized,
    ValidationFailed,
)
from flow_hitl.proof.answers import AuditExportAnswer, Verification
from flow_hitl.proof.export_audit import ExportWish
from flow_hitl.proof.receipt import KeySet
from flow_hitl.requests.answers import AcceptedAnswer, DecisionPage, OpenedRequest, RequestAnswer, RequestPage, Timeline
from flow_hitl.requests.changing.reassign_request import Reassignment
from flow_hitl.requests.deciding.ask_back import RemarkText
from flow_hitl.requests.opening.dry_run import DryRun, DryRunResult
from flow_hitl.requests.opening.open_request import NewRequest
from flow_hitl.requests.opening.send_test_request import NewTestRequest
from flow_hitl.requests.request import MediaType, Status
from flow_hitl.webhooks.answer_by_callback import CallbackAnswer
from flow_hitl.webhooks.answers import CreatedWebhook, DeliveryAnswer, DeliveryPageShown, WebhookAnswer, Webhooks
from flow_hitl.webhooks.manage_webhooks import NewWebhook, WebhookPatch
from flow_hitl.webhooks.webhook import RequestContent
from functions.intake import ResumeReport
from infra.openapi import examples

REQUESTS, CHECKS, ANSWERS, SETTINGS, RULES = "Requests", "Checks", "Answers", "Settings", "Routing rules"
MEMBERS, KEYS, WEBHOOKS, PAGES, DESCRIPTION = "Members", "API keys", "Webhooks", "Review page", "Description"
ANALYTICS, AUDIT = "Analytics", "Audit log"

TAGS = {
    REQUESTS: "The flows' side: ask a person, wait for the answer, list, cancel, pass to somebody else.",
    CHECKS: "Does it work, and if not, why?",
    ANSWERS: "Other applications answer here, with the signed URLs that they were sent; they need no API key.",
    SETTINGS: "How the requests of a deployment are sent and answered.",
    RULES: "Who is asked, by the method's name and the flow's state.",
    MEMBERS: "The people of a deployment.",
    KEYS: "What programs prove themselves with.",
    WEBHOOKS: "Other applications that are told of requests, and what was delivered to them.",
    ANALYTICS: "How many requests there are, how fast they are answered, and by whom.",
    AUDIT: "Everything that happened, and the proof that nothing of it was changed since.",
    PAGES: "The page behind the link in an email. It is for browsers: its forms change with it.",
    DESCRIPTION: "This description.",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter in the query or in a header; `schema` is JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: Any = None
    within: str = "query"
    required: bool = False


@dataclass(frozen=True)
class Body:
    """The JSON document that a route parses, and an example of it."""

    document: type
    example: Mapping[str, Any]
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """What a route answers when all goes well: a JSON document, or something of the media types that are named."""

    description: str
    document: type | None = None
    example: Mapping[str, Any] | None = None
    headers: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True)
class Operation:
    """One route; `needs` is what the API key must allow, None where the route takes none."""

    tag: str
    summary: str
    answers: Mapping[int, Answer]
    needs: Action | None = None
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: tuple[type[FlowHitlError], ...] = ()
    errors_are_pages: bool = False
    has_page_for_missing: bool = False
    """Whether a browser gets a page, too, where there is nothing."""


def _name(name: str, description: str, example: str) -> Parameter:
    return Parameter(name, description, {"type": "string", "maxLength": LONGEST_NAME}, example)


def _whole(name: str, description: str, default: int, lowest: int, highest: int) -> Parameter:
    bounds = {"type": "integer", "minimum": lowest, "maximum": highest, "default": default}
    return Parameter(name, description, bounds, example=default)


def _moment(name: str, description: str, example: str) -> Parameter:
    # Empty is as good as absent.
    return Parameter(name, description, {"type": "string", "anyOf": [{"format": "date-time"}, {"const": ""}]}, example)


def _day(name: str, description: str, example: str) -> Parameter:
    either = [{"format": "date"}, {"format": "date-time"}, {"const": ""}]
    return Parameter(name, description, {"type": "string", "anyOf": either}, example)


def _ok(
    document: type, example: Mapping[str, Any], description: str = "", headers: tuple[str, ...] = ()
) -> dict[int, Answer]:
    return {200: Answer(description or inspect.getdoc(document) or "", document, example, headers)}


def _page(description: str) -> Answer:
    return Answer(description, media_types=("text/html",))


GONE = {204: Answer("It is gone.", media_types=())}
WAIT = _whole(
    "wait", "Seconds to wait for an answer, and for its receipt, before answering with what there is.", 0, 0, 20
)
LIMIT = _whole("limit", "How many to return at most. A page of large ones may be shorter.", 20, 1, 100)
CURSOR = Parameter("cursor", "Where to go on: the cursor of the page before.", example=examples.CURSOR)
IF_MATCH = Parameter(
    "If-Match",
    "The `ETag` of what you have read, so that nobody's change is lost; `*` replaces whatever is there.",
    example="*",
    within="header",
    required=True,
)
ONCE = Parameter(
    "Idempotency-Key",
    "Makes it safe to repeat the call, for 7 days: the same call under the same key makes and sends nothing again.",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    "order-2026-01-14-0001",
    within="header",
)
ETAG = ("ETag",)
SINCE = _moment("from", "The beginning of the time; without one, the first day of the log.", "2026-01-14T00:00:00Z")
TO = _moment("to", "Its end, which is not part of it; without one, now.", "2026-01-15T00:00:00Z")
DEPLOYMENT = "/v1/deployments/{deployment_id}"
WEBHOOK = f"{DEPLOYMENT}/webhooks/{{webhook_id}}"

_EACH_PAGE = (Unauthorized, Forbidden, NotFound, Expired)

OPERATIONS: dict[str, Operation] = {
    "POST /v1/requests": Operation(
        REQUESTS,
        "Ask a person",
        {
            201: Answer("The request is open and will be sent to its responder.", OpenedRequest, examples.OPENED),
            200: Answer("The same call was made before: the request as it is now.", OpenedRequest, examples.OPENED),
        },
        Action.CREATE,
        "A flow has reached a review point. The responder is `assigned_to_email`, else whom the routing rules choose, "
        "else the deployment creator. Send your own `id`, or an `Idempotency-Key`, and you may repeat the call: the "
        "same body is then answered with the same request.",
        parameters=(replace(ONCE, description=f"{ONCE.description} Ignored where the body has an `id`."),),
        body=Body(NewRequest, examples.NEW_REQUEST),
        errors=(RateLimited,),
    ),
    "GET /v1/requests/{request_id}": Operation(
        REQUESTS,
        "Read a request, or wait for its answer",
        _ok(RequestAnswer, {"request": examples.RESPONDED}, "The request, even if it is still pending after the wait."),
        Action.VIEW,
        parameters=(WAIT,),
    ),
    "GET /v1/requests": Operation(
        REQUESTS,
        "List requests, newest first",
        _ok(RequestPage, examples.REQUESTS, "The requests that fit all filters."),
        Action.VIEW,
        parameters=(
            Parameter("status", "Only those with this status.", {"type": "string", "enum": list(Status)}, "pending"),
            _name(
                "assigned_to",
                "Only those assigned to this email address, to an alias of the same member, to a group with this "
                "person in it, or to this `group:<name>`.",
                "alice@example.com",
            ),
            _name("flow_name", "Only those of this flow.", "ContentApprovalFlow"),
            _name("method_name", "Only those of this method.", "review_article"),
            _name("outcome", "Only those answered with this outcome.", "approved"),
            _moment("from", "Only those opened at this time or later.", "2026-01-01T00:00:00Z"),
            _moment("to", "Only those opened at this time or earlier.", "2026-12-31T23:59:59Z"),
            LIMIT,
            CURSOR,
        ),
    ),
    "GET /v1/decisions": Operation(
        REQUESTS,
        "Follow the decisions, oldest first",
        _ok(DecisionPage, examples.DECISIONS, "Decided requests after the cursor, each at least once."),
        Action.VIEW,
        "For one worker that serves many paused flows. Keep the cursor of each answer and send it with the next call; "
        "without one you get every decision from the first on. With `include=questions`, it also has the requests "
        "about which a reviewer asks back, until the question is answered.",
        parameters=(
            LIMIT,
            CURSOR,
            WAIT,
            Parameter(
                "include",
                "`questions`: also return open questions.",
                {"type": "string", "enum": ["questions"]},
                "questions",
            ),
        ),
    ),
    "DELETE /v1/requests/{request_id}": Operation(
        REQUESTS,
        "Cancel a request",
        _ok(RequestAnswer, {"request": examples.CANCELLED}, "The request is cancelled, now or since before."),
        Action.CANCEL,
        errors=(AlreadyResponded,),
    ),
    "POST /v1/requests/{request_id}/reassign": Operation(
        REQUESTS,
        "Give a request to somebody else",
        _ok(RequestAnswer, {"request": examples.REASSIGNED}, "The request with its new responder."),
        Action.REASSIGN,
        "The new responder gets an email. The previous one can no longer answer.",
        parameters=(ONCE,),
        body=Body(Reassignment, examples.REASSIGNMENT),
        errors=(AlreadyResponded, NotPending, RateLimited),
    ),
    "POST /v1/requests/{request_id}/resume-status": Operation(
        REQUESTS,
        "Report how the flow went on",
        _ok(RequestAnswer, {"request": examples.RESUMED}, "The request with the reported status."),
        Action.REPORT_RESUME,
        "With `once`, `resumed` claims the resumption before it begins: of several readers of the decisions feed, the "
        "first goes on with the flow, and every other is told `already-resumed`. Send an `Idempotency-Key` with it, a "
        "new one per claim: whoever repeats a call whose answer was lost is known by it, and by nothing else. A report "
        "of `resume_failed` gives the claim back.",
        parameters=(ONCE,),
        body=Body(ResumeReport, examples.RESUME_REPORT),
        errors=(AlreadyResumed, NotPending),
    ),
    "POST /v1/requests/{request_id}/answers": Operation(
        REQUESTS,
        "Answer a question",
        _ok(RequestAnswer, {"request": examples.TALKED}, "The request, still pending, with the answer."),
        Action.ANSWER_QUESTION,
        "Of a request with `questions`. Whoever asked gets the answer by email, in the thread of the request, and sees "
        "it on the page. The first answer counts; another question may follow.",
        parameters=(ONCE,),
        body=Body(RemarkText, examples.QUESTION_ANSWER),
        errors=(AlreadyResponded, NotPending, NoQuestion),
    ),
    "GET /v1/requests/{request_id}/timeline": Operation(
        REQUESTS,
        "Read everything that happened to a request",
        _ok(Timeline, examples.TIMELINE),
        Action.VIEW,
    ),
    "GET /v1/requests/{request_id}/diagnosis": Operation(
        CHECKS,
        "Find out why nothing happens",
        _ok(Diagnosis, examples.DIAGNOSIS, "Three questions, each with facts and the next step."),
        Action.VIEW,
    ),
    f"POST {DEPLOYMENT}/test-request": Operation(
        CHECKS,
        "Send a test request",
        {201: Answer("The test request.", RequestAnswer, {"request": examples.TEST_REQUEST})},
        Action.CONFIGURE,
        "A real request to an address of your choice. Its answer proves that emails go out and answers come back.",
        parameters=(ONCE,),
        body=Body(NewTestRequest, examples.NEW_TEST_REQUEST),
        errors=(RateLimited,),
    ),
    "POST /v1/callbacks/{token}": Operation(
        ANSWERS,
        "Answer a request",
        _ok(AcceptedAnswer, examples.ACCEPTED),
        description="This is the `callback_url` of a request or of a webhook's payload. Without an `outcome`, the "
        "first line of `feedback` is the outcome if it equals an emit option, whatever its case and punctuation. The "
        "first answer counts.",
        body=Body(CallbackAnswer, examples.CALLBACK_ANSWER),
        errors=(Unauthorized, Forbidden, NotFound, AlreadyResponded, NotPending),
    ),
    "POST /v1/callbacks/{token}/questions": Operation(
        ANSWERS,
        "Ask the flow back",
        _ok(RequestAnswer, {"request": examples.ASKED}, "The request, still pending, with the question."),
        description="Whoever may answer a request with `questions` may also ask back; nothing is decided by it. The "
        "flow is told by `question_asked`. The same question again, while it is open, is one question. A request takes "
        "up to 20 questions and answers.",
        body=Body(RemarkText, examples.QUESTION),
        errors=(Unauthorized, Forbidden, NotFound, AlreadyResponded, NotPending, QuestionsOff),
    ),
    "GET /v1/contents/{token}": Operation(
        ANSWERS,
        "Read what was too large for a webhook",
        _ok(RequestContent, examples.CONTENT, "The request's content."),
        description="This is the `content_url` of a webhook's payload.",
        errors=(Unauthorized, NotFound, Expired),
    ),
    "GET /v1/attachments/{token}": Operation(
        ANSWERS,
        "Read an attachment",
        {
            200: Answer(
                "The attachment's bytes. Images are to be shown, PDFs to be saved.", media_types=tuple(MediaType)
            )
        },
        parameters=(
            Parameter("embedded", "`yes` lets the pages here show a PDF in a frame. Nobody else can.", example="yes"),
        ),
        description="This is the `url` of an attachment in a request object, which works for an hour. Files are not "
        "scanned for malware.",
        errors=(Unauthorized, NotFound, Expired),
    ),
    f"GET {DEPLOYMENT}/settings": Operation(
        SETTINGS,
        "Read the settings",
        _ok(DeploymentSettings, examples.SETTINGS, headers=ETAG),
        Action.CONFIGURE,
    ),
    f"PUT {DEPLOYMENT}/settings": Operation(
        SETTINGS,
        "Replace the settings",
        _ok(ChangedSettings, examples.CHANGED_SETTINGS, headers=ETAG),
        Action.CONFIGURE,
        "A field that you leave out has its default.",
        parameters=(IF_MATCH,),
        body=Body(SettingsDocument, examples.SETTINGS),
    ),
    f"GET {DEPLOYMENT}/routing-rules": Operation(
        RULES,
        "Read the routing rules",
        _ok(RoutingRules, examples.RULES, headers=ETAG),
        Action.CONFIGURE,
    ),
    f"PUT {DEPLOYMENT}/routing-rules": Operation(
        RULES,
        "Replace the routing rules",
        _ok(ChangedRoutingRules, examples.CHANGED_RULES, headers=ETAG),
        Action.CONFIGURE,
        parameters=(IF_MATCH,),
        body=Body(RulesDocument, examples.RULES),
    ),
    f"POST {DEPLOYMENT}/routing-rules/dry-run": Operation(
        RULES,
        "Try the routing rules",
        _ok(DryRunResult, examples.DRY_RUN_RESULT),
        Action.CONFIGURE,
        "Nothing is saved, and nobody gets an email.",
        body=Body(DryRun, examples.DRY_RUN),
    ),
    f"POST {DEPLOYMENT}/rotate-resume-secret": Operation(
        SETTINGS,
        "Give a deployment a new resume secret",
        _ok(RotatedSecret, examples.ROTATED),
        Action.CONFIGURE,
        "Name a moment ahead, and have your receiver take both secrets until then: the old one signs up to it, the new "
        "one after it. A signing key that no resume secret derives from any more can be retired.",
        parameters=(ONCE,),
        body=Body(Rotation, examples.ROTATION, required=False),
    ),
    f"GET {DEPLOYMENT}/members": Operation(
        MEMBERS, "List the members", _ok(Members, examples.MEMBERS), Action.CONFIGURE
    ),
    f"GET {DEPLOYMENT}/members/{{email}}": Operation(
        MEMBERS, "Read a member", _ok(Member, examples.MEMBER), Action.CONFIGURE
    ),
    f"PUT {DEPLOYMENT}/members/{{email}}": Operation(
        MEMBERS,
        "Add or replace a member",
        _ok(Member, examples.MEMBER),
        Action.CONFIGURE,
        body=Body(MemberDocument, examples.NEW_MEMBER),
    ),
    f"DELETE {DEPLOYMENT}/members/{{email}}": Operation(MEMBERS, "Remove a member", GONE, Action.CONFIGURE),
    f"GET {DEPLOYMENT}/api-keys": Operation(KEYS, "List the API keys", _ok(ApiKeys, examples.KEYS), Action.CONFIGURE),
    f"POST {DEPLOYMENT}/api-keys": Operation(
        KEYS,
        "Issue an API key",
        {201: Answer("The key, whose secret is shown this once.", IssuedApiKey, examples.ISSUED_KEY)},
        Action.CONFIGURE,
        parameters=(ONCE,),
        body=Body(NewApiKey, examples.NEW_KEY),
    ),
    f"GET {DEPLOYMENT}/api-keys/{{key_id}}": Operation(
        KEYS, "Read an API key", _ok(ApiKeyAnswer, {"api_key": examples.KEY}), Action.CONFIGURE
    ),
    f"DELETE {DEPLOYMENT}/api-keys/{{key_id}}": Operation(
        KEYS, "Revoke an API key", GONE, Action.CONFIGURE, "It is refused from the next call on."
    ),
    f"GET {DEPLOYMENT}/webhooks": Operation(
        WEBHOOKS, "List the webhooks", _ok(Webhooks, examples.WEBHOOKS), Action.CONFIGURE
    ),
    f"POST {DEPLOYMENT}/webhooks": Operation(
        WEBHOOKS,
        "Add a webhook",
        {201: Answer("The webhook, whose secret is shown this once.", CreatedWebhook, examples.CREATED_WEBHOOK)},
        Action.CONFIGURE,
        parameters=(ONCE,),
        body=Body(NewWebhook, examples.NEW_WEBHOOK),
    ),
    f"PATCH {WEBHOOK}": Operation(
        WEBHOOKS,
        "Change a webhook",
        _ok(WebhookAnswer, examples.PATCHED_WEBHOOK, "The webhook as it is from now on."),
        Action.CONFIGURE,
        "What the body leaves out stays as it is.",
        body=Body(WebhookPatch, examples.WEBHOOK_PATCH),
    ),
    f"DELETE {WEBHOOK}": Operation(
        WEBHOOKS, "Delete a webhook", GONE, Action.CONFIGURE, "The callback URLs that it was sent die with it."
    ),
    f"POST {WEBHOOK}/rotate-secret": Operation(
        WEBHOOKS,
        "Give a webhook a new secret",
        _ok(RotatedSecret, examples.ROTATED),
        Action.CONFIGURE,
        parameters=(ONCE,),
        body=Body(Rotation, examples.ROTATION, required=False),
    ),
    f"POST {WEBHOOK}/test": Operation(
        WEBHOOKS,
        "Send a test ping",
        {202: Answer("The delivery to come; the log of deliveries shows its end.", DeliveryAnswer, examples.PING)},
        Action.CONFIGURE,
        parameters=(ONCE,),
    ),
    f"GET {WEBHOOK}/deliveries": Operation(
        WEBHOOKS,
        "List deliveries, newest first",
        _ok(DeliveryPageShown, examples.DELIVERIES),
        Action.CONFIGURE,
        parameters=(LIMIT, CURSOR),
    ),
    f"POST {WEBHOOK}/deliveries/{{delivery_id}}/redeliver": Operation(
        WEBHOOKS,
        "Deliver again",
        {202: Answer("The delivery to come, with the `X-Webhook-Id` of the old.", DeliveryAnswer, examples.REDELIVERY)},
        Action.CONFIGURE,
        parameters=(ONCE,),
    ),
    f"GET {DEPLOYMENT}/analytics": Operation(
        ANALYTICS,
        "Read the figures of a range",
        _ok(Analytics, examples.ANALYTICS),
        Action.CONFIGURE,
        "By default of the last 30 days; at most five years. Days are those of UTC, and count as a whole.",
        parameters=(
            _day("from", "The first day, or a time in it.", "2026-01-01"),
            _day("to", "The last day, or a time in it; without one, today.", "2026-01-31"),
            Parameter(
                "group_by",
                "By what the groups are told apart; without it, by reviewer.",
                {"type": "string", "enum": [*GROUPINGS, ""]},
                "method",
            ),
        ),
    ),
    f"GET {DEPLOYMENT}/audit": Operation(
        AUDIT,
        "Read the audit log, oldest first",
        _ok(AuditLogPage, examples.AUDIT_LOG),
        Action.CONFIGURE,
        "A page may be short, or empty, and not the last: follow `next_cursor` until it is null.",
        parameters=(
            SINCE,
            TO,
            _whole("limit", "How many to return at most. A page of large ones may be shorter.", 100, 1, 200),
            CURSOR,
        ),
    ),
    f"GET {DEPLOYMENT}/audit/verify": Operation(
        AUDIT,
        "Verify the audit log",
        _ok(Verification, examples.VERIFICATION),
        Action.CONFIGURE,
        "Holds the events of the time against their hashes, the signed digests of each day, and what the requests "
        "say of themselves. One call verifies a part: follow `next_cursor` until it is null.",
        parameters=(SINCE, TO, CURSOR),
    ),
    f"POST {DEPLOYMENT}/audit/export": Operation(
        AUDIT,
        "Export the audit log",
        {202: Answer("The export has begun.", AuditExportAnswer, examples.STARTED_EXPORT)},
        Action.CONFIGURE,
        "Files for auditors, with all that is needed to verify them without us. That it was asked for becomes part of "
        "the audit log. Without a body, everything is exported as JSON lines.",
        parameters=(ONCE,),
        body=Body(ExportWish, examples.NEW_EXPORT, required=False),
    ),
    f"GET {DEPLOYMENT}/audit/export/{{export_id}}": Operation(
        AUDIT,
        "See how far an export is, and get its files",
        _ok(AuditExportAnswer, examples.EXPORT),
        Action.CONFIGURE,
    ),
    "GET /review/{token}": Operation(
        PAGES, "Look at a request", {200: _page("The page.")}, errors=_EACH_PAGE, errors_are_pages=True
    ),
    "HEAD /review/{token}": Operation(
        PAGES, "Look whether the page is there", {200: _page("It is.")}, errors=_EACH_PAGE, errors_are_pages=True
    ),
    "POST /review/{token}": Operation(
        PAGES,
        "Send the page's form",
        {
            200: _page("The page that thanks, or says how the request stands."),
            303: Answer("A question was asked: the page again, with it.", media_types=()),
        },
        errors=(*_EACH_PAGE, TooLarge, ValidationFailed),
        errors_are_pages=True,
    ),
    "GET /v1/openapi.json": Operation(DESCRIPTION, "Read the API's description", {200: Answer("OpenAPI 3.1.")}),
    "GET /v1/keys": Operation(
        DESCRIPTION,
        "Read the public keys of receipts",
        _ok(KeySet, examples.RECEIPT_KEYS),
        description="With them anyone can check the receipt of a decision, without calling this service again.",
    ),
    "GET /docs": Operation(DESCRIPTION, "Look at the API's description, and try it", {200: _page("The page.")}),
    "GET /docs/{name}": Operation(
        DESCRIPTION,
        "Read a part of that page",
        {200: Answer("A script or style sheet.", media_types=("text/javascript", "text/css"))},
        errors=(NotFound,),
    ),
    "GET /docs/guide": Operation(DESCRIPTION, "Read the guide", {200: _page("Its first page.")}),
    "GET /docs/guide/{name}": Operation(
        DESCRIPTION,
        "Read another page of the guide",
        {200: Answer("The page, or an image of it.", media_types=("text/html", "image/png", "image/svg+xml"))},
        errors=(NotFound,),
        has_page_for_missing=True,
    ),
}
