"""The shapes of the API: plain dictionaries at run time.

The server may add fields. Times are RFC 3339 texts in UTC.
"""

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal, TypedDict

AttachmentSource = str | PathLike[str] | tuple[str, bytes] | Mapping[str, str]
RequestStatus = Literal["pending", "responded", "cancelled"]
AssignedBy = Literal["request", "assign_from_input", "assign_to_email", "deployment_creator", "reassignment"]
RespondedVia = Literal["email", "dashboard", "api", "auto_response"]
ResumeStatus = Literal["resumed", "resume_failed", "paused_again"]
FreeText = Literal["accept", "ask_again"]
OptionTone = Literal["positive", "neutral", "negative"]
CommentRule = Literal["optional", "required"]


class HistoryEntry(TypedDict):
    """One earlier step of the flow, shown to the person as context; `at` is an RFC 3339 time, or None if unknown."""

    method: str
    at: str | None
    output: Any


class OptionLook(TypedDict, total=False):
    """How one of the options is to read to people; what is left out is derived from its value.

    `tone` is the look of its button, `hint` stands below it, and with `comment: "required"` an answer needs a comment.
    """

    label: str
    hint: str
    tone: OptionTone
    comment: CommentRule


class Option(TypedDict):
    """How one of the options reads to people."""

    label: str
    hint: str | None
    tone: OptionTone
    comment: CommentRule


class _Attachment(TypedDict):
    name: str
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"]
    size: int
    sha256: str


class Attachment(_Attachment, total=False):
    """An image or a PDF beside the output; `url` answers a GET for an hour, without an API key. Webhooks have none."""

    url: str


class AutoResponseOverride(TypedDict):
    """The answer a flow wants if nobody answers within `timeout_minutes` (at least 1)."""

    timeout_minutes: int
    default_outcome: str


class AutoResponse(AutoResponseOverride):
    """The answer that is given if nobody answers by `due_at`."""

    due_at: str


class Response(TypedDict):
    """The one decision: `feedback` is its first line, `comment` the lines after it (or empty).

    `output` is the output as the reviewer changed it, None if they did not; `data` is the typed answer.
    """

    outcome: str | None
    feedback: str
    comment: str
    responded_via: RespondedVia
    responder: str | None
    responder_verified: bool
    source: str | None
    responded_at: str
    response_seconds: int
    valid_until: str | None
    output: Any
    data: dict[str, Any] | None
    receipt: str | None


class Resume(TypedDict):
    """The state of the flow's resumption."""

    status: Literal["waiting", "delivered", "failed", "resumed", "resume_failed", "paused_again"]
    attempts: int
    last_status: int | None


class Remark(TypedDict):
    """A reviewer's question to the flow, or the flow's answer.

    `by` is who asked, None for another application, and for the flow.
    """

    id: str
    kind: Literal["question", "answer"]
    text: str
    at: str
    by: str | None


class Request(TypedDict):
    """One question to one person."""

    id: str
    status: RequestStatus
    flow_id: str
    flow_name: str | None
    method_name: str
    title: str
    message: str
    output: Any
    emit_options: list[str]
    options: dict[str, Option]
    state: dict[str, Any]
    metadata: dict[str, Any]
    history: list[HistoryEntry]
    created_at: str
    assigned_to_email: str
    assigned_by: AssignedBy
    routing_rule: str | None
    auto_response: AutoResponse | None
    sla_due_at: str | None
    approval_ttl_minutes: int | None
    receipt: bool
    editable: bool
    response_schema: dict[str, Any] | None
    questions: bool
    thread: list[Remark]
    attachments: list[Attachment]
    warnings: list[str]
    test: bool
    response: Response | None
    resume: Resume | None


class CreatedRequest(TypedDict):
    """A new request, and the URL by which a program may answer it. Whoever knows the URL can answer: keep it secret.

    `dashboard_url` is the request's page for people who sign in; it may be shown to anybody.
    """

    request: Request
    callback_url: str
    dashboard_url: str


class RequestPage(TypedDict):
    """One page of a list; `next_cursor` is None on the last."""

    requests: list[Request]
    next_cursor: str | None


class _Decisions(TypedDict):
    decisions: list[Request]
    cursor: str


class Decisions(_Decisions, total=False):
    """Decided requests, oldest first, each at least once; `cursor` is where the next call goes on.

    `questions`, if they were asked for, are pending requests: the last of each one's `thread` is a question to answer.
    """

    questions: list[Request]


class WebhookDeployment(TypedDict):
    """The deployment that a webhook comes from."""

    id: int
    name: str
    organization_id: int


class _WebhookRequest(TypedDict):
    id: str
    flow_id: str
    method_name: str
    message: str
    output: Any
    emit_options: list[str]
    state: dict[str, Any]
    metadata: dict[str, Any]
    created_at: str
    title: str
    options: dict[str, Option]


class WebhookRequest(_WebhookRequest, total=False):
    """The request as a webhook shows it: with the response in `response_submitted`, the question in `question_asked`.

    Above 256 KiB it has, in place of output, state and metadata, a `content_url` that answers a GET with them until
    `content_url_expires_at`.
    """

    editable: bool
    response_schema: dict[str, Any]
    attachments: list[Attachment]
    response: Response
    question: Remark
    content_url: str
    content_url_expires_at: str


class WebhookEvent(TypedDict):
    """The body of a webhook; `test` is the ping that a manager sends."""

    event: Literal["new_request", "response_submitted", "request_cancelled", "question_asked", "test"]
    request: WebhookRequest
    deployment: WebhookDeployment
    callback_url: str
    assigned_to_email: str


class ResumeEvent(TypedDict):
    """The body of a push to a `resume_url`."""

    event: Literal["response_submitted"]
    request: Request


class AskedRequest(Request):
    """A request that is still pending, and what a reviewer asks about it."""

    question: Remark


class QuestionEvent(TypedDict):
    """The body of a push to a `resume_url` if a reviewer asks back: answer it by `Client.answer_question`."""

    event: Literal["question_asked"]
    request: AskedRequest


class FieldProblem(TypedDict):
    """One invalid field, named by a JSON pointer."""

    field: str
    message: str


class Problem(TypedDict, total=False):
    """A problem document (RFC 9457). The last members are there only for some types of problem."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]
    responded_via: RespondedVia
    responded_at: str
    outcome: str | None
    request_status: RequestStatus
    quota: Literal["requests_per_hour", "mails_per_day"]
    limit: int
    retry_after: int
