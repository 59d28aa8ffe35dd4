"""The flow goes on: signed POSTs to a real HTTP server, tried again until they are taken or a day is over."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from flow_hitl.bootstrap import Application, current, use
from flow_hitl.delivery.retries import RESUME
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.requests.bound import told_problems
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, assert_invalid, callback, sqs_records
from tests.support.receiver import Received, Receiver, receiving


@pytest.fixture
def flow() -> Iterator[Receiver]:
    """The flow's HTTP server."""
    with receiving() as receiver:
        yield receiver


def decided(hitl: Hitl, flow: Receiver, comment: str = "") -> AskedRequest:
    request = hitl.ask(emit=EMIT, resume_url=flow.url, state={"text": "grüße"})
    callback(hitl, request, f"approved\n{comment or 'Schön!'}")
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
    assert request.timeline[-1]["data"].items() >= {"deployment_id": hitl.deployment_id, **told}.items()


def test_a_new_secret_signs_from_its_moment_on_and_until_then_the_old_one_does(hitl: Hitl, flow: Receiver) -> None:
    path = f"/v1/deployments/{hitl.deployment_id}/rotate-resume-secret"
    old = current().manage_deployments.resume_secret(hitl.deployment_id)
    answer = hitl.api("POST", path, {"signs_from": "2026-01-15T12:00:00Z"})
    new = answer.json["secret"]
    assert answer.json == {"secret": new, "signs_from": "2026-01-15T12:00:00Z"}
    assert new.startswith("whsec_")
    assert new != old
    decided(hitl, flow)
    hitl.advance(days=1)
    decided(hitl, flow)
    assert [signing(flow.received[number], (old, new)) for number in range(2)] == [old, new]
    newest = hitl.api("POST", path).json["secret"]
    decided(hitl, flow)
    assert signing(flow.received[-1], (old, new, newest)) == newest


def signing(post: Received, secrets: Sequence[str]) -> str | None:
    signed = f"{post.headers['x-timestamp']}.{post.body.decode()}".encode()
    found = {f"sha256={hmac.new(one.encode(), signed, hashlib.sha256).hexdigest()}": one for one in secrets}
    return found.get(post.headers["x-signature"])


def test_a_rotation_that_is_asked_for_twice_happens_once(hitl: Hitl) -> None:
    path, key = f"/v1/deployments/{hitl.deployment_id}/rotate-resume-secret", {"Idempotency-Key": "rotation-1"}
    body = {"signs_from": "2026-01-15T12:00:00Z"}
    first, again = (hitl.api("POST", path, body, headers=key) for _ in range(2))
    assert (first.status, first.json) == (again.status, again.json)
    assert hitl.api("POST", path, {}, headers=key).status == 422
    hitl.advance(days=1)
    assert current().manage_deployments.resume_secret(hitl.deployment_id) == first.json["secret"]


@pytest.mark.parametrize("moment", ["tomorrow", "2026-01-14", "2026-02-14T12:00:00Z", "2026-01-14T11:00:00Z"])
def test_a_new_secret_signs_within_thirty_days(hitl: Hitl, moment: str) -> None:
    path = f"/v1/deployments/{hitl.deployment_id}/rotate-resume-secret"
    before = current().manage_deployments.show(hitl.deployment_id)
    assert_invalid(hitl.api("POST", path, {"signs_from": moment}), "/signs_from")
    assert current().manage_deployments.show(hitl.deployment_id) == before


def test_that_a_secret_was_rotated_stands_in_the_log_and_the_secret_nowhere(hitl: Hitl) -> None:
    secret = hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/rotate-resume-secret").json["secret"]
    dynamodb = hitl._clients["dynamodb"]
    tables = dynamodb.list_tables()["TableNames"]
    everything = json.dumps([dynamodb.scan(TableName=table)["Items"] for table in tables], default=str)
    assert "resume_secret_rotated" in everything
    assert secret not in everything


def test_a_long_answer_reaches_its_flow_whole(hitl: Hitl, flow: Receiver) -> None:
    request = decided(hitl, flow, LONG)
    (post,) = flow.received
    assert json.loads(post.body)["request"]["response"]["comment"] == LONG.strip()
    assert request.now()["response"]["comment"] == LONG.strip()


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


LONG = "Fine with me. " * 50
REJECTED = {"outcome": "rejected", "feedback": "rejected"}
# Of a short answer, which is in the head, or of a long one: the record, and what is changed in its document.
CHANGES: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "outcome": ("", "r#head", lambda doc: {**doc, "answer": {**doc["answer"], **REJECTED}}),
    "responder": ("", "r#head", lambda doc: {**doc, "answer": {**doc["answer"], "responder": "mallory@example.com"}}),
    "outcome of a long answer": (LONG, "r#response", lambda doc: {**doc, **REJECTED}),
    "comment of a long answer": (LONG, "r#response", lambda doc: {**doc, "comment": LONG * 2}),
    "question": ("", "r#content", lambda doc: {**doc, "message": "Pay a million?"}),
    "run": ("", "r#head", lambda doc: {**doc, "flow_id": "flow_other"}),
    "options": ("", "r#head", lambda doc: {**doc, "emit_options": ["approved", "rejected", "paid"]}),
}


def repaired(now: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record as it is now, with what was changed, or the whole document, of before."""
    if before["sk"]["S"] != "r#head":
        return before
    document, answer = (json.loads(document_text(values(one)["doc"])) for one in (now, before))
    kept = {name: answer[name] for name in ("answer", "flow_id", "emit_options") if name in answer}
    return {**now, "doc": {"S": json.dumps({**document, **kept})}}


@pytest.mark.parametrize("what", CHANGES)
def test_a_flow_is_not_told_what_the_log_does_not_say(hitl: Hitl, flow: Receiver, what: str) -> None:
    flow.away = 1
    comment, part, change = CHANGES[what]
    request = decided(hitl, flow, comment)
    assert request.now()["resume"]["status"] == "waiting"
    flow.received.clear()
    dynamodb, key = hitl._clients["dynamodb"], item({"pk": request.id, "sk": part})
    stored = dynamodb.get_item(TableName="requests", Key=key)["Item"]
    forged = json.dumps(change(json.loads(document_text(values(stored)["doc"]))))
    dynamodb.put_item(TableName="requests", Item={**stored, "doc": {"S": forged}})
    hitl.advance(minutes=5)
    assert flow.received == []
    assert request.timeline[-1]["data"]["result"].startswith("Not sent: the stored answer")
    now = dynamodb.get_item(TableName="requests", Key=key)["Item"]
    dynamodb.put_item(TableName="requests", Item=repaired(now, stored))
    hitl.advance(minutes=20)
    (post,) = flow.received
    assert json.loads(post.body)["request"]["response"]["outcome"] == "approved"


def test_a_reply_that_came_too_late_keeps_no_flow_from_its_answer(hitl: Hitl, flow: Receiver) -> None:
    flow.away = 1
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    asked = hitl.inbox[-1]
    callback(hitl, request, "approved")
    hitl.reply("perhaps", to=asked)
    assert "reply_rejected" in request.kinds
    flow.received.clear()
    hitl.advance(minutes=5)
    (post,) = flow.received
    assert json.loads(post.body)["request"]["response"]["outcome"] == "approved"


def test_a_reply_that_comes_while_the_flow_is_told_is_no_forgery(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    asked = hitl.inbox[-1]
    callback(hitl, request, "approved")
    hitl.reply("perhaps", to=asked)
    resume_flow = current().resume_flow
    read = resume_flow.requests.load(request.id)
    hitl.reply("after all", to=asked)
    events = resume_flow.audit.timeline(request.id)
    assert told_problems(read, events, partial(resume_flow.audit.later, request.id)) == []


def test_a_state_that_was_forged_before_a_late_reply_is_not_told_either(hitl: Hitl, flow: Receiver) -> None:
    flow.away = 1
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    asked = hitl.inbox[-1]
    callback(hitl, request, "approved")
    dynamodb, key = hitl._clients["dynamodb"], item({"pk": request.id, "sk": "r#head"})
    stored = dynamodb.get_item(TableName="requests", Key=key)["Item"]
    forged = json.dumps({**json.loads(document_text(values(stored)["doc"])), "flow_id": "flow_other"})
    dynamodb.put_item(TableName="requests", Item={**stored, "doc": {"S": forged}})
    hitl.reply("perhaps", to=asked)
    flow.received.clear()
    hitl.advance(minutes=5)
    assert flow.received == []


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
    hitl.advance(minutes=25 * 60)
    events = [event for event in request.timeline if event["kind"] == "resume_attempted"]
    at = [datetime.fromisoformat(event["at"]) for event in events]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert pauses[0] <= timedelta(seconds=10)
    assert pauses == sorted(pauses)
    assert timedelta(hours=24) <= at[-1] - at[0] < timedelta(hours=26)
    assert len(flow.received) == RESUME.attempts, "none is wasted at the end, none is missing"
    assert request.now()["resume"] == {"status": "failed", "attempts": RESUME.attempts, "last_status": 500}
    body = dead_letter(hitl)
    flow.status = 200
    hitl._clients["sqs"].send_message(QueueUrl=current().settings.queue_url("resume"), MessageBody=body)
    hitl.advance(seconds=1)
    assert request.now()["resume"]["status"] == "delivered"


def dead_letter(hitl: Hitl) -> str:
    url = current().settings.dead_letter_queue_url("resume")
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
    stricter = replace(before.settings, allow_insecure_urls="false")
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
