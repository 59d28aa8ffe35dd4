"""The flows' side of the API: open requests, list, cancel, reassign, and answer questions; `wait` has their answers."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from flow_hitl.bootstrap import current
from flow_hitl.contract.validation import LONGEST_NAME, Document, parse_document
from flow_hitl.deployments.quotas import near_quota
from flow_hitl.people.access import KeyHolder
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.platform.telemetry import QUOTA_NEARLY_USED, count
from flow_hitl.requests.answers import OpenedRequest, RequestAnswer, RequestPage, Timeline
from flow_hitl.requests.changing.change_request import REPORTABLE
from flow_hitl.requests.changing.reassign_request import Reassignment
from flow_hitl.requests.opening.open_request import NewRequest
from flow_hitl.requests.ports import RequestFilter
from flow_hitl.requests.request import Request, RequestShown, Status
from functions.http_api import (
    MAX_BODY_BYTES,
    body_bytes,
    call_of,
    idempotency_key,
    json_response,
    lambda_entry,
    make_routes,
    query,
    query_integer,
    query_moment,
    too_large,
    uuid_in,
)
from functions.routing import Response

app = make_routes()

# Attachments of 3 MiB are 4 MiB in base64. Lambda takes events of 6 MB.
_MOST_WITH_ATTACHMENTS = MAX_BODY_BYTES + 4 * 1024 * 1024


class ResumeReport(Document):
    """The body of `POST /v1/requests/{id}/resume-status`."""

    status: Annotated[str, Field(json_schema_extra={"enum": list(REPORTABLE)})]
    """How the flow went on."""
    detail: Annotated[str, Field(max_length=2000)] | None = None
    """More about it, for the timeline."""
    once: bool = False
    """With `resumed`: claims the resumption, before the flow goes on."""


@app.post("/v1/requests")
def open_request() -> Response:
    holder = _holder()
    _watch_quotas(holder)
    opened = current().open_request(holder, _new_request(), _call(holder))
    addresses, head = current().answer_addresses, opened.request.head
    answer = OpenedRequest(
        request=current().shown(opened.request),
        callback_url=addresses.callback_url(head.request_id),
        dashboard_url=addresses.dashboard_url(head),
    )
    return json_response(201 if opened.created else 200, answer)


@app.get("/v1/requests")
def list_requests() -> Response:
    limit = query_integer(app, "limit", 20, 1, 100)
    page = current().read_requests.list_requests(_holder(), _filter(), limit, query(app, "cursor"))
    return json_response(200, RequestPage(_shown(page.requests), page.next_cursor))


@app.delete("/v1/requests/<request_id>")
def cancel_request(request_id: str) -> Response:
    return _request(current().cancel_request(_holder(), uuid_in(request_id)))


@app.post("/v1/requests/<request_id>/reassign")
def reassign_request(request_id: str) -> Response:
    holder, wish, request_id = _holder(), parse_document(Reassignment, body_bytes(app)), uuid_in(request_id)
    call = call_of(app, holder.deployment.deployment_id, "reassign", request_id)
    return _request(current().reassign_request(holder, request_id, wish, call))


@app.post("/v1/requests/<request_id>/resume-status")
def report_resume(request_id: str) -> Response:
    holder, report, request_id = _holder(), parse_document(ResumeReport, body_bytes(app)), uuid_in(request_id)
    call = call_of(app, holder.deployment.deployment_id, "resume-status", request_id)
    return _request(current().report_resume(holder, request_id, report.status, report.detail, call, once=report.once))


@app.post("/v1/requests/<request_id>/answers")
def answer_question(request_id: str) -> Response:
    # Few requests take questions, and the others are not to pay for it.
    from flow_hitl.requests.deciding.ask_back import RemarkText

    holder, told, request_id = _holder(), parse_document(RemarkText, body_bytes(app)), uuid_in(request_id)
    call = call_of(app, holder.deployment.deployment_id, "answers", request_id)
    return _request(current().answer_question(holder, request_id, told.text, call))


@app.get("/v1/requests/<request_id>/timeline")
def get_timeline(request_id: str) -> Response:
    events = current().read_requests.timeline(_holder(), uuid_in(request_id))
    return json_response(200, Timeline(events))


handler = lambda_entry(app)


def _holder() -> KeyHolder:
    return current().authenticate(app.asked.headers.get("authorization"))


def _new_request() -> NewRequest:
    """Return the body, which only attachments may make larger than others; raises TooLarge and ValidationFailed."""
    body = body_bytes(app, _MOST_WITH_ATTACHMENTS)
    if len(body) > MAX_BODY_BYTES and b'"attachments"' not in body:
        raise too_large()
    wish = parse_document(NewRequest, body)
    if len(body) - sum(len(one.content) for one in wish.attachments) > MAX_BODY_BYTES:
        raise too_large()
    return wish


def _watch_quotas(holder: KeyHolder) -> None:
    """Raise the operator's alarm when a deployment has used most of a quota, or all of it."""
    deployment, used = holder.deployment, holder.usage
    if near_quota(deployment.quotas, used, current().clock.now()):
        count(
            QUOTA_NEARLY_USED,
            deployment_id=deployment.deployment_id,
            requests_this_hour=used.requests,
            mails_today=used.mails,
        )


def _call(holder: KeyHolder) -> Call | None:
    """Return the call that opens a request, whose body is compared with the request's own content."""
    key = idempotency_key(app)
    return Call(holder.deployment.deployment_id, "", key, "", current().clock.now()) if key is not None else None


def _name(name: str) -> str | None:
    """Return a filter; raises ValidationFailed for one that is longer than any name, and so than an index key."""
    text = query(app, name)
    if text is not None and len(text) > LONGEST_NAME:
        raise ValidationFailed([FieldError(f"/{name}", f"must not be longer than {LONGEST_NAME} characters")])
    return text


def _filter() -> RequestFilter:
    status, assignee = query(app, "status"), _name("assigned_to")
    if status is not None and status not in set(Status):
        raise ValidationFailed([FieldError("/status", f"must be one of: {', '.join(Status)}")])
    return RequestFilter(
        statuses=(status,) if status else (),
        assigned_to=(assignee,) if assignee else (),
        flow_name=_name("flow_name"),
        method_name=_name("method_name"),
        outcome=_name("outcome"),
        created_from=query_moment(app, "from"),
        created_to=query_moment(app, "to"),
    )


def _request(request: Request) -> Response:
    return json_response(200, RequestAnswer(current().shown(request)))


def _shown(requests: Sequence[Request]) -> list[RequestShown]:
    return [current().shown(request) for request in requests]
