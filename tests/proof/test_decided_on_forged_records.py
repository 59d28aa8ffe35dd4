"""A forger changes a request before somebody decides it: the decision's event binds that, and yet nobody is told."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from flow_hitl.audit.audit_log import event_from_item, event_image
from flow_hitl.audit.bound import STATE_BEFORE
from flow_hitl.audit.chain import AuditEvent, event_hash
from flow_hitl.bootstrap import current
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.errors import NotAsLogged
from flow_hitl.requests.bound import is_as_logged, told_problems
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.proof.test_audit_seal import by_schedule
from tests.proof.test_audit_seal import named as named_findings
from tests.support.asserts import EMIT, callback
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import hook


@pytest.fixture
def flow() -> Iterator[Receiver]:
    """The flow's HTTP server."""
    with receiving() as receiver:
        yield receiver


def forge(hitl: Hitl, request: AskedRequest, part: str, **members: Any) -> None:
    """Change members of a record of a request with nothing but `PutItem` on the requests table."""
    dynamodb, key = hitl._clients["dynamodb"], item({"pk": request.id, "sk": f"r#{part}"})
    stored = dynamodb.get_item(TableName="requests", Key=key)["Item"]
    document = {**json.loads(document_text(values(stored)["doc"])), **members}
    dynamodb.put_item(TableName="requests", Item={**stored, "doc": {"S": json.dumps(document)}})


FORGERIES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "options": ("head", {"emit_options": ["approved", "rejected", "paid"]}),
    "assignee": ("head", {"group_members": ["mallory@example.com", "creator@example.com"]}),
    "number of refused emails": ("head", {"rejections": ["2026-01-14", 1]}),
    "run": ("head", {"flow_id": "flow_other"}),
    "validity": ("head", {"approval_ttl_minutes": 10**6}),
    "labels": ("head", {"labels": {"approved": "Do not pay"}}),
    "end of its chain": ("head", {"last_hash": "0" * 64}),
    "question": ("content", {"message": "Pay a million?"}),
    "output": ("content", {"output": "Something else"}),
    "address of the flow": ("content", {"metadata": {"requested_by": "mallory@example.com"}}),
}


def by_callback(hitl: Hitl, request: AskedRequest) -> None:
    assert callback(hitl, request, "approved").status == 200


@pytest.mark.parametrize("what", FORGERIES)
def test_a_flow_is_not_told_what_was_decided_on_a_forged_request(hitl: Hitl, flow: Receiver, what: str) -> None:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    part, members = FORGERIES[what]
    forge(hitl, request, part, **members)
    by_callback(hitl, request)
    assert flow.received == []
    assert request.status == "responded"
    last = request.timeline[-1]
    assert last["kind"] == "resume_attempted"
    assert last["data"]["result"].startswith("Not sent: the stored answer is not the one in the audit log")


@pytest.mark.parametrize("what", ["options", "question"])
def test_nor_if_something_else_happened_in_between(hitl: Hitl, flow: Receiver, what: str) -> None:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    part, members = FORGERIES[what]
    forge(hitl, request, part, **members)
    hitl.bounce(request, "creator@example.com")
    by_callback(hitl, request)
    assert flow.received == []


def test_nor_if_it_happened_long_ago(hitl: Hitl, flow: Receiver) -> None:
    """With more events than are read along with the request."""
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    forge(hitl, request, "head", flow_id="flow_other")
    for number in range(70):
        change = current().resume_flow.change_request
        change(request.id, lambda head, stamp, number=number: _noted(head, stamp, number))  # type: ignore[misc]
    by_callback(hitl, request)
    assert flow.received == []


def test_a_request_with_very_many_events_is_told_to_its_flow(hitl: Hitl, flow: Receiver) -> None:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    for number in range(70):
        change = current().resume_flow.change_request
        change(request.id, lambda head, stamp, number=number: _noted(head, stamp, number))  # type: ignore[misc]
    hitl.reply("approved")
    assert len(flow.received) == 1


def _noted(head: Any, stamp: Any, number: int) -> Any:
    from flow_hitl.audit.chain import EventKind
    from flow_hitl.requests.request import note

    return note(head, EventKind.WEBHOOK_FAILED, {"number": number}, stamp=stamp)


@pytest.mark.parametrize("what", FORGERIES)
def test_an_email_decides_nothing_where_the_request_was_forged(hitl: Hitl, what: str) -> None:
    request = hitl.ask(emit=EMIT)
    part, members = FORGERIES[what]
    before = values(hitl._clients["dynamodb"].get_item(TableName="requests", Key=item(key(request, part)))["Item"])
    forge(hitl, request, part, **members)
    hitl.reply("approved")
    assert request.status == "pending"
    hitl._clients["dynamodb"].put_item(TableName="requests", Item=item(before))
    hitl.advance(minutes=60)
    assert request.outcome == "approved", "once it is repaired, their answer counts"


def key(request: AskedRequest, part: str) -> dict[str, str]:
    return {"pk": request.id, "sk": f"r#{part}"}


@pytest.mark.parametrize("what", ["options", "question"])
def test_the_review_page_says_that_the_request_takes_no_answer(hitl: Hitl, what: str) -> None:
    request = hitl.ask(emit=EMIT)
    part, members = FORGERIES[what]
    forge(hitl, request, part, **members)
    page = hitl.page("POST", hitl.review_url(), {"outcome": "approved"})
    assert page.status == 422
    assert "its audit log does not know" in page.text
    browser, address = hitl.signed_in("creator@example.com"), f"/d/{hitl.deployment_id}/requests/{request.id}"
    assert browser.get(address).status == 200
    answered = browser.post(address, {"outcome": "approved", "comment": "With a comment"})
    assert answered.status == 422
    assert "its audit log does not know" in answered.text
    assert "With a comment" in answered.text
    assert request.status == "pending"


def test_the_clock_gives_no_answer_that_nobody_chose(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 30, "default_outcome": "rejected"})
    doc = values(hitl._clients["dynamodb"].get_item(TableName="requests", Key=item(key(request, "head")))["Item"])
    due = json.loads(document_text(doc["doc"]))["auto_response"]
    forge(hitl, request, "head", auto_response={**due, "default_outcome": "approved"})
    hitl.advance(minutes=35)
    assert request.status == "pending"
    forge(hitl, request, "head", auto_response=due)
    hitl.advance(minutes=120)
    assert request.outcome == "rejected"


@pytest.mark.parametrize("what", FORGERIES)
def test_a_webhook_does_not_tell_of_it_either(hitl: Hitl, what: str) -> None:
    with receiving() as app:
        made = hook(hitl, app.url, events=["response_submitted"])
        request = hitl.ask(emit=EMIT)
        part, members = FORGERIES[what]
        forge(hitl, request, part, **members)
        by_callback(hitl, request)
        assert app.received == []
        (delivery,) = made.deliveries
        assert (delivery["status"], delivery["http_status"]) == ("failed", None)
        assert "not the one in the audit log" in delivery["reason"]
        assert request.kinds.count("webhook_failed") == 1


def test_a_webhook_tells_of_a_decision_after_whatever_else_happened(hitl: Hitl) -> None:
    with receiving() as app:
        app.away = 1
        made = hook(hitl, app.url, events=["response_submitted"])
        request = hitl.ask(emit=EMIT)
        asked = hitl.inbox[-1]
        by_callback(hitl, request)
        hitl.reply("perhaps", to=asked)
        app.received.clear()
        (delivery,) = made.deliveries
        path = f"/v1/deployments/{hitl.deployment_id}/webhooks/{made.id}/deliveries/{delivery['id']}/redeliver"
        assert hitl.api("POST", path, {}).status < 300
        assert len(app.received) == 1


@pytest.mark.parametrize("what", FORGERIES)
def test_no_receipt_is_signed_for_it(hitl: Hitl, flow: Receiver, what: str) -> None:
    request = hitl.ask(emit=EMIT, receipt=True, resume_url=flow.url)
    part, members = FORGERIES[what]
    forge(hitl, request, part, **members)
    by_callback(hitl, request)
    hitl.advance(minutes=60)
    assert (request.response["receipt"], flow.received) == (None, [])


@pytest.mark.parametrize("what", ["options", "question", "run"])
def test_a_flow_is_not_asked_about_a_forged_request(hitl: Hitl, flow: Receiver, what: str) -> None:
    from tests.requests.test_questions import ask_back

    request = hitl.ask(emit=EMIT, questions=True, resume_url=flow.url)
    part, members = FORGERIES[what]
    forge(hitl, request, part, **members)
    assert ask_back(hitl, request).status == 200
    assert flow.received == []


# --- what must never be taken for a forgery


def old(event: AuditEvent, *without: str, prev_hash: str) -> AuditEvent:
    """Return an event as an earlier release would have written it."""
    data = {name: value for name, value in event.data.items() if name not in without}
    unsigned = replace(event, data=data, prev_hash=prev_hash)
    return replace(unsigned, hash=event_hash(unsigned))


BEFORE: Mapping[str, tuple[str, ...]] = {
    "nothing of the state before": (STATE_BEFORE,),
    "no state at all": (STATE_BEFORE, "head_sha256"),
    "nothing of any record": (STATE_BEFORE, "head_sha256", "kept_sha256"),
}


@pytest.mark.parametrize("release", BEFORE)
@pytest.mark.parametrize("up_to", [1, 2])
def test_requests_of_earlier_releases_are_decided_and_told(
    hitl: Hitl, flow: Receiver, release: str, up_to: int
) -> None:
    flow.away = 1
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    stored = [event_from_item(wire) for wire in chain(hitl, request)]
    assert len(stored) == 2, "opened, and the email was sent"
    before = "0" * 64
    for event in stored:
        without = BEFORE[release] if event.seq <= up_to else ()
        made = old(event, *without, prev_hash=before)
        hitl._clients["dynamodb"].put_item(TableName="audit", Item={**event_image(made), **index_keys(hitl, event)})
        before = made.hash
    forge(hitl, request, "head", last_hash=before)
    hitl.reply("approved")
    assert request.outcome == "approved"
    hitl.advance(minutes=5)
    assert json.loads(flow.received[-1].body)["request"]["response"]["outcome"] == "approved"


def chain(hitl: Hitl, request: AskedRequest) -> list[dict[str, Any]]:
    found = hitl._clients["dynamodb"].query(
        TableName="audit",
        KeyConditionExpression="subject = :subject",
        ExpressionAttributeValues=item({":subject": f"request#{request.id}"}),
    )
    return list(found["Items"])


def index_keys(hitl: Hitl, event: AuditEvent) -> dict[str, Any]:
    (found,) = (
        one for one in chain(hitl, AskedRequest(event.request_id, "", hitl)) if one["seq"]["N"] == str(event.seq)
    )
    return {name: found[name] for name in ("day_shard", "day_key")}


def test_what_happens_to_a_request_before_its_decision_is_no_forgery(hitl: Hitl, flow: Receiver) -> None:
    from tests.requests.test_questions import answer_it, ask_back

    request = hitl.ask(
        emit=EMIT, questions=True, resume_url=flow.url, assigned_to_email="ann@example.com", sla_target_minutes=60
    )
    hitl.reply("", sender="ann@example.com")
    assert ask_back(hitl, request).status == 200
    assert answer_it(hitl, request).status == 200
    hitl.bounce(request, "ann@example.com")
    path = f"/v1/requests/{request.id}/reassign"
    assert hitl.api("POST", path, {"assigned_to_email": "bob@example.com"}).status == 200
    hitl.reply("approved", sender="bob@example.com")
    assert request.outcome == "approved"
    told = [json.loads(post.body) for post in flow.received]
    assert told[-1]["request"]["response"]["outcome"] == "approved"
    loaded, events = current().resume_flow.requests.load(request.id), current().resume_flow.audit.timeline(request.id)
    assert is_as_logged(loaded, events)
    assert told_problems(loaded, events, partial(current().resume_flow.audit.later, request.id)) == []


Broken = Callable[[list[AuditEvent]], list[AuditEvent]]
BROKEN: Mapping[str, Broken] = {
    "none": lambda _: [],
    "without its first": lambda events: events[1:],
    "without one in between": lambda events: [events[0], *events[2:]],
    "of another beginning": lambda events: [replace(events[0], prev_hash="1" * 64), *events[1:]],
    "with one that was changed": lambda events: [events[0], replace(events[1], actor="mallory"), *events[2:]],
    "with another state in between": lambda events: [
        replace(events[0], data={**events[0].data, "head_sha256": "0" * 64}),
        *events[1:],
    ],
    "but for the last": lambda events: events[:-1],
    "in another order": lambda events: [events[1], events[0], *events[2:]],
}


@pytest.mark.parametrize("how", BROKEN)
def test_events_that_are_no_chain_lead_to_no_request(hitl: Hitl, how: str) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.bounce(request, "creator@example.com")
    flow = current().resume_flow
    loaded, events = flow.requests.load(request.id), list(flow.audit.timeline(request.id))
    assert len(events) >= 3
    assert is_as_logged(loaded, events)
    assert not is_as_logged(loaded, BROKEN[how](events))


def test_what_somebody_changed_since_it_was_seen_is_not_decided(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    seen = current().resume_flow.requests.load(request.id).head
    assert current().read_as_logged(seen).head == seen
    forge(hitl, request, "head", flow_id="flow_other")
    with pytest.raises(NotAsLogged):
        current().read_as_logged(seen)


def test_what_was_erased_since_is_told_by_a_webhook_as_it_is(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 15})
    with receiving() as app:
        made = hook(hitl, app.url, events=["response_submitted"])
        request = hitl.ask(emit=EMIT)
        by_callback(hitl, request)
        app.received.clear()
        hitl.advance(days=17)
        by_schedule(hitl)
        (delivery,) = made.deliveries
        path = f"/v1/deployments/{hitl.deployment_id}/webhooks/{made.id}/deliveries/{delivery['id']}/redeliver"
        assert hitl.api("POST", path, {}).status < 300
        assert len(app.received) == 1
    assert named_findings(hitl) == set()
