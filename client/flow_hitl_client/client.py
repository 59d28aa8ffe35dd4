"""The plain client: one method per API call that a flow needs."""

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final, Literal, cast
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

from flow_hitl_client.answers import schema_of
from flow_hitl_client.attachments import attachment_of
from flow_hitl_client.errors import NotConfigured, ServerUnreachable, problem_error
from flow_hitl_client.types import (
    AttachmentSource,
    AutoResponseOverride,
    CreatedRequest,
    Decisions,
    FreeText,
    HistoryEntry,
    OptionLook,
    Problem,
    Request,
    RequestPage,
    RequestStatus,
    ResumeStatus,
)
from flow_hitl_client.waiting import Pause, Waiting

LONGEST_PAUSE_SECONDS: Final = 60


class _BearerAuth(AuthBase):
    """Sends the key, and an `Idempotency-Key` with each POST.

    As `auth`, because a .netrc entry for the host would override a plain header.
    """

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        if request.method == "POST":
            request.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        return request


class _PatientRetry(Retry):
    """Pauses as long as the server asks, up to a minute; beyond that, the caller decides."""

    def increment(self, *args: Any, **kwargs: Any) -> "_PatientRetry":
        response = kwargs.get("response")
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_PAUSE_SECONDS:
            raise MaxRetryError(cast("Any", kwargs.get("_pool")), None, ResponseError("too long to wait"))
        return super().increment(*args, **kwargs)


class Client:
    """A connection to one deployment.

    Lost connections, 429, and 5xx are retried, with growing pauses or as the server asks, up to a minute. Retries are
    safe: a request has an id of the client's, and every other POST an `Idempotency-Key`. Raises `ProblemError` when the
    server refuses, and `ServerUnreachable` when no answer came.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout: float = 30.0, retries: int = 4
    ) -> None:
        """Connect to `url` with `api_key`; the defaults are FLOW_HITL_URL and FLOW_HITL_API_KEY in the environment.

        `timeout` is in seconds per try, in addition to a call's `wait`. Raises NotConfigured.
        """
        self.url: Final = (url or _environment("FLOW_HITL_URL")).rstrip("/")
        self.key: Final = api_key or _environment("FLOW_HITL_API_KEY")
        self._timeout = timeout
        self._session = retrying_session(retries)
        self._session.auth = _BearerAuth(self.key)

    def create_request(
        self,
        *,
        flow_id: str,
        method_name: str,
        message: str,
        request_id: str | None = None,
        flow_name: str | None = None,
        output: Any = None,
        emit_options: Sequence[str] | None = None,
        state: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        history: Sequence[HistoryEntry] | None = None,
        resume_url: str | None = None,
        assigned_to_email: str | None = None,
        auto_response: AutoResponseOverride | Literal["never"] | None = None,
        sla_target_minutes: int | None = None,
        free_text: FreeText | None = None,
        approval_ttl_minutes: int | None = None,
        receipt: bool | None = None,
        title: str | None = None,
        options: Mapping[str, OptionLook] | None = None,
        editable: bool | None = None,
        response_schema: Any = None,
        questions: bool | None = None,
        attachments: Sequence[AttachmentSource] | None = None,
    ) -> CreatedRequest:
        """Ask a person: open a request, and return it with its callback URL.

        `output` is what the person reviews: Markdown or any JSON. `title` stands in the email's subject and in lists;
        `options` say how each of the `emit_options` reads, by value. The deployment's settings and routing rules apply
        to what is left out. The same `request_id` (a UUID, default: a new one) with the same content returns the first
        request. With `editable`, the person may change the output: `approved_output` returns what was approved.
        `response_schema` asks for a typed answer: a flat JSON Schema, or a pydantic model, an instance of which
        `typed_answer` returns. With `questions`, the person may ask back: `question_asked` goes to the `resume_url` and
        to webhooks, and `answer_question` answers it.
        `attachments` are up to ten images and PDFs to show beside the output, 3 MiB together, each a path, or a name
        with bytes. Raises ValidationFailed, TooLarge, IdempotencyMismatch, OSError for a file that cannot be read, and
        ValueError for one of another type.
        """
        optional = {
            "flow_name": flow_name,
            "output": output,
            "emit_options": None if emit_options is None else list(emit_options),
            "state": state,
            "metadata": metadata,
            "history": history,
            "resume_url": resume_url,
            "assigned_to_email": assigned_to_email,
            "auto_response": auto_response,
            "sla_target_minutes": sla_target_minutes,
            "free_text": free_text,
            "approval_ttl_minutes": approval_ttl_minutes,
            "receipt": receipt,
            "title": title,
            "options": options,
            "editable": editable,
            "response_schema": None if response_schema is None else schema_of(response_schema),
            "questions": questions,
            "attachments": [attachment_of(one) for one in attachments] if attachments else None,
        }
        body: dict[str, Any] = {
            "id": request_id or str(uuid.uuid4()),
            "flow_id": flow_id,
            "method_name": method_name,
            "message": message,
            **{name: value for name, value in optional.items() if value is not None},
        }
        if auto_response == "never":
            body["auto_response"] = None
        return cast("CreatedRequest", self._call("POST", "/v1/requests", body=body))

    def get_request(self, request_id: str, *, wait: int = 0) -> Request:
        """Return the request; with `wait` (0 to 20 seconds), once it is decided or the time is up.

        Waits for the receipt, too, if one was asked for.
        """
        answer = self._call("GET", _path(request_id), query={"wait": wait}, waiting=wait)
        return cast("Request", answer["request"])

    def wait_for(self, request_id: str, *, timeout: float | None = None) -> Request:
        """Return the request once it is no longer pending: `response` holds the decision, None if it was cancelled.

        Raises StillPending after `timeout` seconds (None: waits forever). After two minutes, it asks only now and then,
        every 30 seconds at most. When the server is busy, it asks less often, too, and raises RateLimited only if the
        timeout ends in such a pause. A receipt that was asked for is there too, unless it is not signed within five
        minutes, or by the timeout.
        """
        waiting = Waiting(self.get_request, request_id, timeout)
        while isinstance(found := waiting.look(), Pause):
            time.sleep(found.seconds)
        return found

    def cancel(self, request_id: str) -> Request:
        """Cancel the request and return it; raises AlreadyResponded if someone answered first."""
        return cast("Request", self._call("DELETE", _path(request_id))["request"])

    def answer_question(self, request_id: str, text: str) -> Request:
        """Answer the question that a reviewer asked, in up to 2,000 characters, and return the request, still pending.

        They get it by email and see it on the page. The first answer counts; repeating it is harmless.
        Raises NoQuestion, AlreadyResponded, NotPending, ValidationFailed.
        """
        return cast("Request", self._call("POST", f"{_path(request_id)}/answers", body={"text": text})["request"])

    def reassign(self, request_id: str, assigned_to_email: str) -> Request:
        """Reassign an open request and return it; raises AlreadyResponded, NotPending."""
        body = {"assigned_to_email": assigned_to_email}
        return cast("Request", self._call("POST", f"{_path(request_id)}/reassign", body=body)["request"])

    def list_requests(
        self,
        *,
        status: RequestStatus | None = None,
        assigned_to: str | None = None,
        flow_name: str | None = None,
        method_name: str | None = None,
        outcome: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> RequestPage:
        """Return one page of the deployment's requests, newest first; `next_cursor` is None on the last.

        All given filters must match. Times need a time zone.
        """
        query = {
            "status": status,
            "assigned_to": assigned_to,
            "flow_name": flow_name,
            "method_name": method_name,
            "outcome": outcome,
            "from": _rfc3339(created_from),
            "to": _rfc3339(created_to),
            "limit": limit,
            "cursor": cursor,
        }
        return cast("RequestPage", self._call("GET", "/v1/requests", query=query))

    def iterate_requests(self, **filters: Any) -> Iterator[Request]:
        """Yield every request that `list_requests` finds."""
        cursor = filters.pop("cursor", None)
        while True:
            page = self.list_requests(cursor=cursor, **filters)
            yield from page["requests"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def decisions(
        self, cursor: str | None = None, *, limit: int | None = None, wait: int = 0, questions: bool = False
    ) -> Decisions:
        """Return what was decided after `cursor` (None: from the beginning), for one worker that serves many flows.

        A decision may come more than once. With `wait` (0 to 20 seconds), the server waits for one to return. With
        `questions`, requests about which a reviewer asks back come as `questions`: answer by `answer_question`.
        """
        query = {"cursor": cursor, "limit": limit, "wait": wait, "include": "questions" if questions else None}
        return cast("Decisions", self._call("GET", "/v1/decisions", query=query, waiting=wait))

    def report_resume_status(self, request_id: str, status: ResumeStatus, *, detail: str | None = None) -> Request:
        """Report to the request's timeline whether the flow resumed, and return the request."""
        body = {"status": status} if detail is None else {"status": status, "detail": detail}
        return cast("Request", self._call("POST", f"{_path(request_id)}/resume-status", body=body)["request"])

    def claim_resumption(self, request_id: str, claim: str | None = None) -> Request:
        """Claim the right to resume the request's flow, before you do, and return the request, now `resumed`.

        Raises AlreadyResumed for everyone but the first. `claim` identifies the caller (1 to 255 visible ASCII
        characters, default: random); store it if you may have to repeat the claim after a crash.
        `report_resume_status(…, "resume_failed")` releases the claim.
        """
        body, headers = {"status": "resumed", "once": True}, {"Idempotency-Key": claim or str(uuid.uuid4())}
        answer = self._call("POST", f"{_path(request_id)}/resume-status", body=body, headers=headers)
        return cast("Request", answer["request"])

    def _call(self, method: str, path: str, **details: Any) -> dict[str, Any]:
        return exchange(self._session, method, self.url + path, path, timeout=self._timeout, **details)


def retrying_session(retries: int) -> requests.Session:
    """Return a session that retries lost connections, 429, and 5xx, with growing pauses or as `Retry-After` says."""
    session = requests.Session()
    adapter = HTTPAdapter(
        max_retries=_PatientRetry(
            total=retries,
            backoff_factor=0.5,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
        )
    )
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    shown: str,
    *,
    body: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float,
    waiting: int = 0,
) -> dict[str, Any]:
    """Make one call and return the answer's JSON object.

    Errors show `shown` instead of the URL, which may hold a token. Raises ProblemError and ServerUnreachable.
    """
    content = None if body is None else json.dumps(body, allow_nan=False)
    try:
        response = session.request(
            method,
            url,
            data=content,
            headers={**({"Content-Type": "application/json"} if content else {}), **(headers or {})},
            params=query,
            timeout=(timeout, timeout + waiting),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise ServerUnreachable(f"{method} {shown}: {error}") from error
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        answer = None
    if 200 <= response.status_code < 300 and isinstance(answer, dict):
        return answer
    raise problem_error(_problem(response, answer, shown))


def _path(request_id: str) -> str:
    return "/v1/requests/" + quote(request_id, safe="")


def _environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise NotConfigured(f"set {name} in the environment, or pass it to Client()")
    return value


def _rfc3339(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; use, for example, datetime.now(timezone.utc)")
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _problem(response: requests.Response, answer: Any, shown: str) -> Problem:
    """Return an answer's problem document, or one that says what came instead."""
    if isinstance(answer, dict) and {"type", "title", "status", "detail"} <= answer.keys():
        return cast("Problem", answer)
    return {
        "type": "about:blank",
        "title": response.reason or "Unexpected answer",
        "status": response.status_code,
        "detail": f"{shown}: the answer is not from Flow HITL: {response.text[:200]}",
    }
