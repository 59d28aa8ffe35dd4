"""A small endpoint for the `resume_url` pushes, as a WSGI or an ASGI application.

    resumer = Resumer(registry)
    resumer.start(feed=False)                        # or with the feed as well: what was missed is then caught up
    app = wsgi_app(resumer.accept, secrets=["…"])    # the deployment's resume signing secret

It answers 204 when the decision is kept, which is before the flow goes on: the sender need not wait, and a flow that
fails is not sent again and again. 401 is for what the server did not sign, 404 for a flow that waits in another store;
the server tries these again for 24 hours.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from flow_hitl_client.signature import InvalidSignature
from flow_hitl_client.types import Request
from flow_hitl_client.webhooks import NotAnEvent, receive_resume

_log = logging.getLogger("flow_hitl_client")

# A request is at most 1 MiB, with its response somewhat more.
_LARGEST_BODY: Final = 2 * 1024 * 1024
_REASONS: Final = {204: "No Content", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
                   405: "Method Not Allowed", 413: "Content Too Large"}  # fmt: skip

Accept = Callable[[Request], bool]


def handle(accept: Accept, secrets: Sequence[str], method: str, headers: Mapping[str, str], body: bytes) -> int:
    """Take one push and return the HTTP status to answer it with: for frameworks of your own."""
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
    if event["event"] != "response_submitted":
        return 204  # an event of a later server, which is not for us
    if not accept(event["request"]):
        _log.warning("a push for request %s, but no flow in this store waits for it", event["request"]["id"])
        return 404
    return 204


def wsgi_app(accept: Accept, secrets: Sequence[str]) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return a WSGI application; `secrets` are the deployment's resume signing secret, or two during a rotation."""
    _require(secrets)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        size = int(length) if length.isascii() and length.isdigit() else 0
        body = environ["wsgi.input"].read(min(size, _LARGEST_BODY + 1))
        headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        status = handle(accept, secrets, environ["REQUEST_METHOD"], headers, body)
        start_response(f"{status} {_REASONS[status]}", [] if status == 204 else [("Content-Length", "0")])
        return [b""]

    return app


def asgi_app(accept: Accept, secrets: Sequence[str]) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Return an ASGI application; `secrets` are as in `wsgi_app`."""
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
        # Keeping a decision takes a few milliseconds of SQLite.
        status = handle(accept, secrets, scope["method"], headers, body)
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
        raise ValueError("give the resume signing secret of your deployment, in a list")
