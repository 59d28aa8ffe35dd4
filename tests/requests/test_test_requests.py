"""A test request: sent to a chosen address by the way of every request, and kept apart from the flows' own."""

from typing import Any

import pytest

from infra.local.hitl_fixture import Answer, AskedRequest, Hitl
from tests.support.asserts import EMIT, assert_invalid, assert_problem
from tests.support.receiver import receiving
from tests.support.webhooks import ALL_EVENTS, hook


def send(hitl: Hitl, to: Any = "tester@example.com") -> Answer:
    return hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/test-request", {"to": to})


def sent(hitl: Hitl, to: str = "tester@example.com") -> AskedRequest:
    """Send a test request and return it; fails the test if it is refused."""
    answer = send(hitl, to)
    assert answer.status == 201, answer.text
    assert answer.json["request"]["test"] is True
    return AskedRequest(answer.json["request"]["id"], "", hitl)


def result_on_the_timeline(request: AskedRequest) -> str:
    (answered,) = [event["data"] for event in request.timeline if event["kind"] == "response_submitted"]
    assert answered["test"] is True
    return str(answered["test_result"])


def test_it_goes_the_whole_way_and_its_reply_proves_the_way_back(hitl: Hitl) -> None:
    request = sent(hitl)
    (mail,) = hitl.inbox
    assert mail.to == "tester@example.com"

    hitl.reply("it works\nlooks good, too")

    assert request.outcome == "It works"
    assert request.kinds == ["request_created", "notification_sent", "response_submitted", "confirmation_sent"]
    assert result_on_the_timeline(request) == "The test worked: the email arrived, and the reply came back."
    confirmation = hitl.inbox[-1]
    assert "worked" in confirmation.subject
    assert "The test worked" in confirmation.text
    assert "The test worked" in confirmation.html
    assert "flow goes on" not in confirmation.text + confirmation.html


def test_its_mail_and_page_say_that_it_is_a_test(hitl: Hitl) -> None:
    sent(hitl)
    (mail,) = hitl.inbox
    assert mail.subject.startswith("[Test] ")
    page = hitl.page("GET", hitl.review_url()).text
    for shown in (mail.text, mail.html, page):
        assert "This is a test. No flow is waiting for the answer." in shown
    assert "the flow asked for you" not in mail.text
    hitl.ask("Publish?", emit=EMIT)
    real = hitl.inbox[-1]
    assert "This is a test" not in real.text + real.html + hitl.page("GET", hitl.review_url()).text
    assert "[Test]" not in real.subject


def test_an_answer_on_the_page_proves_it_too(hitl: Hitl) -> None:
    request = sent(hitl)
    thanks = hitl.page("POST", hitl.review_url(), {"outcome": "It works", "comment": ""}).text
    assert "The test worked" in thanks
    assert request.outcome == "It works"
    assert "review page came back" in result_on_the_timeline(request)


def test_every_further_mail_of_it_is_marked(hitl: Hitl) -> None:
    sent(hitl)
    hitl.reply("it works", sender="stranger@example.com")
    refusal = hitl.inbox[-1]
    assert refusal.subject.startswith("[Test] ")
    assert "This is a test" in refusal.text


def test_a_worker_is_never_given_a_test_and_a_manager_finds_it_in_the_list(hitl: Hitl) -> None:
    test, real = sent(hitl), hitl.ask("Publish?", emit=EMIT)
    for mail in list(hitl.inbox):
        hitl.reply("it works" if mail.subject.startswith("[Test]") else "approved", to=mail)
    assert (test.status, real.status) == ("responded", "responded")
    assert [one["id"] for one in hitl.api("GET", "/v1/decisions").json["decisions"]] == [real.id]
    listed = {one["id"]: one["test"] for one in hitl.api("GET", "/v1/requests").json["requests"]}
    assert listed == {test.id: True, real.id: False}


def test_no_flow_resumes_with_it(hitl: Hitl) -> None:
    request = sent(hitl)
    hitl.reply("it works")
    assert request.now()["resume"] is None
    report = hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": "resumed"})
    assert_problem(report, 409, "not-pending")


def test_webhooks_are_not_told(hitl: Hitl) -> None:
    with receiving() as app:
        hook(hitl, app.url, events=ALL_EVENTS)
        sent(hitl)
        hitl.reply("it works")
        hitl.api("DELETE", f"/v1/requests/{sent(hitl).id}")
        hitl.advance(minutes=1)
        assert app.received == []


def test_analytics_can_tell_by_its_events(hitl: Hitl) -> None:
    test, cancelled, real = sent(hitl), sent(hitl), hitl.ask("Publish?", emit=EMIT)
    hitl.api("DELETE", f"/v1/requests/{cancelled.id}")
    hitl.reply("it works", to=hitl.inbox[0])
    hitl.reply("approved", to=hitl.inbox[2])
    counted = ("request_created", "response_submitted", "request_cancelled")
    for request, is_test in ((test, True), (cancelled, True), (real, False)):
        marks = [event["data"]["test"] for event in request.timeline if event["kind"] in counted]
        assert marks == [is_test, is_test]


def test_neither_the_clock_nor_a_reminder_touches_it(hitl: Hitl) -> None:
    auto_response = {"enabled": True, "timeout_minutes": 60, "default_outcome": "approved"}
    hitl.configure(
        settings={"auto_response": auto_response, "sla_target_minutes": 30, "reminders": [{"share_of_sla": 0.5}]}
    )
    request = sent(hitl)
    hitl.advance(days=3)
    assert (request.status, len(hitl.inbox)) == ("pending", 1)
    assert request.now()["sla_due_at"] is None


@pytest.mark.parametrize("to", [None, "", "tester", "Tester <tester@example.com>", 7, ["tester@example.com"]])
def test_what_is_no_address_is_refused(hitl: Hitl, to: object) -> None:
    assert_invalid(send(hitl, to), "/to")
    assert hitl.inbox == []


def test_it_may_go_only_where_requests_may(hitl: Hitl) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["company.example"]})
    assert_invalid(send(hitl, "tester@elsewhere.example"), "/to")
    assert_invalid(send(hitl, "group:nobody"), "/to")
    sent(hitl, "tester@company.example")
    assert [mail.to for mail in hitl.inbox] == ["tester@company.example"]


def test_a_group_can_be_tested(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": ["a@example.com", "b@example.com"]}]})
    request = sent(hitl, "group:finance")
    assert {mail.to for mail in hitl.inbox} == {"a@example.com", "b@example.com"}
    hitl.reply("it works")
    assert request.outcome == "It works"
    assert all(mail.subject.startswith("[Test] ") for mail in hitl.inbox)


def test_where_mails_are_off_the_test_says_so(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = sent(hitl)
    assert hitl.inbox == []
    (warning,) = request.now()["warnings"]
    assert "Email notifications are off" in warning


def test_it_needs_nobody_who_asked(hitl: Hitl) -> None:
    hitl.configure(settings={"forbid_self_approval": True})
    assert sent(hitl).now()["warnings"] == []


def test_its_creation_names_who_sent_it(hitl: Hitl) -> None:
    created = sent(hitl).timeline[0]
    assert created["actor"] == f"api_key/{hitl.api_key.split('_')[2]}"


def test_it_counts_as_a_request_of_the_deployments_quota(hitl: Hitl) -> None:
    from flow_hitl.bootstrap import current

    current().manage_deployments.set_quotas(hitl.deployment_id, requests_per_hour=2)
    sent(hitl)
    sent(hitl)
    assert_problem(send(hitl), 429, "rate-limited")


def test_a_doubt_about_an_auto_response_is_not_raised_by_tests(hitl: Hitl) -> None:
    sent(hitl)
    auto_response = {"enabled": True, "timeout_minutes": 60, "default_outcome": "approved"}
    path = f"/v1/deployments/{hitl.deployment_id}/settings"
    answer = hitl.api("PUT", path, {"auto_response": auto_response}, headers={"If-Match": "*"})
    assert answer.json["warnings"] == []
