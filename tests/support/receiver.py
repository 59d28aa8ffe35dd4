"""Somebody else's HTTP server, on a loopback port: for what is POSTed to a flow's `resume_url`, or to a webhook."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One POST as it came in, at a time in Unix seconds; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.time)


@dataclass
class Receiver:
    """What came in, and how to answer: with `status`, `answer` and `location`, after `pause` seconds.

    The next `away` POSTs to paths that begin with `away_from` get a 503.
    """

    url: str = ""
    status: int = 200
    away: int = 0
    away_from: str = "/"
    location: str | None = None
    answer: bytes = b""
    pause: float = 0
    received: list[Received] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    """A server that says nothing about a client who hangs up in the middle."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver; it answers every POST with its `status` of that moment."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            time.sleep(receiver.pause)
            away = receiver.away > 0 and self.path.startswith(receiver.away_from)
            self.send_response(503 if away else receiver.status)
            receiver.away -= away
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            pass

    with served(Handler) as url:
        receiver.url = f"{url}/resume?run=7"
        yield receiver


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server of this handler on a loopback port, and yield its URL."""
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
