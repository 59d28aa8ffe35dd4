"""The plain client: one method per call of the contract that a flow needs."""

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

from flow_hitl_client.errors import NotConfigured, ServerUnreachable, problem_error
from flow_hitl_client.types import (
    AutoResponseOverride,
    CreatedRequest,
    Decisions,
    FreeText,
    HistoryEntry,
    Problem,
    Request,
    RequestPage,
    RequestStatus,
    ResumeStatus,
)
from flow_hitl_client.waiting import Pause, deadline_after, look

LONGEST_PAUSE_SECONDS: Final = 60


class _BearerAuth(AuthBase):
    """Sends the key as `auth`, because a bare header would lose against a .netrc entry for the same host.

    Each POST gets a name of its own, under which the server knows it again when it is tried again.
    """

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        if request.method == "POST":
            request.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        return request


class _PatientRetry(Retry):
    """Pauses for as long as the server asks, up to a minute: what takes longer is for the caller to decide."""

    def increment(self, *args: Any, **kwargs: Any) -> "_PatientRetry":
        response = kwargs.get("response")
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_PAUSE_SECONDS:
            raise MaxRetryError(cast("Any", kwargs.get("_pool")), None, ResponseError("too long to wait"))
        return super().increment(*args, **kwargs)


class Client:
    """A connection to one deployment.

    Lost connections, 429 and 5xx are tried again, with growing pauses or after the time that the server names, up to a
    minute. That is safe for every call: a request has an id of ours, and every other POST an `Idempotency-Key`, so that
    asking twice asks once. Errors: `ProblemError` when the server refuses, `ServerUnreachable` when no answer came.
    """

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, timeout: float = 30.0, retries: int = 4
    ) -> None:
        """Connect to `url` with `api_key`, by default FLOW_HITL_URL and FLOW_HITL_API_KEY of the environment.

        `timeout` is in seconds, for one try, and on top of the time that a call is asked to wait. Raises NotConfigured.
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
    ) -> CreatedRequest:
        """Ask a person: open a request, and return it with its callback URL.

        `output` is what the person reviews: markdown, or any JSON. What is left out follows the deployment's settings
        and routing rules. The same `request_id` (a UUID, by default a new one) with the same content returns the first
        request again. Raises ValidationFailed, TooLarge, IdempotencyMismatch.
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
        """Return the request; with `wait` (0 to 20 seconds) the server answers when it is decided, or at the end."""
        answer = self._call("GET", _path(request_id), query={"wait": wait}, waiting=wait)
        return cast("Request", answer["request"])

    def wait_for(self, request_id: str, *, timeout: float | None = None) -> Request:
        """Return the request once it is no longer pending: `response` holds the decision, None if it was cancelled.

        Waits for ever, or for `timeout` seconds and then raises StillPending. Where too many flows wait at once, it
        asks less often; RateLimited is raised only if the timeout ends in such a pause.
        """
        deadline = deadline_after(timeout)
        while isinstance(found := look(self.get_request, request_id, deadline), Pause):
            time.sleep(found.seconds)
        return found

    def cancel(self, request_id: str) -> Request:
        """Close the request without an answer and return it; raises AlreadyResponded when somebody was faster."""
        return cast("Request", self._call("DELETE", _path(request_id))["request"])

    def reassign(self, request_id: str, assigned_to_email: str) -> Request:
        """Pass an open request on to another person and return it; raises AlreadyResponded, NotPending."""
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

        What is given must all hold. Times must say their time zone.
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
        """Return every request that `list_requests` finds, page after page."""
        cursor = filters.pop("cursor", None)
        while True:
            page = self.list_requests(cursor=cursor, **filters)
            yield from page["requests"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def decisions(self, cursor: str | None = None, *, limit: int | None = None, wait: int = 0) -> Decisions:
        """Return what was decided after `cursor` (None: from the beginning), for a worker that serves many flows.

        A decision may come more than once. With `wait` (0 to 20 seconds) the server holds an empty answer back.
        """
        query = {"cursor": cursor, "limit": limit, "wait": wait}
        return cast("Decisions", self._call("GET", "/v1/decisions", query=query, waiting=wait))

    def report_resume_status(self, request_id: str, status: ResumeStatus, *, detail: str | None = None) -> Request:
        """Tell the request's timeline how the flow went on, and return the request."""
        body = {"status": status} if detail is None else {"status": status, "detail": detail}
        return cast("Request", self._call("POST", f"{_path(request_id)}/resume-status", body=body)["request"])

    def claim_resumption(self, request_id: str, claim: str | None = None) -> Request:
        """Claim that you alone go on with the request's flow, before you do, and return the request.

        It is `resumed` from then on. Raises AlreadyResumed for everybody but the first. `claim` names the caller (1 to
        255 visible ASCII characters, by default new ones): keep it where you may have to repeat the claim after a
        crash. `report_resume_status(…, "resume_failed")` gives the claim back.
        """
        body, headers = {"status": "resumed", "once": True}, {"Idempotency-Key": claim or str(uuid.uuid4())}
        answer = self._call("POST", f"{_path(request_id)}/resume-status", body=body, headers=headers)
        return cast("Request", answer["request"])

    def _call(self, method: str, path: str, **details: Any) -> dict[str, Any]:
        return exchange(self._session, method, self.url + path, path, timeout=self._timeout, **details)


def retrying_session(retries: int) -> requests.Session:
    """Return a session that tries lost connections, 429 and 5xx again, with growing pauses or as `Retry-After` says."""
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

    `shown` stands in errors for the URL, which may hold a token. Raises ProblemError and ServerUnreachable.
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
        raise NotConfigured(f"set {name} in the environment, or give it to Client()")
    return value


def _rfc3339(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; use datetime.now(timezone.utc), for example")
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _problem(response: requests.Response, answer: Any, shown: str) -> Problem:
    """Return the problem document of an answer, or one that says what came instead."""
    if isinstance(answer, dict) and {"type", "title", "status", "detail"} <= answer.keys():
        return cast("Problem", answer)
    return {
        "type": "about:blank",
        "title": response.reason or "Unexpected answer",
        "status": response.status_code,
        "detail": f"{shown} gave no answer of Flow HITL: {response.text[:200]}",
    }
