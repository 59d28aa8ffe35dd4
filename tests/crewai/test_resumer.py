# mypy: disable-error-code="import-not-found, misc, no-any-return"
"""The resumer: flows go on when their decisions come, by the feed and by push."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests

import flow_hitl_client.crewai as hitl
from flow_hitl_client import Client, Unauthorized
from flow_hitl_client.crewai.resumer import Resumer
from flow_hitl_client.endpoint import wsgi_app
from flow_hitl_client.journal import Journal
from infra.local.patience import HANG_SECONDS
from tests.crewai import flows
from tests.crewai.flows import heard
from tests.support.client_server import HitlServer

ROOT = Path(__file__).parents[2]
SECRET = "resume-secret"


def pause(flow_class: Any, client: Client) -> str:
    hitl.install(durable=True, client=client, say=lambda _text: None)
    paused = flow_class(suppress_flow_events=True).kickoff()
    return str(paused.callback_info["request_id"])


@contextmanager
def running(resumer: Resumer, *, feed: bool = True) -> Iterator[Resumer]:
    thread = resumer.start(feed=feed)
    try:
        yield resumer
    finally:
        resumer.stop()
        thread.join(timeout=HANG_SECONDS)
        assert not thread.is_alive()


def reported(server: HitlServer, count: int) -> list[tuple[str, str]]:
    server.wait_until(lambda: len(server.reports) >= count, f"{count} reports")
    return [(report["id"], report["status"]) for report in server.reports]


def push(url: str, request: dict[str, Any], secret: str = SECRET) -> int:
    body = json.dumps({"event": "response_submitted", "request": request}).encode()
    timestamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Signature": f"sha256={digest}", "X-Timestamp": timestamp, "Idempotency-Key": request["id"]}
    return requests.post(url, data=body, headers=headers, timeout=HANG_SECONDS).status_code


def test_one_worker_serves_many_flows(client: Client, server: HitlServer, store: Path) -> None:
    said: list[str] = []
    ids = [pause(flows.ReviewFlow, client) for _ in range(3)] + [pause(flows.OpinionFlow, client)]
    server.answer(ids[0], "approved", "approved")  # before the worker begins
    with running(Resumer(flows.registry, client=client, say=said.append)):
        for request_id in ids[1:3]:
            server.answer(request_id, "rejected", "rejected")
        server.answer(ids[3], None, "Too long.")
        assert sorted(reported(server, 4)) == sorted((request_id, "resumed") for request_id in ids)
    assert sorted(listener for listener, _result in heard) == ["archive", "archive", "note", "publish"]
    assert f"request {ids[0]}" in "\n".join(said)
    polls = [path for _method, path, _body in server.calls if path == "/v1/decisions"]
    assert len(polls) < 10


def test_a_hook_answers_questions_that_come_by_the_feed(client: Client, server: HitlServer, store: Path) -> None:
    request_id = pause(flows.ReviewFlow, client)
    server.ask_back(request_id, "Why?")
    asked: list[tuple[str, str]] = []
    resumer = Resumer(
        flows.registry, client=client, on_question=lambda one: asked.append((one["id"], one["question"]["text"]))
    )
    assert resumer.run_once() == 0
    assert resumer.run_once() == 0
    assert asked == [(request_id, "Why?")]
    server.answer(request_id, "approved", "approved")
    assert resumer.run_once() == 1
    assert len(asked) == 1


def test_a_hook_that_fails_is_called_again_and_holds_up_no_decision(
    client: Client, server: HitlServer, store: Path
) -> None:
    first, second = pause(flows.ReviewFlow, client), pause(flows.ReviewFlow, client)
    server.ask_back(first, "Why?")
    server.answer(second, "approved", "approved")
    tries: list[str] = []

    def reply(asked: Any) -> None:
        tries.append(asked["id"])
        if len(tries) < 2:
            raise RuntimeError("not now")

    resumer = Resumer(flows.registry, client=client, on_question=reply)
    assert resumer.run_once() == 1
    assert tries == [first]
    assert resumer.run_once() == 0
    assert resumer.run_once() == 0
    assert tries == [first, first]


def test_a_hook_that_always_fails_is_given_up(client: Client, server: HitlServer, store: Path) -> None:
    request_id = pause(flows.ReviewFlow, client)
    server.ask_back(request_id, "Why?")
    tries: list[str] = []

    def fail(asked: Any) -> None:
        tries.append(asked["id"])
        raise RuntimeError("never")

    resumer = Resumer(flows.registry, client=client, on_question=fail)
    resumer.stop()  # it then does not wait between its tries
    for _ in range(7):
        resumer.run_once()
    assert tries == [request_id] * 5


def test_a_loop_of_revisions_runs_in_the_worker(client: Client, server: HitlServer, store: Path) -> None:
    server.on_create = lambda request_id: threading.Timer(0.05, server.answer, (request_id, *next(answers))).start()
    answers = iter([("needs_revision", "needs_revision", "shorter"), ("approved", "approved", "")])
    # Even if the module of the app installs the provider that waits: in the worker, the flow is stored again.
    with running(Resumer(flows.registry, client=client)):
        first = pause(flows.RevisionFlow, client)
        hitl.install(client=client, say=lambda _text: None)
        statuses = reported(server, 2)
    assert statuses[0] == (first, "paused_again")
    assert statuses[1][1] == "resumed"
    assert heard[0][0] == "publish"


def test_what_could_not_be_asked_is_asked_later(client: Client, server: HitlServer, store: Path) -> None:
    server.trouble = [(503, "text/html", b"<h1>down</h1>")]
    request_id = pause(flows.ReviewFlow, client)
    assert server.asked() == []
    server.on_create = lambda request_id: threading.Timer(0.05, server.answer, (request_id, "approved", "yes")).start()
    with running(Resumer(flows.registry, client=client)):
        assert reported(server, 1) == [(request_id, "resumed")]


def test_a_cancelled_request_is_no_longer_waited_for(client: Client, server: HitlServer, store: Path) -> None:
    said: list[str] = []
    cancelled, waiting = pause(flows.ReviewFlow, client), pause(flows.ReviewFlow, client)
    client.cancel(cancelled)
    resumer = Resumer(flows.registry, client=client, say=said.append)
    assert resumer.run_once() == 0
    assert [one.request_id for one in Journal(store).open()] == [waiting]
    assert [one.request_id for one in Journal(store).cancelled()] == [cancelled]
    assert len(said) == 1
    assert f"request {cancelled}: the flow stays paused" in said[0]
    server.answer(waiting, "approved", "approved")
    assert resumer.run_once() == 1
    assert len(said) == 2


def test_a_failed_flow_is_reported_and_goes_on_when_told_to(client: Client, server: HitlServer, store: Path) -> None:
    request_id = pause(flows.ReviewFlow, client)
    server.answer(request_id, "rejected", "rejected")
    flows.broken.append(RuntimeError("the archive is full"))
    with running(Resumer(flows.registry, client=client)) as resumer:
        assert reported(server, 1) == [(request_id, "resume_failed")]
        assert server.reports[0]["detail"] == "RuntimeError: the archive is full"
        flows.broken.clear()
        assert resumer.retry(request_id) == 1
        assert reported(server, 2)[1] == (request_id, "resumed")


def test_stopping_waits_for_the_running_flow(client: Client, server: HitlServer, store: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Waiting(list[Exception]):
        def __bool__(self) -> bool:
            entered.set()
            return not leave.wait(HANG_SECONDS)

    request_id = pause(flows.ReviewFlow, client)
    server.answer(request_id, "rejected", "rejected")
    flows.broken, before = Waiting(), flows.broken
    try:
        resumer = Resumer(flows.registry, client=client)
        thread = resumer.start()
        assert entered.wait(HANG_SECONDS)
        resumer.stop()
        thread.join(timeout=0.2)
        assert thread.is_alive()
        leave.set()
        thread.join(timeout=HANG_SECONDS)
    finally:
        flows.broken = before
    assert server.reports == [{"id": request_id, "status": "resumed"}]


def test_a_flow_whose_process_died_goes_on_after_its_claim(client: Client, server: HitlServer, store: Path) -> None:
    request_id = pause(flows.ReviewFlow, client)
    decided = server.answer(request_id, "approved", "approved")
    journal = Journal(store)
    assert journal.claim(decided["flow_id"], "a process that died", HANG_SECONDS)
    resumer = Resumer(flows.registry, client=client)
    resumer.run_once()
    assert heard == []
    with pytest.raises(hitl.Busy):
        hitl.resume(flows.registry, decided, client=client)
    assert journal.claim(decided["flow_id"], "a process that died", seconds=-1)  # its time is over
    assert Resumer(flows.registry, client=client).run_once() == 1
    assert [listener for listener, _result in heard] == ["publish"]


def test_a_worker_of_another_app_leaves_the_flow_alone(client: Client, server: HitlServer, store: Path) -> None:
    server.answer(pause(flows.ReviewFlow, client), "approved", "approved")
    assert Resumer([flows.OpinionFlow], client=client).run_once() == 0
    assert Journal(store).strangers(["OpinionFlow"]) == ["tests.crewai.flows.ReviewFlow"]
    assert Resumer(flows, client=client).run_once() == 1


def test_a_wrong_key_ends_the_worker(server: HitlServer, store: Path) -> None:
    with pytest.raises(Unauthorized):
        Resumer(flows.registry, client=Client(server.url, "hitl_wrong", retries=0)).run()


def test_pushes_are_verified_kept_and_acted_on_once(client: Client, server: HitlServer, store: Path) -> None:
    class Quiet(WSGIRequestHandler):
        def log_message(self, *_arguments: Any) -> None:
            pass

    request_id = pause(flows.ReviewFlow, client)
    decided = server.answer(request_id, "approved", "approved")
    resumer = Resumer(flows.registry, client=client)
    app = wsgi_app(resumer.accept, ["new-secret", SECRET])
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as web, running(resumer, feed=False):
        threading.Thread(target=web.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{web.server_port}/"
        assert push(url, decided, secret="wrong") == 401
        assert requests.get(url, timeout=HANG_SECONDS).status_code == 405
        assert push(url, {**decided, "id": "0192f0c1-7e11-7abc-8def-0123456789ab"}) == 404
        assert heard == []
        assert [push(url, decided) for _ in range(3)] == [204, 204, 204]
        assert reported(server, 1) == [(request_id, "resumed")]
        assert push(url, decided) == 204
        web.shutdown()
    assert len(heard) == 1


def test_the_command(client: Client, server: HitlServer, store: Path) -> None:
    ids = [pause(flows.ReviewFlow, client), pause(flows.ReviewFlow, client)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    command = [sys.executable, "-m", "flow_hitl_client"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, cwd=ROOT)

    pending = run("pending")
    assert f"{ids[0]}  tests.crewai.flows.ReviewFlow.review" in pending.stdout
    assert "2 review points wait" in pending.stdout
    wrong = run("resume", "--app", "no_such_module:registry")
    assert (wrong.returncode, "there is no module no_such_module" in wrong.stderr) == (1, True)

    worker = subprocess.Popen(
        [*command, "resume", "--app", "tests.crewai.flows:registry"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        server.answer(ids[0], "approved", "approved")
        assert reported(server, 1) == [(ids[0], "resumed")]
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=HANG_SECONDS)
    finally:
        worker.kill()
    assert worker.returncode == 0
    assert f"request {ids[0]}" in out
    assert [one.request_id for one in Journal(store).open()] == [ids[1]]


def test_a_flow_that_asked_for_a_receipt_resumes_with_it(client: Client, server: HitlServer, store: Path) -> None:
    server.signs = False
    request_id = pause(flows.PaymentFlow, client)
    server.answer(request_id, "approved", "approved")
    with running(Resumer(flows.registry, client=client)):
        server.wait_until(lambda: ("GET", f"/v1/requests/{request_id}", None) in server.calls, "a look for the receipt")
        server.sign(request_id)
        assert reported(server, 1) == [(request_id, "resumed")]
    [(_, result)] = heard
    assert result.metadata["hitl"]["receipt"] == f"receipt of {request_id}"
