"""A real HTTP server, with the contract's shapes, for the tests of the client: it keeps requests in memory."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infra.local.patience import HANG_SECONDS

API_KEY = "hitl_test"
NOW, LATER = "2026-01-14T12:00:00Z", "2026-01-14T13:00:00Z"


class HitlServer:
    """Opens, shows, cancels and decides requests; `calls` has every call as (method, path, body)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        # By the request, the `Idempotency-Key` of whoever claimed its resumption.
        self.claims: dict[str, str] = {}
        # Answers that come before the real one, as (status, content type, body, Retry-After), to play a broken gateway.
        self.trouble: list[tuple[int, str, bytes] | tuple[int, str, bytes, int]] = []
        # Called with the id of each new request, before its answer goes out.
        self.on_create: Callable[[str], None] = lambda _request_id: None
        # Whether a receipt is signed together with the decision, or later, by `sign`.
        self.signs = True
        self._requests: dict[str, dict[str, Any]] = {}
        self._bodies: dict[str, Any] = {}
        self._decided: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self.url = ""

    def ask_back(self, request_id: str, text: str) -> None:
        """Ask a question about a request, as another application does."""
        with self._changed:
            request = self._requests[request_id]
            question = {"id": f"q{len(self._decided)}", "kind": "question", "text": text, "at": NOW, "by": None}
            request["thread"] = [*request.get("thread", []), question]
            self._decided.append(request)
            self._changed.notify_all()

    def answer(self, request_id: str, outcome: str | None, feedback: str, comment: str = "", **more: Any) -> Any:
        """Decide a request as a reviewer does by mail, and return it; `more` is what else the response says."""
        with self._changed:
            request = self._requests[request_id]
            request["status"] = "responded"
            self._decided.append(request)
            request["resume"] = {"status": "waiting", "attempts": 0, "last_status": None}
            request["response"] = {
                "outcome": outcome,
                "feedback": feedback,
                "comment": comment,
                "responded_via": "email",
                "responder": request["assigned_to_email"],
                "responder_verified": True,
                "source": None,
                "responded_at": NOW,
                "response_seconds": 0,
                "valid_until": LATER if request.get("approval_ttl_minutes") else None,
                "output": None,
                "data": None,
                "receipt": None,
                **more,
            }
            if request["receipt"] and self.signs:
                request["response"]["receipt"] = f"receipt of {request_id}"
            self._changed.notify_all()
            return request

    def sign(self, request_id: str) -> None:
        """Sign the receipt of a decided request, later."""
        with self._changed:
            self._requests[request_id]["response"]["receipt"] = f"receipt of {request_id}"
            self._changed.notify_all()

    def dispatch(
        self, method: str, path: str, query: dict[str, str], body: Any, headers: Message
    ) -> tuple[int, dict[str, Any]]:
        with self._changed:
            self.calls.append((method, path, body))
            self._changed.notify_all()
            match method, path.split("/")[2:]:
                case "POST", ["requests"]:
                    status, created = self._create(body)
                    if status == 201:
                        self.on_create(body["id"])
                    return status, created
                case "GET", ["requests"]:
                    return self._list(query)
                case "POST", ["requests", request_id, "reassign"]:
                    self._requests[request_id] |= {**body, "assigned_by": "reassignment"}
                    self._changed.notify_all()
                    return 200, {"request": self._requests[request_id]}
                case "GET", ["requests", request_id]:
                    return self._get(request_id, float(query["wait"]))
                case "DELETE", ["requests", request_id]:
                    return self._cancel(request_id)
                case "POST", ["requests", request_id, "resume-status"]:
                    return self._report(request_id, body, headers.get("Idempotency-Key"))
                case "POST", ["callbacks", request_id]:
                    return self._answer_by_callback(request_id, body)
                case "GET", ["decisions"]:
                    return self._decisions(int(query.get("cursor", 0)), float(query["wait"]), query.get("include"))
        return problem("not-found", 404)

    def _create(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        request_id = body["id"]
        addresses = {
            "callback_url": f"{self.url}/v1/callbacks/{request_id}",
            "dashboard_url": f"{self.url}/d/1/requests/{request_id}",
        }
        if request_id in self._requests:
            if body != self._bodies[request_id]:
                return problem("idempotency-mismatch", 422)
            return 200, {"request": self._requests[request_id], **addresses}
        if body.get("emit_options") == ["yes"]:
            return problem("validation", 422, errors=[{"field": "/emit_options", "message": "approved is missing"}])
        self._bodies[request_id] = body
        self._requests[request_id] = {
            "flow_name": None,
            "output": None,
            "emit_options": [],
            "state": {},
            "metadata": {},
            "history": [],
            "receipt": False,
            "editable": False,
            "response_schema": None,
            "questions": False,
            "thread": [],
            "attachments": [],
            **{name: value for name, value in body.items() if name not in ("resume_url", "free_text")},
            "status": "pending",
            "created_at": NOW,
            "assigned_to_email": "alice@example.com",
            "assigned_by": "assign_to_email",
            "routing_rule": "Content to Alice",
            "auto_response": None,
            "sla_due_at": None,
            "warnings": [],
            "test": False,
            "response": None,
            "resume": None,
        }
        return 201, {"request": self._requests[request_id], **addresses}

    def _get(self, request_id: str, wait: float) -> tuple[int, dict[str, Any]]:
        if request_id not in self._requests:
            return problem("not-found", 404)
        request = self._requests[request_id]
        deadline = time.monotonic() + wait
        while _is_open(request) and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
        return 200, {"request": request}

    def _list(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        found = [request for request in self._requests.values() if query.get("status") in (None, request["status"])]
        first, size = int(query.get("cursor", 0)), int(query.get("limit", 20))
        last = first + size
        newest_first = found[::-1]
        return 200, {"requests": newest_first[first:last], "next_cursor": str(last) if last < len(found) else None}

    def _decisions(self, cursor: int, wait: float, include: str | None) -> tuple[int, dict[str, Any]]:
        deadline = time.monotonic() + wait
        while len(self._decided) <= cursor and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
        page = self._decided[cursor:]
        found: dict[str, Any] = {
            "decisions": [one for one in page if one["status"] != "pending"],
            "cursor": str(len(self._decided)),
        }
        if include == "questions":
            found["questions"] = [one for one in page if one["status"] == "pending"]
        return 200, found

    def _report(self, request_id: str, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        request, claimed = self._requests[request_id], self.claims.get(request_id)
        if body.get("once"):
            if claimed is not None:
                return (200, {"request": request}) if key == claimed else problem("already-resumed", 409)
            self.claims[request_id] = key or ""
            return 200, {"request": request}
        self.reports.append({"id": request_id, **body})
        if body["status"] == "resume_failed":
            self.claims.pop(request_id, None)
        return 200, {"request": request}

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of all requests, in the order in which they came."""
        return list(self._bodies.values())

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Return once the condition holds, checked after each call; a hang fails, saying that `what` did not happen."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout=HANG_SECONDS), f"this did not happen: {what}"

    def _answer_by_callback(self, request_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        response = self._requests[request_id]["response"]
        if response is None:
            return 200, {"status": "accepted", "request": self.answer(request_id, None, body["feedback"])}
        if response["feedback"] == body["feedback"]:
            return 200, {"status": "accepted", "request": self._requests[request_id]}
        return problem("already-responded", 409, responded_via="api", responded_at=NOW, outcome=None)

    def _cancel(self, request_id: str) -> tuple[int, dict[str, Any]]:
        request = self._requests[request_id]
        if request["response"]:
            return problem("already-responded", 409, responded_via="email", responded_at=NOW, outcome="approved")
        request["status"] = "cancelled"
        return 200, {"request": request}


def _is_open(request: dict[str, Any]) -> bool:
    response = request["response"]
    return request["status"] == "pending" or (response and request["receipt"] and response["receipt"] is None)


def problem(slug: str, status: int, **extra: Any) -> tuple[int, dict[str, Any]]:
    document = {"type": f"urn:flow-hitl:problem:{slug}", "title": slug, "status": status, "detail": "as the test wants"}
    return status, {**document, **extra}


@contextmanager
def serving() -> Iterator[HitlServer]:
    """Serve on a free loopback port; `url` is its base address."""
    hitl = HitlServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if hitl.trouble:
                self._send(*hitl.trouble.pop(0))
                return
            if self.headers["Authorization"] != f"Bearer {API_KEY}" and "/callbacks/" not in self.path:
                status, answer = problem("unauthorized", 401)
            else:
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                body = json.loads(raw) if raw else None
                status, answer = hitl.dispatch(self.command, url.path, query, body, self.headers)
            kind = "application/json" if status < 400 else "application/problem+json"
            self._send(status, kind, json.dumps(answer).encode())

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

        def _send(self, status: int, kind: str, content: bytes, retry_after: int | None = None) -> None:
            self.send_response(status)
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            # A client that has hung up in the middle is what some tests are about.
            with suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hitl.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hitl
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
