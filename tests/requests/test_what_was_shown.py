"""A decision says what its responder had before them, and by what they are proven."""

import hashlib
import html
import json
import re
from typing import Any

from flow_hitl.proof.verify_audit import mail_hash, payload_hash
from infra.local.hitl_fixture import AskedRequest, Hitl, Mail
from tests.support.asserts import EMIT, callback
from tests.support.receiver import receiving
from tests.support.webhooks import answer_at, hook


def decision(request: AskedRequest) -> dict[str, Any]:
    (event,) = [event for event in request.timeline if event["kind"] == "response_submitted"]
    data: dict[str, Any] = event["data"]
    return data


def sent(request: AskedRequest, kind: str = "notification_sent") -> list[dict[str, Any]]:
    return [event for event in request.timeline if event["kind"] == kind]


def test_the_hash_of_each_mail_is_on_the_timeline(hitl: Hitl) -> None:
    request = hitl.ask("Publish “this”?", emit=EMIT, output="# Draft\n\nÄ ö\n", flow_name="F  G")
    hitl.reply("approved")
    hitl.reply("rejected", to=hitl.inbox[0])
    hashes = [event["data"]["sha256"] for event in request.timeline if "sha256" in event["data"]]
    assert hashes == [mail_hash(mail.raw.encode()) for mail in hitl.inbox]
    assert len(hashes) == 3, "the notification, the confirmation, and that it was too late"


def test_a_mailed_decision_names_the_mail_that_was_answered(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved")
    (notification,) = sent(request)
    shown = decision(request)["shown"]
    assert shown == {
        "kind": "mail",
        "sha256": mail_hash(hitl.inbox[0].raw.encode()),
        "event_id": notification["event_id"],
    }


def test_in_a_thread_the_mail_that_the_reply_names_counts(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}], "sla_target_minutes": 20})
    requests = [hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)]
    hitl.advance(minutes=11)
    for request, kind in zip(requests, ("notification_sent", "reminder_sent"), strict=True):
        (event,) = sent(request, kind)
        mail = next(one for one in hitl.inbox if mail_hash(one.raw.encode()) == event["data"]["sha256"])
        hitl.reply("approved", to=mail, headers={"In-Reply-To": f"<{event['data']['message_id']}@email.amazonses.com>"})
        assert decision(request)["shown"]["event_id"] == event["event_id"]


def test_who_replied_is_proven_by_verdicts_and_the_mail_by_its_hash(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved")
    raw = hitl._clients["s3"].get_object(Bucket="mail", Key="inbound/mail000001")["Body"].read()
    assert decision(request)["verification"] == {
        "method": "reply_address",
        "sender": "creator@example.com",
        "verdicts": {"spf": "PASS", "dkim": "PASS", "dmarc": "PASS", "from": "creator@example.com"},
        "mail": "mail000001",
        "mail_sha256": hashlib.sha256(raw).hexdigest(),
    }


def hidden(page: str) -> str:
    found = re.search(r'name="shown" value="([^"]+)"', page)
    assert found, "the page does not say what it shows"
    return html.unescape(found[1])


def press(hitl: Hitl, mail: Mail, shown: str | None) -> None:
    form = {"outcome": "approved", **({"shown": shown} if shown is not None else {})}
    assert hitl.page("POST", hitl.review_url(mail), form).status == 200


def test_a_decision_on_the_page_proves_what_the_page_showed(hitl: Hitl) -> None:
    one, same, other = (hitl.ask(message, emit=EMIT) for message in ("Publish?", "Publish?", "Delete?"))
    for request, mail in zip((one, same, other), list(hitl.inbox), strict=True):
        press(hitl, mail, hidden(hitl.page("GET", hitl.review_url(mail)).text))
        assert decision(request)["shown"]["kind"] == "page"
        assert decision(request)["verification"] == {"method": "review_link"}
    hashes = [decision(request)["shown"]["sha256"] for request in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_press_without_the_page_proves_nothing_and_counts(hitl: Hitl) -> None:
    first, second, third = (hitl.ask(emit=EMIT) for _ in range(3))
    mails = list(hitl.inbox)
    of_first = hidden(hitl.page("GET", hitl.review_url(mails[0])).text)
    press(hitl, mails[0], None)
    press(hitl, mails[1], of_first)
    press(hitl, mails[2], of_first[:-1])
    for request in (first, second, third):
        assert decision(request)["shown"] is None
        assert request.outcome == "approved"


def test_a_decision_by_api_has_the_hash_of_what_the_webhook_was_given(hitl: Hitl) -> None:
    with receiving() as app:
        webhook_id = hook(hitl, app.url).id
        request = hitl.ask(emit=EMIT, output={"price": 1.5}, state={"deep": [1, {"ä": None}]})
        payload = app.received[0].body
        link = json.loads(payload)["callback_url"]
        assert answer_at(hitl, link, responder="ann").status == 200
    data = decision(request)
    assert data["shown"] == {"kind": "content", "sha256": payload_hash(payload), "event_id": None}
    assert data["verification"] == {"method": "callback_url", "webhook_id": webhook_id}
    assert (data["responder"], data["responder_verified"]) == ("ann", False)


def test_the_clock_saw_nothing(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 5, "default_outcome": "rejected"})
    hitl.advance(minutes=5)
    data = decision(request)
    assert data["shown"] is None
    assert data["verification"]["method"] == "clock"


def test_the_flows_own_callback_is_told_from_a_webhooks(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    assert decision(request)["verification"] == {"method": "callback_url", "webhook_id": None}


def test_who_passes_a_request_on_is_proven_too(hitl: Hitl) -> None:
    hitl.configure(settings={"allow_delegation": True})
    by_mail, by_page = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
    mails = list(hitl.inbox)
    hitl.reply("delegate: bob@example.com", to=mails[0])
    hitl.page("POST", hitl.review_url(mails[1]), {"delegate_to": "bob@example.com"})
    methods = [
        event["data"]["verification"]["method"]
        for request in (by_mail, by_page)
        for event in request.timeline
        if event["kind"] == "request_reassigned"
    ]
    assert methods == ["reply_address", "review_link"]


def test_the_first_event_says_who_asked_which_rules_were_looked_at_and_which_configuration_held(hitl: Hitl) -> None:
    rules = [
        {"name": "payments", "match": {"method_name": "pay_*"}, "assign_to_email": "a@example.com"},
        {"name": "reviews", "match": {"method_name": "review"}, "assign_to_email": "b@example.com"},
        {"name": "all", "match": {"method_name": "*"}, "assign_to_email": "c@example.com"},
    ]
    hitl.configure(rules=rules)
    (event, *_) = hitl.ask(emit=EMIT).timeline
    considered = event["data"]["considered"]
    assert [(one["name"], one["matched"]) for one in considered] == [("payments", False), ("reviews", True)]
    assert all(one["reason"] for one in considered)
    assert event["data"]["created_by"] == f"api_key/{hitl.api_key.split('_')[2]}"
    own = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/audit").json["events"]
    configuration = event["data"]["configuration"]
    (named,) = [one for one in own if one["subject"].startswith("deployment#") and one["seq"] == configuration["seq"]]
    assert (named["hash"], named["kind"]) == (configuration["hash"], "routing_rules_changed")


def test_of_very_many_rules_the_first_ten_are_told(hitl: Hitl) -> None:
    rule = {"match": {"method_name": "approve_*"}, "assign_to_email": "a@example.com"}
    hitl.configure(rules=[{**rule, "name": f"rule {number}"} for number in range(1000)])
    (event, *_) = hitl.ask(emit=EMIT).timeline
    assert len(event["data"]["considered"]) == 10
