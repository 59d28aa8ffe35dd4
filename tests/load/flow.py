"""The flows that wait for their answers: one HTTP server that counts what each was told."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.receiver import served


@dataclass
class Flows:
    """Who was told what; while `away`, every POST gets a 503. `on_told` is called once for each request."""

    on_told: Callable[[], object] = lambda: None
    url: str = ""
    away: bool = False
    refused: int = 0
    told: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request_id: str, outcome: str) -> bool:
        """Take an answer; tell whether it was accepted."""
        with self.lock:
            if self.away:
                self.refused += 1
                return False
            self.told[request_id] += 1
            self.outcomes[request_id] = outcome
            first = self.told[request_id] == 1
        if first:
            self.on_told()
        return True


@contextmanager
def waiting_flows() -> Iterator[Flows]:
    """Run the server on a loopback port."""
    flows = Flows()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            accepted = flows.take(self.headers["Idempotency-Key"], body["request"]["response"]["outcome"])
            self.send_response(200 if accepted else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            pass

    with served(Handler) as url:
        flows.url = f"{url}/resume"
        yield flows
