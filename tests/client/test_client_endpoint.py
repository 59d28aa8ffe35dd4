"""The endpoint for `resume_url` pushes, by WSGI and by ASGI: only what the server signed gets in."""

import asyncio
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flow_hitl.platform.webhook_signature import signature_headers
from flow_hitl_client.endpoint import OnQuestion, asgi_app, wsgi_app
from flow_hitl_client.types import AskedRequest, Request

SECRET = "resume-secret"
KNOWN = "0192f0c1-7e11-7abc-8def-0123456789ab"
Post = Callable[[str, dict[str, str], bytes], int]

taken: list[Request] = []
asked: list[AskedRequest] = []
hooks: list[OnQuestion] = []


def accept(request: Request) -> bool:
    taken.append(request)
    return request["id"] == KNOWN


def by_wsgi(method: str, headers: dict[str, str], body: bytes) -> int:
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    app = wsgi_app(accept, ["other", SECRET], on_question=next(iter(hooks), None))
    list(app(environ, lambda status, _headers: statuses.append(status)))
    return int(statuses[0].split()[0])


def by_asgi(method: str, headers: dict[str, str], body: bytes) -> int:
    parts = [body[:10], body[10:]]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    app = asgi_app(accept, ["other", SECRET], on_question=next(iter(hooks), None))
    asyncio.run(app({"type": "http", "method": method, "headers": raw}, receive, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return int(sent[0]["status"])


@pytest.fixture(params=[by_wsgi, by_asgi], ids=["wsgi", "asgi"])
def post(request: pytest.FixtureRequest) -> Post:
    taken.clear()
    asked.clear()
    hooks.clear()
    sender: Post = request.param
    return sender


def push(event: object, secret: str = SECRET, age: int = 0) -> tuple[dict[str, str], bytes]:
    body = json.dumps(event).encode()
    return signature_headers(secret, body, datetime.now(UTC) - timedelta(seconds=age)), body


DECIDED = {"event": "response_submitted", "request": {"id": KNOWN}}


def test_a_genuine_push_is_taken(post: Post) -> None:
    assert post("POST", *push(DECIDED)) == 204
    assert [request["id"] for request in taken] == [KNOWN]


@pytest.mark.parametrize(
    ("method", "event", "options", "status"),
    [
        ("GET", DECIDED, {}, 405),
        ("POST", DECIDED, {"secret": "stolen"}, 401),
        ("POST", DECIDED, {"age": 301}, 401),
        ("POST", ["no", "event"], {}, 400),
        ("POST", {"event": "something_new", "request": {"id": KNOWN}}, {}, 204),
        ("POST", {"event": "response_submitted", "request": {"id": KNOWN}, "more": "x" * 3_000_000}, {}, 413),
    ],
)
def test_everything_else_is_not(post: Post, method: str, event: object, options: Any, status: int) -> None:
    assert post(method, *push(event, **options)) == status
    assert taken == []


def test_a_flow_of_another_store_is_sent_again(post: Post) -> None:
    assert post("POST", *push({"event": "response_submitted", "request": {"id": "other"}})) == 404


ASKED = {"event": "question_asked", "request": {"id": KNOWN, "question": {"text": "Why now?"}}}


def test_a_hook_gets_what_a_reviewer_asks(post: Post) -> None:
    hooks.append(asked.append)
    assert post("POST", *push(ASKED)) == 204
    assert [one["question"]["text"] for one in asked] == ["Why now?"]
    assert taken == []


def test_a_question_comes_again_if_the_hook_fails(post: Post) -> None:
    def fail(_asked: AskedRequest) -> None:
        raise ConnectionError("nobody knows")

    hooks.append(fail)
    assert post("POST", *push(ASKED)) == 503


def test_without_a_hook_a_question_is_logged(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    assert post("POST", *push(ASKED)) == 204
    assert "Client.answer_question" in caplog.text


@pytest.mark.parametrize("secrets", [[], [""], "resume-secret"])
def test_an_endpoint_without_a_secret_does_not_start(secrets: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        wsgi_app(accept, secrets)
    with pytest.raises(ValueError, match="secret"):
        asgi_app(accept, secrets)


def test_an_asgi_server_may_start_and_stop_it() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return messages.pop(0)

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])

    asyncio.run(asgi_app(accept, [SECRET])({"type": "lifespan"}, receive, send))  # type: ignore[arg-type]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
