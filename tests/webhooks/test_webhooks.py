"""Webhooks as the spec has them: what is sent to a real HTTP server, and what becomes of its answer."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import Hitl
from infra.local.patience import HANG_SECONDS
from tests.support.asserts import EMIT, assert_problem, callback, sqs_records
from tests.support.receiver import Received, Receiver, receiving
from tests.support.webhooks import ALL_EVENTS, answer_at, hook, spec_verifies, told, webhooks_path


@pytest.fixture
def app() -> Iterator[Receiver]:
    """The HTTP server of another application."""
    with receiving() as receiver:
        yield receiver


def test_a_new_request_is_posted_as_the_spec_shows_it(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, app.url)
    request = hitl.ask(
        "Please review this article for publication.",
        emit=["approved", "rejected", "request_changes"],
        method_name="review_article",
        flow_id="flow_abc123",
        state={"article_id": 12345, "author": "john@example.com", "title": "Grüße 🎉"},
        output="# Draft",
        assigned_to_email="reviewer@company.com",
    )
    (post,) = app.received
    payload = told(post)
    callback_url = payload.pop("callback_url")
    assert payload == {
        "event": "new_request",
        "request": {
            "id": request.id,
            "flow_id": "flow_abc123",
            "method_name": "review_article",
            "message": "Please review this article for publication.",
            "emit_options": ["approved", "rejected", "request_changes"],
            "state": {"article_id": 12345, "author": "john@example.com", "title": "Grüße 🎉"},
            "metadata": {},
            "created_at": "2026-01-14T12:00:00Z",
            "output": "# Draft",
            "title": "Review article · article id 12345 · Grüße 🎉",
            "options": {
                "approved": {"label": "Approved", "hint": None, "tone": "positive", "comment": "optional"},
                "rejected": {"label": "Rejected", "hint": None, "tone": "negative", "comment": "optional"},
                "request_changes": {"label": "Request changes", "hint": None, "tone": "neutral", "comment": "optional"},
            },
        },
        "deployment": {"id": hitl.deployment_id, "name": "Content Review", "organization_id": 789},
        "assigned_to_email": "reviewer@company.com",
    }
    assert callback_url.startswith("https://hitl.test/v1/callbacks/")
    assert callback_url != request.callback_url
    assert post.headers["content-type"] == "application/json"


def test_it_is_signed_as_the_spec_verifies_it(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    hitl.ask(emit=EMIT, state={"text": "ümläut"})
    (post,) = app.received
    assert made.secret.startswith("whsec_")
    assert post.headers["x-signature"].startswith("sha256=")
    assert int(post.headers["x-timestamp"]) == int(hitl.clock.now().timestamp())
    assert spec_verifies(made.secret, post)
    assert not spec_verifies(made.secret + "x", post)
    assert not spec_verifies(made.secret, Received(post.path, post.headers, post.body + b" "))


def test_our_own_verifier_takes_it_too(hitl: Hitl, app: Receiver) -> None:
    from flow_hitl_client.signature import verify

    made = hook(hitl, app.url)
    hitl.ask()
    (post,) = app.received
    signature, timestamp = post.headers["x-signature"], post.headers["x-timestamp"]
    verify(made.secret, post.body, signature=signature, timestamp=timestamp, now=float(timestamp) + 5)


def test_the_answer_is_posted_to_the_callback_url(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, app.url)
    request = hitl.ask(emit=EMIT)
    feedback = {"feedback": "Approved. Great article!", "source": "my_custom_app"}
    answer = answer_at(hitl, told(app.received[0])["callback_url"], **feedback)
    assert (answer.status, answer.json["status"]) == (200, "accepted")
    response = request.response
    assert (response["feedback"], response["source"]) == ("Approved. Great article!", "my_custom_app")


def test_each_active_webhook_gets_every_event_with_a_callback_url_and_a_signature_of_its_own(hitl: Hitl) -> None:
    with receiving() as one, receiving() as two, receiving() as off:
        first, second = hook(hitl, one.url), hook(hitl, two.url)
        hook(hitl, off.url, active=False)
        hitl.ask(emit=EMIT)
        (to_one,), (to_two,) = one.received, two.received
        assert off.received == []
        assert told(to_one)["callback_url"] != told(to_two)["callback_url"]
        assert to_one.headers["x-webhook-id"] != to_two.headers["x-webhook-id"]
        assert spec_verifies(first.secret, to_one)
        assert spec_verifies(second.secret, to_two)
        assert not spec_verifies(first.secret, to_two)


def test_the_callback_url_dies_with_its_webhook_and_no_other(hitl: Hitl) -> None:
    with receiving() as one, receiving() as two:
        first = hook(hitl, one.url)
        hook(hitl, two.url)
        requests = [hitl.ask(emit=EMIT) for _ in range(2)]
        assert first.call("DELETE").status == 204
        for number, request in enumerate(requests):
            dead = told(one.received[number])["callback_url"]
            assert_problem(answer_at(hitl, dead), 401, "unauthorized")
            assert request.status == "pending"
        assert answer_at(hitl, told(two.received[0])["callback_url"]).status == 200
        assert callback(hitl, requests[1]).status == 200, "the flow's own is nobody's webhook"


def test_a_webhook_that_is_switched_off_keeps_its_callback_urls(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    hitl.ask(emit=EMIT)
    made.call("PATCH", body={"active": False})
    assert answer_at(hitl, told(app.received[0])["callback_url"]).status == 200


def test_an_altered_callback_url_is_unauthorized(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, app.url)
    request = hitl.ask(emit=EMIT)
    url = told(app.received[0])["callback_url"]
    flipped = "A" if url[-1] != "A" else "B"
    for altered in (url[:-1] + flipped, url[:-1], url + "A"):
        assert_problem(answer_at(hitl, altered), 401, "unauthorized")
    assert request.status == "pending"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(hitl: Hitl, app: Receiver, status: int) -> None:
    app.status = status
    made = hook(hitl, app.url)
    request = hitl.ask()
    (delivery,) = made.deliveries
    assert (delivery["status"], delivery["http_status"]) == ("delivered", status)
    assert request.kinds.count("webhook_delivered") == 1
    assert "webhook_failed" not in request.kinds


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_logged_as_failed_and_not_tried_again(hitl: Hitl, app: Receiver, status: int) -> None:
    app.status, app.location = status, app.url + "&redirected"
    made = hook(hitl, app.url)
    request = hitl.ask()
    app.status = 200
    hitl.advance(days=2)
    assert len(app.received) == 1
    (delivery,) = made.deliveries
    assert (delivery["status"], delivery["http_status"], delivery["attempts"]) == ("failed", status, 1)
    (event,) = [event for event in request.timeline if event["kind"] == "webhook_failed"]
    assert event["data"]["http_status"] == status
    assert request.status == "pending", "the reviewer has the mail all the same"


def test_nobody_at_home_is_logged_as_failed(hitl: Hitl) -> None:
    with receiving() as gone:
        url = gone.url
    made = hook(hitl, url)
    request = hitl.ask()
    (delivery,) = made.deliveries
    assert (delivery["status"], delivery["http_status"]) == ("failed", None)
    assert delivery["reason"].startswith("no answer")
    assert "webhook_failed" in request.kinds


def test_a_receiver_that_takes_too_long_is_logged_as_failed(
    hitl: Hitl, app: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flow_hitl.platform.http_poster import SafeHttpPoster

    made = hook(hitl, app.url)
    sender = current().send_webhook
    assert isinstance(sender.poster, SafeHttpPoster)
    assert sender.poster._total_seconds == 30
    monkeypatch.setattr(sender.poster, "_total_seconds", 0.3)
    # Whoever waited for it would wait for minutes.
    app.pause = HANG_SECONDS
    hitl.ask()
    (delivery,) = made.deliveries
    assert (delivery["status"], delivery["http_status"]) == ("failed", None)
    assert "no answer within" in delivery["reason"]
    hitl.advance(days=1)
    assert len(app.received) == 1


def test_the_log_says_what_happened(hitl: Hitl, app: Receiver) -> None:
    app.status, app.answer = 422, "é".encode() * 600
    made = hook(hitl, app.url)
    request = hitl.ask()
    (delivery,) = made.deliveries
    assert (delivery["event"], delivery["request_id"]) == ("new_request", request.id)
    assert (delivery["at"], delivery["finished_at"]) == ("2026-01-14T12:00:00Z", "2026-01-14T12:00:00Z")
    assert delivery["response"] == "é" * 512, "the first KB"
    assert delivery["reason"] == "HTTP 422"
    assert 0 <= delivery["duration_ms"] < 5000
    assert delivery["redelivery_of"] is None
    assert app.received[0].headers["x-webhook-id"] == delivery["id"]
    event = request.timeline[-1]
    assert event["kind"] == "webhook_failed"
    assert {name: value for name, value in event["data"].items() if name not in ("head_sha256", "state_before")} == {
        "deployment_id": hitl.deployment_id,
        "webhook_id": made.id,
        "webhook": "Jira",
        "event": "new_request",
        "delivery_id": delivery["id"],
        "redelivery_of": None,
        "attempts": 1,
        "http_status": 422,
        "result": "HTTP 422",
        "duration_ms": delivery["duration_ms"],
    }


def test_the_log_has_pages_newest_first_and_is_kept_for_90_days(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    requests = []
    for _ in range(5):
        requests.append(hitl.ask().id)
        hitl.advance(seconds=1)
    page = made.call("GET", "/deliveries?limit=2").json
    found = [delivery["request_id"] for delivery in page["deliveries"]]
    while page["next_cursor"]:
        page = made.call("GET", f"/deliveries?limit=2&cursor={page['next_cursor']}").json
        found += [delivery["request_id"] for delivery in page["deliveries"]]
    assert found == requests[::-1]
    assert_problem(made.call("GET", "/deliveries?cursor=x"), 422, "validation")
    assert_problem(made.call("GET", "/deliveries?limit=0"), 422, "validation")
    rows = hitl._clients["dynamodb"].scan(TableName="deployments")["Items"]
    expiry = {int(row["ttl"]["N"]) for row in rows if row["sk"]["S"].startswith("delivery#")}
    start = int(hitl.clock.now().timestamp()) - 5
    assert expiry == {start + second + 90 * 24 * 3600 for second in range(5)}
    assert not [row for row in rows if "ttl" in row and not row["sk"]["S"].startswith(("delivery#", "activity#"))]


def test_further_events_are_for_those_who_ask_for_them(hitl: Hitl) -> None:
    with receiving() as plain, receiving() as curious, receiving() as late:
        hook(hitl, plain.url)
        hook(hitl, curious.url, events=ALL_EVENTS)
        answered, cancelled = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
        hook(hitl, late.url, events=["response_submitted"])
        callback(hitl, answered, "approved\nwell done", responder="bob@example.com")
        hitl.api("DELETE", f"/v1/requests/{cancelled.id}")

        def events(receiver: Receiver) -> list[tuple[str, str]]:
            return [(told(post)["event"], told(post)["request"]["id"]) for post in receiver.received]

        new = [("new_request", answered.id), ("new_request", cancelled.id)]
        assert events(plain) == new
        assert events(curious) == [*new, ("response_submitted", answered.id), ("request_cancelled", cancelled.id)]
        assert events(late) == [("response_submitted", answered.id)]
        submitted = told(curious.received[2])
        assert {**submitted["request"]["response"], "receipt": None} == answered.response
        assert set(submitted) == set(told(curious.received[0]))
        assert "response" not in told(curious.received[3])["request"]


@pytest.mark.parametrize("via", ["email", "dashboard", "api", "auto_response"])
def test_a_response_is_told_whichever_way_it_came(hitl: Hitl, app: Receiver, via: str) -> None:
    hook(hitl, app.url, events=["response_submitted"])
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 1, "default_outcome": "approved"})
    if via == "email":
        hitl.reply("approved")
    elif via == "dashboard":
        hitl.page("POST", hitl.review_url(), {"outcome": "approved"})
    elif via == "api":
        callback(hitl, request)
    hitl.advance(minutes=2)
    (post,) = app.received
    assert told(post)["request"]["response"]["responded_via"] == via


def test_with_notifications_off_the_webhook_is_how_a_request_is_seen(hitl: Hitl, app: Receiver) -> None:
    hitl.configure(settings={"email_notifications": False})
    hook(hitl, app.url)
    hitl.ask(emit=EMIT)
    assert (len(app.received), hitl.inbox) == (1, [])


@pytest.mark.parametrize("name", ["output", "state", "metadata", "message"])
def test_content_above_256_kb_is_replaced_by_a_signed_link(hitl: Hitl, app: Receiver, name: str) -> None:
    hook(hitl, app.url)
    big = "ä" * 140_000
    value: Any = {"text": big} if name in ("state", "metadata") else big
    small: dict[str, Any] = {"message": "Publish?", "state": {"a": 1}, "metadata": {"b": 2}, "output": [3]}
    fields = {**small, name: value}
    message = fields.pop("message")
    hitl.ask(message, emit=EMIT, **fields)
    (post,) = app.received
    assert len(post.body) < 256 * 1024
    request = told(post)["request"]
    assert (request["output"], request["state"], request["metadata"]) == (None, {}, {})
    assert request["message"] == (message if name != "message" else "ä" * 1000 + "…")
    assert request["content_url_expires_at"] == "2026-01-15T12:00:00Z"
    content = hitl.api("GET", urlsplit(request["content_url"]).path, key=None)
    assert (content.status, content.json) == (200, {**fields, "message": message, name: value})


def test_content_of_256_kb_is_sent_whole(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, app.url)
    hitl.ask()
    envelope = len(app.received[0].body) - len(b"null")
    hitl.ask(output="x" * (256 * 1024 - envelope - 2))
    assert len(app.received[1].body) == 256 * 1024
    assert "content_url" not in told(app.received[1])["request"]
    hitl.ask(output="x" * (256 * 1024 - envelope - 1))
    assert "content_url" in told(app.received[2])["request"]


def test_a_content_link_ends_with_its_day_and_with_its_webhook(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    hitl.ask(output="x" * 300_000)
    path = urlsplit(told(app.received[0])["request"]["content_url"]).path
    hitl.advance(minutes=24 * 60)
    assert hitl.api("GET", path, key=None).status == 200
    hitl.advance(seconds=1)
    assert_problem(hitl.api("GET", path, key=None), 410, "expired")
    hitl.ask(output="x" * 300_000)
    path = urlsplit(told(app.received[1])["request"]["content_url"]).path
    assert_problem(hitl.api("GET", path[:-1], key=None), 401, "unauthorized")
    made.call("DELETE")
    assert_problem(hitl.api("GET", path, key=None), 401, "unauthorized")


def test_a_content_link_decides_nothing_and_a_callback_url_shows_nothing(hitl: Hitl, app: Receiver) -> None:
    hook(hitl, app.url)
    request = hitl.ask(output="x" * 300_000)
    payload = told(app.received[0])
    content = urlsplit(payload["request"]["content_url"]).path.rpartition("/")[2]
    answering = urlsplit(payload["callback_url"]).path.rpartition("/")[2]
    refused = hitl.api("POST", f"/v1/callbacks/{content}", {"feedback": "approved"}, key=None)
    assert_problem(refused, 401, "unauthorized")
    assert_problem(hitl.api("GET", f"/v1/contents/{answering}", key=None), 401, "unauthorized")
    assert request.status == "pending"


def test_a_test_ping_goes_the_way_of_events(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url)
    answer = made.call("POST", "/test")
    assert answer.status == 202
    assert (answer.json["delivery"]["event"], answer.json["delivery"]["status"]) == ("test", "pending")
    (post,) = app.received
    payload = told(post)
    assert payload["event"] == "test"
    hitl.ask()
    real = told(app.received[1])
    assert (set(payload), set(payload["request"])) == (set(real), set(real["request"]))
    assert spec_verifies(made.secret, post)
    assert post.headers["x-webhook-id"] == answer.json["delivery"]["id"]
    assert_problem(answer_at(hitl, payload["callback_url"]), 404, "not-found")
    delivery = made.deliveries[-1]
    assert (delivery["event"], delivery["status"], delivery["request_id"]) == ("test", "delivered", None)


def test_a_webhook_can_be_tried_before_it_is_switched_on(hitl: Hitl, app: Receiver) -> None:
    made = hook(hitl, app.url, active=False)
    made.call("POST", "/test")
    hitl.ask()
    assert [told(post)["event"] for post in app.received] == ["test"]


def test_a_failed_delivery_can_be_sent_again_by_hand(hitl: Hitl, app: Receiver) -> None:
    app.status = 500
    made = hook(hitl, app.url)
    request = hitl.ask(emit=EMIT)
    (failed,) = made.deliveries
    app.status = 200
    hitl.advance(minutes=90)
    answer = made.call("POST", f"/deliveries/{failed['id']}/redeliver")
    assert answer.status == 202
    first, second = app.received
    assert told(first)["request"] == told(second)["request"]
    assert first.headers["x-webhook-id"] == second.headers["x-webhook-id"], "the receiver can tell that it is the same"
    assert int(second.headers["x-timestamp"]) - int(first.headers["x-timestamp"]) == 90 * 60
    assert spec_verifies(made.secret, second)
    again, before = made.deliveries
    assert before == failed
    assert (again["status"], again["redelivery_of"]) == ("delivered", failed["id"])
    assert again["id"] == answer.json["delivery"]["id"] != failed["id"]
    assert request.kinds[-2:] == ["webhook_failed", "webhook_delivered"]
    third = made.call("POST", f"/deliveries/{again['id']}/redeliver").json["delivery"]
    assert third["redelivery_of"] == again["id"]
    assert app.received[2].headers["x-webhook-id"] == first.headers["x-webhook-id"]


def test_what_was_queued_when_the_webhook_was_switched_off_or_deleted_is_not_sent(hitl: Hitl, app: Receiver) -> None:
    from tests.support.aws_calls import unsettled

    off, gone = hook(hitl, app.url), hook(hitl, app.url)
    with unsettled(hitl):
        request = hitl.ask()
        hitl._relay_new_events()
        hitl._deliver("send_webhook", _queued(hitl))
        off.call("PATCH", body={"active": False})
        gone.call("DELETE")
    hitl.advance(minutes=10)
    assert app.received == []
    (delivery,) = off.deliveries
    assert (delivery["status"], delivery["attempts"]) == ("failed", 0)
    assert "switched off" in delivery["reason"]
    assert request.kinds.count("webhook_failed") == 1


def _queued(hitl: Hitl) -> list[dict[str, object]]:
    url = current().settings.queue_url("webhook")
    messages = hitl._clients["sqs"].receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    return sqs_records(*(message["Body"] for message in messages))


def test_a_message_that_comes_again_sends_nothing_again(hitl: Hitl, app: Receiver) -> None:
    from functions.send_webhook import handler

    made = hook(hitl, app.url)
    request = hitl.ask()
    (delivery,) = made.deliveries
    event = json.dumps({"kind": "webhook", "request_id": request.id, "event_seq": 1})
    of_delivery = json.dumps({"webhook_id": made.id, "delivery_id": delivery["id"]})
    for body in (event, of_delivery, event, of_delivery):
        assert handler({"Records": sqs_records(body)}, None) == {"batchItemFailures": []}
        hitl.advance(seconds=1)
    assert len(app.received) == 1
    assert request.kinds.count("webhook_delivered") == 1
    assert made.deliveries == [delivery]


def test_an_event_of_old_is_not_told_to_a_webhook_made_since(hitl: Hitl, app: Receiver) -> None:
    from functions.send_webhook import handler

    with receiving() as first:
        hook(hitl, first.url)
        request = hitl.ask()
        hook(hitl, app.url)
        event = json.dumps({"kind": "webhook", "request_id": request.id, "event_seq": 1})
        handler({"Records": sqs_records(event)}, None)
        hitl.advance(seconds=1)
    assert app.received == []


def test_a_deployments_webhooks_hear_of_its_own_requests_alone(hitl: Hitl, app: Receiver) -> None:
    from tests.support.asserts import key_of_another_deployment

    other = key_of_another_deployment()
    other_id = int(other.split("_")[1])
    body = {"name": "Theirs", "url": app.url}
    assert hitl.api("POST", webhooks_path(hitl, other_id), body, key=other).status == 201
    hitl.ask()
    assert app.received == []
