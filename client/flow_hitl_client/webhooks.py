"""Receive and answer webhooks.

from flow_hitl_client import webhooks

event = webhooks.receive(secret, headers, body)      # raises InvalidSignature: answer 401 and do nothing
if event["event"] == "new_request":
    webhooks.answer(event["callback_url"], "Approved. Great article!", source="my_custom_app")
"""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from flow_hitl_client import signature
from flow_hitl_client.client import exchange, retrying_session
from flow_hitl_client.errors import FlowHitlClientError
from flow_hitl_client.types import QuestionEvent, Request, ResumeEvent, WebhookEvent


class NotAnEvent(FlowHitlClientError):
    """The signature is valid, but this version cannot read the event. Answer 400."""


def receive(
    secret: str | Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_seconds: int = 300,
    now: float | None = None,
) -> WebhookEvent:
    """Return a webhook's event after checking that it is genuine and fresh.

    `secret` is the whole `whsec_…` text, or several during a rotation; `headers` are the HTTP request's, in any case;
    `body` is the raw bytes; `now` is in Unix seconds (default: the clock). A repeated delivery has the same
    `X-Webhook-Id`. Raises InvalidSignature, NotAnEvent.
    """
    return cast("WebhookEvent", _receive(secret, headers, body, tolerance_seconds, now))


def receive_resume(
    secret: str | Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_seconds: int = 300,
    now: float | None = None,
) -> ResumeEvent | QuestionEvent:
    """Return the event of a push to a `resume_url`, as `receive` does for webhooks.

    It is `question_asked` only of requests with `questions`; every other is `response_submitted`.

    `secret` is the deployment's resume signing secret, or several. Raises InvalidSignature, NotAnEvent.
    """
    return cast("ResumeEvent | QuestionEvent", _receive(secret, headers, body, tolerance_seconds, now))


def answer(
    callback_url: str,
    feedback: str,
    *,
    outcome: str | None = None,
    source: str | None = None,
    responder: str | None = None,
    timeout: float = 30.0,
    retries: int = 4,
) -> Request:
    """Answer a request by its callback URL, which needs no other credential, and return the decided request.

    Without `outcome`, the first line of `feedback` is matched with the emit options, as in an email. `source` labels
    your application; `responder` is stored as claimed. Retries are safe: the same answer counts once.
    Raises AlreadyResponded, NotPending, ValidationFailed, Unauthorized (the URL was altered, or its webhook deleted),
    ServerUnreachable.
    """
    optional = {"outcome": outcome, "source": source, "responder": responder}
    body = {"feedback": feedback, **{name: value for name, value in optional.items() if value is not None}}
    with retrying_session(retries) as session:
        # Whoever knows the URL can answer, so no error shows it.
        document = exchange(session, "POST", callback_url, "the callback URL", body=body, timeout=timeout)
    return cast("Request", document["request"])


def ask(callback_url: str, text: str, *, timeout: float = 30.0, retries: int = 4) -> Request:
    """Ask the flow back by a request's callback URL, and return the request, still pending.

    Only of requests with `questions`. Retries are safe: the same question, while it is open, is one.
    Raises QuestionsOff, AlreadyResponded, NotPending, ValidationFailed, Unauthorized, ServerUnreachable.
    """
    with retrying_session(retries) as session:
        shown, body = "the callback URL's questions", {"text": text}
        document = exchange(session, "POST", f"{callback_url}/questions", shown, body=body, timeout=timeout)
    return cast("Request", document["request"])


def _receive(
    secret: str | Iterable[str], headers: Mapping[str, str], body: bytes, tolerance_seconds: int, now: float | None
) -> object:
    lower = {name.lower(): value for name, value in headers.items()}
    signature.verify(
        secret,
        body,
        signature=lower.get("x-signature"),
        timestamp=lower.get("x-timestamp"),
        tolerance_seconds=tolerance_seconds,
        now=now,
    )
    try:
        event = json.loads(body)
    except ValueError as error:
        raise NotAnEvent(f"the body is not JSON: {error}") from None
    if not (isinstance(event, dict) and isinstance(event.get("event"), str) and isinstance(event.get("request"), dict)):
        raise NotAnEvent("the body has no event and request")
    return event
