"""A call of the client that is tried again is the same call to the server."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from flow_hitl_client import Client


class Unsteady(HTTPServer):
    """Answers every second call; takes down the `Idempotency-Key` of each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names: list[str | None] = []


class _Handler(BaseHTTPRequestHandler):
    server: Unsteady

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.names.append(self.headers["Idempotency-Key"])
        body = json.dumps({"request": {}}).encode()
        self.send_response(503 if len(self.server.names) % 2 else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Unsteady]:
    with Unsteady() as started:
        thread = Thread(target=started.serve_forever)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def test_a_post_has_the_same_name_whenever_it_is_tried_and_no_other_has_it(server: Unsteady) -> None:
    client = Client(f"http://127.0.0.1:{server.server_port}", "hitl_1_k_secret")
    client.reassign("0192f0c1-7e11-7abc-8def-0123456789ab", "ann@example.com")
    client.report_resume_status("0192f0c1-7e11-7abc-8def-0123456789ab", "resumed")
    first, again, second, second_again = server.names
    assert first == again
    assert second == second_again
    assert None not in server.names
    assert first != second
