"""The flow goes on: signed POSTs to a real HTTP server, tried again until they are taken or a day is over."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from flow_hitl.bootstrap import Application, current, use
from flow_hitl.domain.retries import RESUME_ATTEMPTS
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.functions.asserts import EMIT, callback, sqs_records
from tests.functions.receiver import Receiver, receiving


@pytest.fixture
def flow() -> Iterator[Receiver]:
    """The flow's HTTP server."""
    with receiving() as receiver:
        yield receiver


def decided(hitl: Hitl, flow: Receiver) -> AskedRequest:
    request = hitl.ask(emit=EMIT, resume_url=flow.url, state={"text": "grüße"})
    callback(hitl, request, "approved\nSchön!")
    return request


def test_the_answer_is_posted_once_and_signed(hitl: Hitl, flow: Receiver) -> None:
    request = decided(hitl, flow)
    (post,) = flow.received
    assert post.path == "/resume?run=7"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["idempotency-key"] == request.id
    assert post.headers["host"] == flow.url.split("/")[2]
    body = json.loads(post.body)
    assert body["event"] == "response_submitted"
    now = request.now()
    assert {**body["request"], "resume": None} == {**now, "resume": None}
    secret = current().manage_deployments.resume_secret(hitl.deployment_id)
    assert secret.startswith("whsec_")
    signed = f"{post.headers['x-timestamp']}.{post.body.decode()}".encode()
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert post.headers["x-signature"] == f"sha256={expected}"
    assert int(post.headers["x-timestamp"]) == int(hitl.clock.now().timestamp())
    assert now["resume"] == {"status": "delivered", "attempts": 1, "last_status": 200}
    told = {"attempt": 1, "delivered": True, "result": "HTTP 200", "host": "127.0.0.1"}
    assert request.timeline[-1]["data"] == {"deployment_id": hitl.deployment_id, **told}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(hitl: Hitl, flow: Receiver, status: int) -> None:
    flow.status = status
    request = decided(hitl, flow)
    hitl.advance(days=2)
    assert len(flow.received) == 1
    assert request.now()["resume"] == {"status": "delivered", "attempts": 1, "last_status": status}


@pytest.mark.parametrize("status", [302, 400, 404, 409, 410, 500, 503])
def test_anything_else_is_tried_again_within_ten_seconds(hitl: Hitl, flow: Receiver, status: int) -> None:
    flow.status, flow.location = status, flow.url + "&redirected"
    request = decided(hitl, flow)
    assert request.now()["resume"] == {"status": "waiting", "attempts": 1, "last_status": status}
    flow.status = 200
    hitl.advance(seconds=10)
    assert request.now()["resume"] == {"status": "delivered", "attempts": 2, "last_status": 200}
    assert [post.path for post in flow.received] == ["/resume?run=7"] * 2, "redirects are not followed"
    assert request.kinds.count("resume_attempted") == 2


def test_each_attempt_is_signed_anew_and_says_the_same(hitl: Hitl, flow: Receiver) -> None:
    flow.status = 500
    decided(hitl, flow)
    hitl.advance(minutes=30)
    timestamps = [post.headers["x-timestamp"] for post in flow.received]
    assert len(set(timestamps)) == len(timestamps) > 3
    assert len({post.headers["idempotency-key"] for post in flow.received}) == 1


def test_after_a_day_it_rests_in_the_dead_letter_queue(hitl: Hitl, flow: Receiver) -> None:
    flow.status = 500
    request = decided(hitl, flow)
    hitl.advance(days=3)
    events = [event for event in request.timeline if event["kind"] == "resume_attempted"]
    at = [datetime.fromisoformat(event["at"]) for event in events]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert pauses[0] <= timedelta(seconds=10)
    assert pauses == sorted(pauses)
    assert timedelta(hours=24) <= at[-1] - at[0] < timedelta(hours=26)
    assert len(flow.received) == RESUME_ATTEMPTS, "none is wasted at the end, none is missing"
    assert request.now()["resume"] == {"status": "failed", "attempts": RESUME_ATTEMPTS, "last_status": 500}
    body = dead_letter(hitl)
    flow.status = 200
    hitl._clients["sqs"].send_message(QueueUrl=current().settings.resume_queue_url, MessageBody=body)
    hitl.advance(seconds=1)
    assert request.now()["resume"]["status"] == "delivered"


def dead_letter(hitl: Hitl) -> str:
    url = current().settings.resume_queue_url + "-dlq"
    (message,) = hitl._clients["sqs"].receive_message(QueueUrl=url)["Messages"]
    return str(message["Body"])


def test_nobody_at_home(hitl: Hitl) -> None:
    with receiving() as gone:
        url = gone.url
    request = hitl.ask(emit=EMIT, resume_url=url)
    callback(hitl, request)
    resume = request.now()["resume"]
    assert (resume["status"], resume["attempts"], resume["last_status"]) == ("waiting", 1, None)


def test_a_url_is_checked_again_when_it_is_called(hitl: Hitl, flow: Receiver) -> None:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    before = current()
    stricter = before.settings.model_copy(update={"allow_insecure_urls": "false"})
    use(Application(stricter, before.clock, before.ids, before.jitter))
    callback(hitl, request)
    assert flow.received == []
    assert request.now()["resume"]["attempts"] == 1
    data = request.timeline[-1]["data"]
    assert (data["delivered"], data["result"]) == (False, "the URL must begin with https://")


def test_a_delivered_resumption_that_comes_again_is_not_posted_again(hitl: Hitl, flow: Receiver) -> None:
    from functions.resume_flow import handler

    request = decided(hitl, flow)
    message = json.dumps({"kind": "resume", "request_id": request.id, "event_seq": 3})
    assert handler({"Records": sqs_records(message)}, None) == {"batchItemFailures": []}
    assert len(flow.received) == 1


def test_what_the_flow_reports_stands(hitl: Hitl, flow: Receiver) -> None:
    flow.status = 500
    request = decided(hitl, flow)
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": "resumed"})
    flow.status = 200
    hitl.advance(minutes=1)
    assert request.now()["resume"] == {"status": "resumed", "attempts": 2, "last_status": 200}


def test_without_a_resume_url_nothing_is_posted(hitl: Hitl, flow: Receiver) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    hitl.advance(days=1)
    assert flow.received == []
    assert request.now()["resume"] == {"status": "waiting", "attempts": 0, "last_status": None}


def test_every_channel_resumes(hitl: Hitl, flow: Receiver) -> None:
    auto = {"timeout_minutes": 1, "default_outcome": "approved"}
    requests = [hitl.ask(emit=EMIT, resume_url=flow.url, auto_response=auto) for _ in range(4)]
    callback(hitl, requests[0])
    hitl.reply("approved", to=hitl.inbox[1])
    hitl.page("POST", hitl.review_url(hitl.inbox[2]), {"outcome": "approved"})
    hitl.advance(minutes=1)
    posted = [json.loads(post.body)["request"] for post in flow.received]
    assert [request["id"] for request in posted] == [request.id for request in requests]
    via = [request["response"]["responded_via"] for request in posted]
    assert via == ["api", "email", "dashboard", "auto_response"]
