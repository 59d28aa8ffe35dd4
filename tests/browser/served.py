"""The real handlers over moto, behind a real HTTP server on loopback: what a browser needs, and nothing slower."""

import base64
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from waitress import wasyncore
from waitress.server import create_server

from flow_hitl import bootstrap
from infra.local.hitl_fixture import Hitl

_HOST = "127.0.0.1"
# A browser opens a handful of connections.
_THREADS = 4
_FILES = {"application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp"}


class Served:
    """A `Hitl` that also answers at `url`; whoever uses the Hitl itself while a browser is at work holds `lock`."""

    def __init__(self, hitl: Hitl, url: str, lock: threading.Lock) -> None:
        self.hitl, self.url, self.lock = hitl, url, lock

    def mailed(self, path: str) -> str:
        """Return the first address in the last mail that begins with a path of ours."""
        with self.lock:
            text = self.hitl.inbox[-1].text
        return text[text.index(self.url + path) :].partition(">")[0]

    def code(self) -> str:
        """Return the code in the last mail."""
        with self.lock:
            return self.hitl.sign_in_code()


class _Front:
    """The WSGI application: one request at a time, as moto and a resolver want it."""

    def __init__(self, hitl: Hitl, lock: threading.Lock) -> None:
        self._hitl, self._lock = hitl, lock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ.get("QUERY_STRING"):
            path += "?" + environ["QUERY_STRING"]
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            # Bodies stay text, so that they pass through as they are.
            if name.startswith("HTTP_") and name not in ("HTTP_COOKIE", "HTTP_ACCEPT_ENCODING")
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        cookies = [one for one in environ.get("HTTP_COOKIE", "").split("; ") if one]
        body = environ["wsgi.input"].read().decode() or None
        with self._lock:
            answer = self._hitl._http(environ["REQUEST_METHOD"], path, body, headers, cookies=cookies)
        sent = [*answer.headers.items(), *(("Set-Cookie", cookie) for cookie in answer.cookies)]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", sent)
        # API Gateway makes bytes of base64.
        is_file = answer.headers.get("Content-Type", "") in _FILES
        content = base64.b64decode(answer.text) if is_file else answer.text.encode()
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]


@contextmanager
def served(hitl: Hitl) -> Iterator[Served]:
    """Serve a Hitl as long as the block runs; its links lead here."""
    lock = threading.Lock()
    bound = socket.create_server((_HOST, 0))
    channels: dict[int, Any] = {}
    server: Any = create_server(_Front(hitl, lock), map=channels, sockets=[bound], threads=_THREADS)
    url = f"http://{_HOST}:{bound.getsockname()[1]}"
    made = bootstrap.current()
    settings = replace(made.settings, base_url=url)
    bootstrap.use(bootstrap.Application(settings, made.clock, made.ids, made.jitter))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Served(hitl, url, lock)
    finally:
        # In the thread that may be selecting among these sockets; with none left, it ends.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(channels))
        thread.join()
