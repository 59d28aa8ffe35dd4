"""A small endpoint for `resume_url` pushes, as a WSGI or ASGI application.

    resumer = Resumer(registry)
    resumer.start(feed=False)                        # or with the feed, to catch up on what was missed
    app = wsgi_app(resumer.accept, secrets=["…"])    # the deployment's resume signing secret

Reviewers of requests with `questions` may ask back; a hook answers them:

    def reply(asked):                                # the request, with the `question`
        client.answer_question(asked["id"], find_out(asked["question"]["text"]))

    app = wsgi_app(resumer.accept, secrets=["…"], on_question=reply)

It answers 204 once the decision is stored, before the flow resumes; 401 if the server did not sign the push; and 404 if
the flow waits in another store; 503 if the hook failed. The server retries all but 204 for 24 hours. It waits some
seconds for an answer: a hook that takes longer hands the question on. The same question may come more than once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from flow_hitl_client.signature import InvalidSignature
from flow_hitl_client.types import AskedRequest, Request
from flow_hitl_client.webhooks import NotAnEvent, receive_resume

_log = logging.getLogger("flow_hitl_client")

# A request is at most 1 MiB; its response adds a little.
_LARGEST_BODY: Final = 2 * 1024 * 1024
_REASONS: Final = {204: "No Content", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
                   405: "Method Not Allowed", 413: "Content Too Large", 503: "Service Unavailable"}  # fmt: skip

Accept = Callable[[Request], bool]
OnQuestion = Callable[[AskedRequest], object]


def handle(
    accept: Accept,
    secrets: Sequence[str],
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    on_question: OnQuestion | None = None,
) -> int:
    """Handle one push and return the HTTP status to answer with, for use in any web framework."""
    if method != "POST":
        return 405
    if len(body) > _LARGEST_BODY:
        return 413
    try:
        event = receive_resume(secrets, headers, body)
    except InvalidSignature as error:
        _log.warning("refused a push: %s", error)
        return 401
    except NotAnEvent as error:
        _log.warning("refused a push: %s", error)
        return 400
    if event["event"] == "question_asked":
        return _asked(event["request"], on_question)
    if event["event"] != "response_submitted":
        return 204  # an event that only a later version handles
    if not accept(event["request"]):
        _log.warning("push for request %s, but no flow in this store waits for it", event["request"]["id"])
        return 404
    return 204


def _asked(request: AskedRequest, on_question: OnQuestion | None) -> int:
    if on_question is None:
        _log.warning("a reviewer asks back: answer request %s by Client.answer_question", request["id"])
        return 204
    try:
        on_question(request)
    except Exception:
        # Whatever it was, the question is still open, and comes again.
        _log.exception("the question about request %s could not be answered", request["id"])
        return 503
    return 204


def wsgi_app(
    accept: Accept, secrets: Sequence[str], *, on_question: OnQuestion | None = None
) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return a WSGI application; `secrets` are the deployment's resume signing secret, or two during a rotation.

    `on_question` answers those who ask back; without it, their questions are logged.
    """
    _require(secrets)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        size = int(length) if length.isascii() and length.isdigit() else 0
        body = environ["wsgi.input"].read(min(size, _LARGEST_BODY + 1))
        headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        status = handle(accept, secrets, environ["REQUEST_METHOD"], headers, body, on_question)
        start_response(f"{status} {_REASONS[status]}", [] if status == 204 else [("Content-Length", "0")])
        return [b""]

    return app


def asgi_app(
    accept: Accept, secrets: Sequence[str], *, on_question: OnQuestion | None = None
) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Return an ASGI application; `secrets` and `on_question` are as in `wsgi_app`. The hook runs in a thread."""
    _require(secrets)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        body, more = b"", True
        while more and len(body) <= _LARGEST_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        # Keeping a decision takes a few milliseconds of SQLite; nobody knows what a hook takes.
        push = (accept, secrets, scope["method"], headers, body, on_question)
        status = handle(*push) if on_question is None else await asyncio.to_thread(handle, *push)
        answer = [] if status == 204 else [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": b""})

    return app


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _require(secrets: Sequence[str]) -> None:
    if isinstance(secrets, str) or not secrets or not all(secrets):
        raise ValueError("pass your deployment's resume signing secrets as a list")
